"""``hstore campaign lab``: what a lab has, what it does not handle, and how much it does in a week."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command(
    epilog="Example: hstore campaign lab alloys --lab north --elements La,Ni,Mn,Fe,Al --without Be,Pb --per-week 4"
)
@click.argument("name")
@click.option("--lab", "lab_name", required=True, metavar="LAB", help="Name of the lab.")
@click.option("--elements", metavar="EL,..", help="Elements it has (H, N and O are understood); default: all.")
@click.option("--without", metavar="EL,..", default="", help="Elements it does not handle.")
@click.option("--per-week", type=click.IntRange(min=1), help="Most experiments under way; default: no limit.")
@click.option(
    "--precursors",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Table with a column precursor, element or formula of what it has.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was noted as JSON.")
def lab(
    name: str,
    lab_name: str,
    elements: str | None,
    without: str,
    per_week: int | None,
    precursors: Path | None,
    *,
    as_json: bool,
) -> None:
    """Describe a lab of campaign NAME; it is then proposed only what it can make."""
    from hstore.settings import load_settings
    from hstore_workflows.campaign.labs import Lab, element_symbols, read_precursors
    from hstore_workflows.campaign.story import describe_lab

    described = Lab(
        lab_name,
        None if elements is None else element_symbols(elements),
        element_symbols(without),
        per_week,
        read_precursors(precursors) if precursors else (),
    )
    made = describe_lab(load_settings(), name, described)
    if as_json:
        held = {"campaign": name, "lab": lab_name, **described.as_json(), "makeable": made}
        click.echo(json.dumps(held, ensure_ascii=False))
        return
    can = (
        "candidates have no formulas, so all count as makeable"
        if made is None
        else f"can make {made:,} candidates"
    )
    click.echo(f"lab {lab_name} of campaign {name}: {can}, {per_week or 'any number of'} experiments a week")
