"""Ionic and complex hydrides: charge-balanced elements on hydride prototypes, and mixed-cation salts without one.

Charge balance decides the stoichiometry, sizes decide the structure type (radius ratios, Goldschmidt's
tolerance factor), the 18-electron rule decides which transition metals hold hydrogen in an anion, and the
electronegativity of the cations decides whether a borohydride or alanate is a salt at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

from hstore.records import Family
from hstore_workflows.sources.enumeration import prototypes, rules
from hstore_workflows.sources.enumeration.candidate import Candidate, CompositionKey, formula_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstore_workflows.sources.enumeration.prototypes import Decorated

ALKALI = ("Li", "Na", "K", "Rb", "Cs")
DIVALENT = ("Be", "Mg", "Ca", "Sr", "Ba", "Mn", "Fe", "Co", "Ni", "Zn", "Cd", "Sm", "Eu", "Yb")
RARE_EARTHS = ("Sc", "Y", "La", "Ce", "Pr", "Nd", "Sm", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Lu")
ELECTRON_RULE = 18
BORANE_ELECTRONEGATIVITY = 1.6
"""Mean cation electronegativity from which borohydrides release B2H6 rather than H2 (arXiv:1704.07884)."""


@dataclass(frozen=True)
class Anion:
    """A complex anion [MHn]."""

    centre: str
    """Central element M."""
    hydrogen: int
    """Hydrogen atoms n."""
    charge: int
    """Charge, negative."""
    bond_angstrom: float
    """Usual M-H distance, Å (King 2000, doi:10.1016/S0010-8545(00)00263-0, and the prototypes' papers)."""

    @property
    def formula(self) -> str:
        """Formula without charge, such as ``AlH4``."""
        return f"{self.centre}H{self.hydrogen}"

    @property
    def electrons(self) -> int:
        """Valence electrons of the complex, counting one per hydrogen."""
        return rules.valence_electrons(self.centre) + self.hydrogen - self.charge

    @property
    def remark(self) -> str:
        """What holds the anion together, for the reason."""
        if self.electrons == ELECTRON_RULE:
            return f"[{self.formula}]{-self.charge}- obeys the 18-electron rule"
        return f"[{self.formula}]{-self.charge}- keeps M-H at {self.bond_angstrom:.2f} Å"


TETRAHYDRIDES = (Anion("B", 4, -1, 1.22), Anion("Al", 4, -1, 1.63), Anion("Ga", 4, -1, 1.60))
HEXAHYDRIDES_3 = (
    Anion("Al", 6, -3, 1.76),
    Anion("Ga", 6, -3, 1.76),
    Anion("Co", 6, -3, 1.56),
    Anion("Rh", 6, -3, 1.69),
    Anion("Ir", 6, -3, 1.68),
)
HEXAHYDRIDES_4 = (Anion("Fe", 6, -4, 1.56), Anion("Ru", 6, -4, 1.68), Anion("Os", 6, -4, 1.69))
HEXAHYDRIDES_2 = (
    Anion("Pd", 6, -2, 1.64),
    Anion("Pt", 6, -2, 1.64),
    Anion("Si", 6, -2, 1.62),
    Anion("Ge", 6, -2, 1.70),
)
TETRAHYDRIDES_2 = (
    Anion("Zn", 4, -2, 1.66),
    Anion("Be", 4, -2, 1.44),
    Anion("Mg", 4, -2, 1.87),
    Anion("Mn", 4, -2, 1.76),
    Anion("Cd", 4, -2, 1.82),
)
TETRAHYDRIDES_4 = (Anion("Ni", 4, -4, 1.55), Anion("Pd", 4, -4, 1.68), Anion("Pt", 4, -4, 1.67))

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
    loaded = prototypes.load_prototypes().values()
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
    prototype = prototypes.load_prototypes()[slug]
    elements = {role: element for role, (element, _) in roles.items()}
    if anion:
        elements["M"] = anion.centre
    if not all(prototypes.has_radius(element, charge) for element, charge in roles.values()):
        return None
    made = prototypes.decorate(
        prototype,
        elements,
        {role: charge for role, (_, charge) in roles.items()},
        anion.bond_angstrom if anion else 0.0,
    )
    if made is None:
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
        structure=made.structure.as_dict(),
        reported=f"structure type {prototype.structure_type}, doi:{prototype.doi}" if reported else None,
    )


def _distances(made: Decorated, roles: dict[str, tuple[str, int]]) -> str:
    return ", ".join(
        f"{roles[role][0]}-H {found:.2f} Å against {wanted:.2f} Å from radii"
        for role, (found, wanted) in made.distances.items()
    )


def _ratio(element: str, charge: int, coordination: int) -> float:
    return prototypes.cation_radius(element, charge, coordination) / prototypes.HYDRIDE_RADIUS_ANGSTROM


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
    windows = {
        2: (("rutile", 6, 0.35, 0.80), ("fluorite", 8, 0.60, 1.05), ("cotunnite", 9, 0.75, 1.30)),
        3: (("alh3", 6, 0.35, 0.66), ("hoh3", 9, 0.60, 0.95), ("bif3", 9, 0.85, 1.05)),
    }
    metals = {2: DIVALENT, 3: ("Al", "Ga", "In", *RARE_EARTHS)}
    for charge, types in windows.items():
        for metal, (slug, coordination, low, high) in product(metals[charge], types):
            if not prototypes.has_radius(metal, charge):
                continue
            ratio = _ratio(metal, charge, coordination)
            if low <= ratio <= high:
                rule = f"charge +{charge} against {charge} H-, r+/r- {ratio:.2f} within {low:.2f}-{high:.2f}"
                yield from _present(
                    _candidate(slug, f"{metal}H{charge}", Family.IONIC, {"A": (metal, charge)}, rule)
                )


def _perovskites() -> Iterator[Candidate]:
    """Yield ABH3 by tolerance factor: cubic 0.88-1.06, tilted (GdFeO3) 0.74-0.95."""
    windows = (("perovskite", 0.88, 1.06), ("gdfeo3", 0.74, 0.95))
    pairs = [((a, 1), (b, 2)) for a, b in product(ALKALI, DIVALENT)]
    pairs += [((a, 2), (b, 1)) for a, b in product(("Mg", "Ca", "Sr", "Ba", "Eu", "Yb", "Sm"), ("Li", "Na"))]
    for (a, b), (slug, low, high) in product(pairs, windows):
        if not (prototypes.has_radius(*a) and prototypes.has_radius(*b)):
            continue
        factor = rules.tolerance_factor(
            prototypes.cation_radius(*a, 12), prototypes.cation_radius(*b, 6), prototypes.HYDRIDE_RADIUS_ANGSTROM
        )
        if low <= factor <= high:
            rule = f"{a[0]}+{a[1]} {b[0]}+{b[1]} 3 H-, tolerance factor {factor:.2f} within {low:.2f}-{high:.2f}"
            yield from _present(_candidate(slug, f"{a[0]}{b[0]}H3", Family.IONIC, {"A": a, "B": b}, rule))


def _layered() -> Iterator[Candidate]:
    """Yield A2BH4 of the K2NiF4 type, where the tolerance factor of its perovskite layers is 0.85-1.05."""
    low, high = 0.85, 1.05
    for a, b in product(ALKALI, DIVALENT):
        if not prototypes.has_radius(b, 2):
            continue
        factor = rules.tolerance_factor(
            prototypes.cation_radius(a, 1, 9),
            prototypes.cation_radius(b, 2, 6),
            prototypes.HYDRIDE_RADIUS_ANGSTROM,
        )
        if low <= factor <= high:
            rule = f"2 {a}+1, {b}+2 and 4 H-, tolerance factor {factor:.2f} within {low:.2f}-{high:.2f}"
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
