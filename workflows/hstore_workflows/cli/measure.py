"""``hstore measure``: a table of measurements or isotherms into the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hstore.settings import load_settings

if TYPE_CHECKING:
    from datetime import datetime

    from hstore_workflows.measure.verdicts import Taken, Verdict

TEMPLATE_WORD = "template"
"""Word in place of a file that asks for an empty table."""

_SHOWN = 20
_EPILOG = """\b
Example:
  hstore measure template > results.csv
  hstore measure results.csv --lab north --publish-on 2027-06-30
"""


@click.command("measure", epilog=_EPILOG)
@click.argument("file", metavar="FILE|template", type=click.Path(path_type=Path))
@click.option("--lab", default="local", show_default=True, help="Lab that owns them; others do not see them.")
@click.option(
    "--publish-on",
    metavar="DATE",
    type=click.DateTime(["%Y-%m-%d"]),
    help="First day on which everybody sees them.",
)
@click.option("--isotherms", is_flag=True, help="The table holds points of isotherms.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
def command(file: Path, lab: str, publish_on: datetime | None, *, isotherms: bool, as_json: bool) -> None:
    """Take a CSV of measurements into the store; each value gets a verdict, a bad row does not stop the others.

    The word template in place of a file prints a table to fill in. A row names formula or material_id, and either
    property, value and unit, or columns such as h2_capacity_wt_pct. Exit code 1 where nothing could be used.
    """
    from hstore_workflows.measure.template import template

    if str(file) == TEMPLATE_WORD:
        click.echo(template(isotherms=isotherms), nl=False)
        return
    taken = _taken(file, lab, publish_on, isotherms=isotherms)
    if as_json:
        import json

        verdicts = [verdict.as_json() for verdict in taken.verdicts]
        click.echo(json.dumps({"counts": taken.counts, "verdicts": verdicts, "ignored": taken.ignored}))
    else:
        _print(taken)
    if not any(verdict.verdict in {"stored", "duplicate"} for verdict in taken.verdicts):
        raise SystemExit(1)


def _taken(file: Path, lab: str, publish_on: datetime | None, *, isotherms: bool) -> Taken:
    from hstore.errors import InputError
    from hstore.keys import lab_of
    from hstore.records import Access, Scope, Visibility
    from hstore.store import open_store
    from hstore.store.lab_records import Author
    from hstore_workflows.measure.csv_rows import check_csv, csv_rows
    from hstore_workflows.measure.isotherm_tables import read_isotherms
    from hstore_workflows.measure.isotherms import take_isotherms
    from hstore_workflows.measure.taking import take

    lab_id = lab_of(lab)
    day = publish_on.date() if publish_on else None
    access = Access(lab_id=lab_id, visibility=Visibility.LAB, embargo_until=day)
    author, scope = Author(lab_id), Scope(lab_id=lab_id)
    if not file.is_file():
        raise InputError(f"{file} is not a file; give a CSV table, or the word {TEMPLATE_WORD!r} for an empty one")
    with file.open("rb") as table:
        if isotherms:
            told = read_isotherms(table)
            with open_store(load_settings().store_url) as store:
                return take_isotherms(store, told, access=access, author=author, scope=scope)
        check_csv(table)
        with open_store(load_settings().store_url) as store:
            return take(store, csv_rows(table), access=access, author=author, scope=scope)


def _print(taken: Taken) -> None:
    from hstore_workflows.measure.verdicts import VERDICTS

    for name, count in taken.counts.items():
        if count:
            click.echo(f"{count:>7,} {name}: {VERDICTS[name]}")
    told = [verdict for verdict in taken.verdicts if verdict.verdict in {"held", "rejected"}]
    for verdict in told[:_SHOWN]:
        click.echo(_line(verdict), err=True)
    if len(told) > _SHOWN:
        click.echo(f"and {len(told) - _SHOWN} more; --json lists all", err=True)
    if taken.ignored:
        click.echo(f"not read: {', '.join(taken.ignored)}", err=True)


def _line(verdict: Verdict) -> str:
    return f"row {verdict.row} ({verdict.material}) {verdict.verdict}: {verdict.cause}"
