"""``hstore physics barrier``: how high the barriers of ion migration are."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("barrier", epilog="Example: hstore physics barrier Li3N.cif LiFePO4.cif --ion Li --json")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--ion", required=True, metavar="ION", help="Mobile ion, such as Li, Na or O.")
@click.option(
    "--resolution",
    "resolution_angstrom",
    type=click.FloatRange(0.05, 0.5),
    default=0.2,
    show_default=True,
    help="Distance between points, angstrom.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=120.0,
    show_default=True,
    help="Time of a structure at most, s.",
)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    paths: tuple[Path, ...], *, ion: str, resolution_angstrom: float, seconds: float, workers: int, as_json: bool
) -> None:
    """Compute bond-valence barriers of an ion for paths in one, two and three dimensions.

    Good for ordering materials of one family. Hydrides have no parameters and are told as not applicable. A
    structure with disorder, or one that takes too long, is told with its cause, and the rest goes on.
    """
    from hstore_models.physics.barriers import BarrierSettings
    from hstore_workflows.physics.barriers import barriers_in_words, barriers_of_files

    settings = BarrierSettings(resolution_angstrom=resolution_angstrom)
    found = []
    for row in barriers_of_files(paths, ion, settings=settings, seconds=seconds, workers=workers):
        found.append(row)
        if not as_json:
            click.echo(row.text(barriers_in_words))
    if as_json:
        rows = [row.as_json() for row in found]
        click.echo(json.dumps({"ion": ion, "settings": vars(settings), "rows": rows}))
    if all(row.found is None for row in found):
        raise SystemExit(1)
