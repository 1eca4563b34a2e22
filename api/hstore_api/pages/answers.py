"""Predictions for one material as the pages show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError
from hstore.records import Conditions, Family, Kind
from hstore.thermo import J_PER_KJ
from hstore_api import subjects
from hstore_api.pages.shown import Shown
from hstore_api.pages.words import conditions_words
from hstore_api.prediction_schemas import StatedConditions
from hstore_api.predictor import check_kinds
from hstore_api.subjects import Subject

if TYPE_CHECKING:
    from hstore.arrays import FloatArray
    from hstore.records import Material, Scope
    from hstore_api.dependencies import Service

_POINTS = 60
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
    """Predictions for the pages; :meth:`ready` tells whether they take milliseconds."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._ready: set[str] = set()

    def ready(self, family: Family) -> bool:
        """Tell whether the models of a family have answered before, and so are in memory."""
        return set(PREDICTED[family]) <= self._ready

    def of(self, material: Material, scope: Scope) -> list[Shown]:
        """Predict what the models of its family say of a material; what cannot be predicted is left out."""
        sorbent = material.family is Family.SORBENT
        subject = (
            Subject(material.formula, {}, material.descriptors)
            if sorbent
            else subjects.of_formula(material.formula)
        )
        found = [
            self._answer(name, subject, _stated(name, sorbent=sorbent), scope)
            for name in PREDICTED[material.family]
        ]
        return [shown for shown in found if shown is not None]

    def of_formula(
        self, name: str, formula: str, scope: Scope, temperature_k: float | None = None
    ) -> Shown | None:
        """Predict a property for a formula; None where there is no number."""
        stated = StatedConditions(temperature_k=temperature_k)
        return self._answer(name, subjects.of_formula(formula), stated, scope)

    def vant_hoff(self, formula: str, scope: Scope) -> VantHoff | None:
        """Predict the plateau pressure over temperature; None where the model does not state it."""
        import numpy as np

        from hstore_models.hydride_thermodynamics import HydrideThermodynamics
        from hstore_models.prediction import Query

        subject = subjects.of_formula(formula)
        model = self.service.predictor.model("desorption_enthalpy_kj_per_mol_h2", scope).model
        if not isinstance(model, HydrideThermodynamics) or not subject.amounts:
            return None
        state = model.state(Query.of([subject.amounts]))
        centre = (
            float(state.enthalpy_kj_per_mol_h2[0]) * J_PER_KJ / max(1.0, float(state.entropy_j_per_mol_h2_k[0]))
        )
        low, high = max(150.0, min(230.0, 0.7 * centre)), min(1400.0, max(480.0, 1.5 * centre))
        grid = 1.0 / np.linspace(1.0 / high, 1.0 / low, _POINTS)
        means = np.array([float(state.ln_pressure(t)[0]) for t in grid])
        stds = np.array([float(state.ln_pressure_std(t)[0]) for t in grid])
        return VantHoff(grid, means, stds)

    def _answer(self, name: str, subject: Subject, stated: StatedConditions, scope: Scope) -> Shown | None:
        predictor = self.service.predictor
        served = predictor.served(name, scope)
        try:
            check_kinds(served, [subject])
            answer = predictor.answer(served, predictor.model(name, scope), [subject], stated)
        except InputError:  # a sorbent without texture: nothing can be predicted
            self._ready.add(name)
            return None
        self._ready.add(name)
        (row,) = answer.rows
        if row.mean is None:
            return None
        state = conditions_words(Conditions(**answer.conditions.model_dump()))
        link = f"/models/{answer.served.model}?version={answer.model_id}"
        return Shown(
            name,
            Kind.PREDICTED,
            row.mean,
            answer.model_id,
            row.lower,
            row.upper,
            state=state,
            outside=row.reason,
            link=link,
            note=answer.note,
        )


def _stated(name: str, *, sorbent: bool) -> StatedConditions:
    if not sorbent:
        return StatedConditions()
    return StatedConditions(**(SORBENT_STATE if name == "h2_uptake_wt_pct" else SORBENT_SWING))


def answers_of(service: Service, state: Any) -> Answers:
    """Return the answers of a running app, made on first use and again when its models are exchanged."""
    found = getattr(state, "answers", None)
    if not isinstance(found, Answers) or found.service is not service:
        found = state.answers = Answers(service)
    return found
