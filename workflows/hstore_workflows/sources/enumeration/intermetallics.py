"""Compounds of a large A and a small B metal: AB5, A2B7, AB3, AB2, AB and A2B hosts and their substitutions.

Size and electron windows follow the stability maps of the structure types; substitution limits are the round
solubilities of the hydride literature (Sandrock, J. Alloys Compd. 293-295 (1999) 877,
doi:10.1016/S0925-8388(99)00384-9), so that candidates are likely to be single phase.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING

from hstore.formula import formula_text
from hstore.records import Family
from hstore_workflows.sources import rules
from hstore_workflows.sources.enumeration.candidate import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Mix = dict[str, float]
"""Amounts of the elements that share one kind of site."""


@dataclass(frozen=True)
class AlloyClass:
    """A stoichiometry, the structure types it takes, and the windows inside which they form."""

    slug: str
    """Short name, part of the material id."""
    a_per_formula: float
    """Atoms A per formula unit."""
    b_per_formula: float
    """Atoms B per formula unit."""
    structure_types: str
    """Structure types, as printed in the reason."""
    ratio: tuple[float, float]
    """Allowed r_A/r_B, metallic radii."""
    vec: tuple[float, float]
    """Allowed valence electrons per atom."""


AB5 = AlloyClass("ab5", 1, 5, "CaCu5 type", (1.29, 1.60), (5.5, 9.5))
"""Guénée and Yvon, J. Alloys Compd. 356-357 (2003) 114: ratio 1.3-1.5, 5.5-9.5 electrons; the upper ratio is 1.60
here because the metallic radius of Ca puts the well-known CaNi5 at 1.59."""
A2B7 = AlloyClass("a2b7", 2, 7, "Ce2Ni7/Gd2Co7 type, stacked AB5 and AB2 slabs", (1.25, 1.60), (5.0, 9.0))
"""The windows of its AB5 and AB2 slabs, averaged."""
AB3 = AlloyClass("ab3", 1, 3, "PuNi3/CeNi3 type, stacked AB5 and AB2 slabs", (1.22, 1.60), (4.5, 9.0))
"""The windows of its AB5 and AB2 slabs, averaged."""
AB2 = AlloyClass("ab2", 1, 2, "C14/C15 Laves", (1.05, 1.40), (4.0, 8.5))
"""Laves phases around the ideal hard-sphere ratio 1.225."""
AB = AlloyClass("ab", 1, 1, "CsCl/CrB type", (1.05, 1.55), (4.0, 7.5))
"""TiFe (1.17), ZrCo (1.28) and LaNi (1.51) bound the window."""
A2B = AlloyClass("a2b", 2, 1, "Mg2Ni/Ti2Ni/MoSi2 type", (1.05, 1.35), (2.5, 7.0))
"""Mg2Ni (1.29), Ti2Ni (1.19) and Zr2Cu (1.25) lie in the middle."""


def _scaled(mix: Mapping[str, float], size: float) -> Mix:
    return {element: round(share * size, 4) for element, share in mix.items()}


def _substitution(mix: Mapping[str, float]) -> str:
    """Say which elements replace the first one, the host, such as ``Al for 10 % of Ni``."""
    host = next(iter(mix))
    total = sum(mix.values())
    return ", ".join(
        f"{element} for {100 * amount / total:.3g} % of {host}"
        for element, amount in mix.items()
        if element != host
    )


def _merged(first: Mapping[str, float], second: Mapping[str, float]) -> Mix:
    amounts = dict(first)
    for element, amount in second.items():
        amounts[element] = round(amounts.get(element, 0.0) + amount, 4)
    return amounts


def make_alloy(kind: AlloyClass, a_mix: Mix, b_mix: Mix, note: str = "") -> Candidate | None:
    """Return the alloy if sizes and electrons allow the structure type, else None.

    Args:
        kind: stoichiometry and windows.
        a_mix: amounts on A sites, the host element first.
        b_mix: amounts on B sites, the host element first.
        note: anything to add to the reason.
    """
    ratio = rules.mean_radius(a_mix) / rules.mean_radius(b_mix)
    amounts = _merged(a_mix, b_mix)
    vec = rules.valence_electron_concentration(amounts)
    difference = rules.mean_electronegativity(b_mix) - rules.mean_electronegativity(a_mix)
    if not (kind.ratio[0] <= ratio <= kind.ratio[1] and kind.vec[0] <= vec <= kind.vec[1] and difference > 0):
        return None
    host = formula_text(
        {
            max(a_mix, key=lambda e: a_mix[e]): kind.a_per_formula,
            max(b_mix, key=lambda e: b_mix[e]): kind.b_per_formula,
        }
    )
    changes = "; ".join(text for text in (_substitution(a_mix), _substitution(b_mix)) if text)
    reason = (
        f"{kind.structure_types}: r_A/r_B {ratio:.2f} within {kind.ratio[0]:.2f}-{kind.ratio[1]:.2f}, "
        f"{vec:.2f} valence electrons per atom within {kind.vec[0]:g}-{kind.vec[1]:g}, "
        f"B more electronegative than A by {difference:.2f}; "
        + (f"{changes} in {host}" if changes else f"the host {host} itself")
        + (f"; {note}" if note else "")
    )
    return Candidate(formula_text(amounts), kind.slug, Family.INTERSTITIAL, reason)


def _grid(kind: AlloyClass, a_sites: Iterable[Mix], b_sites: Iterable[Mix]) -> Iterator[Candidate]:
    """Yield every allowed pairing of A and B mixtures; both are given as fractions of their site."""
    b_list = list(b_sites)
    for a_mix, b_mix in product(a_sites, b_list):
        found = site_alloy(kind, a_mix, b_mix)
        if found:
            yield found


def site_alloy(kind: AlloyClass, a_shares: Mapping[str, float], b_shares: Mapping[str, float]) -> Candidate | None:
    """Return the alloy with these shares of its two sites, host elements first, or None as :func:`make_alloy`."""
    return make_alloy(kind, _scaled(a_shares, kind.a_per_formula), _scaled(b_shares, kind.b_per_formula))


def _binary(host: str, guest: str, levels: Iterable[float]) -> Iterator[Mix]:
    for level in levels:
        yield {host: round(1 - level, 4), guest: level}


RARE_EARTHS = ("La", "Ce", "Pr", "Nd", "Sm", "Gd", "Y")
_MISCHMETAL = {"La": 0.3, "Ce": 0.5, "Pr": 0.05, "Nd": 0.15}
_LANTHANUM_RICH = {"La": 0.62, "Ce": 0.27, "Pr": 0.03, "Nd": 0.08}
_AB5_LEVELS: dict[str, tuple[float, ...]] = {
    "Al": (0.04, 0.06, 0.1, 0.15, 0.2),
    "Mn": (0.04, 0.08, 0.12, 0.2),
    "Co": (0.1, 0.2, 0.3, 0.5),
    "Fe": (0.05, 0.1, 0.2),
    "Cu": (0.1, 0.2, 0.4),
    "Sn": (0.02, 0.04, 0.06, 0.08),
    "Si": (0.04, 0.08, 0.12),
    "Ga": (0.05, 0.1),
    "Zn": (0.06, 0.12),
    "Cr": (0.04, 0.08),
    "Ge": (0.04, 0.08),
    "In": (0.02, 0.04, 0.08),
}
AB5_B_MOST = {"Ni": 1.0, **{guest: max(levels) for guest, levels in _AB5_LEVELS.items()}, "Co": 1.0}
"""Largest share of the B site of AB5 alloys."""
_AB5_PAIRS = (
    ("Al", "Mn"),
    ("Al", "Co"),
    ("Mn", "Co"),
    ("Al", "Cu"),
    ("Al", "Fe"),
    ("Mn", "Sn"),
    ("Co", "Sn"),
    ("Fe", "Co"),
    ("Mn", "Cu"),
    ("Fe", "Mn"),
)


def _ab5_b_sites() -> Iterator[Mix]:
    yield {"Ni": 1.0}
    for guest, levels in _AB5_LEVELS.items():
        yield from _binary("Ni", guest, levels)
    for first, second in _AB5_PAIRS:
        one, two = _AB5_LEVELS[first][1], _AB5_LEVELS[second][1]
        yield {"Ni": round(1 - one - two, 4), first: one, second: two}
    yield {"Ni": 0.71, "Co": 0.15, "Mn": 0.08, "Al": 0.06}
    yield {"Co": 1.0}


def ab5_alloys() -> Iterator[Candidate]:
    """Yield CaCu5-type alloys: all B substitutions on simple A sites, few on mixed ones."""
    simple: list[Mix] = [{a: 1.0} for a in (*RARE_EARTHS, "Ca")]
    yield from _grid(AB5, [*simple, _MISCHMETAL, _LANTHANUM_RICH], _ab5_b_sites())
    mixed = [mix for guest in ("Ce", "Nd", "Y", "Ca", "Gd") for mix in _binary("La", guest, (0.2, 0.4, 0.6, 0.8))]
    mixed += [mix for guest in ("Y", "Ca", "Sm") for mix in _binary("Ce", guest, (0.2, 0.5))]
    few: list[Mix] = [{"Ni": 1.0}]
    few += [
        mix
        for guest in ("Al", "Mn", "Co", "Fe", "Cu", "Sn")
        for mix in _binary("Ni", guest, _AB5_LEVELS[guest][1:3])
    ]
    yield from _grid(AB5, mixed, few)


_STACKED_B: tuple[Mix, ...] = (
    {"Ni": 1.0},
    *_binary("Ni", "Co", (0.1, 0.2, 0.3)),
    *_binary("Ni", "Al", (0.03, 0.06)),
    *_binary("Ni", "Mn", (0.05, 0.1)),
    *_binary("Ni", "Fe", (0.05, 0.1)),
    *_binary("Ni", "Cu", (0.05, 0.1)),
    {"Co": 1.0},
    {"Ni": 0.82, "Co": 0.12, "Al": 0.06},
)


def stacked_alloys() -> Iterator[Candidate]:
    """Yield AB3 and A2B7 alloys; magnesium sits in the AB2 slabs only, which limits it to 2/3 and 1/2 of A."""
    for kind, most in ((AB3, 0.67), (A2B7, 0.5)):
        for earth in (*RARE_EARTHS, "Ca"):
            levels = [level for level in (0.25, 0.33, 0.5, 0.67) if level <= most]
            sites = [{earth: 1.0}, *_binary(earth, "Mg", levels)]
            if earth == "La":
                sites += [
                    {"La": 0.5, other: 0.25, "Mg": 0.25} for other in ("Ce", "Pr", "Nd", "Sm", "Gd", "Y", "Ca")
                ]
            yield from _grid(kind, sites, _STACKED_B)


LAVES_B_MOST = {
    "Mn": 1.0,
    "Cr": 1.0,
    "Fe": 1.0,
    "Co": 1.0,
    "V": 0.5,
    "Ni": 0.6,
    "Mo": 0.5,
    "Cu": 0.25,
    "Al": 0.2,
}
"""Largest share of the B site of Ti, Zr, Hf and Sc Laves phases."""
_LAVES_MAIN = ("Mn", "Cr", "Fe", "Co", "V", "Ni")


def _laves_b_sites(levels: tuple[float, ...], *, triples: bool) -> Iterator[Mix]:
    yield from ({only: 1.0} for only, most in LAVES_B_MOST.items() if most >= 1)
    for first, second in combinations(LAVES_B_MOST, 2):
        for level in levels:
            mix = {first: round(1 - level, 4), second: level}
            if all(share <= LAVES_B_MOST[el] for el, share in mix.items()):
                yield mix
    if triples:
        for trio in combinations(_LAVES_MAIN, 3):
            for shares in ((0.5, 0.25, 0.25), (0.25, 0.5, 0.25), (0.25, 0.25, 0.5)):
                mix = dict(zip(trio, shares, strict=True))
                if all(share <= LAVES_B_MOST[el] for el, share in mix.items()):
                    yield mix


def laves_alloys() -> Iterator[Candidate]:
    """Yield AB2 Laves phases of Ti, Zr, Hf, Sc and their mixtures, and ordered RMgNi4 phases."""
    simple: list[Mix] = [{a: 1.0} for a in ("Ti", "Zr")]
    simple += list(_binary("Ti", "Zr", (0.2, 0.4)))
    yield from _grid(AB2, simple, _laves_b_sites((0.25, 0.5, 0.75), triples=True))
    pairs = (
        ("Ti", "Zr", (0.05, 0.1, 0.3)),
        ("Zr", "Ti", (0.2, 0.35)),
        ("Ti", "Hf", (0.1, 0.25)),
        ("Zr", "Hf", (0.25, 0.5)),
        ("Zr", "Y", (0.1, 0.2)),
        ("Ti", "Sc", (0.2, 0.5)),
        ("Zr", "Sc", (0.25, 0.5)),
        ("Ti", "Y", (0.05,)),
        ("Ti", "La", (0.03,)),
        ("Ti", "Ce", (0.03,)),
        ("Zr", "Nb", (0.1,)),
    )
    mixed = [mix for host, guest, levels in pairs for mix in _binary(host, guest, levels)]
    yield from _grid(AB2, [*mixed, {"Hf": 1.0}, {"Sc": 1.0}], _laves_b_sites((0.25, 0.5), triples=False))
    ordered = [{earth: 0.5, "Mg": 0.5} for earth in (*RARE_EARTHS, "Ca")]
    yield from _grid(
        AB2,
        ordered,
        [
            {"Ni": 1.0},
            *_binary("Ni", "Co", (0.1, 0.25, 0.5)),
            *_binary("Ni", "Cu", (0.1,)),
            *_binary("Ni", "Al", (0.05, 0.1)),
            *_binary("Ni", "Mn", (0.1,)),
        ],
    )
    yield from _hyperstoichiometric()


def _hyperstoichiometric() -> Iterator[Candidate]:
    """Yield Ti-rich Laves phases (Ti1.1CrMn and relatives), whose excess A sits on B sites."""
    for excess, (first, second) in product((0.05, 0.1, 0.2), combinations(("Mn", "Cr", "Fe", "V"), 2)):
        for share in (0.3, 0.5, 0.7):
            b_mix = _scaled({first: share, second: 1 - share}, 2)
            if share > LAVES_B_MOST[first] or 1 - share > LAVES_B_MOST[second]:
                continue
            for a_mix in ({"Ti": 1 + excess}, {"Ti": 0.9 + excess, "Zr": 0.1}):
                found = make_alloy(AB2, _scaled(a_mix, 1), b_mix, f"A in excess by {excess:g}, on B sites")
                if found:
                    yield found


_AB_HOSTS: tuple[tuple[str, str, dict[str, tuple[float, ...]], dict[str, tuple[float, ...]]], ...] = (
    (
        "Ti",
        "Fe",
        {"Zr": (0.05, 0.1), "V": (0.05, 0.1), "Nb": (0.05,), "Hf": (0.05, 0.1)},
        {
            "Mn": (0.05, 0.1, 0.2, 0.3),
            "Ni": (0.1, 0.2, 0.4),
            "Co": (0.1, 0.3, 0.5),
            "Cr": (0.05, 0.1),
            "V": (0.05, 0.1),
            "Cu": (0.05, 0.1),
            "Al": (0.03, 0.06),
            "Mo": (0.05,),
        },
    ),
    (
        "Ti",
        "Co",
        {"Zr": (0.1, 0.3), "Hf": (0.1,)},
        {"Fe": (0.1, 0.3), "Ni": (0.1, 0.3), "Mn": (0.1, 0.2), "Cr": (0.05,)},
    ),
    (
        "Ti",
        "Ni",
        {"Zr": (0.1, 0.3, 0.5), "Hf": (0.1, 0.3)},
        {"Fe": (0.1,), "Co": (0.1, 0.3), "Cu": (0.1, 0.3), "V": (0.05,)},
    ),
    (
        "Zr",
        "Ni",
        {"Ti": (0.1, 0.3, 0.5), "Hf": (0.25, 0.5), "Y": (0.05,)},
        {"Co": (0.1, 0.3, 0.5), "Cu": (0.1, 0.2), "Fe": (0.1,), "Mn": (0.05, 0.1), "Al": (0.05,)},
    ),
    (
        "Zr",
        "Co",
        {"Ti": (0.1, 0.2, 0.3), "Hf": (0.1, 0.25, 0.5), "Sc": (0.1, 0.2), "Nb": (0.05,)},
        {"Ni": (0.1, 0.3), "Fe": (0.1, 0.2, 0.3), "Mn": (0.05, 0.1), "Cr": (0.05, 0.1), "Cu": (0.1,)},
    ),
    ("Hf", "Ni", {"Ti": (0.1, 0.3), "Zr": (0.25,)}, {"Co": (0.1, 0.3), "Cu": (0.1,), "Fe": (0.1,)}),
    ("Hf", "Co", {"Ti": (0.1, 0.3), "Zr": (0.25,)}, {"Ni": (0.1, 0.3), "Fe": (0.1, 0.2)}),
    (
        "La",
        "Ni",
        {"Ce": (0.2, 0.5), "Y": (0.1,), "Nd": (0.3,)},
        {"Co": (0.1, 0.2), "Cu": (0.1,), "Al": (0.05,)},
    ),
    ("Ce", "Ni", {"Y": (0.1,), "Zr": (0.1,)}, {"Co": (0.1, 0.2), "Cu": (0.1,)}),
    ("Y", "Ni", {"Ce": (0.2,)}, {"Co": (0.1,), "Cu": (0.1,)}),
)
"""A, B, substituents on A and on B of the AB hosts, with the shares that dissolve."""

_A2B_HOSTS: tuple[tuple[str, str, dict[str, tuple[float, ...]], dict[str, tuple[float, ...]]], ...] = (
    (
        "Mg",
        "Ni",
        {"Al": (0.05, 0.1), "Ca": (0.05,), "La": (0.03, 0.06), "Ti": (0.05,), "Y": (0.03,), "Li": (0.05,)},
        {
            "Cu": (0.1, 0.25, 0.5),
            "Fe": (0.1, 0.25),
            "Co": (0.1, 0.25),
            "Mn": (0.1, 0.25),
            "Zn": (0.1,),
            "Cr": (0.05,),
            "Si": (0.05,),
        },
    ),
    (
        "Ti",
        "Ni",
        {"Zr": (0.1, 0.25, 0.5), "Hf": (0.1, 0.25), "V": (0.05,)},
        {"Fe": (0.1, 0.3), "Co": (0.1, 0.3), "Cu": (0.1, 0.25), "Al": (0.1,), "Mn": (0.1,)},
    ),
    (
        "Zr",
        "Fe",
        {"Ti": (0.1, 0.25), "Hf": (0.25, 0.5)},
        {"Co": (0.25, 0.5), "Ni": (0.25, 0.5), "Mn": (0.1,), "Cr": (0.1,)},
    ),
    ("Zr", "Cu", {"Ti": (0.1, 0.25), "Hf": (0.25,)}, {"Ni": (0.1, 0.25, 0.5), "Co": (0.1,), "Al": (0.05,)}),
    ("Zr", "Ni", {"Ti": (0.1, 0.25), "Hf": (0.25,)}, {"Co": (0.25, 0.5), "Fe": (0.25,), "Cu": (0.1, 0.25)}),
    ("Hf", "Fe", {"Zr": (0.25, 0.5), "Ti": (0.1,)}, {"Co": (0.25,), "Ni": (0.25,), "Mn": (0.1,)}),
    ("Ti", "Co", {"Zr": (0.1, 0.25), "Hf": (0.1,)}, {"Fe": (0.1, 0.3), "Ni": (0.25,), "Mn": (0.1,)}),
    ("Ti", "Cu", {"Zr": (0.1, 0.25)}, {"Ni": (0.1, 0.25), "Co": (0.1,), "Fe": (0.1,)}),
)
"""A, B, substituents on A and on B of the A2B hosts, with the shares that dissolve."""


def _hosted(
    kind: AlloyClass,
    hosts: Iterable[tuple[str, str, dict[str, tuple[float, ...]], dict[str, tuple[float, ...]]]],
) -> Iterator[Candidate]:
    for a, b, on_a, on_b in hosts:
        a_sites: list[Mix] = [
            {a: 1.0},
            *(mix for guest, levels in on_a.items() for mix in _binary(a, guest, levels)),
        ]
        b_sites: list[Mix] = [
            {b: 1.0},
            *(mix for guest, levels in on_b.items() for mix in _binary(b, guest, levels)),
        ]
        yield from _grid(kind, a_sites, b_sites)


def ab_alloys() -> Iterator[Candidate]:
    """Yield AB alloys around TiFe, TiCo, TiNi, ZrNi, ZrCo, HfNi, HfCo and RNi."""
    yield from _hosted(AB, _AB_HOSTS)
    for excess, guest in product((0.05, 0.1, 0.2), ("Mn", "Ni", "V", "Cr", "Co")):
        b_mix = {"Fe": round(0.9 - excess / 2, 4), guest: 0.1}
        found = make_alloy(AB, {"Ti": 1 + excess}, b_mix, f"Ti in excess by {excess:g}, which eases activation")
        if found:
            yield found


def a2b_alloys() -> Iterator[Candidate]:
    """Yield A2B alloys around Mg2Ni, Ti2Ni, Zr2Fe and their relatives."""
    yield from _hosted(A2B, _A2B_HOSTS)
