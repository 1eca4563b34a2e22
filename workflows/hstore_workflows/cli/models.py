"""``hstore models``: look at trained models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from hstore.errors import unknown_name
from hstore.settings import load_settings

if TYPE_CHECKING:
    from hstore_models.card import ModelCard


@click.group("models", epilog="Example: hstore models list")
def command() -> None:
    """List and show trained models."""


@command.command("list", epilog="Example: hstore models list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_models(*, as_json: bool) -> None:
    """List the trained models, the one in use marked with a star."""
    from hstore_models.registry import Registry

    registry = Registry(load_settings().models_dir)
    cards = registry.cards()
    current = {card.model: registry.current_id(card.model) for card in cards}
    if as_json:
        rows = [
            {"model_id": c.model_id, "model": c.model, "current": current[c.model] == c.model_id} for c in cards
        ]
        click.echo(json.dumps(rows, indent=2))
    elif not cards:
        click.echo("no model yet; train them with: hstore train --all")
    for card in [] if as_json else cards:
        mark = "*" if current[card.model] == card.model_id else " "
        click.echo(
            f"{mark} {card.model_id:<40} {sum(card.rows_by_source.values()):>6} rows  {', '.join(card.properties)}"
        )


@command.command("show", epilog="Example: hstore models show conductivity")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def show_model(name: str, *, as_json: bool) -> None:
    """Show the card of a model (by name: the one in use; or by id)."""
    from hstore_models.registry import Registry

    registry = Registry(load_settings().models_dir)
    cards = {card.model_id: card for card in registry.cards()}
    in_use = {card.model: cards[i] for card in cards.values() if (i := registry.current_id(card.model)) in cards}
    card = cards.get(name) or in_use.get(name)
    if card is None:
        raise unknown_name("trained model", name, [*cards, *in_use])
    click.echo(card.model_dump_json(indent=2) if as_json else card_words(card))


def card_words(card: ModelCard) -> str:
    """Write a card for a terminal."""
    lines = [
        f"{card.model_id}: {card.summary}",
        f"  trained on  {', '.join(f'{name} ({rows})' for name, rows in card.rows_by_source.items())}",
        f"  held out    {card.grouping}; split {card.split_hash or 'none'}; {card.wall_time_s:g} s",
    ]
    for name, score in card.scores.items():
        lines.append(
            f"  {name}: MAE {score.mae:.3g} (mean predictor {score.mae_mean_predictor:.3g}, median error "
            f"{score.median_error:.3g}) {score.unit}, n {score.n}, coverage of 90 % intervals {score.coverage:.0%}"
        )
    lines += [f"  limit: {limit}" for limit in card.limits]
    return "\n".join(lines)
