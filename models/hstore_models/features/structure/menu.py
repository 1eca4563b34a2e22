"""The menu of structure features, in three tiers of cost, and the names by which they are asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from hstore.errors import unknown_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hstore_models.features.structure.featurizer import StructureFeaturizer

_PACKAGE = "hstore_models.features.structure"
_MENU: dict[str, tuple[str, ...]] = {
    "density": ("DENSITY",),
    "symmetry": ("SYMMETRY",),
    "ewald": ("EWALD",),
    "magpie": ("MAGPIE",),
    "hydrogen": ("HYDROGEN",),
    "radial": ("PAIR_CORRELATION", "RADIAL_DISTRIBUTION"),
    "voronoi_sites": ("VORONOI_SITES", "VORONOI_COORDINATION"),
    "crystal_nn": ("CRYSTAL_NN",),
    "heterogeneity": ("STRUCTURAL_HETEROGENEITY",),
    "chemical_ordering": ("CHEMICAL_ORDERING",),
    "packing_efficiency": ("PACKING_EFFICIENCY",),
    "soap": ("SOAP",),
}
"""Module of this package -> names of the featurizers it holds."""

_ALIASES = {"structure": "tier-1"}
"""Other names of a group."""


@cache
def featurizers() -> tuple[StructureFeaturizer, ...]:
    """Return all featurizers, cheapest tier first."""
    found: list[StructureFeaturizer] = []
    for module, names in _MENU.items():
        loaded = import_module(f"{_PACKAGE}.{module}")
        found += [getattr(loaded, name) for name in names]
    return tuple(sorted(found, key=lambda f: f.tier))


def groups_of(names: Iterable[str]) -> tuple[StructureFeaturizer, ...]:
    """Return the featurizers behind names of featurizers or tiers, each once, in the order of the menu.

    Args:
        names: such as ``density``, ``tier-1`` or ``structure`` (another name for tier 1).

    Raises:
        UnknownNameError: a name is none of these.
    """
    menu = featurizers()
    tiers = {f"tier-{f.tier}": f.tier for f in menu}
    wanted: set[str] = set()
    for given in names:
        name = _ALIASES.get(given, given)
        chosen = {f.name for f in menu if name == f.name or tiers.get(name) == f.tier}
        if not chosen:
            raise unknown_name("feature group", given, [*tiers, *_ALIASES, *(f.name for f in menu)])
        wanted |= chosen
    return tuple(f for f in menu if f.name in wanted)
