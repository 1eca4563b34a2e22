"""Predictions for a formula as it is typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from hstore.errors import FormulaError
from hstore.formula import canonical_formula, parse_formula
from hstore.records import Family
from hstore.units import kelvin_from_celsius
from hstore_api.access import ReadCaller  # noqa: TC001 - FastAPI reads annotations
from hstore_api.dependencies import ServiceDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.limits import take_predictions
from hstore_api.pages.answers import PREDICTED, answers_of
from hstore_api.pages.rendering import is_fragment, render
from hstore_api.pages.shown import PropertyRow, property_rows

if TYPE_CHECKING:
    from hstore_api.access import Caller
    from hstore_api.dependencies import Service
    from hstore_api.pages.answers import Answers

router = APIRouter(include_in_schema=False)

EXAMPLES = ("LaNi4.7Al0.3", "TiFe0.9Mn0.1", "Mg2Ni", "NaAlH4", "Li6PS5Cl")
"""Formulas to begin with."""

_FAMILIES = (Family.INTERSTITIAL, Family.ELECTROLYTE)
"""A hydride, and an ion conductor: what a formula is tried as."""

_AT_A_TEMPERATURE = frozenset({"plateau_pressure_bar", "log10_conductivity_s_per_cm"})


class TryQuery(BaseModel):
    """What is tried."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    formula: str = Field("", max_length=500)
    """Formula as typed."""
    celsius: float = Field(25.0, ge=-150, le=800)
    """Temperature of plateau pressure and conductivity, °C."""


@dataclass(frozen=True)
class Tried:
    """What came of a formula."""

    storage: list[PropertyRow]
    """Properties of a hydride."""
    conduction: list[PropertyRow]
    """Properties of an electrolyte."""
    notes: tuple[str, ...] = ()
    """What was dropped or interpreted in the formula."""
    listed: tuple[str, ...] = ()
    """Identifiers of materials of the same composition."""
    problem: str = ""
    """Why there is no answer; empty where there is one."""


@router.get("/try", response_class=HTMLResponse)
def try_page(
    request: Request, query: Annotated[TryQuery, Query()], caller: ReadCaller, service: ServiceDep
) -> HTMLResponse:
    """Predict what is typed; htmx gets the answer alone."""
    tried = _tried(service, answers_of(service, request.app.state), query, caller)
    template = "try_answer.html" if is_fragment(request) else "try.html"
    return render(request, template, caller=caller, query=query, tried=tried, examples=EXAMPLES)


def _tried(service: Service, answers: Answers, query: TryQuery, caller: Caller) -> Tried | None:
    """Predict what is typed; None where nothing is.

    Raises:
        LimitError: the quota of the key does not suffice.
    """
    if not query.formula.strip():
        return None
    try:
        parsed = parse_formula(query.formula)
    except FormulaError as error:
        return Tried([], [], problem=str(error))
    take_predictions(service.store, caller, sum(len(PREDICTED[family]) for family in _FAMILIES))
    scope, temperature_k = caller.scope, kelvin_from_celsius(query.celsius)
    groups = []
    for family in _FAMILIES:
        found = [
            answers.of_formula(name, query.formula, scope, temperature_k if name in _AT_A_TEMPERATURE else None)
            for name in PREDICTED[family]
        ]
        groups.append(property_rows([shown for shown in found if shown is not None]))
    composition = canonical_formula(parsed.amounts)
    listed = tuple(m.material_id for m in service.store.materials(scope=scope, composition=composition, limit=5))
    return Tried(groups[0], groups[1], parsed.notes, listed)
