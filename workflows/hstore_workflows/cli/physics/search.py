"""``hstore physics search``: crystal structures of a composition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click


def _read_units(_context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    """Read numbers of formula units given as N,N,..."""
    try:
        return tuple(int(part) for part in value.split(","))
    except ValueError as error:
        told = f"{parameter.opts[0]} takes whole numbers such as 1,2,4; got {value!r}"
        raise click.BadParameter(told) from error


@click.command("search", epilog="Example: hstore physics search MgH2 --units 1,2 --tries 60 --out found --json")
@click.argument("formulas", metavar="FORMULA...", nargs=-1, required=True)
@click.option(
    "--units", default="1,2,4", show_default=True, metavar="N,..", callback=_read_units, help="Formula units."
)
@click.option("--tries", type=click.IntRange(min=0), default=60, show_default=True, help="Random crystals.")
@click.option(
    "--substitutions",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Known types tried; 0: composition alone.",
)
@click.option("--best", type=click.IntRange(min=1), default=6, show_default=True, help="Relaxed tightly.")
@click.option("--basin-steps", type=click.IntRange(min=0), default=8, show_default=True, help="Steps from these.")
@click.option(
    "--core-hours", type=click.FloatRange(min=0, min_open=True), metavar="HOURS", help="Begin nothing after."
)
@click.option("--optimizer-steps", type=click.IntRange(min=1), metavar="N", help="Begin nothing after so many.")
@click.option(
    "--potential",
    default="sevennet",
    show_default=True,
    metavar="NAME",
    help="chgnet, sevennet, sevennet-l3i5, or module:factory of an ASE calculator.",
)
@click.option("--weights", type=click.Path(path_type=Path), help="Weights file of a module:factory.")
@click.option("--sha256", help="Checksum that the weights must have.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of all draws.  [default: HSTORE_SEED, else 0]")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="found",
    show_default=True,
    help="Folder of records and CIFs.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(formulas: tuple[str, ...], *, out: Path, workers: int, as_json: bool, **options: Any) -> None:
    """Search for the crystal structures of compositions: random symmetric crystals and known types, relaxed.

    Each try is a record in the folder; a search that was killed goes on with the same command and ends with the
    same result. What fails is counted with its cause. Needs pyxtal: pip install 'hstore[search]'.
    """
    from hstore.errors import HstoreError
    from hstore.settings import load_settings
    from hstore_workflows.cli.progress import counting
    from hstore_workflows.physics.search.report import report, text_of
    from hstore_workflows.physics.search.search import search
    from hstore_workflows.physics.search.settings import SearchSettings

    home = load_settings()
    options["seed"] = home.seed if options["seed"] is None else options["seed"]
    settings = SearchSettings(**options)
    told = []
    with counting("tried") as advance:
        for formula in formulas:
            folder = out / formula.replace("/", "_")
            try:
                found = search(formula, settings, folder=folder / "tries", workers=workers, say=advance)
                told.append(report(found, settings, home=home, folder=folder, workers=workers))
            except HstoreError as error:
                if len(formulas) == 1:
                    raise
                told.append({"formula": formula, "cause": str(error)})
    click.echo(json.dumps(told) if as_json else "\n".join(line for one in told for line in text_of(one)))
