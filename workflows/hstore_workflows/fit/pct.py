"""Pressure-composition-temperature curves of a sample: plateaus, van 't Hoff, hysteresis, capacities."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from hstore.capacity import per_hydrogenated_mass
from hstore.errors import HstoreError, InputError
from hstore.formula import parse_amounts
from hstore.gas import h2_fugacity_bar
from hstore.thermo import J_PER_KJ
from hstore.units import GAS_CONSTANT_J_PER_MOL_K as R
from hstore_workflows.fit.plateau import PlateauFit, fit_plateaus
from hstore_workflows.fit.vant_hoff import VantHoff, fit_vant_hoff
from hstore_workflows.measure.cells import finite
from hstore_workflows.measure.csv_rows import csv_rows
from hstore_workflows.measure.isotherm_tables import read_isotherms
from hstore_workflows.measure.isotherm_units import pressure_scale, uptake_scale
from hstore_workflows.measure.rows import Unusable
from hstore_workflows.measure.units import read_header

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from hstore_workflows.fit.plateau import Plateau

BRANCHES = {"adsorption": "absorption", "desorption": "desorption"}
"""Word for a branch in tables -> the word for hydrides."""

_PRESSURE, _TEMPERATURE = "plateau_pressure_bar", "temperature_k"
_UNLESS_STATED = {"uptake_kind": "absolute"}  # the hydrogen in a hydride is neither excess nor total
_SAME_K = 1.0
"""Temperatures closer than this are one, K."""


@dataclass(frozen=True)
class Curve:
    """One isotherm with its fit."""

    sample: str
    """Sample or formula, as the table names it."""
    temperature_k: float
    """Temperature, K."""
    branch: str
    """absorption or desorption."""
    pressure_bar: NDArray[np.float64]
    """Measured pressures, shape ``(n,)``."""
    uptake_wt_pct: NDArray[np.float64]
    """Measured uptakes, shape ``(n,)``."""
    fit: PlateauFit
    """Its plateaus."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON, without the points."""
        return {
            "sample": self.sample,
            "temperature_k": self.temperature_k,
            "branch": self.branch,
            "points": len(self.pressure_bar),
            "capacity_wt_pct": self.fit.capacity_wt_pct,
            "rmse_wt_pct": self.fit.rmse_wt_pct,
            "plateaus": [vars(plateau) | {"pressure_bar": plateau.pressure_bar} for plateau in self.fit.plateaus],
        }


@dataclass(frozen=True)
class Line:
    """A van 't Hoff line of a sample."""

    sample: str
    """The sample."""
    branch: str
    """absorption or desorption; its enthalpy is that of release in both."""
    plateau: int
    """Which plateau, from 1, by rising pressure."""
    temperature_k: tuple[float, ...]
    """Temperatures of its points, K."""
    ln_pressure: tuple[float, ...]
    """ln(p / 1 bar) of its points."""
    ln_pressure_std: tuple[float, ...]
    """Their standard errors; 0 where a table states the pressures."""
    fit: VantHoff
    """The line."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "sample": self.sample,
            "branch": self.branch,
            "plateau": self.plateau,
            "temperature_k": list(self.temperature_k),
            "pressure_bar": np.exp(self.ln_pressure).tolist(),
            **self.fit.as_json(),
        }


@dataclass(frozen=True)
class Loss:
    """Hysteresis at one temperature."""

    sample: str
    """The sample."""
    temperature_k: float
    """Temperature, K."""
    ln_ratio: float
    """ln(p absorption / p desorption) in the middle of the first plateau."""
    ln_ratio_std: float
    """Its standard error."""
    loss_kj_per_mol_h2: float
    """Free energy a cycle loses, R T ln(ratio) per mole of H2, kJ/mol."""


@dataclass(frozen=True)
class PctFit:
    """What the curves of a table say."""

    curves: tuple[Curve, ...]
    """Isotherms that could be fitted."""
    lines: tuple[Line, ...]
    """Van 't Hoff lines."""
    losses: tuple[Loss, ...]
    """Hysteresis, where both branches were measured at one temperature."""
    notes: tuple[str, ...]
    """What could not be used or is doubtful, and why."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "isotherms": [curve.as_json() for curve in self.curves],
            "vant_hoff": [line.as_json() for line in self.lines],
            "hysteresis": [vars(loss) for loss in self.losses],
            "notes": list(self.notes),
        }

    def text(self) -> Iterator[str]:
        """Yield it in words."""
        for curve in self.curves:
            yield (
                f"{_name(curve.sample)}{curve.temperature_k:.1f} K {curve.branch}: capacity "
                f"{curve.fit.capacity_wt_pct:.2f} wt%"
            )
            for plateau in curve.fit.plateaus:
                yield f"  {_in_words(plateau)}"
        for line in self.lines:
            yield from _line_in_words(line)
        for loss in self.losses:
            ratio = f"{loss.ln_ratio:.3f} +- {loss.ln_ratio_std:.3f}"
            yield (
                f"{_name(loss.sample)}{loss.temperature_k:.1f} K: hysteresis ln(p_abs/p_des) = {ratio}, "
                f"a cycle loses {loss.loss_kj_per_mol_h2:.2f} kJ/mol H2"
            )
        yield from (f"note: {note}" for note in self.notes)


def fit_pct(
    stream: IO[bytes],
    *,
    plateaus: int | None = None,
    pressure_noise: float | None = None,
    uptake_noise_wt_pct: float | None = None,
    fugacity: bool = False,
) -> PctFit:
    """Fit the isotherms of a table, one point in a row.

    The columns are those of isotherms sent to the service: pressure, uptake and temperature with their units in
    the header, ``branch`` (adsorption or desorption) and ``sample`` or ``formula``; lines such as ``# sample: A7``
    above the header hold for all. What cannot be fitted becomes a note, the rest goes on.

    Args:
        stream: the table, CSV.
        plateaus: plateaus of each isotherm; None takes two where they are far better.
        pressure_noise: relative standard deviation of a pressure; 1 % when None.
        uptake_noise_wt_pct: standard deviation of an uptake; 0.5 % of the largest when None.
        fugacity: whether van 't Hoff lines go through fugacities, as the entropy's standard state asks for,
            instead of pressures, as most papers have it; above 20 bar it matters (1 % and more of the pressure).

    Raises:
        InputError: it is no such table, or no isotherm of it can be fitted.
    """
    notes: list[str] = []
    curves: list[Curve] = []
    options = {} if pressure_noise is None else {"pressure_noise": pressure_noise}
    for told in read_isotherms(stream, unless_stated=_UNLESS_STATED):
        if isinstance(told, Unusable):
            notes.append(f"isotherm {told.place} ({told.named or 'unnamed'}): {told.cause}")
            continue
        name = told.sample or told.formula or told.material_id
        label = f"{_name(name)}{told.temperature_k:.1f} K {told.branch}"
        try:
            if told.branch not in BRANCHES:
                raise InputError(f"branch must be adsorption or desorption, got {told.branch!r}")
            amounts = parse_amounts(told.formula) if told.formula else {}
            points = np.asarray(told.points, dtype=float)
            pressure = points[:, 0] * pressure_scale(told.pressure_unit).factor
            scale = uptake_scale(told.uptake_unit, amounts)
            uptake = points[:, 1] * scale.factor
            if scale.per_host or told.mass_basis == "host":
                uptake = per_hydrogenated_mass(uptake)
            above = pressure > 0
            fit = fit_plateaus(
                pressure[above],
                uptake[above],
                plateaus=plateaus,
                uptake_noise_wt_pct=uptake_noise_wt_pct,
                **options,
            )
        except HstoreError as error:
            notes.append(f"{label}: {error}")
            continue
        branch = BRANCHES[told.branch]
        curves.append(Curve(name, told.temperature_k, branch, pressure[above], uptake[above], fit))
        notes += [f"{label}: {plateau.doubt}" for plateau in fit.plateaus if plateau.doubt]
    if not curves:
        raise InputError("no isotherm of the table can be fitted: " + "; ".join(notes[:3]))
    lines = _lines(curves, notes, fugacity=fugacity)
    return PctFit(tuple(curves), tuple(lines), tuple(_losses(curves)), tuple(notes))


def states_plateaus(header: Sequence[str]) -> bool:
    """Tell whether a table states plateau pressures instead of isotherms."""
    return any(found is not None for found in (read_header(name, (_PRESSURE,)) for name in header))


def fit_stated_plateaus(stream: IO[bytes]) -> PctFit:
    """Fit van 't Hoff lines through plateau pressures that a table states, one in a row.

    Columns: ``plateau_pressure_bar`` and ``temperature_k`` (other units in the header are converted), and where
    there are several samples or branches ``sample`` (or ``formula``) and ``branch``.

    Raises:
        InputError: a column is missing, or no line can be fitted.
    """
    groups: dict[tuple[str, str], list[tuple[float, float]]] = {}
    notes: list[str] = []
    for place, row in enumerate(csv_rows(stream), 1):
        read = {
            name: header for name in row if (header := read_header(name, (_PRESSURE, _TEMPERATURE))) is not None
        }
        columns = {header.column: (name, header) for name, header in read.items()}
        if set(columns) != {_PRESSURE, _TEMPERATURE}:
            raise InputError(
                f"the table needs the columns {_PRESSURE} and {_TEMPERATURE}, got {', '.join(row)[:200]}"
            )
        try:
            pressure, temperature = (
                header.convert(finite(name, row[name])).value
                for name, header in (columns[_PRESSURE], columns[_TEMPERATURE])
            )
            if not (pressure > 0 and temperature > 0):
                raise InputError(
                    f"pressure and temperature must be above 0, got {pressure:g} bar and {temperature:g} K"
                )
        except HstoreError as error:
            notes.append(f"row {place}: {error}")
            continue
        sample, branch = row.get("sample") or row.get("formula") or "", row.get("branch") or "desorption"
        groups.setdefault((sample, BRANCHES.get(branch, branch)), []).append((temperature, math.log(pressure)))
    lines = []
    for (sample, branch), points in groups.items():
        temperatures, logs = zip(*sorted(points), strict=True)
        try:
            fit = fit_vant_hoff(temperatures, logs)
        except InputError as error:
            notes.append(f"{_name(sample)}{branch}: {error}")
            continue
        lines.append(Line(sample, branch, 1, temperatures, logs, (0.0,) * len(points), fit))
    if not lines:
        raise InputError("no line can be fitted: " + "; ".join(notes[:3]))
    return PctFit((), tuple(lines), (), tuple(notes))


def _lines(curves: Sequence[Curve], notes: list[str], *, fugacity: bool) -> list[Line]:
    """Fit a line through each plateau of each branch of each sample."""
    groups: dict[tuple[str, str, int], list[tuple[float, Plateau]]] = {}
    for curve in curves:
        sound = [plateau for plateau in curve.fit.plateaus if not plateau.doubt]
        for number, plateau in enumerate(sound, 1):
            groups.setdefault((curve.sample, curve.branch, number), []).append((curve.temperature_k, plateau))
    lines = []
    for (sample, branch, number), found in sorted(groups.items(), key=lambda item: item[0]):
        found.sort(key=lambda pair: pair[0])
        temperatures = tuple(temperature for temperature, _ in found)
        logs = tuple(
            math.log(h2_fugacity_bar(plateau.pressure_bar, kelvin)) if fugacity else plateau.ln_pressure
            for kelvin, plateau in found
        )
        errors = tuple(plateau.ln_pressure_std for _, plateau in found)
        try:
            fit = fit_vant_hoff(temperatures, logs, errors)
        except InputError as error:
            notes.append(f"{_name(sample)}{branch}, plateau {number}: {error}")
            continue
        lines.append(Line(sample, branch, number, temperatures, logs, errors, fit))
    return lines


def _losses(curves: Sequence[Curve]) -> Iterator[Loss]:
    firsts = {
        (curve.sample, curve.branch, curve.temperature_k): sound[0]
        for curve in curves
        if (sound := [plateau for plateau in curve.fit.plateaus if not plateau.doubt])
    }
    for (sample, branch, temperature), absorbed in sorted(firsts.items()):
        if branch != "absorption":
            continue
        for (other, side, near), desorbed in firsts.items():
            if (other, side) == (sample, "desorption") and abs(near - temperature) < _SAME_K:
                ratio = absorbed.ln_pressure - desorbed.ln_pressure
                error = math.hypot(absorbed.ln_pressure_std, desorbed.ln_pressure_std)
                yield Loss(sample, temperature, ratio, error, R * temperature * ratio / J_PER_KJ)


def _name(sample: str) -> str:
    return f"{sample}, " if sample else ""


def _in_words(plateau: Plateau) -> str:
    doubt = f"; doubtful: {plateau.doubt}" if plateau.doubt else ""
    return (
        f"plateau at {plateau.pressure_bar:.3g} bar (ln p +- {plateau.ln_pressure_std:.3f}), "
        f"slope {plateau.slope:.2f}, {plateau.from_wt_pct:.2f} to {plateau.to_wt_pct:.2f} wt%: reversible "
        f"{plateau.reversible_wt_pct:.2f} +- {plateau.reversible_std_wt_pct:.2f} wt%{doubt}"
    )


def _line_in_words(line: Line) -> Iterator[str]:
    fit = line.fit
    low, high = fit.enthalpy_interval
    cold, hot = fit.entropy_interval
    yield f"{_name(line.sample)}{line.branch}, plateau {line.plateau}, {fit.temperatures} temperatures:"
    yield f"  dH = {fit.enthalpy_kj_per_mol_h2:.2f} kJ/mol H2 (90 %: {low:.2f} to {high:.2f})"
    yield f"  dS = {fit.entropy_j_per_mol_h2_k:.1f} J/(mol H2 K) (90 %: {cold:.1f} to {hot:.1f})"
    yield f"  correlation of the two {fit.correlation:.3f}; ln p misses the line by {fit.rms_ln:.3f} (rms)"
