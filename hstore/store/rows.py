"""Records to rows and back, without loss."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from hstore.formula import parse_formula
from hstore.records import (
    Access,
    Basis,
    Conditions,
    Family,
    Kind,
    Material,
    Measurement,
    MergedRecord,
    Prediction,
    PropertyValue,
    Provenance,
    Screen,
    Visibility,
)

if TYPE_CHECKING:
    from hstore.store.schema import (
        AccessColumns,
        MaterialRow,
        MeasurementRow,
        PredictionRow,
        ScreenRow,
        ValueColumns,
    )


def material_values(material: Material) -> dict[str, Any]:
    """Columns of a material; its elements are written apart."""
    parsed = parse_formula(material.formula)
    return {
        "material_id": material.material_id,
        "formula": material.formula,
        "composition": parsed.reduced,
        "chemical_system": parsed.chemical_system,
        "family": material.family.value,
        "known": material.known,
        "name": material.name,
        "reason": material.reason,
        "structure": material.structure,
        "descriptors": material.descriptors,
        "provenance": provenance_values(material.provenance),
        "merged": merged_values(material),
        **access_values(material.access),
    }


def material_record(row: MaterialRow) -> Material:
    """Build the material of a row."""
    return Material(
        material_id=row.material_id,
        formula=row.formula,
        family=Family(row.family),
        name=row.name,
        structure=row.structure,
        descriptors=row.descriptors,
        known=row.known,
        reason=row.reason,
        provenance=Provenance.model_validate(row.provenance),
        merged=tuple(MergedRecord.model_validate(record) for record in row.merged),
        access=access_of(row),
    )


def merged_values(material: Material) -> list[dict[str, Any]]:
    """Column of the records merged into a material."""
    return [record.model_dump(mode="json", exclude_none=True) for record in material.merged]


def measurement_values(measurement: Measurement) -> dict[str, Any]:
    """Columns of a measurement."""
    return {
        "measurement_id": measurement.measurement_id,
        "material_id": measurement.material_id,
        "measured_on": measurement.measured_on,
        "replaces": measurement.replaces,
        **_property_values(measurement.value),
        **access_values(measurement.access),
    }


def measurement_record(row: MeasurementRow) -> Measurement:
    """Build the measurement of a row."""
    return Measurement(
        measurement_id=row.measurement_id,
        material_id=row.material_id,
        value=_property_value(row),
        measured_on=row.measured_on,
        replaces=row.replaces,
        access=access_of(row),
    )


def prediction_values(prediction: Prediction) -> dict[str, Any]:
    """Columns of a prediction."""
    return {
        "prediction_id": prediction_id(prediction),
        "material_id": prediction.material_id,
        "model_id": prediction.model_id,
        "in_domain": prediction.in_domain,
        "reason": prediction.reason,
        **_property_values(prediction.value),
        **access_values(prediction.access),
    }


def prediction_record(row: PredictionRow) -> Prediction:
    """Build the prediction of a row."""
    return Prediction(
        material_id=row.material_id,
        value=_property_value(row),
        model_id=row.model_id,
        in_domain=row.in_domain,
        reason=row.reason,
        access=access_of(row),
    )


def prediction_id(prediction: Prediction) -> str:
    """Name what a prediction answers, so that asking again replaces the answer.

    Returns:
        SHA-256 over material, property, model, conditions, definitions and owner; not over the value.
    """
    value = prediction.value
    question = [
        prediction.material_id,
        value.property,
        prediction.model_id,
        value.conditions.model_dump(mode="json"),
        value.basis.model_dump(mode="json"),
        prediction.access.lab_id,
    ]
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()


def screen_values(screen: Screen) -> dict[str, Any]:
    """Columns of a screen."""
    return {
        "screen_id": screen.screen_id,
        "target": screen.target,
        "created_at": screen.created_at,
        "n_candidates": screen.n_candidates,
        "n_rejected": screen.n_rejected,
        "manifest": screen.manifest,
        "top": list(screen.top),
        **access_values(screen.access),
    }


def screen_record(row: ScreenRow) -> Screen:
    """Build the screen of a row; its time is in UTC."""
    return Screen(
        screen_id=row.screen_id,
        target=row.target,
        created_at=row.created_at,
        n_candidates=row.n_candidates,
        n_rejected=row.n_rejected,
        manifest=row.manifest,
        top=tuple(row.top),
        access=access_of(row),
    )


def _property_values(value: PropertyValue) -> dict[str, Any]:
    return {
        "property": value.property,
        "value": value.value,
        "unit": value.unit,
        "kind": value.kind.value,
        "standard_deviation": value.standard_deviation,
        "lower": value.lower,
        "upper": value.upper,
        **value.conditions.model_dump(),
        **value.basis.model_dump(),
        "provenance": provenance_values(value.provenance),
    }


def _property_value(row: ValueColumns) -> PropertyValue:
    return PropertyValue(
        property=row.property,
        value=row.value,
        kind=Kind(row.kind),
        standard_deviation=row.standard_deviation,
        lower=row.lower,
        upper=row.upper,
        conditions=Conditions(**{name: getattr(row, name) for name in Conditions.model_fields}),
        basis=Basis(**{name: getattr(row, name) for name in Basis.model_fields}),
        provenance=Provenance.model_validate(row.provenance),
    )


def provenance_values(provenance: Provenance) -> dict[str, Any]:
    """Column of where a record came from."""
    return provenance.model_dump(mode="json", exclude_none=True)


def access_values(access: Access) -> dict[str, Any]:
    """Columns of who may see a record."""
    return {
        "lab_id": access.lab_id,
        "visibility": access.visibility.value,
        "embargo_until": access.embargo_until,
    }


def access_of(row: AccessColumns) -> Access:
    """Build the access of a row."""
    return Access(lab_id=row.lab_id, visibility=Visibility(row.visibility), embargo_until=row.embargo_until)
