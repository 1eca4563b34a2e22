"""Measured hydrogen isotherms: models with intervals, all temperatures together, heats, usable capacity."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from hstore.capacity import convert_mass_basis
from hstore.errors import HstoreError, InputError, unknown_name
from hstore.formula import parse_amounts
from hstore.records import Branch
from hstore.sorption import UPTAKE_KINDS
from hstore_workflows.fit.isotherm_fit import VOLUME, IsothermFit, Points, fit_isotherm
from hstore_workflows.fit.isotherm_heat import Heat, heats_of_mda, isosteric_heats
from hstore_workflows.fit.isotherm_mda import MdaFit, fit_mda
from hstore_workflows.fit.isotherm_models import isotherm_models
from hstore_workflows.fit.isotherm_swing import SwingFit, fit_swing
from hstore_workflows.fit.vant_hoff import COVERAGE
from hstore_workflows.measure.isotherm_tables import read_isotherms
from hstore_workflows.measure.isotherm_units import basis_of, pressure_scale, uptake_scale
from hstore_workflows.measure.rows import Unusable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from hstore.thermo import Swing
    from hstore_workflows.fit.isotherm_fit import Estimate, ModelFit
    from hstore_workflows.measure.isotherms import ToldIsotherm

_BRANCHES = tuple(branch.value for branch in Branch)
_OTHERS_SHOWN = 3


@dataclass(frozen=True)
class Sample:
    """Isotherms of one branch of a sample."""

    sample: str
    """Sample, formula or material, as the file names it."""
    branch: str
    """adsorption or desorption."""
    uptake_kind: str
    """excess, absolute or total."""
    isotherms: tuple[IsothermFit, ...]
    """Fits, by rising temperature."""
    mda: MdaFit | None
    """Modified Dubinin-Astakhov fit to all temperatures; None where there is none, with the cause in the notes."""
    heats: tuple[Heat, ...]
    """Isosteric heats."""
    swing: SwingFit | None
    """Usable capacity; None where no states are given or it does not follow."""
    notes: tuple[str, ...]
    """What does not follow and why."""

    @property
    def label(self) -> str:
        """The sample and branch in words."""
        return ", ".join(filter(None, (self.sample, self.branch)))

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON, without the points."""
        return {
            "sample": self.sample,
            "branch": self.branch,
            "uptake_kind": self.uptake_kind,
            "isotherms": [
                {
                    "temperature_k": one.points.temperature_k,
                    "points": len(one.points.pressure_bar),
                    "chosen": one.chosen.name,
                    "models": [fit.as_json() for fit in one.fits],
                    "refused": [{"model": name, "cause": cause} for name, cause in one.refused],
                }
                for one in self.isotherms
            ],
            "all_temperatures": None if self.mda is None else self.mda.as_json(),
            "isosteric_heats": [vars(heat) for heat in self.heats],
            "usable_capacity": None if self.swing is None else self.swing.as_json(),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class SampleFits:
    """What the isotherms of files say."""

    samples: tuple[Sample, ...]
    """Fits of each sample and branch."""
    notes: tuple[str, ...]
    """What could not be used, and why."""
    told: tuple[ToldIsotherm, ...] = field(repr=False)
    """The isotherms as read, those that could be used."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "coverage": COVERAGE,
            "samples": [sample.as_json() for sample in self.samples],
            "notes": list(self.notes),
        }

    def text(self) -> Iterator[str]:
        """Yield it in words."""
        for sample in self.samples:
            yield f"{sample.label}: {sample.uptake_kind} uptakes, wt% = 100 x g H2 / g sorbent; 90 % intervals"
            for one in sample.isotherms:
                yield from _isotherm_in_words(one)
            if sample.mda is not None:
                yield from _mda_in_words(sample.mda)
            for heat in sample.heats:
                low, high = heat.interval
                kelvin = f"{min(heat.temperatures_k):.0f} to {max(heat.temperatures_k):.0f} K"
                yield (
                    f"  heat at {heat.adsorbed_wt_pct:.3g} wt%: {heat.heat_kj_per_mol:.2f} kJ/mol "
                    f"({low:.2f} to {high:.2f}), {heat.by}, {len(heat.temperatures_k)} temperatures, {kelvin}"
                )
            if sample.swing is not None:
                yield from _swing_in_words(sample.swing)
            yield from (f"  note: {note}" for note in sample.notes)
        yield from (f"note: {note}" for note in self.notes)


def fit_isotherms(
    streams: Iterable[tuple[str, IO[bytes]]],
    *,
    unless_stated: Mapping[str, str] | None = None,
    swing: Swing | None = None,
    pore_volume_cm3_per_g: float | None = None,
    density_g_per_cm3: float | None = None,
    fugacity: bool = False,
) -> SampleFits:
    """Fit the isotherms of tables or AIF files; what cannot be fitted becomes a note, the rest goes on.

    Args:
        streams: name and contents of each file: CSV as isotherms sent to the service, or AIF.
        unless_stated: words such as ``uptake_kind`` and ``mass_basis`` that hold where a file does not state them.
        swing: states between which the usable capacity is asked for.
        pore_volume_cm3_per_g: pore volume, cm3/g, which makes excess uptakes total ones in the usable capacity.
        density_g_per_cm3: density of the empty sorbent, g/cm3, for a capacity per volume.
        fugacity: whether heats go through fugacities instead of pressures.

    Raises:
        InputError: a file cannot be read as such, or no isotherm can be fitted.
        MissingExtraError: pyGAPS is not installed.
    """
    models = isotherm_models()  # says at once where the extra is missing
    notes: list[str] = []
    told: list[ToldIsotherm] = []
    groups: dict[tuple[str, str, str], list[IsothermFit]] = {}
    for file, stream in streams:
        for one in read_isotherms(stream, unless_stated=unless_stated or {}):
            if isinstance(one, Unusable):
                notes.append(f"{file}, isotherm {one.place} ({one.named or 'unnamed'}): {one.cause}")
                continue
            name = one.sample or one.formula or one.material_id
            try:
                points = canonical_points(one)
                fit = fit_isotherm(points, models)
            except HstoreError as error:
                notes.append(f"{file}, {name or 'unnamed'}, {one.temperature_k:.1f} K {one.branch}: {error}")
                continue
            told.append(one)
            groups.setdefault((name, one.branch, points.uptake_kind), []).append(fit)
    if not groups:
        raise InputError("no isotherm can be fitted: " + "; ".join(notes[:3]))
    options = {"pore_volume_cm3_per_g": pore_volume_cm3_per_g, "density_g_per_cm3": density_g_per_cm3}
    samples = [_sample(key, fits, swing, options, fugacity=fugacity) for key, fits in groups.items()]
    return SampleFits(tuple(samples), tuple(notes), tuple(told))


def canonical_points(told: ToldIsotherm) -> Points:
    """Bring an isotherm to bar and 100 x g H2 / g sorbent, with rising pressures; repeats are averaged.

    Raises:
        InputError: a unit, word or number cannot be used.
    """
    if told.branch not in _BRANCHES:
        raise unknown_name("branch", told.branch[:80], _BRANCHES)
    if told.uptake_kind not in UPTAKE_KINDS:
        raise unknown_name("uptake kind", told.uptake_kind[:80], UPTAKE_KINDS)
    if not told.temperature_k > 0:
        raise InputError(f"the temperature must be above 0 K, got {told.temperature_k:g}")
    points = np.asarray(told.points, dtype=float)
    scale = uptake_scale(told.uptake_unit, parse_amounts(told.formula) if told.formula else {})
    basis = basis_of(scale, told.mass_basis)
    pressure = points[:, 0] * pressure_scale(told.pressure_unit).factor
    uptake = np.asarray(convert_mass_basis(points[:, 1] * scale.factor, given=basis, wanted="sorbent"))
    above = np.isfinite(pressure) & np.isfinite(uptake) & (pressure > 0)
    if not above.any():
        raise InputError("no point has a pressure above 0")
    distinct, place = np.unique(pressure[above], return_inverse=True)
    mean = np.bincount(place, uptake[above]) / np.bincount(place)
    return Points(told.temperature_k, told.uptake_kind, distinct, mean)


def _sample(
    key: tuple[str, str, str],
    fits: Sequence[IsothermFit],
    swing: Swing | None,
    options: Mapping[str, float | None],
    *,
    fugacity: bool,
) -> Sample:
    fits = sorted(fits, key=lambda one: one.points.temperature_k)
    chosen = [one.chosen for one in fits]
    notes = [
        f"{one.points.temperature_k:.1f} K: {one.chosen.name} is doubtful: {one.chosen.doubt}"
        for one in fits
        if one.chosen.doubt
    ]
    mda: MdaFit | None = None
    heats: tuple[Heat, ...] = ()
    usable: SwingFit | None = None
    if len({round(one.points.temperature_k) for one in fits}) > 1:
        try:
            mda = fit_mda([one.points for one in fits])
        except InputError as error:
            notes.append(str(error))
        try:
            heats = isosteric_heats(chosen, fugacity=fugacity)
        except InputError as error:
            notes.append(str(error))
        if heats and len({fit.has_volume for fit in chosen}) > 1:
            notes.append(
                "some heats take an excess uptake for the adsorbed amount, which differs little where gas is thin"
            )
        if heats and mda is not None and not mda.doubt:
            heats = (*heats, *heats_of_mda(mda, np.array([heat.adsorbed_wt_pct for heat in heats])))
    pores = options["pore_volume_cm3_per_g"]
    if pores is not None:
        notes += _too_large(chosen, mda, pores)
    if swing is not None:
        try:
            usable = fit_swing(swing, chosen, mda, **options)
        except InputError as error:
            notes.append(str(error))
    return Sample(*key, tuple(fits), mda, heats, usable, tuple(notes))


def _too_large(chosen: Sequence[ModelFit], mda: MdaFit | None, pores_cm3_per_g: float) -> Iterator[str]:
    """Name adsorbed volumes that the pores do not hold: the fit may be good, its absolute uptake is not."""
    volumes = [
        (f"{fit.points.temperature_k:.1f} K, {fit.name}", fit.estimates[-1]) for fit in chosen if fit.has_volume
    ]
    if mda is not None:
        volumes.append((mda.name, mda.estimates[-1]))
    for name, volume in volumes:
        if volume.name == VOLUME["excess"] and volume.value > pores_cm3_per_g:
            yield (
                f"{name}: the adsorbed volume of {volume.value:.2f} cm3/g is more than the pores hold "
                f"({pores_cm3_per_g:g} cm3/g), so it is no volume but a parameter"
            )


def _isotherm_in_words(one: IsothermFit) -> Iterator[str]:
    points, chosen = one.points, one.chosen
    peak = points.maximum
    told = (
        ""
        if peak is None
        else f", maximum {points.uptake_wt_pct[peak]:.2f} wt% at {points.pressure_bar[peak]:.3g} bar"
    )
    yield (
        f"  {points.temperature_k:.1f} K, {len(points.pressure_bar)} points, {points.pressure_bar[0]:.3g} to "
        f"{points.pressure_bar[-1]:.3g} bar{told}: {chosen.name}, {_quality(chosen)}"
    )
    yield from (f"    {_estimate(estimate)}" for estimate in chosen.estimates)
    others = [f"{fit.name} ({_beside(fit, chosen)})" for fit in one.fits[1:]]
    if others:
        more = f", and {len(others) - _OTHERS_SHOWN} more" if len(others) > _OTHERS_SHOWN else ""
        yield f"    beside it: {', '.join(others[:_OTHERS_SHOWN])}{more}"
    if one.refused:
        yield f"    refused: {', '.join(name for name, _ in one.refused)}: {one.refused[0][1]}"


def _quality(fit: ModelFit) -> str:
    return (
        f"AICc {fit.solution.aicc:.1f}, rms {fit.solution.rmse:.3g} wt%, of points left out "
        f"{fit.held_out_rmse:.3g} wt%"
    )


def _beside(fit: ModelFit, chosen: ModelFit) -> str:
    doubt = f"; {fit.doubt}" if fit.doubt else ""
    return f"AICc {fit.solution.aicc - chosen.solution.aicc:+.1f}, rms {fit.solution.rmse:.3g} wt%{doubt}"


def _estimate(estimate: Estimate) -> str:
    unit = f" {estimate.unit}" if estimate.unit else ""
    if estimate.interval is None:
        return f"{estimate.name} = {estimate.value:.4g}{unit} (not fixed by the points)"
    low, high = estimate.interval
    return f"{estimate.name} = {estimate.value:.4g}{unit} ({low:.4g} to {high:.4g})"


def _mda_in_words(mda: MdaFit) -> Iterator[str]:
    doubt = f"; doubtful: {mda.doubt}" if mda.doubt else ""
    yield (f"  all {len(mda.temperatures_k)} temperatures, {mda.name}: rms {mda.solution.rmse:.3g} wt%{doubt}")
    yield from (f"    {_estimate(estimate)}" for estimate in mda.estimates)


def _swing_in_words(swing: SwingFit) -> Iterator[str]:
    units = {
        "wt_pct": "wt% (per mass with hydrogen)",
        "wt_pct_sorbent": "wt% (per mass of sorbent)",
        "g_per_l": "g/L",
    }
    bound = ", a lower bound: gas beside the adsorbed phase is left out" if swing.uptake_kind == "absolute" else ""
    yield f"  usable capacity of {swing.uptake_kind} uptake{bound}, by {' and '.join(dict.fromkeys(swing.by))}:"
    for one in swing.usable:
        low, high = one.interval
        yield f"    {one.value:.3f} {units[one.quantity]} ({low:.3f} to {high:.3f})"
    yield from (f"    beyond the points: {told}" for told in swing.beyond)
