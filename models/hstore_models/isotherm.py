"""Hydrogen isotherms of named adsorbents: uptake at states nobody measured, from the points that were.

Each adsorbent has its own Sips isotherm whose affinity follows van 't Hoff, plus a term in the density of the gas
(gas of the pores in total uptakes, the deduction in excess ones):

    q(T, p) = q_sat [ s(T) x / (1 + x) + gamma rho_gas(T, p) / rho_liquid ],   x = (b(T) p)^n,
    ln s(T) = alpha (1 - T/T_ref),
    ln b(T) = ln b_ref + E / R (1/T - 1/T_ref)

(Sips, J. Chem. Phys. 16, 490 (1948), doi 10.1063/1.1746922). With E above 0, alpha and gamma at least 0, uptake
rises with pressure and falls with temperature, always. Most adsorbents have a few points at one temperature, which
do not fix six constants; so the constants are drawn from a population, estimated from all adsorbents (empirical
Bayes: Efron and Morris 1973, doi 10.1080/01621459.1973.10481350), and each adsorbent's are the most probable ones.
Isotherms of one adsorbent from several laboratories differ by a factor of their own, so that many points of one do
not outvote another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.arrays import FloatArray, checked
from hstore.errors import InputError
from hstore.units import GAS_CONSTANT_J_PER_MOL_K
from hstore_models.calibration import COVERAGE, NORMAL_QUANTILE, Calibration, Reach
from hstore_models.conformal import calibrate
from hstore_models.splits import grouped_folds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

REFERENCE_TEMPERATURE_K = 120.0
"""Temperature at which the affinity is a parameter: between the 77 K and the room temperature of most isotherms,
so that affinity and heat of adsorption are little correlated."""

LIQUID_DENSITY_G_PER_L = 70.8
"""Density of liquid hydrogen at its normal boiling point."""

PARAMETERS = ("ln_saturation", "ln_affinity", "enthalpy_kj_per_mol", "logit_exponent", "gas_term", "shrinkage")
"""Constants of an isotherm, in the order of the arrays below; affinity in 1/bar at the reference temperature."""

_LOWEST = np.array([-12.0, -14.0, 0.3, -2.5, 0.0, 0.0])
_HIGHEST = np.array([12.0, 6.0, 25.0, 6.0, 10.0, 2.0])
_LOWEST_GAS_TERM_OF_EXCESS = -1.0
_GAS_TERM = PARAMETERS.index("gas_term")
_START = np.array([0.0, -3.0, 5.0, 0.8, 0.1, 0.1])
_WIDTH = np.array([0.7, 1.2, 1.2, 0.7, 0.3, 0.2])
"""Prior before the population is known. Adsorbents that do not fix a constant keep its width, so a wide one would
narrow slowly."""
_WIDEST = 2.0 * _WIDTH
"""The population is not taken for wider: else slips of unit let uptakes run away where nothing was measured."""
_KEPT_ROWS = 3.0
"""The first prior counts as so many adsorbents, so that a small population does not become certain."""
_ROUNDS, _STEPS = 3, 20
_POINTS_PER_ISOTHERM = 10
"""More points of one isotherm say little more."""
_LEAST_PRESSURE_BAR = 1e-6
_FLOOR_SHARE = 0.05
"""Uptakes are compared as ln(uptake + this share of their median over all points), so that zeros count."""
_FAR = 3.0
"""Scatters beyond which a point counts less."""
_LEAST_SHAPE_SHARE = 0.6
"""Points scatter about the model at least by this share of the scatter of isotherms: where laboratories disagree,
the shape of one isotherm is hardly better known than its level, and must not pull the constants off all levels."""
_MOST_SCATTER = 0.5
"""Scatter is not taken for larger: else isotherms of pooled labels would say nothing of their adsorbent."""


@dataclass(frozen=True)
class IsothermPopulation:
    """Isotherms of many adsorbents and the population they are drawn from."""

    names: NDArray[np.str_]
    """Adsorbents, sorted, shape ``(m,)``."""
    constants: FloatArray
    """Most probable constants of each, shape ``(m, 6)``, columns as in ``PARAMETERS``."""
    covariances: FloatArray
    """Their covariance (Laplace), shape ``(m, 6, 6)``."""
    mean: FloatArray
    """Mean of the population, shape ``(6,)``."""
    covariance: FloatArray
    """Covariance of the population, shape ``(6, 6)``."""
    point_std: float
    """Scatter of the points of an isotherm about it, of ln uptake."""
    isotherm_std: float
    """Scatter of whole isotherms of one adsorbent about each other, of ln uptake."""
    floor: float
    """Added to an uptake before its logarithm is taken, in the unit of the uptakes."""
    calibration: Calibration | None
    """How the error estimate becomes a standard deviation of ln uptake; it is taken as it is when None."""

    def predict(
        self, names: Sequence[str] | NDArray[np.str_], temperature_k: FloatArray, pressure_bar: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation of the uptake, each of shape ``(n,)``, in the unit it was fitted in.

        An adsorbent without data gets the population's mean with the population's width.

        Args:
            names: adsorbent of each row, shape ``(n,)``.
            temperature_k: shape ``(n,)``, above 0.
            pressure_bar: shape ``(n,)``, at least 0.

        Raises:
            InputError: a temperature or pressure is out of range.
        """
        mean, spread = self.mean_and_spread(names, temperature_k, pressure_bar)
        return mean, self._reach(mean, spread).std * (mean + self.floor)

    def interval(
        self, names: Sequence[str] | NDArray[np.str_], temperature_k: FloatArray, pressure_bar: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return the ends of the 90 % interval, each of shape ``(n,)``, never below 0."""
        mean, spread = self.mean_and_spread(names, temperature_k, pressure_bar)
        level = np.log(mean + self.floor)
        reach = self._reach(mean, spread)
        lower, upper = (np.exp(end) - self.floor for end in (level - reach.below, level + reach.above))
        return np.maximum(lower, 0.0), np.maximum(upper, 0.0)

    def mean_and_spread(
        self, names: Sequence[str] | NDArray[np.str_], temperature_k: FloatArray, pressure_bar: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return the uptake, and the error of its logarithm before calibration, each of shape ``(n,)``."""
        return _answers(self, np.asarray(names, dtype=str), _States.of(temperature_k, pressure_bar))

    def _reach(self, mean: FloatArray, spread: FloatArray) -> Reach:
        """Return how far the intervals of ln uptake reach."""
        if self.calibration is None:
            return Reach.normal(spread)
        return self.calibration.reach(spread, np.log(mean + self.floor))

    def places(self, names: Sequence[str] | NDArray[np.str_]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the index of each adsorbent, and whether it has data, each of shape ``(n,)``."""
        asked = np.asarray(names, dtype=str)
        place = np.minimum(np.searchsorted(self.names, asked), len(self.names) - 1)
        return place, self.names[place] == asked


@dataclass(frozen=True)
class _States:
    inverse_temperature: FloatArray
    """1000 / R (1/T - 1/T_ref), mol/kJ."""
    cold: FloatArray
    """1 - T/T_ref."""
    ln_pressure: FloatArray
    gas: FloatArray
    """Density of the gas in densities of the liquid."""

    @classmethod
    def of(cls, temperature_k: FloatArray, pressure_bar: FloatArray) -> _States:
        from hstore_models.texture_isotherm import gas_density_g_cm3

        temperature = np.asarray(checked("temperature_k", temperature_k, above=0), dtype=np.float64)
        pressure = np.asarray(checked("pressure_bar", pressure_bar, low=0), dtype=np.float64)
        inverse = 1000.0 / GAS_CONSTANT_J_PER_MOL_K * (1.0 / temperature - 1.0 / REFERENCE_TEMPERATURE_K)
        gas = 1000.0 * gas_density_g_cm3(pressure, temperature) / LIQUID_DENSITY_G_PER_L
        return cls(
            inverse,
            1.0 - temperature / REFERENCE_TEMPERATURE_K,
            np.log(np.maximum(pressure, _LEAST_PRESSURE_BAR)),
            gas,
        )

    def __getitem__(self, rows: NDArray[np.int64]) -> _States:
        return _States(self.inverse_temperature[rows], self.cold[rows], self.ln_pressure[rows], self.gas[rows])


def _uptake(constants: FloatArray, states: _States) -> tuple[FloatArray, FloatArray]:
    """Return the uptake, shape ``(n,)``, and its slopes in the constants, shape ``(n, 6)``."""
    ln_saturation, ln_affinity, enthalpy, logit, gas_term, shrinkage = constants.T
    exponent = 1.0 / (1.0 + np.exp(-logit))
    reduced = ln_affinity + enthalpy * states.inverse_temperature + states.ln_pressure
    filled = 1.0 / (1.0 + np.exp(-np.clip(exponent * reduced, -60.0, 60.0)))
    saturation = np.exp(ln_saturation)
    adsorbing = saturation * np.exp(shrinkage * states.cold)
    uptake = np.maximum(adsorbing * filled + saturation * gas_term * states.gas, 0.0)
    rising = adsorbing * filled * (1.0 - filled)
    slopes = [
        uptake,
        rising * exponent,
        rising * exponent * states.inverse_temperature,
        rising * reduced * exponent * (1.0 - exponent),
        saturation * states.gas,
        adsorbing * filled * states.cold,
    ]
    return uptake, np.column_stack(slopes)


@dataclass(frozen=True)
class _Points:
    """Points of one adsorbent."""

    states: _States
    level: FloatArray
    isotherm: NDArray[np.int64]
    counts: FloatArray

    def whiten(self, values: FloatArray, point_std: float, isotherm_std: float) -> FloatArray:
        """Divide by the scatter of points and of whole isotherms, ``(n,)`` or ``(n, k)``."""
        kept = 1.0 - point_std / np.sqrt(point_std**2 + self.counts * isotherm_std**2)
        sums = np.zeros((len(self.counts), *values.shape[1:]))
        np.add.at(sums, self.isotherm, values)
        means = sums * (kept / self.counts).reshape(-1, *[1] * (values.ndim - 1))
        return np.asarray((values - means[self.isotherm]) / point_std)


def fit_isotherms(
    names: Sequence[str] | NDArray[np.str_],
    isotherms: Sequence[str] | NDArray[np.str_],
    temperature_k: FloatArray,
    pressure_bar: FloatArray,
    uptake: FloatArray,
    *,
    uptake_kind: str = "absolute",
    seed: int = 0,
    calibrated: bool = True,
) -> IsothermPopulation:
    """Fit the isotherms of many adsorbents together.

    Args:
        names: adsorbent of each point, shape ``(n,)``.
        isotherms: isotherm of each point, shape ``(n,)``; points of one share their laboratory and temperature.
        temperature_k: shape ``(n,)``, above 0.
        pressure_bar: shape ``(n,)``, at least 0.
        uptake: shape ``(n,)``, any one unit; negative values count as 0.
        uptake_kind: ``absolute`` or ``total`` (then uptake rises with pressure), or ``excess`` (it need not).
        seed: seed of the folds that calibrate the intervals.
        calibrated: hold out whole isotherms to calibrate the intervals; without, they are those of the model.

    Raises:
        InputError: no points, points of fewer than two isotherms, or a state out of range.
    """
    labels, tags = np.asarray(names, dtype=str), np.asarray(isotherms, dtype=str)
    values = np.maximum(np.asarray(uptake, dtype=np.float64), 0.0)
    if not len(labels) or not len(labels) == len(tags) == len(values):
        raise InputError(
            f"isotherms need points with a name each, got {len(labels)} names, {len(tags)} isotherms and "
            f"{len(values)} uptakes; give one of each for every point"
        )
    states = _States.of(temperature_k, pressure_bar)
    floor = max(_FLOOR_SHARE * float(np.median(values)), 1e-9)
    lowest = _LOWEST.copy()
    if uptake_kind == "excess":
        lowest[_GAS_TERM] = _LOWEST_GAS_TERM_OF_EXCESS
    rows = _thinned(tags, states.ln_pressure)
    fitted = _fit(labels[rows], tags[rows], states[rows], values[rows], floor, lowest)
    if not calibrated:
        return fitted
    return _calibrated(fitted, labels, tags, states, values, lowest, rows, seed)


def _fit(
    labels: NDArray[np.str_],
    tags: NDArray[np.str_],
    states: _States,
    values: FloatArray,
    floor: float,
    lowest: FloatArray,
) -> IsothermPopulation:
    known = np.unique(labels)
    level = np.log(values + floor)
    points = [_points(states, level, tags, np.flatnonzero(labels == name)) for name in known]
    mean = _START.copy()
    mean[0] = float(np.quantile(level, 0.9))
    covariance, point_std, isotherm_std = np.diag(_WIDTH**2), 0.2, 0.2
    constants = np.tile(mean, (len(points), 1))
    covariances = np.tile(covariance, (len(points), 1, 1))
    for _ in range(_ROUNDS):
        precision = np.linalg.inv(covariance)
        residuals = []
        for number, own in enumerate(points):
            constants[number], covariances[number], left = _most_probable(
                own, constants[number], (mean, precision), (point_std, isotherm_std), floor, lowest
            )
            residuals.append(left)
        mean, covariance = _population(constants, covariances)
        point_std, isotherm_std = _scatter(points, residuals)
    return IsothermPopulation(
        known, constants, covariances, mean, covariance, point_std, isotherm_std, floor, None
    )


def _points(states: _States, level: FloatArray, tags: NDArray[np.str_], rows: NDArray[np.int64]) -> _Points:
    _, isotherm, counts = np.unique(tags[rows], return_inverse=True, return_counts=True)
    return _Points(states[rows], level[rows], isotherm, counts.astype(np.float64))


def _most_probable(
    own: _Points,
    start: FloatArray,
    prior: tuple[FloatArray, FloatArray],
    scatter: tuple[float, float],
    floor: float,
    lowest: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Minimise the negative log posterior by Levenberg-Marquardt steps held inside the physical bounds.

    Returns:
        Constants, their covariance, and what is left of ln uptake at each point.
    """
    mean, precision = prior
    at, damping = np.clip(start, lowest, _HIGHEST), 1e-2

    def judged(point: FloatArray) -> tuple[float, FloatArray, FloatArray, FloatArray]:
        uptake, slopes = _uptake(np.broadcast_to(point, (len(own.level), len(point))), own.states)
        left = own.level - np.log(uptake + floor)
        # A point far off counts less (Huber), as digitised tables hold slips of unit.
        size = np.abs(left) / (_FAR * np.hypot(*scatter))
        pull = np.sqrt(1.0 / np.maximum(size, 1.0))
        white = own.whiten(pull * left, *scatter)
        away = point - mean
        return (
            float(white @ white + away @ precision @ away),
            white,
            own.whiten((pull / (uptake + floor))[:, None] * slopes, *scatter),
            left,
        )

    loss, white, slopes, left = judged(at)
    for _ in range(_STEPS):
        curvature = slopes.T @ slopes + precision
        downhill = slopes.T @ white - precision @ (at - mean)
        # A constant at its bound that wants to leave stays there, or the others could not settle.
        held = ((at <= lowest) & (downhill < 0)) | ((at >= _HIGHEST) & (downhill > 0))
        free = np.flatnonzero(~held)
        damped = curvature[np.ix_(free, free)] + damping * np.diag(np.diag(curvature)[free])
        step = np.zeros(len(at))
        step[free] = np.linalg.solve(damped, downhill[free])
        trial = np.clip(at + step, lowest, _HIGHEST)
        found = judged(trial)
        if found[0] < loss:
            gain, damping = loss - found[0], max(damping / 5.0, 1e-6)
            at, (loss, white, slopes, left) = trial, found
            if gain < 1e-3:
                break
        elif damping > 1e4:
            break
        else:
            damping *= 5.0
    return at, np.asarray(np.linalg.inv(slopes.T @ slopes + precision), dtype=np.float64), left


def _population(constants: FloatArray, covariances: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and covariance of the population: scatter of the constants plus what is not known of each."""
    middle = np.median(constants, axis=0)
    width = 1.4826 * np.median(np.abs(constants - middle), axis=0)
    inside = np.clip(constants, middle - 4.0 * np.maximum(width, 0.05), middle + 4.0 * np.maximum(width, 0.05))
    mean = inside.mean(axis=0)
    away = inside - mean
    pooled = (away.T @ away + covariances.sum(axis=0) + _KEPT_ROWS * np.diag(_WIDTH**2)) / (
        len(constants) + _KEPT_ROWS
    )
    shrink = np.minimum(_WIDEST / np.sqrt(np.diag(pooled)), 1.0)
    return mean, shrink[:, None] * pooled * shrink


def _scatter(points: list[_Points], residuals: list[FloatArray]) -> tuple[float, float]:
    """Return the scatter of points within isotherms, and of whole isotherms of adsorbents that have several."""
    within, between = [], []
    for own, left in zip(points, residuals, strict=True):
        means = np.bincount(own.isotherm, weights=left) / own.counts
        within.append((left - means[own.isotherm])[own.counts[own.isotherm] > 2])
        if len(own.counts) > 1:
            between.append(means)
    point = _robust_std(within)
    isotherm = float(np.clip(_robust_std(between), 0.01, _MOST_SCATTER))
    return float(np.clip(point, max(0.01, _LEAST_SHAPE_SHARE * isotherm), _MOST_SCATTER)), isotherm


def _robust_std(parts: list[FloatArray]) -> float:
    joined = np.concatenate(parts) if parts else np.zeros(1)
    return float(np.quantile(np.abs(joined), COVERAGE)) / NORMAL_QUANTILE if len(joined) else 0.0


def _thinned(tags: NDArray[np.str_], ln_pressure: FloatArray) -> NDArray[np.int64]:
    """Return points evenly spread over the ranks of pressure of each isotherm, not more than a few of each."""
    order = np.lexsort((ln_pressure, tags))
    _, first, counts = np.unique(tags[order], return_index=True, return_counts=True)
    kept = [
        order[start + np.unique(np.linspace(0, n - 1, min(n, _POINTS_PER_ISOTHERM)).round().astype(np.int64))]
        for start, n in zip(first, counts, strict=True)
    ]
    return np.sort(np.concatenate(kept))


def _calibrated(
    fitted: IsothermPopulation,
    labels: NDArray[np.str_],
    tags: NDArray[np.str_],
    states: _States,
    values: FloatArray,
    lowest: FloatArray,
    rows: NDArray[np.int64],
    seed: int,
) -> IsothermPopulation:
    """Hold out whole isotherms, refit, and scale the errors so that the 90 % intervals cover them."""
    from dataclasses import replace

    folds = grouped_folds(tags[rows], seed=seed)
    level, spread = np.empty(len(rows)), np.empty(len(rows))
    for fold in np.unique(folds):
        kept, out = rows[folds != fold], rows[folds == fold]
        model = _fit(labels[kept], tags[kept], states[kept], values[kept], fitted.floor, lowest)
        uptake, spread[folds == fold] = _answers(model, labels[out], states[out])
        level[folds == fold] = np.log(uptake + fitted.floor)
    return replace(fitted, calibration=calibrate(np.log(values[rows] + fitted.floor), level, spread))


def _answers(
    model: IsothermPopulation, labels: NDArray[np.str_], states: _States
) -> tuple[FloatArray, FloatArray]:
    place, known = model.places(labels)
    constants = np.where(known[:, None], model.constants[place], model.mean)
    covariances = np.where(known[:, None, None], model.covariances[place], model.covariance)
    uptake, slopes = _uptake(constants, states)
    slopes = slopes / (uptake + model.floor)[:, None]
    variance = np.einsum("ni,nij,nj->n", slopes, covariances, slopes)
    return uptake, np.sqrt(np.maximum(variance, 0.0) + model.isotherm_std**2 + model.point_std**2)
