"""The menu of structure features, in three tiers of cost, and the names by which they are asked for."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from hstore.errors import unknown_name
from hstore_models.features.structure.matminer_rest import LEFT_OUT

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
    "interstices": ("INTERSTICES",),
    "curvature": ("CURVATURE",),
    "topology": ("TOPOLOGY", "TOPOLOGY_IMAGES"),
    "zeo_pores": ("PORES",),
    "adsorption": ("ADSORPTION",),
    "ion_barriers": ("BARRIERS",),
    "matminer_rest": ("FEATURIZERS",),
}
"""Module of this package -> names in it: featurizers, or tuples of them."""

_TIERS = {
    1: "about a millisecond a crystal",
    2: "some to some hundred milliseconds",
    3: "physics of frameworks and ions, and matminer itself: up to minutes",
}
_BY_MATMINER = 3
_MODULE_PREFIX = re.compile(r"[a-z_.]+:(?=\w)")

_ALIASES = {"structure": "tier-1"}
"""Other names of a group."""


@cache
def featurizers() -> tuple[StructureFeaturizer, ...]:
    """Return all featurizers, cheapest tier first."""
    found: list[StructureFeaturizer] = []
    for module, names in _MENU.items():
        loaded = import_module(f"{_PACKAGE}.{module}")
        for name in names:
            held = getattr(loaded, name)
            found += held if isinstance(held, tuple) else [held]
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


def describe_menu() -> str:
    """Return the menu as Markdown: for each tier a table of name, number of columns, what it is, source and peer.

    The table of ``docs/reference/structure-features.md``, which a test keeps equal to this.
    """
    lines: list[str] = []
    for tier, title in _TIERS.items():
        lines += [f"### Tier {tier}: {title}", "", "| name | columns | describes | source | matminer |"]
        lines += ["|---|---:|---|---|---|"]
        lines += [_row(f) for f in featurizers() if f.tier == tier]
        lines += [""]
    lines += ["### Not on the menu", "", "| matminer | why not |", "|---|---|"]
    lines += [f"| {names} | {reason} |" for names, reason in LEFT_OUT.items()]
    return "\n".join(lines)


def _row(featurizer: StructureFeaturizer) -> str:
    if featurizer.tier == _BY_MATMINER and featurizer.matminer:
        peer = "computed by it"
    elif featurizer.matminer:
        within = f"within {featurizer.tolerance:g}" if featurizer.tolerance else "exactly"
        peer = f"as `{_MODULE_PREFIX.sub('', featurizer.matminer)}` {within}"
    else:
        peer = "none"
    extra = f" (extra `{featurizer.extra}`)" if featurizer.extra else ""
    return (
        f"| `{featurizer.name}`{extra} | {len(featurizer.columns)} | {featurizer.summary} | {featurizer.source} "
        f"| {peer} |"
    )
