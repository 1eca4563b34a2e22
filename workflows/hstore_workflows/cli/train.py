"""``hstore train``: train models from the data present."""

from __future__ import annotations

import json

import click

from hstore.settings import load_settings

_EPILOG = """\b
Examples:
  hstore train desorption_enthalpy_kj_per_mol_h2
  hstore train --all
"""


@click.command("train", epilog=_EPILOG)
@click.argument("name", metavar="PROPERTY", required=False)
@click.option("--all", "everything", is_flag=True, help="Train every model.")
@click.option("--json", "as_json", is_flag=True, help="Print the cards as JSON.")
def command(name: str | None, *, everything: bool, as_json: bool) -> None:
    """Train the model of a PROPERTY (or a model by name) and make it the one in use."""
    from hstore_models.training import MODELS, model_of, train
    from hstore_workflows.cli.models import card_words

    if bool(name) == everything:
        raise click.UsageError("give a PROPERTY or --all")
    settings = load_settings()
    names = list(MODELS) if everything else [name if name in MODELS else model_of(str(name))]
    cards = []
    for model in names:
        click.echo(f"training {model}", err=True)
        cards.append(train(str(model), settings).card)
    if as_json:
        click.echo(json.dumps([card.model_dump() for card in cards], indent=2))
    else:
        click.echo("\n\n".join(card_words(card) for card in cards))
