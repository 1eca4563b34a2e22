"""How much a cause changes its effect, with an interval, and tests that try to refute it.

The total effect is the slope of a linear regression on the cause and on its direct causes in the graph: they close
every back door (Pearl 2009, theorem 3.2.5) if the graph is right. The regression and the tests are DoWhy's (Sharma
and Kiciman 2020, arXiv 2011.04216): a placebo cause must have no effect; a random common cause and a part of the
rows must change nothing. What a hidden common cause would have to be is said by the robustness value of Cinelli
and Hazlett (2020, doi 10.1111/rssb.12348).
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError, MissingExtraError
from hstore_models.explain.causal.stability import draw_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from hstore.arrays import FloatArray

DRAWS = 1000
"""Draws of the rows behind an interval."""
COVERAGE = 0.9
SURE = 0.99
"""Coverage of the interval that must exclude 0 for an effect to count as sure: several are tested at once."""
LEVEL = 0.05
"""Level of the tests that refute."""
SIMULATIONS = 50
_SUBSET = 0.8
_LARGE_CHANGE = 0.5
"""Part of an effect by which a random cause or a part of the rows may not move it, whatever the p value."""


@dataclass(frozen=True)
class Trial:
    """A test that tries to refute an effect."""

    name: str
    """``placebo``, ``random common cause`` or ``part of the rows``."""
    effect: float
    """Mean effect that was found under the test."""
    p: float
    """Probability of so large a departure were the effect sound."""
    passed: bool
    """False where the test speaks against the effect."""


@dataclass(frozen=True)
class Effect:
    """Total effect of a cause on an outcome."""

    cause: str
    """Variable that is changed."""
    outcome: str
    """Variable that answers."""
    adjusted_for: tuple[str, ...]
    """Variables held fixed: the direct causes of the cause."""
    slope: float
    """Change of the outcome for a unit change of the cause."""
    interval: tuple[float, float]
    """90 % interval of the slope, of draws of whole groups."""
    wide: tuple[float, float]
    """99 % interval of the slope."""
    standardised: float
    """The slope in standard deviations of the outcome for one of the cause."""
    robustness: float
    """Share of the remaining variance of cause and of outcome that a hidden common cause must explain to bring the
    slope to 0; from 0 to 1."""
    trials: tuple[Trial, ...]
    """Tests."""

    @property
    def is_refuted(self) -> bool:
        """True where the 90 % interval holds 0 or a test speaks against the effect."""
        return _holds_zero(self.interval) or not all(trial.passed for trial in self.trials)

    @property
    def verdict(self) -> str:
        """``refuted``, ``unsure`` where only the 99 % interval holds 0, or ``not refuted``."""
        if self.is_refuted:
            return "refuted"
        return "unsure" if _holds_zero(self.wide) else "not refuted"

    @property
    def why(self) -> str:
        """What speaks against it; empty where nothing does."""
        found = []
        if _holds_zero(self.wide):
            found = [f"the {COVERAGE if _holds_zero(self.interval) else SURE:.0%} interval holds 0"]
        found += [f"the test {trial.name!r} fails" for trial in self.trials if not trial.passed]
        return ", ".join(found)


def _holds_zero(interval: tuple[float, float]) -> bool:
    return interval[0] <= 0 <= interval[1]


def estimate_effect(
    table: pd.DataFrame,
    cause: str,
    outcome: str,
    adjust: Sequence[str] = (),
    *,
    groups: Sequence[str] | None = None,
    simulations: int = SIMULATIONS,
    draws: int = DRAWS,
    seed: int = 0,
) -> Effect:
    """Estimate a total effect and try to refute it.

    Args:
        table: one column for each variable, without gaps.
        cause: the column that is changed.
        outcome: the column that answers.
        adjust: columns held fixed.
        groups: group of each row, such as its chemical system; drawn as wholes for the interval.
        simulations: repeats of each test.
        draws: draws behind the interval.
        seed: seed of tests and draws.

    Raises:
        MissingExtraError: dowhy is not installed.
        InputError: cause and outcome are the same, or the outcome is held fixed.
    """
    adjusted = tuple(name for name in adjust if name != cause)
    if cause == outcome or outcome in adjusted:
        raise InputError(f"an effect is of one variable on another, got {cause} on {outcome} at fixed {adjusted}")
    names = [cause, *adjusted, outcome]
    values = table[names].to_numpy(dtype=float)
    scale = values.std(axis=0)
    if not (scale > 0).all():
        raise InputError(f"{names[int(np.argmin(scale))]} does not vary, so it has no effect that data could show")
    scaled = (values - values.mean(axis=0)) / scale
    slopes = [adjusted_slope(scaled[rows]) for rows in draw_rows(groups, len(scaled), draws=draws, seed=seed)]
    unit = float(scale[-1] / scale[0])
    standardised, trials = _with_dowhy(scaled, len(adjusted), simulations=simulations, seed=seed)
    return Effect(
        cause=cause,
        outcome=outcome,
        adjusted_for=adjusted,
        slope=standardised * unit,
        interval=_interval(slopes, COVERAGE, unit),
        wide=_interval(slopes, SURE, unit),
        standardised=standardised,
        robustness=robustness_value(scaled),
        trials=tuple(Trial(t.name, t.effect * unit, t.p, t.passed) for t in trials),
    )


def _interval(slopes: list[float], coverage: float, unit: float) -> tuple[float, float]:
    tails = 100 * (1 - coverage) / 2
    low, high = np.nanpercentile(slopes, [tails, 100 - tails])
    return float(low) * unit, float(high) * unit


def robustness_value(values: FloatArray) -> float:
    """Return how strong a hidden common cause must be to bring the slope of the first column to 0.

    Cinelli and Hazlett (2020), equation 4 at q = 1: (sqrt(f^4 + 4 f^2) - f^2) / 2 with f = |t| / sqrt(df).

    Args:
        values: cause, columns held fixed, outcome; shape ``(n, k)``.

    Returns:
        A share from 0 to 1.
    """
    n, k = values.shape
    design = np.column_stack([values[:, :-1], np.ones(n)])
    coefficients, *_ = np.linalg.lstsq(design, values[:, -1], rcond=None)
    free = max(n - k, 1)
    variance = float(((values[:, -1] - design @ coefficients) ** 2).sum()) / free
    error = np.sqrt(max(variance * float(np.linalg.pinv(design.T @ design)[0, 0]), 1e-300))
    f2 = float((coefficients[0] / error) ** 2) / free
    return float(0.5 * (np.sqrt(f2**2 + 4 * f2) - f2))


def adjusted_slope(values: FloatArray) -> float:
    """Return the slope of the last column with the first at fixed others; NaN where the first does not vary.

    Args:
        values: cause, columns held fixed, outcome; shape ``(n, k)``.
    """
    if values[:, 0].std() < 1e-12:
        return float("nan")
    design = np.column_stack([values[:, :-1], np.ones(len(values))])
    return float(np.linalg.lstsq(design, values[:, -1], rcond=None)[0][0])


def _with_dowhy(
    scaled: FloatArray, n_adjusted: int, *, simulations: int, seed: int
) -> tuple[float, tuple[Trial, ...]]:
    """Let DoWhy estimate the slope and test it."""
    import pandas as pd

    dowhy = _dowhy()
    fixed = [f"fixed_{number}" for number in range(n_adjusted)]
    frame = pd.DataFrame(scaled, columns=["cause", *fixed, "outcome"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas and statsmodels, inside DoWhy
        # The back door is given: to find it, DoWhy 0.12 calls a function that networkx 3.5 left out.
        estimand = dowhy["estimand"](
            None,
            treatment_variable=["cause"],
            outcome_variable=["outcome"],
            estimand_type=dowhy["ate"],
            estimands={"backdoor": None},
            backdoor_variables={"backdoor": fixed},
            default_backdoor_id="backdoor",
            identifier_method="backdoor",
        )
        estimator = dowhy["regression"](estimand)
        estimator.fit(frame)
        estimate = estimator.estimate_effect(frame, treatment_value=1, control_value=0)
        settings: dict[str, Any] = {"num_simulations": simulations}

        def state() -> Any:  # a number instead of a state would draw the same rows each time
            return np.random.RandomState(seed)

        found = {
            "placebo": dowhy["placebo"](
                frame,
                estimand,
                estimate,
                ["cause"],
                placebo_type=dowhy["permute"],
                random_state=state(),
                **settings,
            ),
            "random common cause": dowhy["random"](frame, estimand, estimate, random_state=state(), **settings),
            "part of the rows": dowhy["subset"](
                frame, estimand, estimate, subset_fraction=_SUBSET, random_state=state(), **settings
            ),
        }
    slope = float(estimate.value)
    return slope, tuple(_judged(name, trial, slope) for name, trial in found.items())


def _judged(name: str, trial: Any, slope: float) -> Trial:
    """Say whether a test passes: nothing by a placebo, the same by the others."""
    effect, p = float(np.ravel(trial.new_effect)[0]), float(trial.refutation_result["p_value"])
    wanted = 0.0 if name == "placebo" else slope
    moved = abs(effect - wanted) > _LARGE_CHANGE * abs(slope)
    return Trial(name, effect, p, passed=p >= LEVEL and not moved)


def _dowhy() -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # escapes in strings of DoWhy 0.12
            from dowhy.causal_estimators.linear_regression_estimator import LinearRegressionEstimator
            from dowhy.causal_identifier import EstimandType, IdentifiedEstimand
            from dowhy.causal_refuters import (
                refute_data_subset,
                refute_placebo_treatment,
                refute_random_common_cause,
            )
            from dowhy.causal_refuters.placebo_treatment_refuter import PlaceboType
    except ImportError as error:
        raise MissingExtraError("effects need dowhy; pip install 'hstore[explain]'") from error
    logging.getLogger("dowhy").setLevel(logging.WARNING)
    return {
        "estimand": IdentifiedEstimand,
        "ate": EstimandType.NONPARAMETRIC_ATE,
        "regression": LinearRegressionEstimator,
        "placebo": refute_placebo_treatment,
        "permute": PlaceboType.PERMUTE,
        "random": refute_random_common_cause,
        "subset": refute_data_subset,
    }
