"""Score one chunk of candidates for a target: predictions, probabilities, notes and one number to rank by."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.hydride import swing_probability
from hstore.objective import expected_attainment, probability_at_least
from hstore_models.conductivity import Conductivity
from hstore_models.features.electrolyte import infer_mobile_ions
from hstore_models.hydride_capacity import HydrideCapacity
from hstore_models.hydride_thermodynamics import HydrideThermodynamics, pressure_predictions
from hstore_models.representation import hydride_density_g_per_l, releasable_share
from hstore_models.sorbent import SWING, SorbentUptake
from hstore_workflows.computed_enthalpy import computed_columns, computed_of, with_computed
from hstore_workflows.sources.enumeration.hazards import remarks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hstore_models.prediction import Predictions, Query
    from hstore_models.registry import LoadedModel
    from hstore_workflows.target import Target

MODELS_OF_KIND = {
    "hydride": ("hydride_capacity", "hydride_thermodynamics"),
    "sorbent": ("sorbent_uptake",),
    "electrolyte": ("conductivity",),
}
"""Kind of target -> models it needs."""

OUT_OF_DOMAIN_FACTOR = 0.5
"""Factor on the score of candidates outside the domain: half believed, so that they sink but stay visible."""

HAZARD_FACTOR = 0.5
"""Factor on the score of candidates with an element nobody would build a store of: Be, Cd, Pb, Tl, radioactive."""


def score_chunk(target: Target, query: Query, models: Mapping[str, LoadedModel]) -> pd.DataFrame:
    """Predict and score candidates.

    Args:
        target: what to rank for.
        query: candidates and their descriptors.
        models: model name -> model, those of ``MODELS_OF_KIND``.

    Returns:
        One row per candidate, in order: property columns ``<property>_mean, _std, _lower, _upper``,
        probabilities, ``in_domain``, ``domain_reason``, ``safety``, ``cost`` and ``score`` (0 to 1); of hydrides
        also what was computed (:mod:`~hstore_workflows.computed_enthalpy`).
    """
    score = {"hydride": _score_hydrides, "sorbent": _score_sorbents, "electrolyte": _score_electrolytes}
    frame = score[target.kind](target, query, models)
    found = [remarks(amounts) for amounts in query.amounts]
    frame["safety"] = ["; ".join(entry.safety) for entry in found]
    frame["cost"] = ["; ".join(entry.cost) for entry in found]
    frame["score"] = (
        frame["score"]
        * np.where(frame["in_domain"], 1.0, OUT_OF_DOMAIN_FACTOR)
        * np.where([entry.discounted for entry in found], HAZARD_FACTOR, 1.0)
    )
    return frame


def _score_hydrides(target: Target, query: Query, models: Mapping[str, LoadedModel]) -> pd.DataFrame:
    thermodynamics, capacity_model = models["hydride_thermodynamics"].model, models["hydride_capacity"].model
    assert isinstance(thermodynamics, HydrideThermodynamics)
    assert isinstance(capacity_model, HydrideCapacity)
    assert target.swing is not None
    swing = target.swing.as_swing()
    state = thermodynamics.state(query)
    capacity = _releasable(capacity_model.predict("h2_capacity_wt_pct", query), query)
    enthalpy = thermodynamics.predict("desorption_enthalpy_kj_per_mol_h2", query)
    entropy = thermodynamics.predict("desorption_entropy_j_per_mol_h2_k", query)
    discharge_k = np.full(len(query), target.swing.discharge_temperature_k)
    pressure = pressure_predictions(state, discharge_k, list(enthalpy.reason))
    columns = _columns([capacity, enthalpy, entropy, pressure])
    columns |= _one_bar_temperature(state.enthalpy_kj_per_mol_h2, state.entropy_j_per_mol_h2_k, state)
    computed = computed_of(query)
    judged = with_computed(state, computed)
    window = np.asarray(
        swing_probability(
            judged.enthalpy_kj_per_mol_h2,
            judged.entropy_j_per_mol_h2_k,
            swing=swing,
            enthalpy_std_kj_per_mol_h2=judged.enthalpy_std,
            entropy_std_j_per_mol_h2_k=judged.entropy_std,
            correlation=judged.correlation,
        )
    )
    needed_wt_pct, needed_g_per_l = target.capacity_requirement()
    density = hydride_density_g_per_l(query, capacity.mean)
    columns["h2_density_g_per_l_mean"] = density
    columns["p_window"] = window
    columns["p_capacity"] = probability_at_least(capacity.mean, capacity.std, needed_wt_pct)
    columns["p_feasible"] = window * columns["p_capacity"]
    attained = expected_attainment(capacity.mean, capacity.std, needed_wt_pct)
    if needed_g_per_l is not None:
        volumetric = np.where(np.isnan(density), 1.0, np.clip(density / needed_g_per_l, 0.0, 1.0))
        attained = np.sqrt(attained * volumetric)
    columns["capacity_attained"] = attained
    columns["score"] = window * attained
    return _framed(columns | computed_columns(computed), [capacity, enthalpy])


def _releasable(capacity: Predictions, query: Query) -> Predictions:
    """Leave out the hydrogen that molecular anions leave behind in salt-like hydrides."""
    share = np.ones(len(query))
    for row in np.flatnonzero(query.anions != "").tolist():
        share[row] = releasable_share(query.amounts[row])
    parts = {part: getattr(capacity, part) * share for part in ("mean", "std", "lower", "upper")}
    return replace(capacity, **parts)


def _one_bar_temperature(
    enthalpy: NDArray[np.float64], entropy: NDArray[np.float64], state: object
) -> dict[str, NDArray[np.float64]]:
    from hstore.thermo import plateau_temperature_k, plateau_temperature_std_k
    from hstore_models.hydride_thermodynamics import ThermodynamicState

    assert isinstance(state, ThermodynamicState)
    mean = np.asarray(plateau_temperature_k(enthalpy, entropy))
    std = np.asarray(
        plateau_temperature_std_k(
            enthalpy,
            entropy,
            enthalpy_std_kj_per_mol_h2=state.enthalpy_std,
            entropy_std_j_per_mol_h2_k=state.entropy_std,
            correlation=state.correlation,
        )
    )
    return {"temperature_1bar_k_mean": mean, "temperature_1bar_k_std": std}


def _score_sorbents(target: Target, query: Query, models: Mapping[str, LoadedModel]) -> pd.DataFrame:
    model = models["sorbent_uptake"].model
    assert isinstance(model, SorbentUptake)
    assert target.swing is not None
    for name in SWING:  # rows that state no swing of their own get the target's, not the model's default
        query.frame[name] = query.column(name, getattr(target.swing, name))
    gravimetric = model.predict("usable_capacity_wt_pct", query)
    volumetric = model.predict("usable_capacity_g_per_l", query)
    needed_wt_pct, needed_g_per_l = target.capacity_requirement()
    columns = _columns([gravimetric, volumetric])
    columns["p_capacity"] = probability_at_least(gravimetric.mean, gravimetric.std, needed_wt_pct)
    attained = expected_attainment(gravimetric.mean, gravimetric.std, needed_wt_pct)
    if needed_g_per_l is not None:
        columns["p_density"] = probability_at_least(volumetric.mean, volumetric.std, needed_g_per_l)
        attained = np.sqrt(attained * expected_attainment(volumetric.mean, volumetric.std, needed_g_per_l))
    columns["p_feasible"] = columns["p_capacity"] * columns.get("p_density", np.ones(len(query)))
    columns["capacity_attained"] = attained
    columns["score"] = np.nan_to_num(attained)
    return _framed(columns, [gravimetric, volumetric])


def _score_electrolytes(target: Target, query: Query, models: Mapping[str, LoadedModel]) -> pd.DataFrame:
    model = models["conductivity"].model
    assert isinstance(model, Conductivity)
    assert target.requirement is not None
    minimum = target.requirement.log10_conductivity_s_per_cm
    assert minimum is not None
    if target.requirement.temperature_k is not None:
        query.frame["temperature_k"] = query.column("temperature_k", target.requirement.temperature_k)
    conductivity = model.predict("log10_conductivity_s_per_cm", query)
    energy = model.predict("activation_energy_ev", query)
    columns = _columns([conductivity, energy])
    asked = target.requirement.mobile_ions
    ions = infer_mobile_ions(query.composition)
    wanted = np.array([not asked or ion in asked for ion in ions])
    columns["p_feasible"] = probability_at_least(conductivity.mean, conductivity.std, minimum) * wanted
    columns["score"] = columns["p_feasible"]
    frame = _framed(columns, [conductivity])
    frame["mobile_ion"] = ions
    return frame


def _columns(predictions: list[Predictions]) -> dict[str, NDArray[np.float64]]:
    return {
        f"{p.property}_{part}": getattr(p, part) for p in predictions for part in ("mean", "std", "lower", "upper")
    }


def _framed(columns: dict[str, Any], judged: list[Predictions]) -> pd.DataFrame:
    """Make the frame; a candidate is in the domain when all judged predictions are."""
    frame = pd.DataFrame(columns)
    frame["in_domain"] = np.all([p.in_domain for p in judged], axis=0)
    rows = zip(*(p.reason.tolist() for p in judged), strict=True)
    frame["domain_reason"] = [_together(row) if any(row) else "" for row in rows]
    return frame


@lru_cache(maxsize=10_000)
def _together(reasons: tuple[str, ...]) -> str:
    """Join reasons, each said once; many rows have the same."""
    return "; ".join(dict.fromkeys("; ".join(filter(None, reasons)).split("; ")))
