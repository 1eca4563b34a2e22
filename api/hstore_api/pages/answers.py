"""Predictions for one material as the pages show them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hstore.errors import FormulaError
from hstore.formula import parse_amounts
from hstore.records import Family, Kind
from hstore_api.pages.shown import Shown, at
from hstore_api.schemas import StatedConditions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.arrays import FloatArray
    from hstore.records import Material
    from hstore_api.dependencies import Service

_HYDRIDE = (
    "h2_capacity_wt_pct",
    "desorption_enthalpy_kj_per_mol_h2",
    "desorption_entropy_j_per_mol_h2_k",
    "plateau_pressure_bar",
)
PREDICTED: dict[Family, tuple[str, ...]] = {
    Family.INTERSTITIAL: _HYDRIDE,
    Family.IONIC: _HYDRIDE,
    Family.COMPLEX: _HYDRIDE,
    Family.SORBENT: ("h2_uptake_wt_pct", "usable_capacity_wt_pct", "usable_capacity_g_per_l"),
    Family.ELECTROLYTE: ("log10_conductivity_s_per_cm", "activation_energy_ev"),
}
"""Family -> properties that the shipped models predict for it."""

SORBENT_STATE = {"temperature_k": 77.0, "pressure_bar": 100.0}
"""State at which the uptake of a sorbent is predicted."""
SORBENT_SWING = {
    "charge_pressure_bar": 100.0,
    "charge_temperature_k": 77.0,
    "discharge_pressure_bar": 5.0,
    "discharge_temperature_k": 77.0,
}
"""Swing for which usable capacities are predicted."""


@dataclass(frozen=True)
class VantHoff:
    """The predicted plateau over temperature."""

    temperatures_k: FloatArray
    """Temperatures, K."""
    ln_pressure: FloatArray
    """Mean of ln(P / 1 bar)."""
    ln_std: FloatArray
    """Its standard deviation."""


class Answers:
    """The models behind the pages; :meth:`ready` tells whether an answer takes milliseconds."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._ready: set[str] = set()
        self._sorbents: Any = None
        self._lock = threading.Lock()

    def ready(self, family: Family) -> bool:
        """Tell whether the models of a family are in memory."""
        return set(PREDICTED[family]) <= self._ready

    def of(self, material: Material) -> list[Shown]:
        """Predict what the models of its family say of a material; what cannot be predicted is left out."""
        if material.family is Family.SORBENT:
            return self._of_sorbent(material)
        found = [self.of_formula(name, material.formula) for name in PREDICTED[material.family]]
        return [shown for shown in found if shown is not None]

    def of_formula(self, name: str, formula: str, temperature_k: float | None = None) -> Shown | None:
        """Predict a property for a formula; None where there is no number."""
        predictor = self.service.predictor
        stated = StatedConditions(temperature_k=temperature_k)
        conditions = predictor.served(name).completed(stated)
        answer = predictor.predict(name, [formula], conditions)
        self._ready.add(name)
        (row,) = answer.rows
        if row.mean is None:
            return None
        state = at(conditions.temperature_k) if conditions.temperature_k and name not in _STATELESS else ""
        return Shown(
            name, Kind.PREDICTED, row.mean, answer.model_id, row.lower, row.upper, state=state, outside=row.reason,
            link=f"/models/{answer.model_id.rpartition('-')[0]}",
        )  # fmt: skip

    def vant_hoff(self, formula: str) -> VantHoff | None:
        """Predict the plateau pressure over temperature; None where the model does not state it."""
        import numpy as np

        from hstore_models.hydride_thermodynamics import HydrideThermodynamics
        from hstore_models.prediction import Query

        try:
            query = Query.of([parse_amounts(formula)])
        except FormulaError:
            return None
        model = self.service.predictor.model("desorption_enthalpy_kj_per_mol_h2").model
        if not isinstance(model, HydrideThermodynamics):
            return None
        state = model.state(query)
        centre = float(state.enthalpy_kj_per_mol_h2[0]) * 1000 / max(1.0, float(state.entropy_j_per_mol_h2_k[0]))
        low, high = max(150.0, min(230.0, 0.7 * centre)), min(1400.0, max(480.0, 1.5 * centre))
        grid = 1.0 / np.linspace(1.0 / high, 1.0 / low, 60)
        means = np.array([float(state.ln_pressure(t)[0]) for t in grid])
        stds = np.array([float(state.ln_pressure_std(t)[0]) for t in grid])
        return VantHoff(grid, means, stds)

    def _of_sorbent(self, material: Material) -> list[Shown]:
        import pandas as pd

        from hstore_models.prediction import Query

        loaded = self._sorbent_model()
        found = []
        for name in PREDICTED[Family.SORBENT]:
            stated: Mapping[str, float] = SORBENT_STATE if name == "h2_uptake_wt_pct" else SORBENT_SWING
            frame = pd.DataFrame([{**material.descriptors, **stated}])
            answer = loaded.model.predict(name, Query.of([{}], frame))
            self._ready.add(name)
            if answer.mean[0] == answer.mean[0]:
                found.append(_sorbent_value(name, answer, loaded.card.model_id))
        return found

    def _sorbent_model(self) -> Any:
        from hstore_models.training import ensure

        with self._lock:
            if self._sorbents is None:
                self._sorbents = ensure("sorbent_uptake", self.service.settings)
        return self._sorbents


_STATELESS = frozenset({
    "h2_capacity_wt_pct", "desorption_enthalpy_kj_per_mol_h2", "desorption_entropy_j_per_mol_h2_k",
    "activation_energy_ev",
})  # fmt: skip


def _sorbent_value(name: str, answer: Any, model_id: str) -> Shown:
    if name == "h2_uptake_wt_pct":
        state = at(SORBENT_STATE["temperature_k"], SORBENT_STATE["pressure_bar"])
    else:
        charged = at(SORBENT_SWING["charge_temperature_k"], SORBENT_SWING["charge_pressure_bar"])
        discharged = at(SORBENT_SWING["discharge_temperature_k"], SORBENT_SWING["discharge_pressure_bar"])
        state = f"{charged} → {discharged}"
    return Shown(
        name, Kind.PREDICTED, float(answer.mean[0]), model_id, float(answer.lower[0]), float(answer.upper[0]),
        state=state, outside=str(answer.reason[0]), link=f"/models/{model_id.rpartition('-')[0]}",
    )  # fmt: skip


def answers_of(service: Service, state: Any) -> Answers:
    """Return the answers of a running app, made on first use and again when its models are exchanged."""
    found = getattr(state, "answers", None)
    if not isinstance(found, Answers) or found.service is not service:
        found = state.answers = Answers(service)
    return found
