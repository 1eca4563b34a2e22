"""What a composition asks of people and purses: hazard and supply notes.

Hazards of elements stand in the curated table ``element_supply``; classes of supply in ``hazards.toml``.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from hstore_data.element_supply import element_supply
from hstore_workflows.sources.prototypes.anions import BORANE_ELECTRONEGATIVITY
from hstore_workflows.sources.rules import mean_electronegativity

if TYPE_CHECKING:
    from collections.abc import Mapping

_NONMETALS = frozenset({"H", "B", "C", "N", "O", "F", "P", "S", "Cl", "Se", "Br", "I", "Si", "Te"})
_GAS_FORMERS = frozenset({"B", "N", "S"})
"""Elements of the anions that can release toxic gases."""
_BOROHYDRIDE_H_PER_B = 3.0
"""Hydrogen per boron from which boron sits in BH4-; closo-borates have about one."""


@dataclass(frozen=True)
class Note:
    """One remark on some elements."""

    elements: tuple[str, ...]
    """Elements it applies to."""
    note: str
    """The remark."""
    source: str
    """Where it is written."""
    discount: bool = False
    """True for hazards a screen ranks down."""


@cache
def load_safety() -> tuple[Note, ...]:
    """Return the remarks on hazardous elements, one for all elements that share it, by atomic number."""
    noted = {symbol: entry for symbol, entry in element_supply().items() if entry.screen_note}
    shared: dict[tuple[str, str, bool], list[str]] = {}
    for symbol, entry in noted.items():
        key = (entry.screen_note, entry.hazard_source, entry.screen_discount)
        shared.setdefault(key, []).append(symbol)
    return tuple(Note(tuple(symbols), *key) for key, symbols in shared.items())


@cache
def load_costs() -> tuple[Note, ...]:
    """Return the remarks on precious elements and those under supply risk, in file order."""
    path = files("hstore_workflows.sources.enumeration").joinpath("hazards.toml")
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return tuple(Note(tuple(entry["elements"]), entry["note"], entry["source"]) for entry in table["cost"])


def safety_notes(amounts: Mapping[str, float]) -> list[str]:
    """Return what to know before handling a material of this composition; empty when nothing stands out.

    Args:
        amounts: amount of each element, any unit.
    """
    return list(remarks(amounts).safety)


def is_discounted(amounts: Mapping[str, float]) -> bool:
    """Tell whether a composition holds an element that no one would build a store or battery of."""
    return remarks(amounts).discounted


def cost_notes(amounts: Mapping[str, float]) -> list[str]:
    """Return which elements are precious or under supply risk, by class; no prices.

    Args:
        amounts: amount of each element, any unit.
    """
    return list(remarks(amounts).cost)


@dataclass(frozen=True)
class Remarks:
    """All remarks on one composition."""

    safety: tuple[str, ...]
    """What to know before handling it."""
    discounted: bool
    """Whether it holds an element that no one would build a store or battery of."""
    cost: tuple[str, ...]
    """Which elements are precious or under supply risk."""


def remarks(amounts: Mapping[str, float]) -> Remarks:
    """Return all remarks on a composition at once.

    Args:
        amounts: amount of each element, any unit.
    """
    found = _remarks_on(tuple(filter(_remarkable().__contains__, amounts)))
    if _GAS_FORMERS.isdisjoint(amounts):
        return found
    gases = _gas_notes(amounts)
    return replace(found, safety=(*found.safety, *gases)) if gases else found


@cache
def _remarkable() -> frozenset[str]:
    """Return the elements that there is any remark on."""
    return frozenset(symbol for entry in (*load_safety(), *load_costs()) for symbol in entry.elements)


@lru_cache(maxsize=100_000)
def _remarks_on(elements: tuple[str, ...]) -> Remarks:
    """Return the remarks on some elements, in their order; pools hold few sets of elements many times."""
    hazards = [entry for entry in load_safety() if not set(elements).isdisjoint(entry.elements)]
    shares = ((entry.note, [symbol for symbol in elements if symbol in entry.elements]) for entry in load_costs())
    return Remarks(
        tuple(entry.note for entry in hazards),
        any(entry.discount for entry in hazards),
        tuple(f"{note}: {', '.join(found)}" for note, found in shares if found),
    )


def _gas_notes(amounts: Mapping[str, float]) -> list[str]:
    """Return toxic gases the anions can release.

    B2H6 from borohydrides of electronegative cations (Welchman and Thonhauser, arXiv:1704.07884), NH3 from amides,
    H2S from sulfides and moisture (Yersak et al. 2022, doi:10.3389/fenrg.2022.882508).
    """
    notes = []
    metals = {element: amount for element, amount in amounts.items() if element not in _NONMETALS}
    hydrogen, boron = amounts.get("H", 0.0), amounts.get("B", 0.0)
    if boron and metals and hydrogen >= _BOROHYDRIDE_H_PER_B * boron:
        chi = mean_electronegativity(metals)
        if chi >= BORANE_ELECTRONEGATIVITY:
            notes.append(f"borohydride of cations with mean electronegativity {chi:.2f}: may release toxic B2H6")
    if hydrogen and amounts.get("N") and metals and "O" not in amounts and "C" not in amounts:
        notes.append("amide, imide or ammine: may release toxic NH3, which also poisons fuel cells")
    if amounts.get("S") and metals and amounts["S"] > amounts.get("O", 0.0):
        notes.append("sulfide: releases toxic H2S with moisture")
    return notes
