"""Challenge one property model with the results of a campaign, and predict the pool anew.

The results go in as added rows, under a lab's name, so that neither they nor what was learned from them leave it:
the lab of the results where one has told them all, else the campaign itself. The gate decides whether the
challenger is better than the public version in use. For a material that was measured the new prediction is the one
made with its chemical system held out, for else the campaign would learn from a prediction that knows the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.errors import InputError
from hstore.properties import PROPERTIES
from hstore.units import STANDARD_TEMPERATURE_K
from hstore_models.calibration import NORMAL_QUANTILE
from hstore_workflows.campaign.landscape import LOGARITHMIC
from hstore_workflows.campaign.predictions import Predicted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hstore.arrays import FloatArray
    from hstore.settings import Settings
    from hstore_models.registry import LoadedModel
    from hstore_models.training import Trained
    from hstore_workflows.campaign.config import CampaignConfig
    from hstore_workflows.campaign.pool import CampaignPool
    from hstore_workflows.campaign.story import Status

_SAME_TEMPERATURE_K = 3.0


@dataclass(frozen=True)
class Challenge:
    """What came of challenging one model."""

    model: str
    """Name of the model."""
    champion: str
    """Version that was challenged."""
    challenger: str
    """Version that has seen the campaign's results."""
    better: bool
    """True where the gate let it replace the champion, for this campaign or its lab."""
    told: int
    """Results of the campaign that it was given."""
    rows: int
    """Those of them that were trained on: neither known already, doubted nor unreadable."""
    doubtful: tuple[str, ...]
    """Results that were doubted, one line each."""
    errors: Mapping[str, tuple[float, float]]
    """Property -> held-out error of the champion and of the challenger on the same rows."""
    reasons: tuple[str, ...]
    """Why the gate decided so."""
    moved: Mapping[str, int]
    """Column -> candidates whose prediction moved by more than its 90 % interval; empty if nothing was renewed."""

    def words(self) -> list[str]:
        """Say it in sentences."""
        said = [
            (
                f"{self.model}: {self.challenger} learned from {self.rows} of {self.told} results, "
                f"against {self.champion}"
            )
        ]
        for name, (before, after) in self.errors.items():
            said.append(f"held-out error of {name} {before:.3g} before, {after:.3g} after")
        said.append("better, predictions renewed" if self.better else f"not better ({'; '.join(self.reasons)})")
        for column, count in self.moved.items():
            said.append(f"{count} predictions of {column} moved by more than their interval")
        return said


def table_name(campaign: str) -> str:
    """Return the name under which a campaign's results are added to training."""
    return f"campaign-{campaign}"


def owner_of(status: Status) -> str:
    """Return whose the results are: the one lab that told them, else the campaign itself."""
    standing = status.standing
    labs = {r.lab for m in standing.materials for held in standing.readings(m).values() for r in held}
    return labs.pop() if len(labs) == 1 and "" not in labs else table_name(status.name)


def training_table(status: Status, pool: CampaignPool, columns: Sequence[str]) -> pd.DataFrame:
    """Return results as a table to add to training: one row for each material, its values being those in use.

    Args:
        status: where the campaign stands.
        pool: its candidates.
        columns: what a model predicts.
    """
    names = pool.descriptor_names
    described = pool.descriptors() if names else None
    owner, rows = owner_of(status), []
    for material in status.standing.materials:
        values = {c: v for c, v in status.standing.values(material).items() if c in columns}
        if not values:
            continue
        row = pool.rows[material]
        formula = str(pool.frame["formula"].iloc[row])
        held: dict[str, Any] = {"formula": formula} if pool.has_formulas else {"name": formula}
        if described is not None:
            held |= {name: described[row, place] for place, name in enumerate(names)}
        rows.append(held | dict(status.config.conditions) | values | {"lab_id": owner})
    return pd.DataFrame(rows)


def challenge(
    model: str,
    columns: Sequence[str],
    status: Status,
    pool: CampaignPool,
    settings: Settings,
    say: Callable[[str], None],
) -> Trained:
    """Train a model with the results beside what it and its lab's version learned from, and let the gate decide.

    A better version becomes the one in use of the lab, or of the campaign; the public one stays.

    Args:
        model: name of the model.
        columns: columns of the campaign that it predicts.
        status: where the campaign stands.
        pool: its candidates.
        settings: where models are.
        say: told what is being done.

    Raises:
        InputError: no result can train it.
    """
    from hstore_models.registry import Registry
    from hstore_models.training import ensure
    from hstore_workflows.lab_training import train_beside

    table = training_table(status, pool, columns)
    if table.empty:
        raise InputError(
            f"no result of {', '.join(columns)} stands, which {model} learns from; observe some first"
        )
    ensure(model, settings, say=say)
    owner = owner_of(status)
    say(f"training {model} with {len(table)} results of the campaign")
    trained = train_beside(model, {table_name(status.name): table}, settings, lab_id=owner)
    if trained.verdict is not None and trained.verdict.better:
        Registry(settings.models_dir).promote(
            model, trained.loaded.card.model_id, f"results of campaign {status.name}", lab_id=owner
        )
    return trained


def has_conditions(column: str, config: CampaignConfig) -> bool:
    """Tell whether a campaign states the conditions without which a column means nothing."""
    needed = PROPERTIES[column].conditions if column in PROPERTIES else ()
    return set(needed) <= set(config.conditions)


def predict_pool(column: str, loaded: LoadedModel, pool: CampaignPool, status: Status) -> Predicted:
    """Predict a column of the pool without telling a measured material its own answer.

    A material with a result is predicted as with its chemical system held out; where there is no such prediction
    at the conditions of the campaign, what was predicted before stays.

    Args:
        column: what is predicted.
        loaded: model that has seen the results.
        pool: candidates, with the predictions so far.
        status: where the campaign stands.
    """
    from hstore.formula import parse_amounts
    from hstore_models.prediction import Query

    formulas, conditions = pool.frame["formula"].astype(str).tolist(), status.config.conditions
    amounts: list[dict[str, float]] = [parse_amounts(f) if pool.has_formulas else {} for f in formulas]
    given = pd.DataFrame(index=range(len(pool)))
    if pool.descriptor_names:
        given[pool.descriptor_names] = pool.descriptors()
    answer = loaded.model.predict(column, Query.of(amounts, given.assign(**conditions)))
    mean, std, before = answer.mean.copy(), answer.std.copy(), pool.prior(column)
    held_out = _held_out(column, loaded, status)
    for material in status.standing.materials:
        row = pool.rows[material]
        if column not in status.standing.values(material):
            continue
        if formulas[row] in held_out:
            mean[row], std[row] = held_out[formulas[row]]
        elif before is not None:
            mean[row], std[row] = before.mean[row], before.std[row]
    return Predicted(mean, np.maximum(std, np.finfo(float).tiny))


def _held_out(column: str, loaded: LoadedModel, status: Status) -> dict[str, tuple[float, float]]:
    """Return formula -> mean and standard deviation with its chemical system held out."""
    held = loaded.held_out
    rows = held[(held["property"] == column) & (held["source"] == f"added:{table_name(status.name)}")]
    if column in LOGARITHMIC:  # these are ln of pressures at 25 degC
        temperature_k = status.config.conditions.get("temperature_k", np.nan)
        if not abs(temperature_k - STANDARD_TEMPERATURE_K) <= _SAME_TEMPERATURE_K:
            return {}
        rows = rows.assign(predicted=np.exp(rows["predicted"]))
    std = (rows["upper"] - rows["lower"]) / (2.0 * NORMAL_QUANTILE)
    labels = rows["label"].astype(str)
    return {label: (mean, spread) for label, mean, spread in zip(labels, rows["predicted"], std, strict=True)}


def summary(
    model: str, trained: Trained, pool: CampaignPool, renewed: Mapping[str, Predicted], table: str
) -> Challenge:
    """Sum up what came of a challenge."""
    verdict, card = trained.verdict, trained.loaded.card
    errors = {} if verdict is None else {
        p.property: (p.errors.champion, p.errors.challenger) for p in verdict.properties if p.errors is not None
    }  # fmt: skip
    mine = [added for added in trained.added if added.source == f"added:{table}"]
    moved = {}
    for column, predicted in renewed.items():
        before = pool.prior(column)
        if before is not None:
            new, old = _as_learned(column, predicted.mean), _as_learned(column, before.mean)
            moved[column] = int((np.abs(new - old) > NORMAL_QUANTILE * before.std).sum())
    return Challenge(
        model,
        "" if verdict is None else verdict.champion_id,
        card.model_id,
        verdict is not None and verdict.better,
        sum(len(added.record) + len(added.rejects) for added in mine),
        sum(len(added.rows) for added in mine),
        tuple(line for added in trained.added for line in added.lines()),
        errors,
        ("it is the version in use already",) if verdict is None else verdict.reasons,
        moved,
    )


def _as_learned(column: str, values: FloatArray) -> FloatArray:
    """Return values on the scale of their standard deviations: pressures as natural logarithms."""
    return np.log(values) if column in LOGARITHMIC else values
