"""Usable capacities at the one swing of a simulated set, learned from pores and consistent with each other.

A framework that holds q1 grams of hydrogen per gram when charged and q2 when discharged delivers

    g/L:  1000 density (q1 - q2)              wt%:  100 (q1 - q2) / ((1 + q1) (1 + q2)),

as wt% is a difference of two mass shares, each of its own state. So both capacities follow from one learned
capacity (g/L) and the mass factor (1 + q1)(1 + q2), which is near 1 and smooth in the pores. Learned apart, wt%
has a larger error than derived so, and the two answers contradict each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore_models.conformal import calibrate
from hstore_models.ensemble import Ensemble, Task, fit_ensemble

if TYPE_CHECKING:
    from hstore.arrays import FloatArray
    from hstore_models.calibration import Calibration, Reach
    from hstore_models.spec import Spec
    from hstore_models.splits import Groups

GRAVIMETRIC, VOLUMETRIC = "usable_capacity_wt_pct", "usable_capacity_g_per_l"
"""The two properties."""

MASS_FACTOR = "mass_factor"
"""Target of the spec: (1 + q1)(1 + q2)."""

_G_PER_L_PER_WT_PCT = 10.0
_PRECISE_WT_PCT = 2.0
"""From this capacity on, two decimals give the mass factor well enough for its full weight."""
_LEAST_WEIGHT = 1e-6


@dataclass(frozen=True)
class Swing:
    """Answers of the swing ensembles, arrays of shape ``(n,)``."""

    mean: dict[str, FloatArray]
    """Property -> capacity."""
    spread: dict[str, FloatArray]
    """Property -> how far learners and trees disagree, in its unit."""


@dataclass(frozen=True)
class SwingEnsemble:
    """Both usable capacities at one swing."""

    volumetric: Ensemble
    """Usable capacity, g/L."""
    mass_factor: Ensemble
    """(1 + q1)(1 + q2)."""
    swing: tuple[float, ...]
    """Charged bar and K, discharged bar and K."""
    gravimetric: Calibration
    """How the spread of the usable capacity in wt% becomes intervals."""
    density_g_cm3: FloatArray
    """Density of the training frameworks, shape ``(n,)``."""
    wt_pct: FloatArray
    """Known usable capacities of the training frameworks, wt%, shape ``(n,)``."""

    def answer(self, features: FloatArray, density_g_cm3: FloatArray) -> Swing:
        """Return both capacities.

        Args:
            features: descriptors of the pores, shape ``(n, d)``.
            density_g_cm3: density of the framework, shape ``(n,)``.
        """
        volumetric = self.volumetric.mean_and_spread(features)
        return _joined(volumetric, self.mass_factor.mean_and_spread(features), density_g_cm3)

    def held_out(self) -> Swing:
        """Return the out-of-fold answers for the training frameworks."""
        factor = self.mass_factor
        volumetric = (self.volumetric.oof_mean, self.volumetric.oof_spread)
        return _joined(volumetric, (factor.oof_mean, factor.oof_spread), self.density_g_cm3)

    def calibration(self, property_name: str) -> Calibration:
        """Return the calibration of a property."""
        return self.gravimetric if property_name == GRAVIMETRIC else self.volumetric.calibration

    def reach(self, property_name: str, answer: Swing) -> Reach:
        """Return how far the 90 % intervals of a property reach."""
        calibration = self.calibration(property_name)
        return calibration.reach(answer.spread[property_name], answer.mean[property_name])


def fit_swing(
    features: FloatArray,
    density_g_cm3: FloatArray,
    known: dict[str, FloatArray],
    groups: Groups,
    *,
    swing: tuple[float, ...],
    spec: Spec,
    seed: int = 0,
) -> SwingEnsemble:
    """Fit both capacities.

    Args:
        features: descriptors of the pores, shape ``(n, d)``.
        density_g_cm3: density of the framework, shape ``(n,)``.
        known: property -> known usable capacity, shape ``(n,)``.
        groups: group of each framework, shape ``(n,)``; whole groups are held out.
        swing: charged bar and K, discharged bar and K, of all of them.
        spec: how, with the targets ``usable_capacity_g_per_l`` and ``mass_factor``.
        seed: seed of learners and folds.

    Raises:
        InputError: fewer than two groups.
        UnknownNameError: the spec lacks a target.
    """
    tasks = swing_tasks(features, density_g_cm3, known, groups)
    volumetric, masses = (fit_ensemble(tasks[name], spec.recipe(name, seed=seed)) for name in tasks)
    held_out = _joined(
        (volumetric.oof_mean, volumetric.oof_spread), (masses.oof_mean, masses.oof_spread), density_g_cm3
    )
    calibration = calibrate(known[GRAVIMETRIC], held_out.mean[GRAVIMETRIC], held_out.spread[GRAVIMETRIC])
    return SwingEnsemble(volumetric, masses, swing, calibration, density_g_cm3, known[GRAVIMETRIC])


def swing_tasks(
    features: FloatArray, density_g_cm3: FloatArray, known: dict[str, FloatArray], groups: Groups
) -> dict[str, Task]:
    """Return target -> what it is learned from: the volumetric capacity and the mass factor, in this order.

    Args:
        features: descriptors of the pores, shape ``(n, d)``.
        density_g_cm3: density of the framework, shape ``(n,)``.
        known: property -> known usable capacity, shape ``(n,)``.
        groups: group of each framework, shape ``(n,)``.
    """
    factor, weights = _mass_factor(known[GRAVIMETRIC], known[VOLUMETRIC], density_g_cm3)
    precise = known[GRAVIMETRIC] >= _PRECISE_WT_PCT / 2.0
    return {
        VOLUMETRIC: Task(features, known[VOLUMETRIC], groups),
        MASS_FACTOR: Task(features, factor, groups, weights=weights, scored=precise),
    }


def _mass_factor(
    wt_pct: FloatArray, g_per_l: FloatArray, density_g_cm3: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the mass factor and its weight: capacities of two decimals give it only where they are large."""
    ratio = g_per_l / np.maximum(_G_PER_L_PER_WT_PCT * density_g_cm3 * wt_pct, 1e-6)
    factor = np.clip(np.where(wt_pct > 0.0, ratio, 1.0), 1.0, 3.0)
    weights = np.minimum(wt_pct / _PRECISE_WT_PCT, 1.0) ** 2
    return factor, np.maximum(weights, _LEAST_WEIGHT)


def _joined(
    volumetric: tuple[FloatArray, FloatArray], factor: tuple[FloatArray, FloatArray], density_g_cm3: FloatArray
) -> Swing:
    mean, spread = volumetric
    per_wt_pct = _G_PER_L_PER_WT_PCT * density_g_cm3 * factor[0]
    gravimetric = mean / per_wt_pct
    relative = factor[1] / factor[0]
    return Swing(
        {VOLUMETRIC: mean, GRAVIMETRIC: gravimetric},
        {VOLUMETRIC: spread, GRAVIMETRIC: np.hypot(spread / per_wt_pct, gravimetric * relative)},
    )
