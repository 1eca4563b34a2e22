"""Alloys and metallic hydrides on a structure type: atomic volumes set the cell, radii and distances judge it."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from hstore.crystal import Crystal
from hstore.elements import SYMBOLS
from hstore.errors import InputError
from hstore.records import Family
from hstore_workflows.sources import rules
from hstore_workflows.sources.enumeration import intermetallics
from hstore_workflows.sources.prototypes.decoration import Misfit
from hstore_workflows.sources.prototypes.ions import BINARY_METALLIC, HYDRIDE_FORMERS, METALS
from hstore_workflows.sources.prototypes.made import Made, Unfit
from hstore_workflows.sources.prototypes.salts import HYDRIDE_DISTANCE_LEAST_ANGSTROM
from hstore_workflows.sources.prototypes.structure_type import LIGAND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hstore_workflows.sources.prototypes.structure_type import Prototype

METAL_DISTANCES = (0.88, 1.10)
"""Every metal's nearest neighbour in a host lies between these multiples of the sum of metallic radii.

In the 45 sound intermetallic compounds of the AFLOW library they lie between 0.87 and 1.05, CuPt (1.16) aside."""
SIZE_TOLERANCE = 0.15
"""Ratio of two metallic radii in a host against that in the compound of the type (Hume-Rothery's 15 %)."""
HYDRIDE_METAL_DISTANCE_LEAST = 0.80
"""As above for the lower end in a hydride, whose metal atoms may move together along one axis."""
HOLE_RADIUS_ANGSTROM = 0.40
"""Least radius of a hole that takes hydrogen, Å (Westlake, J. Less-Common Met. 91 (1983) 1)."""
_HOLE_SLACK = 0.85
"""Hydrogen may come this much closer than metallic radius plus hole, as it does to Ni in LaNi5H6."""

BINARY = "metal"
"""Alloy class of a metallic hydride of one metal."""
_CLASSES = {
    "ab5": intermetallics.AB5,
    "ab2": intermetallics.AB2,
    "ab": intermetallics.AB,
    "a2b": intermetallics.A2B,
}


def metallic_hydrides(prototype: Prototype, allowed: Callable[[str], bool]) -> Iterator[Made | Unfit | Misfit]:
    """Decorate a metallic hydride type whose hydrogen-free alloy passes its class.

    Args:
        prototype: a type with an alloy class.
        allowed: tells whether an element may be used.

    Yields:
        Each decoration with a hydride-forming A, or why it is ruled out.
    """
    metals = [metal for metal in METALS if allowed(metal)]
    if prototype.alloy_class == BINARY:
        pairs = [{"A": a} for a in BINARY_METALLIC if allowed(a)]
    else:
        pairs = [{"A": a, "B": b} for a in metals for b in metals if a != b and a in HYDRIDE_FORMERS]
    for elements in pairs:
        yield _hydride(prototype, elements)


def hosts(prototype: Prototype, allowed: Callable[[str], bool]) -> Iterator[Made | Unfit | Misfit]:
    """Decorate a type without hydrogen as an alloy that could take hydrogen up.

    Args:
        prototype: a type of two or three roles.
        allowed: tells whether an element may be used.

    Yields:
        Each decoration with at least one hydride former, or why it is ruled out.
    """
    metals = [metal for metal in METALS if allowed(metal)]
    order = {metal: number for number, metal in enumerate(metals)}
    for chosen in _ordered(len(prototype.cations), metals):
        elements = dict(zip(prototype.cations, chosen, strict=True))
        repeated = any(order[elements[a]] > order[elements[b]] for a, b in prototype.twins if a < b)
        if not repeated and HYDRIDE_FORMERS & {*chosen}:
            yield _host(prototype, elements)


def _ordered(size: int, metals: list[str]) -> Iterator[tuple[str, ...]]:
    if size == 0:
        yield ()
        return
    for rest in _ordered(size - 1, metals):
        yield from ((*rest, metal) for metal in metals if metal not in rest)


def _hydride(prototype: Prototype, elements: dict[str, str]) -> Made | Unfit | Misfit:
    rule = _class_rule(prototype, elements)
    if rule is None:
        return Unfit.ALLOY
    volume = _volume(prototype, elements)
    if volume is None:
        return Unfit.VOLUME
    scale = (volume / prototype.volume) ** (1 / 3)
    nearest = _nearest(prototype, elements, scale)
    if min(nearest.values()) < HYDRIDE_METAL_DISTANCE_LEAST:
        return Misfit.METALS_CLOSE
    closest = prototype.frame.hydrogen.shortest(scale, 0.0)
    if closest < HYDRIDE_DISTANCE_LEAST_ANGSTROM:
        return Misfit.HYDROGEN_CLOSE
    gaps = {
        f"{elements[role]}-H": (shell.shortest(scale, 0.0), rules.metallic_radius(elements[role]))
        for role, shell in prototype.frame.shells.items()
    }
    if any(gap < _HOLE_SLACK * (radius + HOLE_RADIUS_ANGSTROM) for gap, radius in gaps.values()):
        return Misfit.METAL_HYDROGEN_CLOSE
    reach = ", ".join(f"{name} {gap:.2f} Å" for name, (gap, _) in gaps.items())
    atoms = prototype.counts[LIGAND]
    reason = f"{rule}; {_per(volume, atoms)}, H-H {closest:.2f} Å, {reach}"
    return Made(prototype, elements, Family.INTERSTITIAL, reason, _crystal(prototype, elements, scale))


def _host(prototype: Prototype, elements: dict[str, str]) -> Made | Unfit | Misfit:
    amounts = {elements[role]: float(n) for role, n in prototype.counts.items()}
    enthalpy = _enthalpy(frozenset(amounts.items()))
    if enthalpy is None or enthalpy > 0:
        return Unfit.ENTHALPY
    sizes = _size_ratios(prototype, elements)
    if sizes is None:
        return Unfit.SIZE
    volume = _volume(prototype, elements)
    if volume is None:
        return Unfit.VOLUME
    scale = (volume / prototype.volume) ** (1 / 3)
    low, high = METAL_DISTANCES
    nearest = _nearest(prototype, elements, scale)
    if min(nearest.values()) < low:
        return Misfit.METALS_CLOSE
    if max(nearest.values()) > high:
        return Misfit.METALS_APART
    formers = ", ".join(el for el in amounts if el in HYDRIDE_FORMERS)
    span = f"{min(nearest.values()):.2f}-{max(nearest.values()):.2f}"
    reason = (
        f"{sizes}nearest neighbours at {span} of the radius sums, "
        f"within {low:.2f}-{high:.2f}; mixing enthalpy {enthalpy:.1f} kJ/mol; hydride former {formers}"
    )
    return Made(prototype, elements, Family.INTERSTITIAL, reason, _crystal(prototype, elements, scale))


def _size_ratios(prototype: Prototype, elements: Mapping[str, str]) -> str | None:
    """Compare sizes with those in the type's own compound; empty without one, None where they differ too much."""
    if not prototype.reference:
        return ""
    first, *others = prototype.cations
    words = []
    for role in others:
        here, there = (
            rules.metallic_radius(names[first]) / rules.metallic_radius(names[role])
            for names in (elements, prototype.reference)
        )
        if abs(here / there - 1) > SIZE_TOLERANCE:
            return None
        words.append(f"r_{first}/r_{role} {here:.2f} against {there:.2f}; ")
    return "".join(words)


def _class_rule(prototype: Prototype, elements: Mapping[str, str]) -> str | None:
    """Return the words of the alloy class, or None when the alloy is outside its windows."""
    if prototype.alloy_class == BINARY:
        return f"{elements['A']} with hydrogen in its holes"
    kind = _CLASSES[prototype.alloy_class]
    made = intermetallics.make_alloy(
        kind, {elements["A"]: kind.a_per_formula}, {elements["B"]: kind.b_per_formula}
    )
    return made.reason if made else None


def _volume(prototype: Prototype, elements: Mapping[str, str]) -> float | None:
    """Return the volume of the cell, cubic angstrom: Zen's law plus 2.9 per H, relative to the reference."""
    wanted = _additive(prototype, elements)
    if not prototype.reference or wanted is None:
        return wanted
    known = _additive(prototype, prototype.reference)
    return None if known is None else prototype.volume * wanted / known


def _additive(prototype: Prototype, elements: Mapping[str, str]) -> float | None:
    from hstore_models.representation import HYDROGEN_VOLUME_A3

    total = prototype.counts.get(LIGAND, 0) * HYDROGEN_VOLUME_A3
    for role in prototype.cations:
        one = _atomic_volume(elements[role])
        if one is None:
            return None
        total += prototype.counts[role] * one
    return total


@cache
def _atomic_volume(element: str) -> float | None:
    """Return the volume per atom of the element's computed ground state, cubic angstrom (Magpie's table)."""
    from hstore_models.features.composition import ATOMIC_NUMBER
    from hstore_models.features.elemental import elemental_column

    volume = float(elemental_column("GSvolume_pa")[ATOMIC_NUMBER[element]])
    return volume if math.isfinite(volume) and volume > 0 else None


def _nearest(prototype: Prototype, elements: Mapping[str, str], scale: float) -> dict[str, float]:
    """Return, for each role, its shortest metal-metal distance over the sum of metallic radii."""
    found = dict.fromkeys(prototype.cations, math.inf)
    for (first, second), distance in prototype.frame.closest.items():
        together = rules.metallic_radius(elements[first]) + rules.metallic_radius(elements[second])
        found[first] = min(found[first], scale * distance / together)
    return found


@cache
def _enthalpy(amounts: frozenset[tuple[str, float]]) -> float | None:
    try:
        return rules.mixing_enthalpy_kj_per_mol(dict(sorted(amounts)))
    except InputError:
        return None


def _per(volume: float, atoms: int) -> str:
    return f"{volume / atoms:.1f} Å3 of cell per H"


def _crystal(prototype: Prototype, elements: Mapping[str, str], scale: float) -> Crystal:
    number = {role: SYMBOLS.index(elements.get(role, "H")) + 1 for role in prototype.counts}
    lattice = scale * prototype.lattice
    inverse = np.linalg.inv(prototype.lattice)
    return Crystal(
        lattice, prototype.frame.anchors @ inverse, np.array([number[role] for role in prototype.roles])
    )
