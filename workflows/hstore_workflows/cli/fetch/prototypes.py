"""``hstore fetch prototypes``: candidates from structure types, and alloys on compositional grids."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from hstore_workflows.cli.fetch.intake_options import finish, intake_options

if TYPE_CHECKING:
    from hstore_workflows.sources.prototypes.source import TypeLine


def _names(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (value or "").split(",") if part.strip())


@click.command(
    "prototypes", epilog="Example: hstore fetch prototypes --types perovskite,k2ptcl6 --elements Mg,Ca,Fe"
)
@click.option(
    "--types",
    callback=_names,
    metavar="rutile,C15,..",
    help="Structure types (--list names them), 'hydrides' for all of known hydrides, 'aflow' for the AFLOW "
    "library; default: hydrides.",
)
@click.option("--grid", metavar="ab5|ab2|bcc", help="Alloys on a grid of compositions instead of structure types.")
@click.option("--step", type=float, default=0.1, show_default=True, help="Step of the grid, share of a site.")
@click.option(
    "--site-elements",
    type=int,
    default=3,
    show_default=True,
    metavar="N",
    help="Elements that may share a site on the grid (of a BCC alloy: elements in all).",
)
@click.option(
    "--elements", callback=_names, metavar="Mg,Ti", help="Elements allowed on the sites besides hydrogen."
)
@click.option("--exclude-elements", callback=_names, metavar="Be,Cd", help="Elements that must be absent.")
@click.option(
    "--family",
    type=click.Choice(["interstitial", "ionic", "complex", "electrolyte"]),
    help="Only this family; electrolytes are made only when named here.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N materials.")
@click.option("--list", "listing", is_flag=True, help="List the structure types and stop.")
@intake_options
def command(listing: bool, grid: str | None, **options: Any) -> None:
    """Decorate known structure types with elements that fit, and store the result.

    Charges must balance, ion sizes or alloy windows must suit the type, and no atoms may collide. What these
    rules refuse is counted by reason under `ruled_out`; it is no failure. Cells are estimated from radii or
    atomic volumes: starting points for a relaxation.
    """
    if listing:
        _list(as_json=options["as_json"])
        return
    if grid is not None and (options["types"] or options["family"]):
        raise click.UsageError("--grid makes alloys by composition; leave out --types and --family")
    source = _grid(grid, options) if grid is not None else _types(options)
    finish(source, options=options, ruled_out=source.ruled_out)


def _types(options: dict[str, Any]) -> Any:
    from hstore.records import Family
    from hstore_workflows.sources.prototypes.source import HYDRIDES, PrototypeQuery, PrototypeSource

    query = PrototypeQuery(
        types=options["types"] or (HYDRIDES,),
        elements=options["elements"],
        exclude_elements=options["exclude_elements"],
        family=Family(options["family"]) if options["family"] else None,
        limit=options["limit"],
    )
    return PrototypeSource(query)


def _grid(grid: str, options: dict[str, Any]) -> Any:
    from hstore_workflows.sources.enumeration.grids import GridSource

    return GridSource(
        grid,
        step=options["step"],
        elements=options["elements"],
        exclude_elements=options["exclude_elements"],
        most=options["site_elements"],
        limit=options["limit"],
    )


def _list(*, as_json: bool) -> None:
    from hstore_workflows.sources.prototypes.source import list_types

    lines: list[TypeLine] = list_types()
    if as_json:
        click.echo(json.dumps([vars(line) for line in lines]))
        return
    width = max(len(line.name) for line in lines)
    for line in lines:
        click.echo(f"{line.name:<{width}}  {line.kind:<7}  {line.title}  [{line.examples}]")
