"""``hstore campaign correct|retract|confirm``: change what is believed, and keep what was said before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hstore_workflows.campaign.results import Verdict

_WHY = click.option("--why", required=True, help="Reason, kept in the history.")
_LAB = click.option("--lab", default="", help="Who says so.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")


@click.command(
    epilog='Example: hstore campaign correct alloys 12 --set h2_capacity_wt_pct=1.42 --why "balance recalibrated"'
)
@click.argument("name")
@click.argument("number", type=int)
@click.option("--set", "values", multiple=True, metavar="COLUMN=VALUE", help="Column and its right value.")
@click.option("--failed", is_flag=True, help="The synthesis failed after all.")
@_WHY
@_LAB
@_JSON
def correct(
    name: str, number: int, values: tuple[str, ...], why: str, lab: str, *, failed: bool, as_json: bool
) -> None:
    """Correct what experiment NUMBER of campaign NAME was told."""
    from hstore.settings import load_settings
    from hstore_workflows.campaign.story import correct as change

    if not values and not failed:
        raise click.UsageError("give --set COLUMN=VALUE or --failed")
    cells: dict[str, str] = {}
    for pair in values:
        column, given, text = pair.partition("=")
        if not given:
            raise click.BadParameter(f"{pair!r} must read COLUMN=VALUE, such as h2_capacity_wt_pct=1.42")
        cells[column.strip()] = text.strip()
    _show(
        change(load_settings(), name, number, cells | ({"failed": "yes"} if failed else {}), why=why, lab=lab),
        as_json,
    )


@click.command(epilog='Example: hstore campaign retract alloys 12 --why "sample was oxidised"')
@click.argument("name")
@click.argument("number", type=int)
@_WHY
@_LAB
@_JSON
def retract(name: str, number: int, why: str, lab: str, *, as_json: bool) -> None:
    """Take back what experiment NUMBER of campaign NAME said; one under way is given back to the pool."""
    from hstore.settings import load_settings
    from hstore_workflows.campaign.story import retract as take_back

    _show(take_back(load_settings(), name, number, why=why, lab=lab), as_json)


@click.command(epilog="Example: hstore campaign confirm alloys 3")
@click.argument("name")
@click.argument("row", type=int)
@_JSON
def confirm(name: str, row: int, *, as_json: bool) -> None:
    """Take held ROW of campaign NAME, a value that seemed hardly true; `campaign status` lists them."""
    from hstore.settings import load_settings
    from hstore_workflows.campaign.story import confirm as believe

    _show(believe(load_settings(), name, row), as_json)


def _show(verdict: Verdict, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(verdict.as_json(), ensure_ascii=False))
        return
    experiment = "" if verdict.experiment is None else f" (experiment {verdict.experiment})"
    click.echo(f"{verdict.verdict}: {verdict.material}{experiment}{f'; {verdict.cause}' if verdict.cause else ''}")
