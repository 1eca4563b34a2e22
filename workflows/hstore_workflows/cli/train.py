"""``hstore train``: train models, with your own rows or by a spec of your own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hstore.settings import load_settings

if TYPE_CHECKING:
    from hstore_models.training import Trained

_EPILOG = """\b
Examples:
  hstore train --all
  hstore train desorption_enthalpy_kj_per_mol_h2 --data measured.csv
  hstore train my_property.toml
  hstore train hydride_capacity --tune --trials 60
"""


@click.command("train", epilog=_EPILOG)
@click.argument("name", metavar="PROPERTY|MODEL|SPEC.toml", required=False)
@click.option("--all", "everything", is_flag=True, help="Train every model that hstore ships.")
@click.option(
    "--data",
    "tables",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Table with rows to add; may be repeated.",
)
@click.option("--tune", is_flag=True, help="Search for better parameters first; a search that was killed goes on.")
@click.option("--trials", type=click.IntRange(1, 10_000), help="Trials of the search, in place of the spec's.")
@click.option("--promote", is_flag=True, help="Put the version into use if it is better than the one in use.")
@click.option("--json", "as_json", is_flag=True, help="Print the cards as JSON.")
def command(
    name: str | None,
    tables: tuple[Path, ...],
    *,
    everything: bool,
    tune: bool,
    trials: int | None,
    promote: bool,
    as_json: bool,
) -> None:
    """Train a model and say how it compares with the one in use.

    The first version of a model is put into use; a later one is saved beside it, and released with --promote or
    ``hstore models promote``. Rows of --data are checked against what is known: doubtful ones are named, and never
    asked about.
    """
    from hstore_workflows.train import TrainingRequest, run, train_all

    if bool(name) == everything:
        raise click.UsageError("give a PROPERTY, a MODEL, a SPEC.toml, or --all")
    if everything and (tables or tune or promote):
        raise click.UsageError("--all takes no --data, --tune or --promote; train one model with them")
    if trials and not tune:
        raise click.UsageError("--trials belongs to --tune")
    settings = load_settings()

    def say(line: str) -> None:
        click.echo(line, err=True)

    if everything:
        results = list(train_all(settings, say=say))
    else:
        results = [run(TrainingRequest(str(name), tables, tune, trials, promote), settings, say=say)]
    if as_json:
        click.echo(json.dumps([_record(trained) for trained in results], indent=2))
    else:
        click.echo("\n\n".join(_words(trained) for trained in results))


def _record(trained: Trained) -> dict[str, object]:
    card = trained.loaded.card.model_dump(mode="json")
    named = [line for table in trained.added for line in table.lines()]
    better = None if trained.verdict is None else trained.verdict.better
    return {**card, "doubtful_rows": named, "better_than_champion": better}


def _words(trained: Trained) -> str:
    from hstore_workflows.cli.models import card_words

    lines = [card_words(trained.loaded.card)]
    if trained.verdict is not None:
        lines += ["", str(trained.verdict)]
    return "\n".join(lines)
