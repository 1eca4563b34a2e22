"""``hstore fetch carbon``: porous carbon built on surfaces."""

from __future__ import annotations

from typing import Any

import click

from hstore_workflows.cli.fetch.intake_options import finish, intake_options


def _chiral(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[int, int], ...]:
    found = []
    for text in values:
        parts = text.split(",")
        if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
            raise click.BadParameter(f"a tube is two whole numbers such as 10,10, got {text!r}")
        found.append((int(parts[0]), int(parts[1])))
    return tuple(found)


@click.command("carbon", epilog="Example: hstore fetch carbon p d random --edge 40 --count 3 --features curvature")
@click.argument("surfaces", nargs=-1, metavar="[p|d|g|sphere|random]...")
@click.option(
    "--edge",
    "edges",
    type=click.FloatRange(min=0, min_open=True),
    multiple=True,
    default=(30.0,),
    show_default=True,
    help="Edge of the cell, angstrom; repeatable.",
)
@click.option("--rings", type=click.IntRange(min=1), help="Rings in a cell.  [default: as many as cover the area]")
@click.option(
    "--count", type=click.IntRange(min=1), default=1, show_default=True, help="Of each, by seeds from 0."
)
@click.option("--tube", "tubes", multiple=True, callback=_chiral, metavar="N,M", help="A nanotube; repeatable.")
@click.option("--sheet", is_flag=True, help="Graphene.")
@intake_options
def command(
    surfaces: tuple[str, ...],
    edges: tuple[float, ...],
    tubes: tuple[tuple[int, int], ...],
    *,
    sheet: bool,
    **options: Any,
) -> None:
    """Build sheets of three-bonded carbon on surfaces, and store them.

    p, d and g are the triply periodic minimal surfaces of Schwarz and Schoen (Schwarzites), sphere gives cages,
    and random disordered pores such as those of templated carbon. Cells are starting points for a relaxation.
    """
    from hstore_workflows.sources.carbon.source import CarbonQuery, CarbonSource

    query = CarbonQuery(surfaces, edges, options["rings"], options["count"], tubes, sheet)
    finish(CarbonSource(query), options=options)
