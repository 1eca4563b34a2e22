"""Materials of much the same composition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstore.errors import FormulaError
from hstore.formula import parse_amounts
from hstore.records import Family

if TYPE_CHECKING:
    from hstore.records import Material, Scope
    from hstore.store import Store

_SHOWN = 6
_LOOKED_AT = 200
_MAIN_ELEMENTS = 2
_TEXTURE = ("lcd_A", "pld_A", "void_fraction", "density_g_cm3", "gsa_m2_g", "bet_area_m2_g", "pore_volume_cm3_g")


@dataclass(frozen=True)
class Similar:
    """A material near another."""

    material: Material
    """The material."""
    distance: float
    """How far apart they are: half the sum of the differences of atomic fractions, 0 to 1; of sorbents, the mean
    relative difference of their texture."""


def similar_materials(store: Store, material: Material, scope: Scope) -> list[Similar]:
    """Return the nearest visible materials of the same family, nearest first.

    Of compositions those are looked at that hold both main elements; of sorbents all.
    """
    if material.family is Family.SORBENT:
        others = store.materials(scope=scope, family=material.family, limit=_LOOKED_AT)
        found = [Similar(other, _texture_distance(material, other)) for other in others]
    else:
        shares = _shares(material.formula)
        main = sorted((e for e in shares if e != "H"), key=lambda element: (-shares[element], element))
        elements = main[:_MAIN_ELEMENTS] or list(shares)
        others = store.materials(scope=scope, family=material.family, elements=elements, limit=_LOOKED_AT)
        found = [Similar(other, _distance(shares, _shares(other.formula))) for other in others]
    near = (s for s in found if s.material.material_id != material.material_id and s.distance < 1)
    return sorted(near, key=lambda s: (s.distance, s.material.material_id))[:_SHOWN]


def _shares(formula: str) -> dict[str, float]:
    try:
        amounts = parse_amounts(formula)
    except FormulaError:
        return {}
    total = sum(amounts.values())
    return {element: amount / total for element, amount in amounts.items()}


def _distance(one: dict[str, float], other: dict[str, float]) -> float:
    return sum(abs(one.get(e, 0.0) - other.get(e, 0.0)) for e in one.keys() | other.keys()) / 2


def _texture_distance(one: Material, other: Material) -> float:
    """Return the mean relative difference of what both state; 1 where they share nothing."""
    shared = [n for n in _TEXTURE if one.descriptors.get(n, 0) > 0 and other.descriptors.get(n, 0) > 0]
    if not shared:
        return 1.0
    pairs = ((one.descriptors[name], other.descriptors[name]) for name in shared)
    return sum(abs(a - b) / max(a, b) for a, b in pairs) / len(shared)
