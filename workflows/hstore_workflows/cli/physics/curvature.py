"""``hstore physics curvature``: how well carbon sheets hold hydrogen beside how they are curved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstore.records import Material
    from hstore_workflows.sources.intake import Rejected


@click.command("curvature", epilog="Example: hstore physics curvature C60.cif tube.cif --known --plot wells.png")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE...]")
@click.option("--known", is_flag=True, help="Add graphene, tubes and Schwarzites to compare with.")
@click.option("--temperature-k", default=77.0, show_default=True, help="Temperature.")
@click.option(
    "--hydrogen", default="buch", show_default=True, help="Model of hydrogen: buch, michels or fischer-77k."
)
@click.option("--quantum", is_flag=True, help="With the Feynman-Hibbs correction.")
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Draw as PNG, PDF or SVG."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with a row for each well.")
def command(
    paths: tuple[Path, ...],
    *,
    known: bool,
    temperature_k: float,
    hydrogen: str,
    quantum: bool,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Find the wells of hydrogen on both sides of every atom of carbon sheets, and how curvature deepens them.

    A structure without a carbon sheet is told with its cause, and the rest goes on.
    """
    from dataclasses import asdict

    from hstore_models.physics.force_field import ForceField
    from hstore_workflows.physics.curved import curved_carbons, draw, law_over, text_of

    if not (paths or known):
        raise click.UsageError("give at least one FILE, or --known")
    rows = curved_carbons(
        _materials(paths, known=known), temperature_k, ForceField("uff", hydrogen, quantum=quantum)
    )
    if plot is not None:
        draw(rows, plot)
    if as_json:
        law = law_over(rows)
        told = {"law": asdict(law) if law else None, "carbons": [row.as_json() for row in rows]}
        click.echo(json.dumps(told, allow_nan=False))
    else:
        click.echo("\n".join(text_of(rows)))
    if all(row.found is None for row in rows):
        raise click.exceptions.Exit(1)


def _materials(paths: tuple[Path, ...], *, known: bool) -> Iterator[Material | Rejected]:
    from hstore_workflows.physics.curved import known_carbons
    from hstore_workflows.sources.files.source import read_files

    if paths:
        yield from read_files(paths)
    if known:
        yield from known_carbons()
