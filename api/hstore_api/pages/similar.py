"""Materials of much the same composition."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hstore.errors import FormulaError
from hstore.formula import parse_amounts
from hstore.records import Family
from hstore.store.search import Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.records import Material, Scope
    from hstore.store import Store

_SHOWN = 6
_LOOKED_AT = 1000
_MAIN_ELEMENTS = 2
_FORMULAS_KEPT = 20_000
_TEXTURE = ("lcd_A", "pld_A", "void_fraction", "density_g_cm3", "gsa_m2_g", "bet_area_m2_g", "pore_volume_cm3_g")
_COLUMNS = ("formula", "name", "known", "descriptors")


@dataclass(frozen=True)
class Similar:
    """A material near another."""

    material_id: str
    """Identifier."""
    formula: str
    """Formula."""
    name: str
    """Name people use; empty where the formula is the name."""
    known: bool
    """Whether it is reported in the literature."""
    distance: float
    """How far apart they are: half the sum of the differences of atomic fractions, 0 to 1; of sorbents, the mean
    relative difference of their texture."""


def similar_materials(store: Store, material: Material, scope: Scope) -> list[Similar]:
    """Return the nearest visible materials of the same family, nearest first.

    Of compositions those are looked at that hold both main elements; of sorbents all.
    """
    sorbent = material.family is Family.SORBENT
    shares = {} if sorbent else _shares(material.formula)
    main = sorted((e for e in shares if e != "H"), key=lambda element: (-shares[element], element))
    wanted = Wanted(family=material.family, elements=tuple(main[:_MAIN_ELEMENTS] or shares))
    found = []
    for page in store.search.pages(wanted, scope=scope, limit=_LOOKED_AT, columns=_COLUMNS):
        for row in page.rows:
            apart = (
                _texture_distance(material.descriptors, row["descriptors"])
                if sorbent
                else _distance(shares, _shares(row["formula"]))
            )
            if row["material_id"] != material.material_id and apart < 1:
                found.append(Similar(row["material_id"], row["formula"], row["name"], row["known"], apart))
    return sorted(found, key=lambda one: (one.distance, one.material_id))[:_SHOWN]


@lru_cache(maxsize=_FORMULAS_KEPT)
def _shares(formula: str) -> dict[str, float]:
    try:
        amounts = parse_amounts(formula)
    except FormulaError:
        return {}
    total = sum(amounts.values())
    return {element: amount / total for element, amount in amounts.items()}


def _distance(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    return sum(abs(one.get(e, 0.0) - other.get(e, 0.0)) for e in one.keys() | other.keys()) / 2


def _texture_distance(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Return the mean relative difference of what both state; 1 where they share nothing."""
    pairs = [(one[name], other[name]) for name in _TEXTURE if one.get(name, 0) > 0 and other.get(name, 0) > 0]
    return sum(abs(a - b) / max(a, b) for a, b in pairs) / len(pairs) if pairs else 1.0
