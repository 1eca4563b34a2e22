"""Temperature-programmed desorption: the activation energy of Kissinger.

A first-order release heated at a rate beta is fastest at T_p with ln(beta / T_p^2) = ln(A R / E) - E / (R T_p)
(Kissinger 1957, doi 10.1021/ac60131a045); a line through several rates gives the activation energy E.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from scipy.stats import t as t_distribution

from hstore.errors import HstoreError, InputError
from hstore.thermo import J_PER_KJ
from hstore.units import GAS_CONSTANT_J_PER_MOL_K as R
from hstore_workflows.fit.vant_hoff import COVERAGE
from hstore_workflows.measure.cells import finite
from hstore_workflows.measure.csv_rows import csv_rows
from hstore_workflows.measure.units import read_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike

    from hstore.arrays import FloatArray

LEAST_POINTS = 7
"""Points of a curve from which a peak can be read."""

_TEMPERATURE, _RATE, _SIGNAL = "temperature_k", "rate_k_per_min", "signal"
_ABOVE = 0.6
"""Share of the largest signal above which points belong to the peak."""


@dataclass(frozen=True)
class Peak:
    """The peak of one curve."""

    temperature_k: float
    """Temperature of the fastest release, K."""
    std_k: float
    """Its standard error, K."""
    doubt: str = ""
    """Why it may be no peak; empty where nothing speaks against it."""


@dataclass(frozen=True)
class Kissinger:
    """Activation energy of a release."""

    activation_energy_kj_per_mol: float
    """E."""
    std: float
    """Its standard error, kJ/mol."""
    interval: tuple[float, float]
    """90 % interval (Student's t), kJ/mol."""
    ln_prefactor_per_s: float
    """ln(A / 1 s^-1), where rates are in K/min."""
    rates_k_per_min: tuple[float, ...]
    """Heating rates."""
    peaks_k: tuple[float, ...]
    """Temperatures of the peaks, K."""
    rms_k: float
    """Root mean square distance of the peaks from the line, K."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return vars(self) | {"coverage": COVERAGE}


def find_peak(temperature_k: ArrayLike, signal: ArrayLike) -> Peak:
    """Find the temperature of the largest signal, between points too: the top of a cubic through the peak's crown.

    Args:
        temperature_k: shape ``(n,)``, rising.
        signal: release rate or mass spectrometer signal, any unit, shape ``(n,)``.

    Raises:
        InputError: there are too few points.
    """
    t, y = np.asarray(temperature_k, dtype=float), np.asarray(signal, dtype=float)
    if len(t) < LEAST_POINTS or not (np.isfinite(t).all() and np.isfinite(y).all()):
        raise InputError(f"a peak needs at least {LEAST_POINTS} points with numbers, got {len(t)}; measure more")
    order = np.argsort(t, kind="stable")
    t, y = t[order], y[order] - np.percentile(y, 5)
    top = int(np.argmax(np.convolve(y, np.ones(3) / 3, mode="same")))
    low = high = top
    while low > 0 and y[low - 1] > _ABOVE * y[top]:
        low -= 1
    while high < len(t) - 1 and y[high + 1] > _ABOVE * y[top]:
        high += 1
    low, high = max(0, min(low, top - 2)), min(len(t) - 1, max(high, top + 2))
    if {top, int(np.argmax(y))} & {0, len(t) - 1}:
        return Peak(float(t[top]), float("nan"), "the largest signal is at the end of the curve")
    x = (t[low : high + 1] - t[top]) / max(float(t[high] - t[low]), 1e-9)
    degree = 3 if len(x) > 5 else 2
    coefficients, covariance = _polynomial(x, y[low : high + 1], degree)
    roots = np.roots(np.polyder(coefficients))
    bend = np.polyder(coefficients, 2)
    tops = [root.real for root in roots if abs(root.imag) < 1e-9 and np.polyval(bend, root.real) < 0]
    inside = [place for place in tops if x[0] <= place <= x[-1]]
    if not inside:
        return Peak(float(t[top]), float(t[min(top + 1, len(t) - 1)] - t[max(top - 1, 0)]), "its crown has no top")
    place = min(inside, key=abs)
    steepness = float(np.polyval(bend, place))
    powers = np.array([k * place ** (k - 1) if k else 0.0 for k in range(degree, -1, -1)])
    error = float(np.sqrt(powers @ covariance @ powers)) / abs(steepness)
    scale = float(t[high] - t[low])
    return Peak(float(t[top] + place * scale), error * scale)


def fit_kissinger(rate_k_per_min: ArrayLike, peak_k: ArrayLike) -> Kissinger:
    """Fit Kissinger's line.

    Args:
        rate_k_per_min: heating rates, above 0, at least three different ones, shape ``(n,)``.
        peak_k: temperatures of the peaks, K, shape ``(n,)``.

    Raises:
        InputError: there are fewer than three rates, or a number is not above 0.
    """
    beta, peak = np.asarray(rate_k_per_min, dtype=float), np.asarray(peak_k, dtype=float)
    if len(np.unique(beta)) < 3:
        raise InputError(
            f"an activation energy with an interval needs three heating rates at least, got {len(np.unique(beta))}"
        )
    if not ((beta > 0).all() and (peak > 0).all()):
        raise InputError("heating rates and temperatures must be above 0")
    y, x = np.log(beta / peak**2), 1.0 / peak
    slope, cut = np.polyfit(x, y, 1)
    residual = y - (slope * x + cut)
    freedom = len(y) - 2
    variance = float(residual @ residual) / freedom
    slope_std = float(np.sqrt(variance / np.sum((x - x.mean()) ** 2)))
    energy, std = -slope * R / J_PER_KJ, slope_std * R / J_PER_KJ
    reach = float(t_distribution.ppf(0.5 + COVERAGE / 2, freedom))
    return Kissinger(
        activation_energy_kj_per_mol=float(energy),
        std=float(std),
        interval=(float(energy - reach * std), float(energy + reach * std)),
        ln_prefactor_per_s=float(cut + np.log(J_PER_KJ * energy / R) - np.log(60.0)),
        rates_k_per_min=tuple(beta.tolist()),
        peaks_k=tuple(peak.tolist()),
        rms_k=float(np.sqrt(np.mean((residual * peak**2 / -slope) ** 2))),
    )


def _polynomial(x: FloatArray, y: FloatArray, degree: int) -> tuple[FloatArray, FloatArray]:
    design = np.vander(x, degree + 1)
    coefficients: FloatArray = np.asarray(np.linalg.lstsq(design, y, rcond=None)[0], dtype=np.float64)
    residual = y - design @ coefficients
    freedom = max(1, len(y) - degree - 1)
    return coefficients, np.linalg.pinv(design.T @ design) * float(residual @ residual) / freedom


@dataclass(frozen=True)
class TpdFit:
    """What desorption curves at several heating rates say."""

    kissinger: Kissinger
    """The line through the peaks."""
    peaks: tuple[tuple[float, Peak], ...]
    """Heating rate, K/min, and peak of each curve; none where a table states the peaks."""
    notes: tuple[str, ...]
    """What could not be used or is doubtful, and why."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        peaks = [{"rate_k_per_min": rate, **vars(peak)} for rate, peak in self.peaks]
        return {"kissinger": self.kissinger.as_json(), "peaks": peaks, "notes": list(self.notes)}

    def text(self) -> Iterator[str]:
        """Yield it in words."""
        for rate, peak in self.peaks:
            yield f"{rate:g} K/min: peak at {peak.temperature_k:.1f} +- {peak.std_k:.1f} K"
        low, high = self.kissinger.interval
        yield (
            f"activation energy {self.kissinger.activation_energy_kj_per_mol:.1f} kJ/mol (90 %: {low:.1f} to "
            f"{high:.1f}), ln(A s) = {self.kissinger.ln_prefactor_per_s:.1f}; peaks miss the line by "
            f"{self.kissinger.rms_k:.1f} K (rms)"
        )
        yield from (f"note: {note}" for note in self.notes)


def fit_tpd(stream: IO[bytes]) -> TpdFit:
    """Fit curves of temperature-programmed desorption, one point in a row, or peaks that a table states.

    Columns: ``rate_k_per_min``, the temperature with its unit in the header (``temperature_c``), and ``signal``;
    without a signal each row is a peak.

    Raises:
        InputError: a column is missing, or the peaks give no line.
    """
    curves: dict[float, list[tuple[float, float]]] = {}
    notes: list[str] = []
    stated = False
    for place, row in enumerate(csv_rows(stream), 1):
        found = [
            name
            for name in row
            if (header := read_header(name, (_TEMPERATURE,))) and header.column == _TEMPERATURE
        ]
        if len(found) != 1 or _RATE not in row:
            raise InputError(
                f"the table needs {_RATE}, one temperature and, for curves, signal; got {', '.join(row)[:200]}"
            )
        stated = _SIGNAL not in row
        try:
            header = read_header(found[0], (_TEMPERATURE,))
            assert header is not None
            temperature = header.convert(finite(found[0], row[found[0]])).value
            signal = 0.0 if stated else finite(_SIGNAL, row[_SIGNAL])
            curves.setdefault(finite(_RATE, row[_RATE]), []).append((temperature, signal))
        except HstoreError as error:
            notes.append(f"row {place}: {error}")
    if stated:
        rates, peaks = zip(*[(rate, peak) for rate, rows in curves.items() for peak, _ in rows], strict=True)
        return TpdFit(fit_kissinger(rates, peaks), (), tuple(notes))
    found_peaks = []
    for rate, points in sorted(curves.items()):
        try:
            peak = find_peak(*zip(*points, strict=True))
        except InputError as error:
            notes.append(f"{rate:g} K/min: {error}")
            continue
        if peak.doubt:
            notes.append(f"{rate:g} K/min: {peak.doubt}; left out")
        else:
            found_peaks.append((rate, peak))
    line = fit_kissinger([rate for rate, _ in found_peaks], [peak.temperature_k for _, peak in found_peaks])
    return TpdFit(line, tuple(found_peaks), tuple(notes))
