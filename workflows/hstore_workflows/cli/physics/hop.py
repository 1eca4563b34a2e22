"""``hstore physics hop``: barriers of single hops into a vacancy, with a potential."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from hstore_workflows.cli.physics.options import potential_options


@click.command("hop", epilog="Example: hstore physics hop Li3N.relaxed.cif --ion Li --potential chgnet --json")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--ion", required=True, metavar="ION", help="Ion that hops, such as Li.")
@potential_options()
@click.option("--images", type=click.IntRange(min=1), default=5, show_default=True, help="Images of a band.")
@click.option(
    "--longest",
    "longest_angstrom",
    type=click.FloatRange(min=0, min_open=True),
    default=4.5,
    show_default=True,
    help="Longest hop, angstrom.",
)
@click.option(
    "--edge",
    "least_edge_angstrom",
    type=click.FloatRange(min=0, min_open=True),
    default=8.0,
    show_default=True,
    help="Least thickness of the supercell, angstrom.",
)
@click.option("--hops", type=click.IntRange(min=1), default=3, show_default=True, help="Distinct hops at most.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=900.0,
    show_default=True,
    help="Time of a hop at most, s.",
)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    paths: tuple[Path, ...],
    *,
    ion: str,
    potential: str,
    weights: Path | None,
    sha256: str | None,
    workers: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Compute the barriers of an ion's shortest hops into a vacancy (climbing-image nudged elastic band).

    Relax the structure with the same potential first. The vacancy is neutral, and one ion hops at a time. What
    does not converge is told with its cause, and the rest goes on.
    """
    from hstore_models.physics.migration import HopSettings
    from hstore_models.physics.potential import load_potential
    from hstore_workflows.physics.hops import hop_in_words, hops_of_files

    settings = HopSettings(**options)
    found = []
    for row in hops_of_files(
        paths, ion, potential, settings=settings, workers=workers, weights=weights, sha256=sha256
    ):
        found.append(row)
        if not as_json:
            click.echo(row.text(hop_in_words))
    if as_json:
        used = load_potential(potential, weights=weights, sha256=sha256).as_json()
        rows = [row.as_json() for row in found]
        click.echo(json.dumps({"potential": used, "settings": vars(settings), "rows": rows}))
    if all(row.found is None or row.found.cause for row in found):
        raise SystemExit(1)
