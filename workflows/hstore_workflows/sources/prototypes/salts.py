"""Salts on a structure type: metals whose charges balance the anions and whose sizes fit the sites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstore.records import Family
from hstore_workflows.sources import rules
from hstore_workflows.sources.prototypes.anions import BORANE_ELECTRONEGATIVITY, COMPLEX_ANIONS
from hstore_workflows.sources.prototypes.decoration import Decorated, Misfit, decorate
from hstore_workflows.sources.prototypes.ions import MOBILE_IONS, SIMPLE_ANIONS, cation_charges
from hstore_workflows.sources.prototypes.made import Made, Unfit
from hstore_workflows.sources.prototypes.radii import HYDRIDE_RADIUS_ANGSTROM, anion_radius
from hstore_workflows.sources.prototypes.sizes import size_rule
from hstore_workflows.sources.prototypes.structure_type import CENTRE, LIGAND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hstore_workflows.sources.prototypes.anions import Anion
    from hstore_workflows.sources.prototypes.structure_type import Prototype

HYDRIDE_DISTANCE_LEAST_ANGSTROM = 2.0
"""Shortest H-H distance believed in a salt or metal without complex anions, Å: the 2.1 Å of Switendick
(Z. Phys. Chem. N.F. 117 (1979) 89) less the 5 % by which an estimated cell may be short."""

Cations = dict[str, tuple[str, int]]
"""Element and charge of each cation role."""


def simple_salts(
    prototype: Prototype, anion: str, allowed: Callable[[str], bool]
) -> Iterator[Made | Unfit | Misfit]:
    """Decorate a type whose ligands are single ions.

    Args:
        prototype: a type without anion centres.
        anion: element on the ligand sites, one of :data:`SIMPLE_ANIONS`.
        allowed: tells whether an element may be used; the anion's is not asked.

    Yields:
        Each charge-balanced decoration, or why it is ruled out.
    """
    offered = {el: q for el, q in cation_charges(anion).items() if allowed(el)}
    charge = -SIMPLE_ANIONS[anion] * prototype.counts[LIGAND]
    for cations in _balanced(prototype, offered, charge):
        yield _simple(prototype, anion, cations)


def complex_salts(prototype: Prototype, allowed: Callable[[str], bool]) -> Iterator[Made | Unfit | Misfit]:
    """Decorate a type with complex anions.

    Args:
        prototype: a type with anion centres.
        allowed: tells whether an element may be used, as cation or as centre.

    Yields:
        Each charge-balanced decoration, or why it is ruled out.
    """
    centres = prototype.counts[CENTRE]
    offered = {el: q for el, q in cation_charges("H").items() if allowed(el)}
    for anion in COMPLEX_ANIONS:
        if anion.hydrogen * centres != prototype.counts[LIGAND] or not allowed(anion.centre):
            continue
        rest = {el: q for el, q in offered.items() if el != anion.centre}
        for cations in _balanced(prototype, rest, -anion.charge * centres):
            yield _complex(prototype, anion, cations)


def _simple(prototype: Prototype, anion: str, cations: Cations) -> Made | Unfit | Misfit:
    radius = anion_radius(anion, SIMPLE_ANIONS[anion])
    elements = {role: element for role, (element, _) in cations.items()} | {LIGAND: anion}
    if anion != "H" and not MOBILE_IONS & {*elements.values()}:
        return Unfit.MOBILE
    sizes = size_rule(prototype, cations, radius)
    if sizes is None:
        return Unfit.SIZE
    charges = {role: charge for role, (_, charge) in cations.items()}
    made = decorate(prototype, elements, charges, anion_radius_angstrom=radius)
    if isinstance(made, Misfit):
        return made
    least = HYDRIDE_DISTANCE_LEAST_ANGSTROM * radius / HYDRIDE_RADIUS_ANGSTROM
    if prototype.frame.hydrogen.shortest(made.scale, 0.0) < least:
        return Misfit.HYDROGEN_CLOSE
    if _cations_collide(made):
        return Misfit.METALS_CLOSE
    balance = f"{_charges(prototype, cations)} against {anion}{SIMPLE_ANIONS[anion]:+d}"
    reason = "; ".join(part for part in (balance, sizes, _distances(made, anion)) if part)
    family = Family.IONIC if anion == "H" else Family.ELECTROLYTE
    return Made(prototype, elements, family, reason, made.crystal())


def _complex(prototype: Prototype, anion: Anion, cations: Cations) -> Made | Unfit | Misfit:
    elements = {role: element for role, (element, _) in cations.items()} | {CENTRE: anion.centre}
    counts = prototype.counts
    chi = rules.mean_electronegativity({el: counts[role] for role, (el, _) in cations.items()})
    if anion.centre == "B" and chi >= BORANE_ELECTRONEGATIVITY:
        return Unfit.ELECTRONEGATIVITY
    charges = {role: charge for role, (_, charge) in cations.items()}
    made = decorate(prototype, elements, charges, anion.bond_angstrom)
    if isinstance(made, Misfit):
        return made
    low, high = prototype.stretch
    if not low <= made.scale <= high:
        return Unfit.STRETCH
    balance = f"{_charges(prototype, cations)} against [{anion.formula}]{anion.charge:+d}"
    reason = "; ".join((balance, _distances(made, "H"), anion.remark))
    return Made(prototype, elements, Family.COMPLEX, reason, made.crystal())


def _balanced(prototype: Prototype, offered: Mapping[str, tuple[int, ...]], charge: int) -> Iterator[Cations]:
    """Yield the assignments of distinct elements whose charges add up, in the order of the elements offered."""
    order = {element: number for number, element in enumerate(offered)}
    roles = prototype.cations
    counts = prototype.counts

    def extend(chosen: Cations, left: int) -> Iterator[Cations]:
        role = roles[len(chosen)]
        used = {element for element, _ in chosen.values()}
        last = len(chosen) == len(roles) - 1
        for element, charges in offered.items():
            if element in used or _repeats(prototype, role, element, chosen, order):
                continue
            for one in charges:
                rest = left - one * counts[role]
                if (rest == 0) if last else (rest > 0):
                    grown = {**chosen, role: (element, one)}
                    yield from (grown,) if last else extend(grown, rest)

    if roles:
        yield from extend({}, charge)


def _repeats(prototype: Prototype, role: str, element: str, chosen: Cations, order: Mapping[str, int]) -> bool:
    """Tell whether a twin role already had its turn with these two elements the other way round."""
    return any(
        (other, role) in prototype.twins and order[taken] > order[element] for other, (taken, _) in chosen.items()
    )


def _cations_collide(made: Decorated) -> bool:
    """Tell whether two cations are closer than the nearest of them is to an anion."""
    shells, scale = made.prototype.frame.shells, made.scale
    nearest = {role: shell.shortest(scale, made.bond) for role, shell in shells.items()}
    return any(
        scale * distance < min(nearest[first], nearest[second])
        for (first, second), distance in made.prototype.frame.closest.items()
    )


def _charges(prototype: Prototype, cations: Cations) -> str:
    divisor = min(prototype.counts[role] for role in cations)
    return ", ".join(
        f"{prototype.counts[role] / divisor:g} {element}{charge:+d}" for role, (element, charge) in cations.items()
    )


def _distances(made: Decorated, anion: str) -> str:
    return ", ".join(
        f"{made.elements[role]}-{anion} {found:.2f} Å against {wanted:.2f} Å from radii"
        for role, (found, wanted) in made.distances.items()
    )
