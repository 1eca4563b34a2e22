"""What a filter asks, apart from how it is written and how it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Value = str | int | float | bool
Operator = Literal["<", "<=", ">", ">=", "=", "!="]


class Place(StrEnum):
    """Where a text holds another."""

    ANYWHERE = "CONTAINS"
    START = "STARTS WITH"
    END = "ENDS WITH"


class Holding(StrEnum):
    """Which of some values a list must hold."""

    ALL = "HAS ALL"
    ANY = "HAS ANY"
    ONLY = "HAS ONLY"


@dataclass(frozen=True)
class And:
    """All parts hold."""

    parts: tuple[Condition, ...]
    """At least one."""


@dataclass(frozen=True)
class Or:
    """One of the parts holds."""

    parts: tuple[Condition, ...]
    """At least one."""


@dataclass(frozen=True)
class Not:
    """The part is false; where it asks for something unknown it is neither true nor false."""

    part: Condition
    """What must be false."""


@dataclass(frozen=True)
class Compare:
    """A value stands in an order to another."""

    field: str
    """Name of the field."""
    operator: Operator
    """How the field stands to the value."""
    value: Value
    """What it is compared with."""


@dataclass(frozen=True)
class Match:
    """A text holds another."""

    field: str
    """Name of the field."""
    place: Place
    """Where."""
    text: str
    """What it must hold; capitals count."""


@dataclass(frozen=True)
class Has:
    """A list holds values."""

    field: str
    """Name of the field."""
    holding: Holding
    """Which of them."""
    values: tuple[Value, ...]
    """At least one."""


@dataclass(frozen=True)
class Length:
    """A list has so many items."""

    field: str
    """Name of the field."""
    operator: Operator
    """How the number of items stands to the value."""
    value: int
    """What it is compared with."""


@dataclass(frozen=True)
class Known:
    """A field has a value, or has none."""

    field: str
    """Name of the field."""
    known: bool
    """Whether it must have one."""


@dataclass(frozen=True)
class Foreign:
    """A question to a field of another provider, which no entry has."""

    known: bool | None
    """What ``IS KNOWN`` and ``IS UNKNOWN`` ask for; None for every other question, to which there is no answer."""


Condition = And | Or | Not | Compare | Match | Has | Length | Known | Foreign
