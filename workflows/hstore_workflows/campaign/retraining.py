"""Retraining in the loop: after so many results the property models are challenged with them.

Only where the gate finds a challenger better do its predictions replace those of the pool; earlier ones are kept.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from hstore.errors import UnknownNameError
from hstore_workflows.campaign.challenging import (
    Challenge,
    challenge,
    has_conditions,
    predict_pool,
    summary,
    table_name,
)
from hstore_workflows.campaign.ledger import now_utc, open_ledger
from hstore_workflows.campaign.places import open_pool
from hstore_workflows.campaign.predictions import write_predictions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hstore.settings import Settings
    from hstore_workflows.campaign.config import CampaignConfig
    from hstore_workflows.campaign.predictions import Predicted
    from hstore_workflows.campaign.standing import Standing
    from hstore_workflows.campaign.story import Status


@dataclass(frozen=True)
class Retraining:
    """What came of a retraining."""

    results: int
    """Materials with a result then."""
    challenges: tuple[Challenge, ...]
    """Model by model; empty where nothing was done."""
    note: str = ""
    """Why nothing was done, or what was left out."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        words = [word for challenge in self.challenges for word in challenge.words()]
        found = [asdict(challenge) for challenge in self.challenges]
        return {"results": self.results, "note": self.note, "challenges": found, "words": words}


def new_results(standing: Standing, retrainings: Sequence[Mapping[str, Any]]) -> int:
    """Return the number of materials with results that came since the last retraining."""
    return _measured(standing) - (int(retrainings[-1]["results"]) if retrainings else 0)


def due_words(
    config: CampaignConfig, standing: Standing, retrainings: Sequence[Mapping[str, Any]], settings: Settings
) -> str:
    """Say that a retraining is due; empty where it is not, or no model predicts what is looked for."""
    new = new_results(standing, retrainings)
    if new < config.retrain_every or not models_of(config, settings):
        return ""
    return f"{new} results came since the models were trained; hstore campaign retrain challenges them"


def models_of(config: CampaignConfig, settings: Settings) -> dict[str, list[str]]:
    """Return model -> columns of the campaign that it predicts; columns of the lab's own are left out."""
    from hstore_models.training import model_of

    found: dict[str, list[str]] = {}
    for column in config.objective.columns:
        try:
            found.setdefault(model_of(column, settings), []).append(column)
        except UnknownNameError:
            continue
    return found


def retrain(
    settings: Settings,
    name: str,
    *,
    every: int | None = None,
    now: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Retraining:
    """Challenge the models behind a campaign with its results, where that is due.

    Args:
        settings: where campaigns and models are.
        name: of the campaign.
        every: new results after which a retraining is due, from now on; as it was when None.
        now: True to do it whatever the number of new results.
        say: told what is being done.

    Raises:
        InputError: every is below 1, or none of the results can train a model.
        UnknownNameError: no such campaign.
    """
    from hstore_workflows.campaign.story import status

    if every is not None:
        with open_ledger(settings, name, lock="ledger") as ledger:
            ledger.renew(replace(ledger.config, retrain_every=every))
    found = status(settings, name)
    models = models_of(found.config, settings)
    measured, why = _measured(found.standing), _why_not(found, models, now=now)
    if why:
        return Retraining(measured, (), why)
    challenges, renewed, unclear = [], dict[str, "Predicted"](), list[str]()
    pool = open_pool(settings, name, found.config)
    for model, columns in models.items():
        trained = challenge(model, columns, found, pool, settings, say)
        predicted: dict[str, Predicted] = {}
        if trained.verdict is not None and trained.verdict.better:
            clear = [column for column in columns if has_conditions(column, found.config)]
            unclear += [column for column in columns if column not in clear]
            predicted = {column: predict_pool(column, trained.loaded, pool, found) for column in clear}
        renewed |= predicted
        challenges.append(summary(model, trained, pool, predicted, table_name(name)))
    note = f"predictions of {', '.join(unclear)} stay, for the campaign states no conditions" if unclear else ""
    result = Retraining(measured, tuple(challenges), note)
    with open_ledger(settings, name, lock="ledger") as ledger:
        if renewed:
            ids = _ids(ledger.config, result)
            ledger.renew(write_predictions(settings, name, ledger.config, pool, renewed, ids))
        ledger.add_retraining(
            result.as_json() | {"at": now_utc().isoformat(), "predictions": ledger.config.priors_file}
        )
    return result


def _measured(standing: Standing) -> int:
    return sum(bool(standing.values(material)) for material in standing.materials)


def _why_not(status: Status, models: Mapping[str, Sequence[str]], *, now: bool) -> str:
    """Say why nothing is to be done; empty where something is."""
    if not models:
        columns = ", ".join(status.objective.columns)
        return f"no model of hstore predicts {columns}; there is nothing to retrain"
    new, every = new_results(status.standing, status.retrainings), status.config.retrain_every
    if not _measured(status.standing) or (new < every and not now):
        return f"not due: {new} of {every} new results; --now retrains once there is any"
    return ""


def _ids(config: CampaignConfig, result: Retraining) -> tuple[str, ...]:
    """Return the models behind the predictions after a retraining."""
    better = [challenge for challenge in result.challenges if challenge.better]
    gone = {challenge.champion for challenge in better} | {c.model for c in better}
    kept = [i for i in config.model_ids if i not in gone and i.rpartition("-")[0] not in gone]
    return (*kept, *(challenge.challenger for challenge in better))
