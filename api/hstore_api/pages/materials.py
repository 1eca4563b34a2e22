"""The page of one material."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse

from hstore.errors import DataError, ModelError
from hstore.properties import PROPERTIES
from hstore.records import PUBLIC_SCOPE, Family, Kind
from hstore.store.isotherms import IsothermFilter
from hstore_api.access import ReadCaller  # noqa: TC001 - FastAPI reads annotations
from hstore_api.dependencies import ServiceDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import BusyError, NotFoundError
from hstore_api.pages import plots
from hstore_api.pages.answers import PREDICTED, answers_of
from hstore_api.pages.literature import known_values
from hstore_api.pages.rendering import render
from hstore_api.pages.shown import PropertyRow, Shown, property_rows, shown_value, source_words
from hstore_api.pages.similar import similar_materials
from hstore_api.pages.structure import shown_structure
from hstore_api.pages.voids import shown_voids
from hstore_api.pages.words import reference_link
from hstore_api.schemas import Text

if TYPE_CHECKING:
    from hstore.records import Material, Measurement, Scope
    from hstore.store import Store
    from hstore_api.dependencies import Service
    from hstore_workflows.report.plot import Plot

router = APIRouter(include_in_schema=False)

_MOST_ISOTHERMS = 20
_log = logging.getLogger(__name__)

MaterialId = Annotated[Text, Path(description="Identifier, which may hold slashes.")]


@dataclass(frozen=True)
class Values:
    """The values of a material."""

    shown: list[Shown]
    """The values."""
    lacking: str
    """Why there are no predictions; empty where there are."""


@dataclass(frozen=True)
class Known:
    """What is known of a material: values of every kind, and what is drawn of them."""

    rows: list[PropertyRow]
    """Properties with their values."""
    vant_hoff: Plot | None
    """Plateau pressure over temperature."""
    complete: bool
    """False while the models are being loaded and predictions are missing."""
    lacking: str = ""
    """Why there are no predictions though they were asked for; empty where there are."""


@router.get("/materials/{material_id:path}", response_class=HTMLResponse)
def material_page(
    request: Request, material_id: MaterialId, caller: ReadCaller, service: ServiceDep
) -> HTMLResponse:
    """Show one material; predictions follow by a request of their own while the models are not in memory."""
    material = _visible(service.store, material_id, caller.scope)
    ready = answers_of(service, request.app.state).ready(material.family)
    structure = shown_structure(material.structure)
    return render(
        request,
        "material.html",
        caller=caller,
        material=material,
        known=_known(request, service, material, caller.scope, predict=ready),
        structure=structure,
        voids=shown_voids(structure),
        isotherms=_isotherms(service.store, material, caller.scope),
        descriptors=_descriptors(material),
        similar=similar_materials(service.store, material, caller.scope),
        source=source_words(material.provenance),
        link=reference_link(material.provenance.reference),
        source_words=source_words,
        reference_link=reference_link,
    )


@router.get("/fragments/values/{material_id:path}", response_class=HTMLResponse)
def values_fragment(
    request: Request, material_id: MaterialId, caller: ReadCaller, service: ServiceDep
) -> HTMLResponse:
    """Show the values of a material with predictions, however long the models take to load."""
    material = _visible(service.store, material_id, caller.scope)
    known = _known(request, service, material, caller.scope, predict=True)
    return render(request, "material_values.html", caller=caller, material=material, known=known)


def values_of(service: Service, request: Request, material: Material, scope: Scope, *, predict: bool) -> Values:
    """Return every value known of a material: the store's, the curated tables', and predicted ones."""
    store, material_id = service.store, material.material_id
    values = [
        shown_value(m.value, own=not PUBLIC_SCOPE.allows(m.access), source=_measured_by(m))
        for m in store.measurements(scope=scope, material_id=material_id)
    ]
    values += known_values(material)
    values += _computed(material)
    stored = [
        shown_value(p.value, own=not PUBLIC_SCOPE.allows(p.access), outside=p.reason, source=p.model_id)
        for p in store.predictions(scope=scope, material_id=material_id)
    ]
    fresh: list[Shown] = []
    lacking = ""
    if predict:
        try:
            fresh = answers_of(service, request.app.state).of(material, scope)
        except (BusyError, DataError, ModelError) as error:
            _log.warning("no predictions for %s: %s", material_id, error)
            lacking = "a model is being trained or cannot be used now"
    asked_now = {(v.property, v.state) for v in fresh}
    kept = [v for v in stored if (v.property, v.state) not in asked_now]
    return Values(values + fresh + kept, lacking)


def _visible(store: Store, material_id: str, scope: Scope) -> Material:
    material = store.material(material_id, scope=scope)
    if material is None:
        raise NotFoundError(f"no material {material_id!r} that you may see; /materials lists those there are")
    return material


def _known(request: Request, service: Service, material: Material, scope: Scope, *, predict: bool) -> Known:
    values = values_of(service, request, material, scope, predict=predict)
    hydride = material.family not in {Family.SORBENT, Family.ELECTROLYTE}
    curve = None
    if hydride and predict and not values.lacking:
        curve = answers_of(service, request.app.state).vant_hoff(material.formula, scope)
    plot = plots.vant_hoff_plot(curve, values.shown) if hydride else None
    return Known(property_rows(values.shown, PREDICTED[material.family]), plot, predict, values.lacking)


def _computed(material: Material) -> list[Shown]:
    """Return the descriptors that are properties, each with the source that supplied it."""
    supplier = {name: record.provenance for record in material.merged for name in record.supplied}
    found = []
    for name, value in material.descriptors.items():
        if name in PROPERTIES:
            origin = supplier.get(name, material.provenance)
            found.append(
                Shown(name, Kind.COMPUTED, value, source_words(origin), link=reference_link(origin.reference))
            )
    return found


def _descriptors(material: Material) -> list[tuple[str, float, str]]:
    """Return name, value and source of the descriptors that are no properties."""
    supplier = {name: record.provenance for record in material.merged for name in record.supplied}
    return [
        (name, value, source_words(supplier.get(name, material.provenance)))
        for name, value in material.descriptors.items()
        if name not in PROPERTIES
    ]


def _measured_by(measurement: Measurement) -> str:
    day = f", measured {measurement.measured_on}" if measurement.measured_on else ""
    return f"{source_words(measurement.value.provenance)}{day}"


def _isotherms(store: Store, material: Material, scope: Scope) -> Plot | None:
    wanted = IsothermFilter(material_id=material.material_id)
    return plots.isotherm_plot(
        [s.isotherm for s in store.isotherms.page(wanted, scope=scope, limit=_MOST_ISOTHERMS)]
    )
