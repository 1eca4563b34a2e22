"""Where each element stands in the periodic table of 18 columns, for the picker."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from hstore.elements import SYMBOLS

_PERIOD_STARTS = (1, 3, 11, 19, 37, 55, 87)
_LANTHANUM, _ACTINIUM, _F_BLOCK = 57, 89, 14
_NAMES = [
    "Hydrogen",
    "Helium",
    "Lithium",
    "Beryllium",
    "Boron",
    "Carbon",
    "Nitrogen",
    "Oxygen",
    "Fluorine",
    "Neon",
    "Sodium",
    "Magnesium",
    "Aluminium",
    "Silicon",
    "Phosphorus",
    "Sulfur",
    "Chlorine",
    "Argon",
    "Potassium",
    "Calcium",
    "Scandium",
    "Titanium",
    "Vanadium",
    "Chromium",
    "Manganese",
    "Iron",
    "Cobalt",
    "Nickel",
    "Copper",
    "Zinc",
    "Gallium",
    "Germanium",
    "Arsenic",
    "Selenium",
    "Bromine",
    "Krypton",
    "Rubidium",
    "Strontium",
    "Yttrium",
    "Zirconium",
    "Niobium",
    "Molybdenum",
    "Technetium",
    "Ruthenium",
    "Rhodium",
    "Palladium",
    "Silver",
    "Cadmium",
    "Indium",
    "Tin",
    "Antimony",
    "Tellurium",
    "Iodine",
    "Xenon",
    "Caesium",
    "Barium",
    "Lanthanum",
    "Cerium",
    "Praseodymium",
    "Neodymium",
    "Promethium",
    "Samarium",
    "Europium",
    "Gadolinium",
    "Terbium",
    "Dysprosium",
    "Holmium",
    "Erbium",
    "Thulium",
    "Ytterbium",
    "Lutetium",
    "Hafnium",
    "Tantalum",
    "Tungsten",
    "Rhenium",
    "Osmium",
    "Iridium",
    "Platinum",
    "Gold",
    "Mercury",
    "Thallium",
    "Lead",
    "Bismuth",
    "Polonium",
    "Astatine",
    "Radon",
    "Francium",
    "Radium",
    "Actinium",
    "Thorium",
    "Protactinium",
    "Uranium",
    "Neptunium",
    "Plutonium",
    "Americium",
    "Curium",
    "Berkelium",
    "Californium",
    "Einsteinium",
    "Fermium",
    "Mendelevium",
    "Nobelium",
    "Lawrencium",
]


@dataclass(frozen=True)
class Place:
    """One element in the table."""

    symbol: str
    """Symbol."""
    name: str
    """Name in English, as IUPAC writes it."""
    row: int
    """Row from 1; the f block stands in rows 8 and 9."""
    column: int
    """Column from 1 to 18."""


@cache
def places() -> tuple[Place, ...]:
    """Return the elements in the order of atomic numbers."""
    named = zip(SYMBOLS, _NAMES, strict=True)
    return tuple(Place(symbol, name, *_cell(number)) for number, (symbol, name) in enumerate(named, start=1))


def _cell(number: int) -> tuple[int, int]:
    for first, row in ((_LANTHANUM, 8), (_ACTINIUM, 9)):
        if first <= number < first + _F_BLOCK:
            return row, number - first + 4
    period = max(place for place, start in enumerate(_PERIOD_STARTS, start=1) if start <= number)
    offset = number - _PERIOD_STARTS[period - 1]
    if period == 1:
        return 1, 1 if number == 1 else 18
    if offset < 2:
        return period, offset + 1
    if period <= 3:
        return period, offset + 11
    return period, offset + 1 - (_F_BLOCK if period >= 6 else 0)
