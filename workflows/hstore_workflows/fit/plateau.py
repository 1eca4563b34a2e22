"""Plateaus of a pressure-composition isotherm.

Hydrogen dissolves in the metal (alpha phase) with the root of the pressure (Sieverts), turns it into hydride at
the plateau, and the hydride (beta phase) fills up. With theta the share that has turned::

    c(p) = (1 - theta) a sqrt(p / p_m) + theta (c_full - b sqrt(p_m / p)),   theta = 1 / (1 + (p_m / p)^(1/w))

``p_m`` is the pressure at which half has turned, ``w`` makes the plateau slope, ``a`` and ``c_full - b`` are its
ends, and ``c_full`` is the capacity it tends to. A second plateau turns the first hydride into another.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import least_squares

from hstore.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

LEAST_POINTS = 6
"""Points of an isotherm from which a plateau can be read."""

PRESSURE_NOISE = 0.01
"""Relative standard deviation of a pressure, taken where none is given: 1 %, a good gauge with its drift."""

UPTAKE_NOISE = 0.005
"""Standard deviation of an uptake in shares of the largest, taken where none is given."""

_STARTS = (0.1, 0.3, 0.5, 0.7, 0.9)
_WIDTHS = (0.02, 0.1, 0.4)
_TRIED = 12
"""Steps from each start; the best goes on."""
_PASSES = 4
_LEAST_WIDTH, _MOST_WIDTH = 0.004, 3.0
_LEAST_SHARE = 0.1
"""A step below this share of the largest uptake is no plateau."""
_WIDEST = 0.2
"""A width above this share of the measured range of ln p is no plateau: nine tenths of it fill the range."""
_ON_PLATEAU = (0.1, 0.9)
_LEAST_ON_PLATEAU = 3
_BETTER_BIC = 10.0
"""How much better a second plateau has to be: very strong evidence (Kass and Raftery 1995, doi
10.1080/01621459.1995.10476572)."""
_LN_RATIO_OF_QUARTERS = 2.0 * float(np.log(3.0))
"""ln(p at theta 3/4 / p at theta 1/4) of a width of 1."""


@dataclass(frozen=True)
class Plateau:
    """One plateau of one isotherm."""

    ln_pressure: float
    """ln(p / 1 bar) at which half of the metal has turned."""
    ln_pressure_std: float
    """Its standard error."""
    slope: float
    """d ln p / d(H of the plateau) in its middle: the slope factor, 0 for a flat plateau."""
    from_wt_pct: float
    """Where it begins: hydrogen dissolved before, wt%."""
    to_wt_pct: float
    """Where it ends, wt%."""
    reversible_wt_pct: float
    """Its length: what is taken up or released on it, wt%."""
    reversible_std_wt_pct: float
    """Standard error of that, wt%."""
    points: int
    """Measured points on it."""
    doubt: str = ""
    """Why it may be none; empty where nothing speaks against it."""

    @property
    def pressure_bar(self) -> float:
        """Plateau pressure, bar."""
        return float(np.exp(self.ln_pressure))


@dataclass(frozen=True)
class PlateauFit:
    """The plateaus of an isotherm."""

    plateaus: tuple[Plateau, ...]
    """In the order of their pressures."""
    parameters: tuple[float, ...]
    """Of the curve, for :meth:`curve`."""
    rmse_wt_pct: float
    """Root mean square distance of the uptakes from the curve, wt%."""
    capacity_wt_pct: float
    """Largest uptake measured, wt%."""

    def curve(self, pressure_bar: ArrayLike) -> NDArray[np.float64]:
        """Return the fitted uptake at pressures above 0 bar, wt%, of their shape."""
        return _curve(np.asarray(self.parameters), np.log(np.asarray(pressure_bar, dtype=float)))


def fit_plateaus(
    pressure_bar: ArrayLike,
    uptake_wt_pct: ArrayLike,
    *,
    plateaus: int | None = None,
    pressure_noise: float = PRESSURE_NOISE,
    uptake_noise_wt_pct: float | None = None,
) -> PlateauFit:
    """Fit one plateau or two.

    On a flat plateau a small error of the pressure is a large one of the uptake, so each point counts by both
    errors (effective variance: Orear 1982, doi 10.1119/1.12972). Standard errors grow with what the curve misses.

    Args:
        pressure_bar: shape ``(n,)``, above 0, in any order.
        uptake_wt_pct: shape ``(n,)``.
        plateaus: how many; None takes two where they are far better (BIC).
        pressure_noise: relative standard deviation of a pressure.
        uptake_noise_wt_pct: standard deviation of an uptake; 0.5 % of the largest when None.

    Raises:
        InputError: there are too few points, or they hold no hydrogen.
    """
    p, c = np.asarray(pressure_bar, dtype=float), np.asarray(uptake_wt_pct, dtype=float)
    if len(p) < LEAST_POINTS:
        raise InputError(f"a plateau needs at least {LEAST_POINTS} points, got {len(p)}; measure more of them")
    if not (np.isfinite(p).all() and (p > 0).all() and np.isfinite(c).all() and c.max() > 0):
        raise InputError("pressures must be above 0, uptakes finite, and the largest uptake above 0")
    order = np.argsort(p, kind="stable")
    x, c = np.log(p[order]), c[order]
    noise = UPTAKE_NOISE * float(c.max()) if uptake_noise_wt_pct is None else uptake_noise_wt_pct
    if plateaus == 2 and len(x) < 2 * LEAST_POINTS:
        raise InputError(f"two plateaus need at least {2 * LEAST_POINTS} points, got {len(x)}; ask for one")
    fit, bic = _fit(x, c, plateaus or 1, pressure_noise, noise)
    if plateaus is None and len(x) >= 2 * LEAST_POINTS:
        other, other_bic = _fit(x, c, 2, pressure_noise, noise)
        if other_bic < bic - _BETTER_BIC and not any(plateau.doubt for plateau in other.plateaus):
            return other
    return fit


def _fit(
    x: NDArray[np.float64], c: NDArray[np.float64], steps: int, pressure_noise: float, noise: float
) -> tuple[PlateauFit, float]:
    """Fit so many steps; return the fit and its BIC."""
    top = float(c.max())
    spread = max(float(x[-1] - x[0]), 1e-3)
    low = [0.0, 0.0, *[0.0] * steps, *[x[0] - 1.0] * steps, *[_LEAST_WIDTH] * steps]
    high = [top, top, *[2.0 * top] * steps, *[x[-1] + 1.0] * steps, *[_MOST_WIDTH] * steps]

    def solve(
        start: NDArray[np.float64], sigma: NDArray[np.float64], most: int | None = None
    ) -> tuple[float, NDArray[np.float64]]:
        found = least_squares(
            lambda q: (c - _curve(q, x)) / sigma,
            np.clip(start, low, high),
            bounds=(low, high),
            x_scale="jac",
            max_nfev=most,
        )
        return float(found.cost), found.x

    sigma = np.full(len(x), noise)
    places = [x[0] + share * spread for share in _STARTS] + [_steepest(x, c)]
    starts = [
        np.array(
            [0.1 * top, 0.05 * top, *np.linspace(top / steps, top, steps), *middles, *[width * spread] * steps]
        )
        for middles in combinations(sorted(places), steps)
        for width in _WIDTHS
    ]
    _, best = min((solve(start, sigma, _TRIED) for start in starts), key=lambda pair: pair[0])
    for _ in range(_PASSES):
        sigma = np.hypot(noise, pressure_noise * _slope(best, x))
        _, best = solve(best, sigma)
    best = _in_order(best, steps)
    residual = (c - _curve(best, x)) / sigma
    freedom = max(1, len(x) - len(best))
    scale = max(1.0, float(residual @ residual) / freedom)
    covariance = _covariance(best, x, sigma) * scale
    likelihood = float(np.sum(residual**2 + 2.0 * np.log(sigma)))
    bic = likelihood / scale + len(best) * float(np.log(len(x)))
    rmse = float(np.sqrt(np.mean((c - _curve(best, x)) ** 2)))
    found = tuple(_plateau(best, covariance, number, x, top) for number in range(steps))
    return PlateauFit(found, tuple(best.tolist()), rmse, top), bic


def _parts(
    q: NDArray[np.float64],
) -> tuple[float, float, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return alpha limit, beta rise, fillings, middles (ln p) and widths."""
    steps = (len(q) - 2) // 3
    return float(q[0]), float(q[1]), q[2 : 2 + steps], q[2 + steps : 2 + 2 * steps], q[2 + 2 * steps :]


def _curve(q: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    alpha, rise, fillings, middles, widths = _parts(q)
    theta = [1.0 / (1.0 + np.exp(np.clip(-(x - m) / w, -500, 500))) for m, w in zip(middles, widths, strict=True)]
    dissolved = alpha * np.exp(np.clip(0.5 * (x - middles[0]), -50, 50))
    filled = fillings[-1] - rise * np.exp(np.clip(-0.5 * (x - middles[-1]), -50, 50))
    held = (1.0 - theta[0]) * dissolved + theta[-1] * filled
    for number in range(len(theta) - 1):
        held = held + (theta[number] - theta[number + 1]) * fillings[number]
    return np.asarray(held)


def _slope(q: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    step = 1e-4
    return np.abs(_curve(q, x + step) - _curve(q, x - step)) / (2.0 * step)


def _steepest(x: NDArray[np.float64], c: NDArray[np.float64]) -> float:
    """Return ln p in the middle of the two neighbours between which most is taken up."""
    place = int(np.argmax(np.abs(np.diff(c))))
    return float((x[place] + x[place + 1]) / 2.0)


def _in_order(q: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Put the steps in the order of their pressures."""
    alpha, rise, fillings, middles, widths = _parts(q)
    order = np.argsort(middles) if steps > 1 else np.arange(steps)
    return np.concatenate([[alpha, rise], np.sort(fillings), middles[order], widths[order]])


def _covariance(q: NDArray[np.float64], x: NDArray[np.float64], sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    steps = np.maximum(1e-6, 1e-5 * np.abs(q))
    jacobian = np.column_stack(
        [
            (_curve(q + h * e, x) - _curve(q - h * e, x)) / (2.0 * h * sigma)
            for h, e in zip(steps, np.eye(len(q)), strict=True)
        ]
    )
    return np.asarray(np.linalg.pinv(jacobian.T @ jacobian))


def _plateau(
    q: NDArray[np.float64], covariance: NDArray[np.float64], number: int, x: NDArray[np.float64], top: float
) -> Plateau:
    alpha, rise, fillings, middles, widths = _parts(q)
    steps = len(middles)
    weights = np.zeros(len(q))  # of the parameters in the length of the plateau
    weights[2 + number] = 1.0
    if number == 0:
        weights[0] = -1.0
        start = alpha
    else:
        weights[1 + number] = -1.0
        start = float(fillings[number - 1])
    end = float(fillings[number])
    if number == steps - 1:
        weights[1] = -1.0
        end -= rise
    length = end - start
    middle, width = float(middles[number]), float(widths[number])
    theta = 1.0 / (1.0 + np.exp(np.clip(-(x - middle) / width, -500, 500)))
    on = int(((theta > _ON_PLATEAU[0]) & (theta < _ON_PLATEAU[1])).sum())
    return Plateau(
        ln_pressure=middle,
        ln_pressure_std=float(np.sqrt(covariance[2 + steps + number, 2 + steps + number])),
        slope=_LN_RATIO_OF_QUARTERS * width / 0.5,
        from_wt_pct=start,
        to_wt_pct=end,
        reversible_wt_pct=length,
        reversible_std_wt_pct=float(np.sqrt(max(0.0, float(weights @ covariance @ weights)))),
        points=on,
        doubt=_doubt(middle, width, length, on, x, top),
    )


def _doubt(middle: float, width: float, length: float, on: int, x: NDArray[np.float64], top: float) -> str:
    if not x[0] <= middle <= x[-1]:
        return "its middle lies outside the measured pressures"
    if length < _LEAST_SHARE * top:
        return f"it is {max(length, 0.0):.2g} wt% long, less than a tenth of the uptake"
    if width > _WIDEST * float(x[-1] - x[0]):
        return "the uptake rises over most of the measured pressures; there is no plateau"
    if on < _LEAST_ON_PLATEAU:
        return f"only {on} points lie on it; measure more there"
    return ""
