"""``hstore data``: list, show, pull and check the data sets."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hstore.errors import DataError
from hstore.settings import Settings, load_settings

if TYPE_CHECKING:
    from hstore_data.card import Card
    from hstore_data.check import CheckReport
    from hstore_data.compare import Comparison
    from hstore_data.pull import PullResult

_MIRROR = click.option(
    "--mirror",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with copies of public sets, read as DIR/NAME/...; overrides HSTORE_DATA_MIRROR.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


@click.group(epilog="Example: hstore data pull ml_hydpark --from https://example.org/hstore-data")
def command() -> None:
    """List, show, pull and check the data sets.

    Curated tables ship with hstore. Public sets are read from a mirror (HSTORE_DATA_MIRROR) or from the home
    folder, where `pull` puts them.
    """


@command.command("list", epilog="Example: hstore data list --json")
@_MIRROR
@_JSON
def list_sets(mirror: Path | None, as_json: bool) -> None:
    """List the data sets with rows, licence and whether they are here."""
    from hstore_data.catalog import datasets

    settings = load_settings(data_mirror=mirror)
    rows = [_overview(card, settings) for card in datasets().values()]
    if as_json:
        _print_json(rows)
        return
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(Column("name", no_wrap=True), "tier", "rows", "here", "licence", "title")
    for row in rows:
        table.add_row(*(str(row[key]) for key in ("name", "tier", "rows")), "yes" if row["present"] else "no",
                      row["licence"], row["title"])  # fmt: skip
    Console().print(table)


@command.command("show", epilog="Example: hstore data show obelix")
@click.argument("name")
@_MIRROR
@_JSON
def show(name: str, mirror: Path | None, as_json: bool) -> None:
    """Show the card of a data set: source, licence, columns, known defects."""
    from hstore_data.catalog import get_card

    settings = load_settings(data_mirror=mirror)
    card = get_card(name)
    if as_json:
        _print_json({**card.model_dump(mode="json"), **_overview(card, settings)})
        return
    _print_card(card, settings)


@command.command("pull", epilog="Example: hstore data pull ml_hydpark --from /media/usb/hstore-data")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--from", "base", metavar="URL_OR_FOLDER", help="Base with NAME/file; checksums are enforced.")
@click.option("--trust-on-first-use", is_flag=True,
              help="Accept an upstream file whose checksum is not known, and record it.")  # fmt: skip
@_MIRROR
@_JSON
def pull_sets(
    names: tuple[str, ...], base: str | None, trust_on_first_use: bool, mirror: Path | None, as_json: bool
) -> None:
    """Bring public sets into the home folder, verified by checksum; shows their licences."""
    from hstore_data.catalog import get_card
    from hstore_data.pull import pull

    settings = load_settings(data_mirror=mirror)
    for name in names:
        get_card(name)
    records: list[dict[str, Any]] = []
    for name in names:
        try:
            result = pull(name, settings, base=base, trust_on_first_use=trust_on_first_use)
        except DataError as error:  # one set that fails does not keep the others away
            records.append({"name": name, "error": str(error)})
            click.echo(f"error: {error}", err=True)
        else:
            records.append({**asdict(result), "folder": str(result.folder)})
            if not as_json:
                _print_pull(result)
    if as_json:
        _print_json(records)
    if any("error" in record for record in records):
        sys.exit(1)


@command.command("check", epilog="Example: hstore data check --mirror /data/mirror --json")
@_MIRROR
@_JSON
def check(mirror: Path | None, as_json: bool) -> None:
    """Check the curated tables against cards, physics and the public sets that are here.

    Exit code 1 when a table does not match its card, a cell is wrong, or a value is far from a public set and
    the card does not explain why.
    """
    from hstore_data.check import check_curated

    report = check_curated(load_settings(data_mirror=mirror))
    if as_json:
        _print_json(report.as_dict())
    else:
        _print_check(report)
    if not report.passed:
        sys.exit(1)


def _overview(card: Card, settings: Settings) -> dict[str, Any]:
    """Return what a list says about a set; curated tables are always here."""
    from hstore_data.card import Tier
    from hstore_data.catalog import locate

    folder = locate(card.name, settings) if card.tier is Tier.PUBLIC else None
    return {
        "name": card.name,
        "tier": card.tier.value,
        "rows": card.rows,
        "present": card.tier is Tier.CURATED or folder is not None,
        "folder": None if folder is None else str(folder),
        "licence": card.licence,
        "title": card.title,
    }


def _print_card(card: Card, settings: Settings) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    console.print(f"[bold]{card.name}[/bold]: {escape(card.title)}\n\n{escape(card.description)}\n")
    facts = Table.grid(padding=(0, 2))
    place = _overview(card, settings)["folder"] or ("package" if card.tier.value == "curated" else "not here")
    pairs = {
        "tier": card.tier.value, "here": place, "licence": card.licence, "rows": str(card.rows),
        "retrieved": card.retrieved.isoformat(), "citation": card.citation or "", "doi": ", ".join(card.doi),
        "upstream": f"{card.upstream} at {card.commit}" if card.upstream else "",
        "sources": "\n".join(card.sources),
    }  # fmt: skip
    for key, value in pairs.items():
        if value:
            facts.add_row(key, escape(value))
    console.print(facts)
    columns = Table("column", "meaning and unit", title="Columns of the file", title_justify="left")
    for name, meaning in card.columns.items():
        columns.add_row(escape(name), escape(meaning))
    console.print(columns)
    if card.known_defects:
        console.print("Known defects")
        for defect in card.known_defects:
            console.print(f"- {escape(defect)}")


def _print_pull(result: PullResult) -> None:
    print(f"{result.name}: licence: {result.licence}")
    for file in result.files:
        print(f"  {file.path}  {file.sha256[:12]}  {file.source}")
    for warning in result.warnings:
        print(f"  warning: {warning}")
    print(f"  in {result.folder}")


def _print_check(report: CheckReport) -> None:
    if not report.public_sets:
        print("no public set is here to compare with; set HSTORE_DATA_MIRROR or pull some")
    for table in report.tables:
        print(f"{table.name}: {table.rows} rows, {'passed' if table.passed else 'FAILED'}")
        for problem in table.problems:
            print(f"  problem: {problem}")
        for item in table.comparisons:
            _print_comparison(item)


def _print_comparison(item: Comparison) -> None:
    print(
        f"  {item.public_set}: {item.column}: {item.n_within} of {item.n_compared} "
        f"within {item.tolerance:g}, median |deviation| {item.median_abs_deviation:.3g}"
    )
    for outlier in item.outliers:
        why = f"explained: {outlier.explanation}" if outlier.explanation else "UNEXPLAINED"
        print(
            f"    row {outlier.row} {outlier.formula}: ours {outlier.ours:g}, "
            f"{outlier.source} has {outlier.theirs:g}; {why}"
        )


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))
