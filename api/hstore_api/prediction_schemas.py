"""What the service takes and gives of predictions.

Every field has a description; every number also its unit (``unit`` in the JSON schema) and an example.
"""

from __future__ import annotations

import builtins
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from hstore_api.schemas import AnyText, Schema, Text, quantity

MAX_SUBJECTS = 1000
"""Most materials in one request, of all kinds together."""

MAX_STRUCTURES = 20
"""Most structures in one request."""

MAX_STRUCTURE_TEXT = 200_000
"""Most characters of a structure."""

MAX_COLUMNS = 60
"""Most columns of a row."""

MAX_PROPERTIES = 12
"""Most properties in one request."""

Kelvin = Annotated[float | None, quantity("K", 298.15, gt=0, le=5000)]
Bar = Annotated[float | None, quantity("bar", 100.0, ge=0, le=1e7)]


class StatedConditions(Schema):
    """State at which a property is asked for; refused where the property does not depend on it."""

    temperature_k: Kelvin = None
    """Temperature, K; 298.15 where the property needs one and none is given."""
    pressure_bar: Bar = None
    """Hydrogen pressure, bar."""
    charge_pressure_bar: Bar = None
    """Pressure of the charged state, bar."""
    charge_temperature_k: Kelvin = None
    """Temperature of the charged state, K."""
    discharge_pressure_bar: Bar = None
    """Pressure of the discharged state, bar."""
    discharge_temperature_k: Kelvin = None
    """Temperature of the discharged state, K."""

    def conditions(self) -> StatedConditions:
        """Return the conditions alone."""
        return StatedConditions(**{name: getattr(self, name) for name in StatedConditions.model_fields})


OutOfDomain = Annotated[Literal["flag", "refuse"], Field(examples=["refuse"])]
"""What is done with materials outside the domain of a model."""

Cell = Annotated[str, StringConstraints(max_length=2000)]
Column = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class StructureInput(Schema):
    """A crystal structure, as the text of a CIF or as a pymatgen dictionary."""

    name: Annotated[AnyText, Field(max_length=200)] = Field("", examples=["rutile"])
    """Name that stands in the answer."""
    cif: Annotated[AnyText, Field(max_length=MAX_STRUCTURE_TEXT)] | None = Field(None, examples=[None])
    """Text of a CIF with one structure."""
    structure: dict[str, Any] | None = Field(
        None,
        examples=[
            {
                "lattice": {"matrix": [[2.98, 0, 0], [0, 2.98, 0], [0, 0, 2.98]]},
                "sites": [
                    {"species": [{"element": "Ti", "occu": 1}], "abc": [0, 0, 0]},
                    {"species": [{"element": "Fe", "occu": 1}], "abc": [0.5, 0.5, 0.5]},
                ],
            }
        ],
    )
    """Dictionary of a pymatgen ``Structure`` (lengths in angstrom)."""

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if (self.cif is None) == (self.structure is None):
            raise ValueError("give either cif or structure")
        return self


Formulas = Annotated[tuple[AnyText, ...], Field(min_length=1, max_length=MAX_SUBJECTS)]
Structures = Annotated[tuple[StructureInput, ...], Field(min_length=1, max_length=MAX_STRUCTURES)]
Row = Annotated[dict[Column, float | Cell | None], Field(min_length=1, max_length=MAX_COLUMNS)]
Rows = Annotated[tuple[Row, ...], Field(min_length=1, max_length=MAX_SUBJECTS)]


class PredictionRequest(StatedConditions):
    """Properties to predict for some materials, given as formulas, structures or rows of a table."""

    property: Text | None = Field(None, examples=["plateau_pressure_bar"])
    """Name of a property that a model predicts (see ``/v1/properties``)."""
    properties: Annotated[tuple[Text, ...], Field(min_length=1, max_length=MAX_PROPERTIES)] | None = Field(
        None, examples=[None]
    )
    """Names of several properties, in place of ``property``; each condition goes to those that depend on it."""
    formulas: Formulas | None = Field(None, examples=[["LaNi5", "TiFe", "MgH2"]])
    """Formulas; one that cannot be read gets its cause in ``error`` and the others their answer."""
    structures: Structures | None = Field(None, examples=[None])
    """Structures; those models that know unit cells use them, the others their composition."""
    rows: Rows | None = Field(None, examples=[None])
    """Rows of a table, by column: ``formula`` or the descriptors of a sorbent (``density_g_cm3``, ``gsa_m2_g``,
    ``pore_volume_cm3_g``, ...), and conditions, which go before those of the request."""
    model_id: Text | None = Field(None, examples=[None])
    """Version to ask; the one in use when not given."""
    out_of_domain: OutOfDomain = "flag"
    """Materials outside the domain of the model: ``flag`` answers with wider intervals and the reason, ``refuse``
    gives the reason and no numbers; the others get the same answer either way."""

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if (self.property is None) == (self.properties is None):
            raise ValueError("give either property or properties")
        names = self.names
        if len(set(names)) < len(names):
            raise ValueError("a property stands twice in properties; name each once")
        if not 0 < self.n_subjects <= MAX_SUBJECTS:
            raise ValueError(
                f"give formulas, structures or rows, up to {MAX_SUBJECTS} together; got {self.n_subjects}"
            )
        if self.model_id is not None and len(names) > 1:
            raise ValueError("model_id goes with one property")
        return self

    @builtins.property  # the field of that name hides the built-in
    def names(self) -> tuple[str, ...]:
        """Properties that are asked for."""
        return self.properties or (str(self.property),)

    @builtins.property
    def n_subjects(self) -> int:
        """Materials that are asked about."""
        return len(self.formulas or ()) + len(self.structures or ()) + len(self.rows or ())


class SinglePrediction(StatedConditions):
    """A property to predict for one formula."""

    property: Text = Field(examples=["plateau_pressure_bar"])
    """Name of a property that is predicted from formulas (see ``/v1/properties``)."""
    formula: Text = Field(examples=["LaNi5"])
    """Formula."""
    model_id: Text | None = None
    """Version to ask; the one in use when not given."""
    out_of_domain: OutOfDomain = "flag"
    """``refuse`` leaves out the numbers of a formula outside the domain of the model."""


PREDICTED_UNIT = "as in `unit`"


class PredictedRow(Schema):
    """The answer for one material, or why there is none."""

    formula: str = Field(examples=["LaNi5"])
    """Formula as given, or of the structure; empty for a row without one."""
    name: str = Field("", examples=[""])
    """Name as given, of a structure or row."""
    mean: Annotated[float | None, quantity(PREDICTED_UNIT, 1.6)]
    """Predicted value; of a pressure, the exponential of the mean of its logarithm."""
    std: Annotated[float | None, quantity(f"{PREDICTED_UNIT}; of a pressure, of its natural logarithm", 0.8)]
    """Standard deviation."""
    lower: Annotated[float | None, quantity(PREDICTED_UNIT, 0.4)]
    """Lower end of the interval."""
    upper: Annotated[float | None, quantity(PREDICTED_UNIT, 6.1)]
    """Upper end of the interval."""
    in_domain: bool = Field(examples=[True])
    """False when the model is asked outside what it was trained on."""
    reason: str = Field(examples=["no training material contains Xe"])
    """Why it is outside; empty inside, and where the material cannot be read."""
    error: str | None = Field(examples=[None])
    """Why there is no number; null where there is one. Where ``reason`` is given too, the row was refused as being
    outside the domain."""
    note: str = Field("", examples=["from the composition alone: this model does not look at structures"])
    """What was read into the input, or left unused of it."""


class PredictionResponse(Schema):
    """Predictions of a property, one row for each material: formulas, then structures, then rows, in order."""

    property: str = Field(examples=["plateau_pressure_bar"])
    """Property that was asked for."""
    unit: str = Field(examples=["bar"])
    """Unit of the numbers in the rows."""
    interval: Annotated[float, quantity("probability", 0.9)] = 0.9
    """Probability with which the interval is meant to hold the true value."""
    conditions: StatedConditions
    """State the answers hold for, with what was filled in; a row that states its own goes before."""
    model_id: str = Field(examples=["hydride_thermodynamics-0f3a5b7c9d1e"])
    """Model that answered, content-addressed."""
    note: str = Field(examples=[""])
    """Why another version than the one in use answered; empty where it is the one in use, or was asked for."""
    out_of_domain: OutOfDomain
    """What was done with materials outside the domain of the model, as asked."""
    rows: tuple[PredictedRow, ...]
    """The answers."""
    n_out_of_domain: Annotated[int, quantity("rows", 0, ge=0)]
    """Rows outside the domain of the model, flagged or refused; what cannot be read is not counted."""
    n_errors: Annotated[int, quantity("rows", 0, ge=0)]
    """Rows without a number."""


class PredictionSet(Schema):
    """Predictions of several properties of the same materials."""

    items: tuple[PredictionResponse, ...]
    """Property by property, in the order asked."""
