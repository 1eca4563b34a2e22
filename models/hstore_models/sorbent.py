"""Hydrogen in porous sorbents: uptake at a state, and usable capacity between two.

Three sources of knowledge, the best that a row allows: measured isotherms of an adsorbent known by name
(:mod:`hstore_models.isotherm`), an isotherm from texture for every other sorbent at any state
(:mod:`hstore_models.texture_isotherm`), and ensembles on pore descriptors at exactly the swing of a simulated set
(:mod:`hstore_models.swing`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.properties import get_property
from hstore_models.calibration import NORMAL_QUANTILE, Reach
from hstore_models.domain import Domain, domain_of
from hstore_models.features.pores import PORE_DESCRIPTORS, pore_features
from hstore_models.held_out import HeldOut, of_rows
from hstore_models.isotherm import IsothermPopulation, fit_isotherms
from hstore_models.prediction import Predictions, Query, interval_predictions
from hstore_models.spec import Spec, shipped_spec
from hstore_models.swing import GRAVIMETRIC, VOLUMETRIC, Swing, SwingEnsemble, fit_swing, swing_tasks
from hstore_models.texture_isotherm import (
    TextureIsotherm,
    UptakeErrors,
    complete_texture,
    fit_isotherm,
    gas_density_g_cm3,
    left_out_uptakes,
    uptake_errors,
    with_texture,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_models.ensemble import Ensemble, Task
    from hstore_models.training_data import TrainingData

UPTAKE = "h2_uptake_wt_pct"
"""Uptake at one state."""

SWING = ("charge_pressure_bar", "charge_temperature_k", "discharge_pressure_bar", "discharge_temperature_k")
"""Columns of the two states of a usable capacity."""

DEFAULT_SWING = (100.0, 77.0, 5.0, 77.0)
"""Swing taken when a table states none: 100 to 5 bar at 77 K."""

_STRANGE = "unlike the training frameworks (the learners disagree)"


@dataclass(frozen=True)
class SorbentUptake:
    """Uptake at a state, and usable capacity between two states."""

    isotherm: TextureIsotherm
    """Isotherm from texture."""
    errors: UptakeErrors
    """How wrong it is on sorbents left out."""
    ensemble: SwingEnsemble | None
    """Usable capacities at the swing of a simulated set; None without one."""
    isotherms: IsothermPopulation | None
    """Measured isotherms of adsorbents known by name (lower case), wt% of the sorbent; None without any."""
    domain: Domain
    """Texture and states it was trained on."""
    feature_names: tuple[str, ...]
    """Names of the features of the ensembles, in order; empty without them."""

    properties = (UPTAKE, GRAVIMETRIC, VOLUMETRIC)

    def predict(self, property_name: str, query: Query) -> Predictions:
        """Predict uptake at ``temperature_k, pressure_bar`` or the usable capacity of the stated swing.

        Wt% are per mass of sorbent plus hydrogen, total uptake. A row whose ``name`` has measured isotherms is
        answered from them where they say more than its texture. Other rows without surface area or pore volume,
        and volumetric capacities without density, answer NaN with the reason.
        """
        texture = complete_texture(query)
        if property_name == UPTAKE:
            return self._single_state(texture, query)
        mean, reach, reasons = self._swing_by_isotherm(property_name, texture, query)
        if self.ensemble is not None:
            self._at_trained_swing(self.ensemble, property_name, texture, query, (mean, reach, reasons))
        return interval_predictions(property_name, mean, reach, reasons, low=0.0)

    @property
    def main(self) -> Ensemble | None:
        """Ensemble whose features and importances stand for the model; None without a simulated set."""
        return None if self.ensemble is None else self.ensemble.volumetric

    def held_out(self, data: TrainingData, *, group: str) -> dict[str, HeldOut]:
        """Return predictions made with the sorbent, or framework group, of each row held out.

        Args:
            data: the training data.
            group: column of the simulated rows that was held out together.
        """
        rows, simulated = data.rows, data.simulated
        truth, mean, folds = left_out_uptakes(rows)
        known = with_texture(rows)
        kelvin, bar = known["temperature_k"].to_numpy(dtype=float), known["pressure_bar"].to_numpy(dtype=float)
        words = [f"{n}, {t:g} K, {p:g} bar" for n, t, p in zip(known["name"], kelvin, bar, strict=True)]
        known = known.assign(formula=words, family=known["sorbent_class"])
        answer = (mean, Reach.normal(self.errors.relative(kelvin, bar) * mean), folds)
        found = {UPTAKE: of_rows(known, truth, answer, "wt% of the sorbent", group="name", comparable=False)}
        if self.ensemble is None or simulated is None:
            return found
        named = simulated.assign(formula=simulated["core_mof_2019_asr"], family="MOF")
        swing, folds = self.ensemble.held_out(), self.ensemble.volumetric.folds
        for name in (GRAVIMETRIC, VOLUMETRIC):
            values = (swing.mean[name], self.ensemble.reach(name, swing), folds)
            truth = named[name].to_numpy(dtype=float)
            found[name] = of_rows(named, truth, values, get_property(name).unit, group=group)
        return found

    def _single_state(self, texture: dict[str, FloatArray], query: Query) -> Predictions:
        kelvin, bar = query.column("temperature_k", 77.0), query.column("pressure_bar", 1.0)
        loading = self.isotherm.uptake_g_per_g(texture, kelvin, bar, "total")
        mean = 100.0 * loading / (1.0 + loading)
        reach = Reach.normal(self.errors.relative(kelvin, bar) * loading * _share_slope(loading))
        reasons = self._reasons(texture, {"temperature_k": kelvin, "pressure_bar": bar}, needs_density=False)
        if self.isotherms is not None and "name" in query.frame:
            _by_name(self.isotherms, texture, query, (mean, reach, reasons))
        return interval_predictions(UPTAKE, mean, reach, reasons, low=0.0)

    def _swing_by_isotherm(
        self, property_name: str, texture: dict[str, FloatArray], query: Query
    ) -> tuple[FloatArray, Reach, list[str]]:
        """Take the difference of two states of the isotherm; their errors are correlated."""
        charge_bar, charge_k, discharge_bar, discharge_k = swing_columns(query)
        charged = self.isotherm.uptake_g_per_g(texture, charge_k, charge_bar, "total")
        discharged = self.isotherm.uptake_g_per_g(texture, discharge_k, discharge_bar, "total")
        charged_std = self.errors.relative(charge_k, charge_bar) * charged
        discharged_std = self.errors.relative(discharge_k, discharge_bar) * discharged
        if property_name == VOLUMETRIC:
            per_loading = 1000.0 * texture["density_g_cm3"]
            mean = per_loading * (charged - discharged)
            slopes = per_loading, per_loading
        else:
            mean = 100.0 * (charged - discharged) / ((1.0 + charged) * (1.0 + discharged))
            slopes = _share_slope(charged), _share_slope(discharged)
        std = self.errors.of_difference(charged_std * slopes[0], discharged_std * slopes[1])
        state = {"temperature_k": charge_k, "pressure_bar": charge_bar}
        return mean, Reach.normal(std), self._reasons(texture, state, needs_density=property_name == VOLUMETRIC)

    def _reasons(
        self, texture: dict[str, FloatArray], conditions: dict[str, FloatArray], *, needs_density: bool
    ) -> list[str]:
        needed = ["gsa_m2_g", "pore_volume_cm3_g", *(["density_g_cm3"] if needs_density else [])]
        size = len(texture["gsa_m2_g"])
        judged = {**conditions, **{name: texture[name] for name in needed}}
        notes = self.domain.reasons([{}] * size, np.zeros(size), judged)
        for name in needed:
            for row in np.flatnonzero(np.isnan(texture[name])):
                notes[row] = "; ".join(filter(None, [notes[row], f"{name} is missing"]))
        return notes

    def _at_trained_swing(
        self,
        ensemble: SwingEnsemble,
        property_name: str,
        texture: dict[str, FloatArray],
        query: Query,
        answer: tuple[FloatArray, Reach, list[str]],
    ) -> None:
        """Replace the isotherm's answer by the ensemble's, in place, for rows at its swing."""
        mean, reach, reasons = answer
        rows, learned = query.remembered(ensemble, lambda: _asked_at_swing(ensemble, texture, query))
        mean[rows] = learned.mean[property_name]
        reach.put(rows, ensemble.reach(property_name, learned))
        strange = learned.spread[property_name] > ensemble.calibration(property_name).spread_limit
        for row, odd in zip(rows, strange, strict=True):
            reasons[row] = _STRANGE if odd else ""


def _asked_at_swing(
    ensemble: SwingEnsemble, texture: dict[str, FloatArray], query: Query
) -> tuple[NDArray[np.int64], Swing]:
    """Return the rows at the ensemble's swing that have all descriptors, and their answers."""
    at_swing = np.all(np.isclose(np.column_stack(swing_columns(query)), ensemble.swing), axis=1)
    rows = np.flatnonzero(at_swing & np.all([np.isfinite(texture[n]) for n in PORE_DESCRIPTORS], axis=0))
    own = {name: values[rows] for name, values in texture.items()}
    if not len(rows):
        nothing = {name: np.empty(0) for name in (GRAVIMETRIC, VOLUMETRIC)}
        return rows, Swing(nothing, nothing)
    return rows, ensemble.answer(pore_features(own)[0], own["density_g_cm3"])


def _share_slope(loading: FloatArray) -> FloatArray:
    """Return the change of the mass share, wt%, per change of the loading, g/g."""
    return np.asarray(100.0 / (1.0 + loading) ** 2)


def _by_name(
    isotherms: IsothermPopulation,
    texture: dict[str, FloatArray],
    query: Query,
    answer: tuple[FloatArray, Reach, list[str]],
) -> None:
    """Replace the answer, in place, where the isotherms of a row's adsorbent say more than its texture.

    Labels such as "carbon" pool unlike materials, so say less. Isotherms count as excess, as most do not say;
    where the pore volume is known its gas is added.
    """
    mean, reach, reasons = answer
    names = adsorbent_keys(query.frame["name"])
    rows = np.flatnonzero(isotherms.places(names)[1])
    if not len(rows):
        return
    kelvin, bar = query.column("temperature_k", 77.0)[rows], query.column("pressure_bar", 1.0)[rows]
    gas = np.nan_to_num(texture["pore_volume_cm3_g"][rows]) * gas_density_g_cm3(bar, kelvin)
    excess, _ = isotherms.predict(names[rows], kelvin, bar)
    lower, upper = isotherms.interval(names[rows], kelvin, bar)
    loadings = (0.01 * values + gas for values in (excess, lower, upper))
    total, low, high = (100.0 * loading / (1.0 + loading) for loading in loadings)
    own = Reach(total - low, high - total, (high - low) / (2.0 * NORMAL_QUANTILE))
    better = ~(own.std >= reach.std[rows])
    mean[rows[better]] = total[better]
    reach.put(rows[better], own.take(better))
    for row in rows[better]:
        reasons[row] = ""


def adsorbent_keys(names: pd.Series[str]) -> NDArray[np.str_]:
    """Return names of adsorbents as they are compared: lower case, without outer spaces, shape ``(n,)``."""
    return names.fillna("").astype(str).str.strip().str.lower().to_numpy(dtype=str)


def swing_columns(query: Query) -> list[FloatArray]:
    """Return the four columns of the swing, defaults where the table states none."""
    return [query.column(name, default) for name, default in zip(SWING, DEFAULT_SWING, strict=True)]


def fit_sorbent(
    measured: pd.DataFrame,
    simulated: pd.DataFrame | None = None,
    isotherms: pd.DataFrame | None = None,
    *,
    spec: Spec | None = None,
    seed: int = 0,
) -> SorbentUptake:
    """Fit the sorbent model.

    Args:
        measured: single-state uptakes with columns ``name``, ``bet_area_m2_g``, ``pore_volume_cm3_g``,
            ``density_g_cm3``, ``temperature_k``, ``pressure_bar``, ``h2_uptake_wt_pct``, ``uptake_kind`` and
            ``mass_basis``.
        simulated: usable capacities at one swing with the pore descriptors, the four columns of ``SWING``,
            ``usable_capacity_wt_pct``, ``usable_capacity_g_per_l`` and the column the spec splits by; None when
            absent.
        isotherms: points of isotherms of adsorbents known by name, with columns ``name``, ``isotherm_id``,
            ``temperature_k``, ``pressure_bar``, ``h2_uptake_wt_pct`` (of the sorbent) and, where known,
            ``suspect``; None when absent.
        spec: how; the shipped spec when None.
        seed: seed of learners and folds.

    Raises:
        InputError: the simulated rows are of more than one swing or of fewer than two groups.
    """
    spec = spec or shipped_spec("sorbent_uptake")
    usable = with_texture(measured)
    ensemble = None if simulated is None or simulated.empty else _fit_ensemble(simulated, spec, seed)
    return SorbentUptake(
        isotherm=fit_isotherm(usable),
        errors=uptake_errors(usable),
        ensemble=ensemble,
        isotherms=None if isotherms is None or isotherms.empty else fit_named_isotherms(isotherms, seed=seed),
        domain=_domain(usable),
        feature_names=()
        if ensemble is None
        else pore_features({name: np.ones(1) for name in PORE_DESCRIPTORS})[1],
    )


def learning_tasks(simulated: pd.DataFrame, spec: Spec) -> dict[str, Task]:
    """Return what the capacities at the swing of a simulated set are learned from, by target of the spec.

    Args:
        simulated: as for :func:`fit_sorbent`.
        spec: names the groups.
    """
    texture = complete_texture(Query.of([{}] * len(simulated), simulated))
    known = {name: simulated[name].to_numpy(dtype=float) for name in (GRAVIMETRIC, VOLUMETRIC)}
    groups = simulated[spec.split.group].to_numpy(dtype=str)
    return swing_tasks(pore_features(texture)[0], texture["density_g_cm3"], known, groups)


def _domain(usable: pd.DataFrame) -> Domain:
    texture = complete_texture(Query.of([{}] * len(usable), usable))
    ranges = {
        **{name: texture[name] for name in ("gsa_m2_g", "pore_volume_cm3_g", "density_g_cm3")},
        "temperature_k": usable["temperature_k"].to_numpy(dtype=float),
        "pressure_bar": np.append(usable["pressure_bar"].to_numpy(dtype=float), [0.0, 100.0]),
    }
    return domain_of([], np.inf, ranges)


def _fit_ensemble(simulated: pd.DataFrame, spec: Spec, seed: int) -> SwingEnsemble:
    texture = complete_texture(Query.of([{}] * len(simulated), simulated))
    features, _ = pore_features(texture)
    return fit_swing(
        features,
        texture["density_g_cm3"],
        {name: simulated[name].to_numpy(dtype=float) for name in (GRAVIMETRIC, VOLUMETRIC)},
        simulated[spec.split.group].to_numpy(dtype=str),
        swing=tuple(float(simulated[name].iloc[0]) for name in SWING),
        spec=spec,
        seed=seed,
    )


def fit_named_isotherms(points: pd.DataFrame, *, seed: int = 0) -> IsothermPopulation:
    """Fit the isotherms of adsorbents known by name; points marked ``suspect`` are left out.

    Args:
        points: columns as ``isotherms`` of :func:`fit_sorbent`.
        seed: seed of the folds that calibrate the intervals.

    Raises:
        InputError: no usable point, or a state out of range.
    """
    kept = points[~points["suspect"].to_numpy(dtype=bool)] if "suspect" in points else points
    return fit_isotherms(
        adsorbent_keys(kept["name"]),
        kept["isotherm_id"].to_numpy(dtype=str),
        kept["temperature_k"].to_numpy(dtype=float),
        kept["pressure_bar"].to_numpy(dtype=float),
        kept["h2_uptake_wt_pct"].to_numpy(dtype=float),
        uptake_kind="excess",
        seed=seed,
    )
