"""Prices and health hazards of the elements, from the curated table ``element_supply``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from hstore.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

CATEGORY_1 = 3
"""Class of carcinogens, mutagens and reproductive toxicants of category 1 and of acute toxicity 1 and 2."""

RADIOACTIVE = 4
"""Class of elements without a stable isotope."""

_CLASSES = {
    1: "302 304 312 314 315 317 318 319 332 335 336",
    2: "301 311 331 334 341 351 361 362 370 371 372 373",
    CATEGORY_1: "300 310 330 340 350 360",
}
_CLASS_OF = {f"H{code}": level for level, codes in _CLASSES.items() for code in codes.split()} | {
    "radioactive": RADIOACTIVE
}


@dataclass(frozen=True, slots=True)
class ElementSupply:
    """What an element costs, and what it does to people."""

    price_usd_per_kg: float
    """Market price, USD per kg of the element; NaN where it is not traded."""
    price_year: int | None
    """Year of the price."""
    hazard_class: int
    """0 none known, 1 harmful or corrosive, 2 toxic or suspected (category 2), 3 category 1, 4 radioactive."""
    hazard_form: str
    """Form that the hazard belongs to, such as ``"powder"``."""
    hazard_source: str
    """Where the hazard is laid down."""
    screen_note: str
    """What a screen says of materials with this element; empty below class 3."""
    screen_discount: bool
    """True where a screen ranks such materials down."""


def hazard_class(statements: str) -> int:
    """Return the class of GHS health hazard statements, 0 to 4 (see ``ElementSupply.hazard_class``).

    Args:
        statements: codes separated by blanks, such as ``"H351 H372"``; or ``"radioactive"``.

    Raises:
        DataError: a code that is no health hazard statement.
    """
    codes = statements.split()
    unknown = [code for code in codes if code not in _CLASS_OF]
    if unknown:
        raise DataError(f"{', '.join(unknown)} is no GHS health hazard statement; use codes such as H351")
    return max((_CLASS_OF[code] for code in codes), default=0)


@cache
def element_supply() -> Mapping[str, ElementSupply]:
    """Return price and hazard of each element by symbol, hydrogen to lawrencium.

    Raises:
        DataError: the table is damaged.
    """
    from hstore_data.curated import curated_table  # loads pandas, which sources of candidates do without

    records = curated_table("element_supply").frame.to_dict("records")
    return MappingProxyType({str(record["element"]): _entry(record) for record in records})


def _entry(record: Mapping[object, object]) -> ElementSupply:
    price, year = float(str(record["price_usd_per_kg"])), float(str(record["price_year"]))
    return ElementSupply(
        price_usd_per_kg=price,
        price_year=None if math.isnan(year) else int(year),
        hazard_class=hazard_class(str(record["hazard_statements"])),
        hazard_form=str(record["hazard_form"]),
        hazard_source=str(record["hazard_citation"]),
        screen_note=str(record["screen_note"]),
        screen_discount=record["screen_discount"] == "yes",
    )
