"""Reaction enthalpies of a potential, corrected by what it gets wrong on measured hydrides.

A potential trained on PBE inherits its errors, which follow the bond of hydrogen: salts of alkali metals come out
25 kJ/mol H2 too unstable, borohydrides and intermetallics as much too stable. So the correction is not one of the
reaction but one of every hydrogen atom in a phase, f(phase), and a reaction takes the sum over its phases: the
hydrogen that stays behind in NaH carries the error of NaH with it. f is a Gaussian process (Rasmussen and Williams
2006), smooth in few descriptors of the phase, with a part that is each phase's own and shared by its reactions. To
it comes one constant, the error of the H2 molecule.

Amplitudes, length scales and noise are drawn from their posterior given the training rows (Metropolis et al. 1953,
doi 10.1063/1.1699114), and predictions are averaged over the draws: few rows leave them uncertain, and the best
ones alone would be too sure of themselves. They are drawn anew where a row is left out, so a left-out row has no
part in its own prediction. Which descriptors are used was decided by the posterior too, on all rows. Far from
measured chemistry f falls back to a straight line in electronegativity and the standard deviation grows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError
from hstore.formula import parse_amounts
from hstore_models.features.composition import ATOMIC_NUMBER
from hstore_models.features.elemental import elemental_column
from hstore_models.physics.potential import one_potential

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hstore.arrays import FloatArray
    from hstore_models.physics.reaction import Reaction

DESCRIPTORS = ("electronegativity", "d_or_f_share", "p_share", "hydrogen_per_atom")
"""What a phase is known by: mean Pauling electronegativity of the atoms other than hydrogen, the shares of them
that are d- or f-elements and p-elements, and hydrogen atoms for each of them."""
LEAST_ROWS = 12
"""Measured reactions below which nothing is fitted."""
_CENTRES = np.array([1.4, 0.5, 0.2, 1.0])
_SCALES = np.array([0.4, 0.5, 0.4, 1.0])
"""Centre and spread by which descriptors are made comparable; fixed, so that they do not depend on the rows."""
_STARTS = np.log([10.0, 5.0, 5.0, 5.0, 3.0, 1.0, 1.0, 1.0, 1.0, 8.0])
"""Typical values of: the constant of H2 (kJ/mol H2); level, slope and bend of f and what is each phase's own
(kJ/mol H); the four length scales; the noise of a row (kJ/mol H2). Centres of the prior."""
_SPREADS = np.array([1.0, 1.0, 1.0, 1.0, 0.7, 0.5, 0.5, 0.5, 0.5, 0.5])
"""Standard deviations of the logarithms in the prior."""
DRAWS = 50
"""Draws of the parameters that predictions are averaged over."""
_SETTLING, _BETWEEN = 500, 40
"""Steps of the chain before the first draw, and between two."""
_STEP, _MOVED = 0.35, 0.4
"""Step of a parameter in standard deviations of its prior, and share of the parameters that a step moves: more
than half of the steps are then taken."""


@dataclass(frozen=True)
class Priced:
    """A reaction with its energy by a potential and, where known, its measured enthalpy."""

    formula: str
    """Hydride, as the user knows it."""
    chemistry: str
    """Kind of hydride; groups left out together."""
    reaction: Reaction
    """What is released, and what stays."""
    raw_kj_per_mol_h2: float
    """Energy by the potential, kJ/mol H2, positive where release is endothermic."""
    potential: str
    """Key of the potential."""
    measured_kj_per_mol_h2: float = math.nan
    """Measured desorption enthalpy, kJ/mol H2; NaN where there is none."""


@dataclass(frozen=True)
class Calibrated:
    """Corrected enthalpies of some reactions."""

    kj_per_mol_h2: FloatArray
    """Corrected enthalpy, kJ/mol H2, shape (n,)."""
    std_kj_per_mol_h2: FloatArray
    """Standard deviation of a measurement about it, kJ/mol H2, shape (n,)."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """A fitted correction of one potential."""

    potential: str
    """Key of the potential it corrects."""
    rows: tuple[Priced, ...]
    """Measured reactions it was fitted to."""
    log_parameters: FloatArray
    """Draws of the logarithms of amplitudes, length scales and noise, shape (draws, 10)."""

    @cached_property
    def _solved(self) -> list[tuple[FloatArray, FloatArray]]:
        errors, found = _errors(self.rows), []
        for one in self.log_parameters:
            kernel = covariance(self.rows, self.rows, one)
            kernel[np.diag_indices_from(kernel)] += _noise_variance(one)
            factor = np.asarray(np.linalg.cholesky(kernel))
            found.append((factor, np.asarray(np.linalg.solve(factor.T, np.linalg.solve(factor, errors)))))
        return found

    def predict(self, reactions: Sequence[Priced]) -> Calibrated:
        """Correct reactions priced by the same potential.

        Raises:
            InputError: a reaction was priced by another potential.
        """
        if not reactions:
            return Calibrated(np.empty(0), np.empty(0))
        one_potential([self.potential, *(row.potential for row in reactions)])
        means, variances = [], []
        for one, (factor, weights) in zip(self.log_parameters, self._solved, strict=True):
            across = covariance(reactions, self.rows, one)
            own = np.diag(covariance(reactions, reactions, one))
            variance = own - (np.linalg.solve(factor, across.T) ** 2).sum(axis=0)
            means.append(across @ weights)
            variances.append(np.maximum(variance, 0.0) + _noise_variance(one))
        raw = np.array([row.raw_kj_per_mol_h2 for row in reactions])
        spread = np.mean(variances, axis=0) + np.var(means, axis=0)
        return Calibrated(raw + np.mean(means, axis=0), np.sqrt(spread))

    def parameters(self) -> dict[str, float]:
        """Return the middle of the draws of each, by name."""
        names = (
            "h2_kj_per_mol_h2",
            "level_kj_per_mol_h",
            "slope_kj_per_mol_h",
            "bend_kj_per_mol_h",
            "phase_kj_per_mol_h",
            *(f"length_{name}" for name in DESCRIPTORS),
            "noise_kj_per_mol_h2",
        )
        return dict(zip(names, np.exp(np.median(self.log_parameters, axis=0)).tolist(), strict=True))


def fit_calibration(rows: Sequence[Priced]) -> Calibration:
    """Fit the correction to measured reactions.

    Args:
        rows: at least :data:`LEAST_ROWS`, all measured, all priced by one potential.

    Raises:
        InputError: too few rows, a row without a measurement, or several potentials.
    """
    key = one_potential(row.potential for row in rows)
    if len(rows) < LEAST_ROWS:
        raise InputError(
            f"a calibration needs at least {LEAST_ROWS} measured reactions, got {len(rows)}; add more"
        )
    bare = [row.formula for row in rows if not math.isfinite(row.measured_kj_per_mol_h2)]
    if bare:
        raise InputError(f"{', '.join(bare)} has no measured enthalpy; leave it out of the fit")
    from scipy.optimize import minimize

    cost = _cost(rows)
    found = minimize(cost, _STARTS, method="L-BFGS-B", options={"maxiter": 100})
    return Calibration(key, tuple(rows), _drawn(cost, np.asarray(found.x)))


def _drawn(cost: Callable[[FloatArray], float], start: FloatArray) -> FloatArray:
    """Return draws of the parameters from their posterior, shape (draws, 10), the same each time."""
    random = np.random.default_rng(0)
    here, height, draws = start, cost(start), []
    for step in range(_SETTLING + DRAWS * _BETWEEN):
        moved = random.random(len(here)) < _MOVED
        there = here + _STEP * _SPREADS * random.normal(size=len(here)) * moved
        beyond = cost(there)
        if math.log(random.random()) < height - beyond:
            here, height = there, beyond
        if step >= _SETTLING and (step - _SETTLING) % _BETWEEN == _BETWEEN - 1:
            draws.append(here)
    return np.array(draws)


def left_out(rows: Sequence[Priced], groups: Sequence[Any] | None = None) -> Calibrated:
    """Predict each row by a calibration that has not seen its group.

    Args:
        rows: measured reactions of one potential.
        groups: group of each row; None leaves out one row at a time.

    Returns:
        Predictions in the order of the rows; NaN where the others are too few to fit.
    """
    marks = list(range(len(rows))) if groups is None else list(groups)
    mean = np.full(len(rows), math.nan)
    std = np.full(len(rows), math.nan)
    for mark in dict.fromkeys(marks):
        out = [i for i, other in enumerate(marks) if other == mark]
        kept = [row for row, other in zip(rows, marks, strict=True) if other != mark]
        if len(kept) < LEAST_ROWS:
            continue
        found = fit_calibration(kept).predict([rows[i] for i in out])
        mean[out], std[out] = found.kj_per_mol_h2, found.std_kj_per_mol_h2
    return Calibrated(mean, std)


def covariance(first: Sequence[Priced], second: Sequence[Priced], log_parameters: FloatArray) -> FloatArray:
    """Return the prior covariance of the corrections of two lists of reactions, shape (n, m), (kJ/mol H2)^2."""
    names_1, weights_1, places_1 = _stacked(first)
    names_2, weights_2, places_2 = _stacked(second)
    same = np.array([[one == other for other in names_2] for one in names_1], dtype=float)
    squares = (places_1[:, None, :] - places_2[None, :, :]) ** 2
    product = np.outer(places_1[:, 0], places_2[:, 0])
    of_phases = _of_phases(log_parameters, squares, product, same)
    return np.asarray(np.exp(2 * log_parameters[0]) + weights_1 @ of_phases @ weights_2.T)


def _of_phases(
    log_parameters: FloatArray, squares: FloatArray, product: FloatArray, same: FloatArray
) -> FloatArray:
    """Return the covariance of f between phases, shape (p, q), (kJ/mol H)^2.

    Args:
        log_parameters: as in :class:`Calibration`.
        squares: squared distances along each descriptor, shape (p, q, 4).
        product: product of the two electronegativities, shape (p, q).
        same: 1 where two phases are one, shape (p, q).
    """
    _, level, slope, bend, own, *lengths, _ = np.exp(log_parameters)
    bent = np.exp(-(squares / np.array(lengths) ** 2).sum(axis=-1) / 2)
    return np.asarray(level**2 + slope**2 * product + bend**2 * bent + own**2 * same)


def hydrogen_of_phases(reaction: Reaction) -> dict[str, float]:
    """Return the hydrogen atoms of each phase that a mole of H2 sets free, less those it leaves bound."""
    found: dict[str, float] = {}
    for side, sign in ((reaction.reactants, 1.0), (reaction.products, -1.0)):
        for formula, units in side.items():
            hydrogen = parse_amounts(formula).get("H", 0.0)
            if hydrogen:
                found[formula] = found.get(formula, 0.0) + sign * hydrogen * float(units) / float(reaction.h2)
    return found


@lru_cache(maxsize=4096)
def phase_descriptors(formula: str) -> tuple[float, ...]:
    """Return :data:`DESCRIPTORS` of a hydride.

    Raises:
        InputError: there is nothing in it but hydrogen.
    """
    amounts = {element: n for element, n in parse_amounts(formula).items() if element != "H"}
    if not amounts:
        raise InputError(f"{formula} has no element besides hydrogen to describe its bonds by")
    total = sum(amounts.values())
    electronegativity = elemental_column("Electronegativity")
    d, f, p = (elemental_column(f"N{shell}Valence") for shell in "dfp")

    def mean(of: Callable[[int], float]) -> float:
        return sum(of(ATOMIC_NUMBER[element]) * n for element, n in amounts.items()) / total

    return (
        mean(lambda z: float(electronegativity[z])),
        mean(lambda z: float((d[z] > 0 or f[z] > 0) and p[z] == 0)),
        mean(lambda z: float(p[z] > 0)),
        parse_amounts(formula).get("H", 0.0) / total,
    )


def _stacked(rows: Sequence[Priced]) -> tuple[list[str], FloatArray, FloatArray]:
    """Phases with hydrogen, their weights in the reactions, shape (n, phases), and places, shape (phases, 4)."""
    taken = [hydrogen_of_phases(row.reaction) for row in rows]
    phases = list(dict.fromkeys(formula for one in taken for formula in one))
    weights = np.array([[one.get(formula, 0.0) for formula in phases] for one in taken])
    places = (np.array([phase_descriptors(formula) for formula in phases]) - _CENTRES) / _SCALES
    return phases, weights, places


def _errors(rows: Sequence[Priced]) -> FloatArray:
    return np.array([row.measured_kj_per_mol_h2 - row.raw_kj_per_mol_h2 for row in rows])


def _noise_variance(log_parameters: FloatArray) -> float:
    return float(np.exp(2 * log_parameters[-1]))


def _cost(rows: Sequence[Priced]) -> Callable[[FloatArray], float]:
    """Return the negative logarithm of the posterior of the parameters."""
    errors = _errors(rows)
    names, weights, places = _stacked(rows)
    squares = (places[:, None, :] - places[None, :, :]) ** 2
    product = np.outer(places[:, 0], places[:, 0])
    same = np.eye(len(names))

    def cost(log_parameters: FloatArray) -> float:
        of_phases = _of_phases(log_parameters, squares, product, same)
        kernel = np.exp(2 * log_parameters[0]) + weights @ of_phases @ weights.T
        kernel[np.diag_indices_from(kernel)] += _noise_variance(log_parameters)
        try:
            factor = np.linalg.cholesky(kernel)
        except np.linalg.LinAlgError:
            return math.inf
        scaled = np.linalg.solve(factor, errors)
        prior = (((log_parameters - _STARTS) / _SPREADS) ** 2).sum() / 2
        return float(scaled @ scaled / 2 + np.log(np.diag(factor)).sum() + prior)

    return cost


def error_of(rows: Sequence[Priced], predicted: FloatArray) -> Mapping[str, float]:
    """Return n, MAE, bias and RMSE of predictions against measurements, kJ/mol H2; NaNs are left out."""
    off = predicted - np.array([row.measured_kj_per_mol_h2 for row in rows])
    off = off[np.isfinite(off)]
    if not len(off):
        return {"n": 0, "mae": math.nan, "bias": math.nan, "rmse": math.nan}
    return {
        "n": len(off),
        "mae": float(np.abs(off).mean()),
        "bias": float(off.mean()),
        "rmse": float(np.sqrt((off**2).mean())),
    }
