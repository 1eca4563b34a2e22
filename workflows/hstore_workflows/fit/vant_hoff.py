"""Van 't Hoff line through plateau pressures: enthalpy and entropy with their joint uncertainty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import f as f_distribution
from scipy.stats import t as t_distribution

from hstore.errors import InputError
from hstore.thermo import J_PER_KJ
from hstore.units import GAS_CONSTANT_J_PER_MOL_K as R

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

COVERAGE = 0.9
"""Share of intervals that hold the truth, as everywhere in hstore."""


@dataclass(frozen=True)
class VantHoff:
    """Enthalpy and entropy of release from plateau pressures at several temperatures."""

    enthalpy_kj_per_mol_h2: float
    """Desorption enthalpy, positive where release takes heat."""
    enthalpy_std: float
    """Its standard error, kJ/mol H2."""
    enthalpy_interval: tuple[float, float]
    """90 % interval (Student's t), kJ/mol H2."""
    entropy_j_per_mol_h2_k: float
    """Desorption entropy, standard pressure 1 bar."""
    entropy_std: float
    """Its standard error, J/(mol H2 K)."""
    entropy_interval: tuple[float, float]
    """90 % interval, J/(mol H2 K)."""
    correlation: float
    """Correlation of the two errors; near 1, for a steeper line hits the axis higher."""
    temperatures: int
    """Temperatures it goes through."""
    rms_ln: float
    """Root mean square distance of ln p from the line."""

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the intervals."""
        return self.temperatures - 2

    def ln_pressure(self, temperature_k: ArrayLike) -> NDArray[np.float64]:
        """Return ln(p / 1 bar) on the line, of the shape of the temperatures."""
        inverse = 1.0 / np.asarray(temperature_k, dtype=float)
        return np.asarray(self.entropy_j_per_mol_h2_k / R - J_PER_KJ * self.enthalpy_kj_per_mol_h2 / R * inverse)

    def ln_pressure_std(self, temperature_k: ArrayLike) -> NDArray[np.float64]:
        """Return the standard error of the line, of the shape of the temperatures."""
        inverse = 1.0 / np.asarray(temperature_k, dtype=float)
        slope, cut = -J_PER_KJ / R * inverse * self.enthalpy_std, self.entropy_std / R
        return np.sqrt(np.maximum(slope**2 + cut**2 + 2.0 * self.correlation * slope * cut, 0.0))

    def region(self, points: int = 100) -> NDArray[np.float64]:
        """Return the edge of the joint 90 % confidence region, enthalpies and entropies, shape ``(points, 2)``."""
        angle = np.linspace(0.0, 2.0 * np.pi, points)
        covariance = np.array(
            [
                [self.enthalpy_std**2, self.correlation * self.enthalpy_std * self.entropy_std],
                [self.correlation * self.enthalpy_std * self.entropy_std, self.entropy_std**2],
            ]
        )
        size = np.sqrt(2.0 * f_distribution.ppf(COVERAGE, 2, self.freedom))
        values, vectors = np.linalg.eigh(covariance)
        circle = np.stack([np.cos(angle), np.sin(angle)])
        edge = size * vectors @ (np.sqrt(np.maximum(values, 0.0))[:, None] * circle)
        return np.asarray(edge.T + np.array([self.enthalpy_kj_per_mol_h2, self.entropy_j_per_mol_h2_k]))

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return vars(self) | {"coverage": COVERAGE}


def fit_vant_hoff(
    temperature_k: ArrayLike, ln_pressure: ArrayLike, ln_pressure_std: ArrayLike | None = None
) -> VantHoff:
    """Fit ln p = dS/R - dH/(R T).

    Points are weighted by their standard errors, joined with a floor so that one lucky isotherm does not rule, and
    the scatter about the line sets the scale of the errors.

    Args:
        temperature_k: shape ``(n,)``, at least three different ones.
        ln_pressure: ln(p / 1 bar), shape ``(n,)``.
        ln_pressure_std: standard errors, shape ``(n,)``; equal when None.

    Raises:
        InputError: there are fewer than three temperatures, or they are not above 0.
    """
    t, y = np.asarray(temperature_k, dtype=float), np.asarray(ln_pressure, dtype=float)
    if len(t) < 3 or len(np.unique(np.round(t, 1))) < 3:
        raise InputError(
            f"enthalpy and entropy with intervals need plateaus at three temperatures at least, got "
            f"{', '.join(f'{value:g} K' for value in sorted(set(t.tolist()))) or 'none'}"
        )
    if not (t > 0).all():
        raise InputError("temperatures must be above 0 K")
    sigma = np.ones(len(t))
    if ln_pressure_std is not None:
        stated = np.asarray(ln_pressure_std, dtype=float)
        sigma = np.hypot(stated, np.median(stated))
    middle = float(np.average(1.0 / t, weights=sigma**-2))
    design = np.column_stack([np.ones(len(t)), 1.0 / t - middle]) / sigma[:, None]
    solution, *_ = np.linalg.lstsq(design, y / sigma, rcond=None)
    residual = y / sigma - design @ solution
    freedom = len(t) - 2
    covariance = np.linalg.inv(design.T @ design) * float(residual @ residual) / freedom
    # From the value at the middle of 1/T and the slope to the cut at 1/T = 0 and the slope.
    turn = np.array([[1.0, -middle], [0.0, 1.0]])
    cut, slope = turn @ solution
    spread = turn @ covariance @ turn.T
    enthalpy, entropy = -slope * R / J_PER_KJ, cut * R
    enthalpy_std, entropy_std = np.sqrt(spread[1, 1]) * R / J_PER_KJ, np.sqrt(spread[0, 0]) * R
    correlation = -spread[0, 1] / np.sqrt(spread[0, 0] * spread[1, 1]) if spread[0, 0] * spread[1, 1] > 0 else 0.0
    reach = float(t_distribution.ppf(0.5 + COVERAGE / 2, freedom))
    return VantHoff(
        enthalpy_kj_per_mol_h2=float(enthalpy),
        enthalpy_std=float(enthalpy_std),
        enthalpy_interval=(float(enthalpy - reach * enthalpy_std), float(enthalpy + reach * enthalpy_std)),
        entropy_j_per_mol_h2_k=float(entropy),
        entropy_std=float(entropy_std),
        entropy_interval=(float(entropy - reach * entropy_std), float(entropy + reach * entropy_std)),
        correlation=float(correlation),
        temperatures=len(t),
        rms_ln=float(np.sqrt(np.mean((residual * sigma) ** 2))),
    )
