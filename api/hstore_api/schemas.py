"""What the service takes and gives, apart from how it is served.

Every field has a description; every number also its unit (``unit`` in the JSON schema) and an example.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

MAX_PAGE = 200
"""Most items on a page."""

MAX_TEXT = 500
"""Most characters of an identifier, a formula or a filter in an address."""


def quantity(unit: str, example: float, **limits: Any) -> Any:
    """Describe a number: its unit, an example and its limits."""
    return Field(examples=[example], json_schema_extra={"unit": unit}, **limits)


WITHOUT_NUL = r"^[^\x00]*$"
"""Pattern of text that a database has room for: none has any for the character NUL."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT, pattern=WITHOUT_NUL)]
"""Text in an address."""


def _encodable(text: str) -> str:
    """Refuse lone surrogates: JSON can name them, but no answer could repeat them."""
    text.encode()
    return text


AnyText = Annotated[str, AfterValidator(_encodable)]
"""Any text that can be sent back."""

PageSize = Annotated[int, quantity("items", 50, ge=1, le=MAX_PAGE)]


class Schema(BaseModel):
    """Base of all that the service takes and gives: frozen, no field beside the stated ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class InvalidPart(Schema):
    """One part of a request that is not as the contract says."""

    location: str = Field(examples=["body.formulas.0"])
    """Where it is."""
    message: str = Field(examples=["Input should be a valid string"])
    """What is wrong with it."""


class Problem(Schema):
    """Every error, as RFC 9457 lays it out (``application/problem+json``)."""

    type: str = Field(examples=["urn:hstore:problem:unknown_name"])
    """Identifier of the kind of problem."""
    title: str = Field(examples=["Unknown name"])
    """The kind of problem in words, always the same."""
    status: Annotated[int, quantity("HTTP status", 422, ge=400, le=599)]
    """Status of the response."""
    detail: str = Field(examples=["unknown predicted property 'h2_capacity'; did you mean 'h2_capacity_wt_pct'?"])
    """What was given, what is allowed, what to do."""
    code: str = Field(examples=["unknown_name"])
    """The kind of problem in one word, for programs."""
    instance: str = Field(examples=["/v1/predictions"])
    """Address that was asked."""
    correlation_id: str = Field(examples=["4f1c2a0c9d7b4c0e8a55c1f0a3b9d2e6"])
    """Identifier of the request, also in the header ``X-Request-ID``; tell it to the operator."""
    errors: tuple[InvalidPart, ...] = ()
    """Each part of the request that is wrong, where the contract was not kept."""


class Health(Schema):
    """That the service answers."""

    status: Literal["ok"] = "ok"
    """Always ``ok``; a service that is not well does not answer."""
    version: str = Field(examples=["0.1.0"])
    """Version of hstore."""
    materials: Literal["ready", "seeding", "failed"]
    """Whether the embedded candidates are in the store; ``seeding`` on the first start of an empty one."""
