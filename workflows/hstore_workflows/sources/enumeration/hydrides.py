"""Ionic and complex hydrides: charge-balanced elements on hydride prototypes, and mixed-cation salts without one.

Charge balance decides the stoichiometry, sizes decide the structure type (radius ratios, Goldschmidt's
tolerance factor), the 18-electron rule decides which transition metals hold hydrogen in an anion, and the
electronegativity of the cations decides whether a borohydride or alanate is a salt at all.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import TYPE_CHECKING

from hstore.records import Family
from hstore_workflows.sources import rules
from hstore_workflows.sources.enumeration.candidate import Candidate, CompositionKey, formula_key
from hstore_workflows.sources.prototypes.anions import (
    BORANE_ELECTRONEGATIVITY,
    HEXAHYDRIDES_2,
    HEXAHYDRIDES_3,
    HEXAHYDRIDES_4,
    TETRAHYDRIDES,
    TETRAHYDRIDES_2,
    TETRAHYDRIDES_4,
)
from hstore_workflows.sources.prototypes.decoration import Misfit, decorate
from hstore_workflows.sources.prototypes.hydride_types import load_prototypes
from hstore_workflows.sources.prototypes.radii import HYDRIDE_RADIUS_ANGSTROM, cation_radius, has_radius
from hstore_workflows.sources.prototypes.sizes import size_rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstore_workflows.sources.prototypes.anions import Anion
    from hstore_workflows.sources.prototypes.decoration import Decorated

ALKALI = ("Li", "Na", "K", "Rb", "Cs")
DIVALENT = ("Be", "Mg", "Ca", "Sr", "Ba", "Mn", "Fe", "Co", "Ni", "Zn", "Cd", "Sm", "Eu", "Yb")
RARE_EARTHS = ("Sc", "Y", "La", "Ce", "Pr", "Nd", "Sm", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Lu")


_ALKALI_TYPES = {
    "libh4": ("Li", "Na"),
    "nabh4": ("Na", "K", "Rb", "Cs"),
    "naalh4": ("Li", "Na", "K"),
    "lialh4": ("Li", "Na"),
    "kalh4": ("Na", "K", "Rb", "Cs"),
}
"""Cations of about the size for which each AMH4 structure is known."""


def enumerate_hydrides() -> Iterator[Candidate]:
    """Yield hydrides with structures first, then mixed-cation salts known by composition only.

    A compound whose real structure is among the prototypes appears in that one only.
    """
    for candidate in _decorations():
        home = reported_structures().get(formula_key(candidate.formula))
        if home is None or home == candidate.group:
            yield candidate
    yield from _mixed_salts()


@cache
def reported_structures() -> dict[CompositionKey, str]:
    """Return the prototype in which each example compound is reported, by composition."""
    loaded = (entry for entry in load_prototypes().values() if entry.in_pool)
    return {formula_key(formula): entry.slug for entry in loaded for formula in entry.examples}


def _decorations() -> Iterator[Candidate]:
    yield from _binary()
    yield from _perovskites()
    yield from _layered()
    yield from _alkali_complexes()
    yield from _alkaline_earth_complexes()


def _candidate(
    slug: str,
    formula: str,
    family: Family,
    roles: dict[str, tuple[str, int]],
    rule: str,
    anion: Anion | None = None,
) -> Candidate | None:
    """Decorate a prototype; None when sizes do not fit or a radius is unknown.

    Args:
        slug: prototype.
        formula: formula to print.
        family: family of the result.
        roles: element and charge of each cation role.
        rule: the rule that chose this prototype, with its numbers.
        anion: the complex anion, if any.
    """
    prototype = load_prototypes()[slug]
    elements = {role: element for role, (element, _) in roles.items()}
    if anion:
        elements["M"] = anion.centre
    if not all(has_radius(element, charge) for element, charge in roles.values()):
        return None
    made = decorate(
        prototype,
        elements,
        {role: charge for role, (_, charge) in roles.items()},
        anion.bond_angstrom if anion else 0.0,
    )
    if isinstance(made, Misfit):
        return None
    reported = formula_key(formula) in {formula_key(example) for example in prototype.examples}
    reason = f"{prototype.structure_type}: {rule}; {_distances(made, roles)}" + (
        f"; {anion.remark}" if anion else ""
    )
    return Candidate(
        formula,
        slug,
        family,
        reason,
        structure=made.structure().as_dict(),
        reported=f"structure type {prototype.structure_type}, {prototype.source}" if reported else None,
    )


def _distances(made: Decorated, roles: dict[str, tuple[str, int]]) -> str:
    return ", ".join(
        f"{roles[role][0]}-H {found:.2f} Å against {wanted:.2f} Å from radii"
        for role, (found, wanted) in made.distances.items()
    )


def _ratio(element: str, charge: int, coordination: int) -> float:
    return cation_radius(element, charge, coordination) / HYDRIDE_RADIUS_ANGSTROM


def _present(*candidates: Candidate | None) -> Iterator[Candidate]:
    yield from (candidate for candidate in candidates if candidate is not None)


def _binary() -> Iterator[Candidate]:
    """Yield MH, MH2 and MH3, each in the types whose radius-ratio window holds it."""
    for metal in ALKALI:
        yield from _present(
            _candidate(
                "halite",
                f"{metal}H",
                Family.IONIC,
                {"A": (metal, 1)},
                f"charge +1/-1, r+/r- {_ratio(metal, 1, 6):.2f} of a CN 6 cation",
            )
        )
    loaded = load_prototypes()
    types = {2: ("rutile", "fluorite", "cotunnite"), 3: ("alh3", "hoh3", "bif3")}
    metals = {2: DIVALENT, 3: ("Al", "Ga", "In", *RARE_EARTHS)}
    for charge, slugs in types.items():
        for metal, slug in product(metals[charge], slugs):
            if not has_radius(metal, charge):
                continue
            sizes = size_rule(loaded[slug], {"A": (metal, charge)})
            if sizes:
                yield from _present(
                    _candidate(
                        slug,
                        f"{metal}H{charge}",
                        Family.IONIC,
                        {"A": (metal, charge)},
                        f"charge +{charge} against {charge} H-, {sizes}",
                    )
                )


def _perovskites() -> Iterator[Candidate]:
    """Yield ABH3 in the types whose window holds the tolerance factor."""
    pairs = [((a, 1), (b, 2)) for a, b in product(ALKALI, DIVALENT)]
    pairs += [((a, 2), (b, 1)) for a, b in product(("Mg", "Ca", "Sr", "Ba", "Eu", "Yb", "Sm"), ("Li", "Na"))]
    for (a, b), slug in product(pairs, ("perovskite", "gdfeo3")):
        if not (has_radius(*a) and has_radius(*b)):
            continue
        sizes = size_rule(load_prototypes()[slug], {"A": a, "B": b})
        if sizes:
            rule = f"{a[0]}+{a[1]} {b[0]}+{b[1]} 3 H-, {sizes}"
            yield from _present(_candidate(slug, f"{a[0]}{b[0]}H3", Family.IONIC, {"A": a, "B": b}, rule))


def _layered() -> Iterator[Candidate]:
    """Yield A2BH4 of the K2NiF4 type, by the tolerance factor of its perovskite layers."""
    for a, b in product(ALKALI, DIVALENT):
        if not has_radius(b, 2):
            continue
        sizes = size_rule(load_prototypes()["k2nif4"], {"A": (a, 1), "B": (b, 2)})
        if sizes:
            rule = f"2 {a}+1, {b}+2 and 4 H-, {sizes}"
            yield from _present(_candidate("k2nif4", f"{a}2{b}H4", Family.IONIC, {"A": (a, 1), "B": (b, 2)}, rule))


def _alkali_complexes() -> Iterator[Candidate]:
    """Yield complex hydrides of alkali metals: AMH4, A2MH4, A2MH6, A3MH6 and A2BMH6."""
    for (slug, cations), anion in product(_ALKALI_TYPES.items(), TETRAHYDRIDES):
        for a in cations:
            rule = f"{a}+1 balances [{anion.formula}]-, {a} of a size for which the type is known"
            yield from _present(
                _candidate(slug, f"{a}{anion.formula}", Family.COMPLEX, {"A": (a, 1)}, rule, anion)
            )
    families = (("k2so4", 2, TETRAHYDRIDES_2), ("k2ptcl6", 2, HEXAHYDRIDES_2), ("na3alh6", 3, HEXAHYDRIDES_3))
    for slug, number, anions in families:
        for a, anion in product(ALKALI, anions):
            rule = f"{number} {a}+1 balance one anion of charge {anion.charge}"
            yield from _present(
                _candidate(slug, f"{a}{number}{anion.formula}", Family.COMPLEX, {"A": (a, 1)}, rule, anion)
            )
    for a, b, anion in product(ALKALI, ALKALI, HEXAHYDRIDES_3):
        if a != b:
            rule = f"2 {a}+1 (12 H around) and {b}+1 (6 H around) balance one anion of charge -3"
            yield from _present(
                _candidate(
                    "elpasolite",
                    f"{a}2{b}{anion.formula}",
                    Family.COMPLEX,
                    {"A": (a, 1), "B": (b, 1)},
                    rule,
                    anion,
                )
            )


def _alkaline_earth_complexes() -> Iterator[Candidate]:
    """Yield complex hydrides of divalent metals: A(MH4)2, A2MH6 and A2MH4."""
    for a, anion in product(DIVALENT, TETRAHYDRIDES):
        rule = f"{a}+2 balances two [{anion.formula}]-"
        yield from _present(
            _candidate("mgalh42", f"{a}({anion.formula})2", Family.COMPLEX, {"A": (a, 2)}, rule, anion)
        )
    for slug, anions in (("k2ptcl6", HEXAHYDRIDES_4), ("mg2nih4", TETRAHYDRIDES_4)):
        for a, anion in product(DIVALENT, anions):
            if a != anion.centre:
                rule = f"2 {a}+2 balance one anion of charge -4"
                yield from _present(
                    _candidate(slug, f"{a}2{anion.formula}", Family.COMPLEX, {"A": (a, 2)}, rule, anion)
                )


def _mixed_salts() -> Iterator[Candidate]:
    """Yield salts of two cations with BH4- or AlH4-, composition only.

    Their structures are many and large; the rule is the mean electronegativity of the cations, which must keep the
    salt from decomposing into B2H6 or AlH3.
    """
    low, high = 0.85, BORANE_ELECTRONEGATIVITY
    for anion, (first, count), second in product(TETRAHYDRIDES[:2], _first_cations(), _second_cations()):
        if first == second[0] or (anion.centre == "Al" and count > 1):
            continue
        charge = count + second[1]
        chi = rules.mean_electronegativity({first: count, second[0]: 1})
        if low <= chi < high:
            formula = f"{first}{count if count > 1 else ''}{second[0]}({anion.formula}){charge}"
            reason = (
                f"mixed-cation salt: {count} {first}+1 and {second[0]}+{second[1]} balance "
                f"{charge} [{anion.formula}]-; "
                f"mean cation electronegativity {chi:.2f} within {low:g}-{high:g}, below the onset of "
                f"{'B2H6' if anion.centre == 'B' else 'AlH3'} release; composition only"
            )
            yield Candidate(formula, f"mixed_{anion.formula.lower()}", Family.COMPLEX, reason)


def _first_cations() -> list[tuple[str, int]]:
    return [(metal, count) for metal in ALKALI for count in (1, 2)]


def _second_cations() -> list[tuple[str, int]]:
    divalent = [(metal, 2) for metal in ("Mg", "Ca", "Sr", "Ba", "Mn", "Zn", "Eu", "Yb")]
    return [*divalent, *((metal, 3) for metal in (*RARE_EARTHS, "Al"))]
