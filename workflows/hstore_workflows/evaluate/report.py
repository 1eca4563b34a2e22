"""Scores of answers: the numbers and blocks that every report of ``hstore evaluate`` holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from hstore.properties import get_property
from hstore.units import GAS_CONSTANT_J_PER_MOL_K, STANDARD_TEMPERATURE_K
from hstore_models.baselines import Baselines, baselines
from hstore_models.coverage import below_nominal, by_family, by_range, calibration_curve, flag_scores
from hstore_models.metrics import interval_scores, regression_scores
from hstore_models.prediction import Query
from hstore_workflows.evaluate.rows import CAPACITY, known_values, query
from hstore_workflows.evaluate.target import PRESSURE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_models.coverage import Part
    from hstore_models.prediction import Predictions

ENTHALPY = "desorption_enthalpy_kj_per_mol_h2"


@dataclass(frozen=True, eq=False)
class Answers:
    """Known values and answers, arrays of shape ``(n,)``; pressures as natural logarithms of bar."""

    truth: FloatArray
    """Known values."""
    mean: FloatArray
    """Answers."""
    std: FloatArray
    """Their standard deviations."""
    lower: FloatArray
    """Lower ends of the 90 % intervals."""
    upper: FloatArray
    """Upper ends of the 90 % intervals."""
    in_domain: NDArray[np.bool_]
    """False where the model says that it is asked outside its domain."""
    reason: NDArray[np.object_]
    """Why it is outside; empty inside."""

    @classmethod
    def of(cls, property_name: str, truth: FloatArray, answer: Predictions) -> Self:
        """Put predictions beside known values on the scale that is scored (``truth`` is on it already)."""
        ends = answer.mean, answer.lower, answer.upper
        mean, lower, upper = (np.log(a) for a in ends) if property_name == PRESSURE else ends
        return cls(truth, mean, answer.std, lower, upper, answer.in_domain, answer.reason)

    @property
    def error(self) -> FloatArray:
        """Absolute errors, shape ``(n,)``."""
        return np.abs(self.mean - self.truth)

    @property
    def inside(self) -> NDArray[np.bool_]:
        """True where the known value is inside its interval, shape ``(n,)``."""
        return (self.truth >= self.lower) & (self.truth <= self.upper)

    def take(self, rows: NDArray[np.bool_]) -> Answers:
        """Return some of the rows."""
        return Answers(**{name: values[rows] for name, values in self.__dict__.items()})

    def scores(self, baseline: FloatArray | float) -> dict[str, float]:
        """Return the scores of :mod:`hstore_models.metrics`."""
        found = regression_scores(self.truth, self.mean, baseline=baseline)
        return found | interval_scores(self.truth, self.lower, self.upper)


def scored_unit(property_name: str) -> str:
    """Return the unit in which errors are given where pressures are logarithms."""
    return "ln(bar)" if property_name == PRESSURE else get_property(property_name).unit


def scored_scale(property_name: str, values: FloatArray) -> FloatArray:
    """Return values on the scale that is scored: pressures as natural logarithms, NaN where there is none."""
    if property_name != PRESSURE:
        return values
    return np.log(np.where(values > 0, values, np.nan))


def blocks(runs: Sequence[Answers], families: NDArray[np.str_], groups: NDArray[np.str_]) -> dict[str, Any]:
    """Return coverage tests, scores by family and by fifth of the values, the domain flag, and the calibration.

    Args:
        runs: answers of each seed for the same rows.
        families: family of each row, shape ``(n,)``; rows with an empty one are in no family.
        groups: group of each row, shape ``(n,)``: the units of the test of coverage.
    """
    error = np.mean([run.error for run in runs], axis=0)
    inside = np.mean([run.inside for run in runs], axis=0)
    width = np.mean([run.upper - run.lower for run in runs], axis=0)
    of_families = by_family(families, error, inside, width, groups)
    of_ranges = by_range(runs[0].truth, error, inside, width, groups)
    of_groups, of_rows = below_nominal(inside, groups)
    pooled = {name: np.concatenate([getattr(run, name) for run in runs]) for name in Answers.__dataclass_fields__}
    domain = flag_scores(np.abs(pooled["mean"] - pooled["truth"]), pooled["in_domain"])
    return {
        "n_groups": len(np.unique(groups)),
        "p_below_90": of_groups,
        "p_below_90_rows": of_rows,
        "by_family": _named(of_families),
        "by_range": _named(of_ranges),
        "coverage_missed": [part.label for part in (*of_families, *of_ranges) if part.missed],
        "domain": domain | _by_domain(pooled) | {"n_flagged": int(domain["n_flagged"]) / len(runs)},
        "calibration": calibration_curve(pooled["truth"], pooled["mean"], pooled["std"]),
    }


def _named(parts: Sequence[Part]) -> dict[str, dict[str, Any]]:
    return {part.label: part.as_dict() for part in parts}


def _by_domain(pooled: dict[str, Any]) -> dict[str, float]:
    answers = Answers(**pooled)
    found = {}
    for name, rows in (("flagged", ~answers.in_domain), ("unflagged", answers.in_domain)):
        found[f"coverage_{name}"] = float(answers.inside[rows].mean()) if rows.any() else float("nan")
    return found


def ask_baselines(
    property_name: str, model: str, trained: pd.DataFrame, asked: Query, *, full: bool, seed: int
) -> Baselines:
    """Ask the baselines, trained on the rows that state the property, on the scale that is scored.

    Pressures at other temperatures than 25 degC follow from the baseline's own enthalpy by van 't Hoff; those of
    the mean predictor stay at 25 degC.

    Args:
        property_name: canonical property name.
        model: name of its model.
        trained: training rows.
        asked: rows asked.
        full: False leaves nearest neighbour and plain forest NaN, which saves their time.
        seed: seed of the forest.
    """
    rows, values = known_values(property_name, trained)
    size = len(asked)
    if not full or not len(values):
        nothing = np.full(size, np.nan)
        return Baselines(np.full(size, values.mean() if len(values) else np.nan), nothing, nothing)
    answers = baselines(model, query(property_name, rows), values, asked, seed=seed)
    if model == CAPACITY:
        return _alloys_by_alloys(answers, rows, values, asked, seed)
    return _at_temperature(answers, model, trained, asked, seed) if property_name == PRESSURE else answers


def _alloys_by_alloys(
    answers: Baselines, rows: pd.DataFrame, values: FloatArray, asked: Query, seed: int
) -> Baselines:
    """Answer alloys by alloys alone, for hydrides that state their hydrogen hold several times as much.

    Without this a baseline would be weaker than it needs to be (plain forest on hystor: 0.352, with it 0.337).
    """
    known, wanted = (np.array(["H" not in a for a in amounts]) for amounts in (rows["amounts"], asked.amounts))
    if known.all() or not known.any() or not wanted.any():
        return answers
    alloys = rows[known].reset_index(drop=True)
    part = Query.of([a for a, alloy in zip(asked.amounts, wanted, strict=True) if alloy], asked.frame[wanted])
    better = baselines(CAPACITY, query(CAPACITY, alloys), values[known], part, seed=seed)
    near, forest = answers.nearest_neighbour.copy(), answers.plain_forest.copy()
    near[wanted], forest[wanted] = better.nearest_neighbour, better.plain_forest
    return Baselines(answers.mean_predictor, near, forest)


def _at_temperature(answers: Baselines, model: str, trained: pd.DataFrame, asked: Query, seed: int) -> Baselines:
    """Move ln P from 25 degC to the temperature asked, with the enthalpy that the baseline itself answers."""
    inverse = 1.0 / asked.column("temperature_k", STANDARD_TEMPERATURE_K) - 1.0 / STANDARD_TEMPERATURE_K
    if not np.any(np.abs(inverse) > 1e-9):
        return answers
    rows, values = known_values(ENTHALPY, trained)
    heats = baselines(model, query(ENTHALPY, rows), values, asked, seed=seed)
    shift = 1000.0 / GAS_CONSTANT_J_PER_MOL_K * inverse
    return Baselines(
        answers.mean_predictor,
        answers.nearest_neighbour - heats.nearest_neighbour * shift,
        answers.plain_forest - heats.plain_forest * shift,
    )


def baseline_errors(answers: Baselines, truth: FloatArray) -> dict[str, float]:
    """Return ``mae_nearest_neighbour`` and ``mae_plain_forest``."""
    return {
        f"mae_{name}": float(np.mean(np.abs(values - truth)))
        for name, values in answers.answers().items()
        if name != "mean_predictor"
    }


def without_nan(value: Any) -> Any:
    """Replace NaN by None at any depth, for JSON has no NaN."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
