"""``hstore models``: look at trained models, compare versions, release one and take it back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from hstore.settings import load_settings

if TYPE_CHECKING:
    from hstore_models.card import ModelCard
    from hstore_models.ledger import Promotion
    from hstore_models.score import Score
    from hstore_workflows.releases import Listed, Releases

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_LAB = click.option(
    "--lab", "lab_id", metavar="LAB", help="Lab whose own champion is meant; default: the public one."
)

_LIST = """\b
Examples:
  hstore models list
  hstore models list --json
"""
_SHOW = """\b
Examples:
  hstore models show conductivity
  hstore models show conductivity-0f3a5b7c9d1e --json
"""
_COMPARE = """\b
Examples:
  hstore models compare hydride_capacity
  hstore models compare hydride_capacity-0f3a5b7c9d1e hydride_capacity-2b4c6d8e0f1a --metric rmse --json
"""
_PROMOTE = """\b
Examples:
  hstore models promote hydride_capacity
  hstore models promote hydride_capacity-0f3a5b7c9d1e --force "the champion's data were withdrawn"
"""
_ROLLBACK = """\b
Examples:
  hstore models rollback hydride_capacity --why "answers for AB2 alloys look wrong"
"""
_SCORES = """\b
Examples:
  hstore models scores
  hstore models scores hydride_thermodynamics --json
  hstore models scores --markdown > how-wrong.md
"""
_CHECK = """\b
Examples:
  hstore models check
  hstore models check conductivity --json
"""


@click.group("models", epilog="Example: hstore models list")
def command() -> None:
    """List, show, score, compare, promote, roll back and check trained models."""


@command.command("list", epilog=_LIST)
@_JSON
def list_models(*, as_json: bool) -> None:
    """List the trained models, the one in use marked with a star."""
    releases = _releases()
    listed, refused = releases.listed(), releases.refused()
    if as_json:
        rows = [_listed_record(row) for row in listed]
        rows += [
            {"model_id": r.model_id, "model": r.model, "current": False, "refused": r.reason} for r in refused
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    if not listed and not refused:
        click.echo("no model yet; train them with: hstore train --all")
    for line in _list_lines(listed):
        click.echo(line)
    for bad in refused:
        click.echo(f"! {bad.model_id} is refused: {bad.reason}")


@command.command("show", epilog=_SHOW)
@click.argument("name")
@_LAB
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def show_model(name: str, lab_id: str | None, *, as_json: bool) -> None:
    """Show the card of a model and its promotions.

    NAME is the name of a model, for the version in use, or an id.
    """
    from hstore_workflows.releases import OPERATOR

    releases = _releases()
    card = releases.find(name, lab_id)
    if as_json:
        click.echo(card.model_dump_json(indent=2))
        return
    click.echo(card_words(card))
    for entry in releases.registry.history(card.model, OPERATOR):
        if card.model_id in {entry.model_id, entry.previous}:
            click.echo(f"  history: {_entry_words(entry)}")


@command.command("scores", epilog=_SCORES)
@click.argument("name", required=False)
@_LAB
@_JSON
@click.option("--markdown", is_flag=True, help="Print Markdown tables, as the documentation has them.")
def score_models(name: str | None, lab_id: str | None, *, as_json: bool, markdown: bool) -> None:
    """Say how wrong the models in use are, family by family, with the worst misses by name.

    Errors are those on training rows answered with their whole group held out, beside baselines and the noise of
    repeated measurements. NAME is the name of a model or an id; default: all models in use.
    """
    from hstore_workflows.score_report import sheets_in_use, sheets_markdown, sheets_text

    if as_json and markdown:
        raise click.UsageError("--json and --markdown are two forms of the same; give one of them")
    sheets = sheets_in_use(load_settings(), name, lab_id)
    if as_json:
        click.echo(json.dumps([sheet.record() for sheet in sheets], indent=2))
    else:
        click.echo(sheets_markdown(sheets) if markdown else sheets_text(sheets), nl=not markdown)


@command.command("compare", epilog=_COMPARE)
@click.argument("challenger", metavar="A")
@click.argument("champion", metavar="[B]", required=False)
@click.option("--metric", help="mae, median_error or rmse; default: the one the spec names.")
@_LAB
@_JSON
def compare_models(
    challenger: str, champion: str | None, metric: str | None, lab_id: str | None, *, as_json: bool
) -> None:
    """Compare version A with B on held-out rows.

    The errors compared are those each made with the row's whole group held out. A is an id, or a name for its
    newest version that is not in use. B is an id or a name; default: the one in use.
    """
    verdict = _releases().compare(challenger, champion, metric=metric, lab_id=lab_id)
    click.echo(json.dumps(verdict.record(), indent=2) if as_json else str(verdict))


@command.command("promote", epilog=_PROMOTE)
@click.argument("model_id", metavar="ID")
@click.option("--why", help="Reason, kept in the history; default: what the comparison said.")
@click.option("--force", metavar="REASON", help="Promote it although it is not better; the reason is kept.")
@_LAB
@_JSON
def promote_model(model_id: str, why: str | None, force: str | None, lab_id: str | None, *, as_json: bool) -> None:
    """Put a version into use when it is better than the one in use.

    ID is an id, or a name for its newest version that is not in use. It is compared first; a version that is not
    better stays out of use, with the reasons and exit code 1.
    """
    release = _releases().promote(model_id, why=why, force=force, lab_id=lab_id)
    if as_json:
        verdict = None if release.verdict is None else release.verdict.record()
        click.echo(json.dumps({"promotion": _record(release.entry), "verdict": verdict}, indent=2))
        return
    if release.verdict is not None:
        click.echo(f"{release.verdict}\n")
    click.echo(_entry_words(release.entry))


@command.command("rollback", epilog=_ROLLBACK)
@click.argument("name")
@click.option("--why", default="rolled back", show_default=True, help="Reason, kept in the history.")
@_LAB
@_JSON
def rollback_model(name: str, why: str, lab_id: str | None, *, as_json: bool) -> None:
    """Put the version that was in use before back into use."""
    entry = _releases().rollback(name, why, lab_id)
    click.echo(json.dumps(_record(entry), indent=2) if as_json else _entry_words(entry))


@command.command("check", epilog=_CHECK)
@click.argument("name", required=False)
@_JSON
def check_models(name: str | None, *, as_json: bool) -> None:
    """Check that models answer as when they were saved.

    All models in use are asked their golden predictions again, or the one of a NAME or id. An answer that moved by
    more than 1e-6 of itself is named with the libraries that changed since, and the exit code is 1.
    """
    drifts = _releases().check(name)
    if as_json:
        click.echo(json.dumps({model_id: drift.record() for model_id, drift in drifts.items()}, indent=2))
    else:
        for model_id, drift in drifts.items():
            click.echo(f"{model_id}: {drift}")
    if any(drift.moved for drift in drifts.values()):
        raise click.exceptions.Exit(1)


def card_words(card: ModelCard) -> str:
    """Write a card for a terminal."""
    lines = [f"{card.model_id}: {card.summary}", *_origin(card), *_score_lines(card)]
    lines += [f"  limit: {limit}" for limit in card.limits]
    return "\n".join(lines)


def _origin(card: ModelCard) -> list[str]:
    took = f"{card.wall_time_s:g} s" + (f", {card.peak_memory_mib:,.0f} MiB" if card.peak_memory_mib else "")
    lines = [
        f"  trained on  {', '.join(f'{name} ({rows})' for name, rows in card.rows_by_source.items())}",
        f"  held out    {card.grouping}; split {card.split_hash or 'none'}; {took}",
    ]
    if card.created is not None:
        parent = f"; compared with {card.parent}" if card.parent else ""
        lines.append(f"  saved       {card.created:%Y-%m-%d %H:%M} UTC{parent}")
    if card.access.lab_id:
        lines.append(f"  visible to  lab {card.access.lab_id} alone; rows of {', '.join(card.labs) or 'that lab'}")
    if card.formulas_unread:
        unread = ", ".join(f"{name} {count}" for name, count in card.formulas_unread.items())
        lines.append(f"  not read    formulas of {unread}")
    if card.added_rows.count:
        lines.append(f"  added rows  {card.added_rows.count}; doubted {len(card.added_rows.suspects)}")
    lines += [f"    doubted: {suspect}" for suspect in card.added_rows.suspects]
    return lines


def _score_lines(card: ModelCard) -> list[str]:
    return [
        f"  {name}: MAE {score.mae:.3g} (mean predictor {score.mae_mean_predictor:.3g}, {_nearest(score)}median "
        f"error {score.median_error:.3g}) {score.unit}, n {score.n}, 90 % intervals hold {score.coverage:.0%}"
        for name, score in card.scores.items()
    ]


def _nearest(score: Score) -> str:
    return "" if score.mae_nearest_neighbour is None else f"nearest neighbour {score.mae_nearest_neighbour:.3g}, "


def _releases() -> Releases:
    from hstore_workflows.releases import Releases

    return Releases.of(load_settings())


def _listed_record(row: Listed) -> dict[str, Any]:
    card = row.card
    return {
        "model_id": card.model_id,
        "model": card.model,
        "current": row.in_use,
        "current_of_labs": list(row.labs),
        "lab_id": card.access.lab_id,
        "created": None if card.created is None else card.created.isoformat(),
        "rows": sum(card.rows_by_source.values()),
        "mae": {name: {"value": score.mae, "unit": score.unit} for name, score in card.scores.items()},
    }


def _list_lines(listed: list[Listed]) -> list[str]:
    from hstore_models.verdict import aligned

    if not listed:
        return []
    lines: list[tuple[str, ...]] = [("  version", "saved (UTC)", "rows", "property", "MAE", "unit", "champion of")]
    for row in listed:
        card = row.card
        saved = "" if card.created is None else f"{card.created:%Y-%m-%d %H:%M}"
        used = ", ".join([*(["everybody"] if row.in_use else []), *(f"lab {lab}" for lab in row.labs)])
        head = (f"{'*' if used else ' '} {card.model_id}", saved, f"{sum(card.rows_by_source.values()):,}")
        scores = [(name, f"{score.mae:.3g}", score.unit) for name, score in card.scores.items()]
        first, *others = scores or [("", "", "")]
        lines.append((*head, *first, used))
        lines += [("", "", "", *score, "") for score in others]
    return aligned(lines, text={0, 1, 3, 5, 6})


def _record(entry: Promotion) -> dict[str, Any]:
    return entry.model_dump(mode="json")


def _entry_words(entry: Promotion) -> str:
    done = "rolled back to" if entry.action == "rollback" else "promoted, forced:" if entry.forced else "promoted"
    owner = f" for lab {entry.lab_id}" if entry.lab_id else ""
    before = f" in place of {entry.previous}" if entry.previous else ""
    return f"{entry.time:%Y-%m-%d %H:%M} UTC {done} {entry.model_id}{owner}{before}: {entry.reason}"
