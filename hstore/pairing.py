"""Hydrides and their hosts: what is left when the hydrogen goes, and what follows from the two together.

A metallic or simple ionic hydride leaves its host: LaNi5H6 gives LaNi5, MgH2 gives Mg. A complex hydride does
not: NaAlH4 ends as NaH and Al, and removing the hydrogen on paper names a compound that does not exist
(:func:`dehydriding` says what is known then). A pair of a hydride and its host fixes H/M, the capacity on both
mass bases, and with their structures the volumetric density, the expansion and the volume per hydrogen atom
(:func:`pair`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from hstore.capacity import (
    density_g_per_cm3,
    gravimetric_capacity_wt_pct,
    hydrogen_to_metal,
    per_host_mass,
    volumetric_density_g_per_l,
)
from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore.formula import canonical_formula, formula_text, parse_amounts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.records import Material

ALKALI = frozenset({"Li", "Na", "K", "Rb", "Cs"})
ALKALINE_EARTH = frozenset({"Be", "Mg", "Ca", "Sr", "Ba"})
SALT_FORMERS = (ALKALI | ALKALINE_EARTH) - {"Be", "Mg"}
"""Metals whose own hydrides outlast the release of hydrogen from their compounds."""

TYPICAL_DILATION_ANGSTROM3 = (2.0, 3.5)
"""Volume that a hydrogen atom adds to an interstitial host, Å3: 2 to 3.5, on average 2.9.

Peisl, in Hydrogen in Metals I (1978), doi:10.1007/3540087052_42; Fukai, The Metal-Hydrogen System (2005),
doi:10.1007/3-540-28883-X. Ionic and rebuilt frames lie outside without being wrong (MgH2: 3.8).
"""
MOST_EXPANSION_PCT = 60.0
"""Volume expansion up to which two metal frames are compared; beyond it the frame counts as rebuilt."""
_MOST_SITES = 200
_ALANATE = "doi:10.1016/S0925-8388(96)03049-6"
_BOROHYDRIDE = "doi:10.1016/S0378-7753(03)00054-5"
_AMIDE = "doi:10.1038/nature01210"


class Frame(StrEnum):
    """What hydrogen did to the metal atoms of a host."""

    KEPT = "kept"
    """Same arrangement, expanded and perhaps distorted."""
    REBUILT = "rebuilt"
    """Another arrangement, as from hcp Mg to rutile MgH2."""
    UNKNOWN = "unknown"
    """Not both structures are known, ordered and of fewer than 200 metal atoms."""


@dataclass(frozen=True)
class Dehydriding:
    """What a hydride leaves behind when it has given off its hydrogen."""

    host: str | None
    """Canonical formula of the host, where removing the hydrogen leaves one material of that composition."""
    residue: Mapping[str, float]
    """What is left, as amounts of formulas for one formula unit of the hydride; empty where it is not known."""
    h2_mol: float
    """H2 given off on the way to the residue, mol per mol of the hydride as written."""
    steps: tuple[str, ...] = ()
    """Reactions on the way, where more than the overall one is known."""
    source: str = ""
    """Where the reaction is reported; empty where it follows from the stability of the binary hydrides."""
    note: str = ""
    """What to know before using it."""


@dataclass(frozen=True)
class HydridePair:
    """A hydride and the host it forms from."""

    hydride: Material
    """The hydrogenated material."""
    host: Material
    """The same metals in the same ratio without hydrogen."""
    hydrogen_to_metal: float
    """H/M: hydrogen atoms per atom of all other elements."""
    hydrogen_per_host: float
    """Hydrogen atoms per formula unit of the host as its record writes it."""
    capacity_wt_pct: float
    """All hydrogen, wt% of the hydrogenated material."""
    capacity_wt_pct_host: float
    """All hydrogen, wt% of the host."""
    h2_density_g_per_l: float | None = None
    """Hydrogen per volume of the hydride's crystal, g/L; None without its structure."""
    expansion_pct: float | None = None
    """Volume of the hydride over that of the host, less one, percent; None unless both structures are known."""
    dilation_angstrom3: float | None = None
    """Volume added by one hydrogen atom, Å3; None unless both structures are known."""
    frame: Frame = Frame.UNKNOWN
    """Whether the metal atoms kept their arrangement."""
    notes: tuple[str, ...] = field(default=())
    """What stands against the pair or could not be worked out."""

    @property
    def typical_dilation(self) -> bool | None:
        """Tell whether the volume per hydrogen atom is that of interstitial hydrogen; None where unknown."""
        if self.dilation_angstrom3 is None:
            return None
        low, high = TYPICAL_DILATION_ANGSTROM3
        return low <= self.dilation_angstrom3 <= high


def host_amounts(amounts: Mapping[str, float]) -> dict[str, float]:
    """Return the amounts without hydrogen; elemental hydrogen itself is refused.

    Raises:
        InputError: the formula is hydrogen only.
    """
    host = {el: n for el, n in amounts.items() if el != "H"}
    if not host:
        raise InputError(
            f"{formula_text(dict(amounts))!r} is hydrogen without a host; give the hydride or its host alloy"
        )
    return host


def anion_class(amounts: Mapping[str, float]) -> str:
    """Name the hydrogen-bearing anion: ``borohydride``, ``amide``, ``alanate`` or ``""`` for none.

    Rules: H with B makes a borohydride; H with N (and no B) an amide or imide; H with Al and an alkali or
    alkaline-earth metal, both making up the host, an alanate. Transition-metal complex hydrides
    (Mg2FeH6, Mg2NiH4) count as their host alloys, as the hydride listings do.
    """
    hydrogen = amounts.get("H", 0.0)
    if not hydrogen:
        return ""
    if "B" in amounts:
        return "borohydride"
    if "N" in amounts:
        return "amide"
    aluminium = amounts.get("Al", 0.0)
    salt = sum(n for el, n in amounts.items() if el in ALKALI | ALKALINE_EARTH)
    host = sum(host_amounts(amounts).values())
    return "alanate" if aluminium and salt and salt + aluminium >= 0.9 * host and hydrogen >= aluminium else ""


def host_structure(hydride: Crystal) -> Crystal:
    """Return the crystal without its hydrogen, the cell as it was.

    Raises:
        InputError: there is nothing else in it.
    """
    metals = hydride.numbers != 1
    if not metals.any():
        raise InputError("the structure holds hydrogen only; give the structure of a hydride")
    return Crystal(hydride.lattice_angstrom, hydride.fractional[metals], hydride.numbers[metals])


def dehydriding(amounts: Mapping[str, float]) -> Dehydriding:
    """Say what a hydride becomes without its hydrogen.

    Hosts are left by metallic hydrides, transition-metal complexes of Mg and binary salts. Alanates, borohydrides
    and salts half of whose metals are alkali or heavier alkaline-earth metals leave the binary hydrides of those
    behind; their hydrogen comes off only far above any storage temperature.

    Args:
        amounts: amount of each element in the hydride.

    Raises:
        InputError: there is no hydrogen, or nothing else.
    """
    hydrogen = amounts.get("H", 0.0)
    if not hydrogen:
        raise InputError(f"{formula_text(dict(amounts))!r} holds no hydrogen; give the formula of a hydride")
    host = host_amounts(amounts)
    kind = anion_class(amounts)
    if kind == "amide":
        return Dehydriding(
            None,
            {},
            0.0,
            source=_AMIDE,
            note="an amide alone gives off NH3; it releases H2 with a hydride, as in LiNH2 + LiH = Li2NH + H2",
        )
    salts = {el: n for el, n in host.items() if el in SALT_FORMERS}
    binary = len(host) == 1
    if binary or (not kind and sum(salts.values()) < 0.5 * sum(host.values())):
        name = canonical_formula(host)
        left = host if binary else {formula_text(host): 1.0}
        return Dehydriding(name, left, hydrogen / 2, note=_no_alloy(host))
    return _to_binary_hydrides(dict(amounts), host, salts, kind)


def pair(hydride: Material, host: Material, *, match_frames: bool = True) -> HydridePair:
    """Combine a hydride with its host.

    Args:
        hydride: material with hydrogen.
        host: material of the same metals in the same ratio, without hydrogen.
        match_frames: compare the metal atoms of the two structures (pymatgen's StructureMatcher, the cell scaled;
            milliseconds to a second a pair).

    Returns:
        The pair; what needs a structure is None where one is missing or not ordered, with a note.

    Raises:
        InputError: the hydride holds no hydrogen, the host does, or their metals differ.
    """
    amounts, bare = parse_amounts(hydride.formula), parse_amounts(host.formula)
    _check(hydride, host, amounts, bare)
    ratio = hydrogen_to_metal(amounts)
    capacity = gravimetric_capacity_wt_pct(amounts)
    left = dehydriding(amounts)
    notes = [left.note] if left.note else []
    filled, empty = _crystal(hydride, notes), _crystal(host, notes)
    volume = _volume_per_metal(filled) if filled else None
    empty_volume = _volume_per_metal(empty) if empty else None
    expansion = dilation = density = None
    if volume is not None:
        mass = density_g_per_cm3(amounts, 1.0, volume * sum(host_amounts(amounts).values()))
        density = float(volumetric_density_g_per_l(capacity, mass))
    if volume is not None and empty_volume is not None:
        expansion = 100.0 * (volume / empty_volume - 1.0)
        dilation = (volume - empty_volume) / ratio
    return HydridePair(
        hydride=hydride,
        host=host,
        hydrogen_to_metal=ratio,
        hydrogen_per_host=ratio * sum(bare.values()),
        capacity_wt_pct=capacity,
        capacity_wt_pct_host=float(per_host_mass(capacity)),
        h2_density_g_per_l=density,
        expansion_pct=expansion,
        dilation_angstrom3=dilation,
        frame=compare_frames(filled, empty) if match_frames and filled and empty else Frame.UNKNOWN,
        notes=tuple(notes),
    )


def compare_frames(hydride: Crystal, host: Crystal) -> Frame:
    """Tell whether the metal atoms of a hydride are arranged as in a host, expansion apart.

    After scaling to one volume, lengths may differ by a fifth, angles by 8 degrees and sites by 0.13 of the mean
    atomic distance. That holds the anisotropic expansion of TiFe to TiFeH2 (0.10) and not the step from hcp Mg
    to MgH2 (0.17). The volume may grow by :data:`MOST_EXPANSION_PCT`.

    Args:
        hydride: ordered structure with hydrogen.
        host: ordered structure without.
    """
    from pymatgen.analysis.structure_matcher import StructureMatcher

    metals = host_structure(hydride)
    if max(len(metals), len(host)) > _MOST_SITES:
        return Frame.UNKNOWN
    growth = (metals.volume_angstrom3 / len(metals)) / (host.volume_angstrom3 / len(host))
    if not 1 - MOST_EXPANSION_PCT / 100 <= growth <= 1 + MOST_EXPANSION_PCT / 100:
        return Frame.REBUILT
    matcher = StructureMatcher(
        ltol=0.2, stol=0.13, angle_tol=8, primitive_cell=True, scale=True, attempt_supercell=True
    )
    fits = matcher.fit(metals.to_pymatgen(), host.to_pymatgen())
    return Frame.KEPT if fits else Frame.REBUILT


def _to_binary_hydrides(
    amounts: dict[str, float], host: dict[str, float], salts: dict[str, float], kind: str
) -> Dehydriding:
    residue: dict[str, float] = {}
    kept = 0.0
    for element, amount in host.items():
        valence = (1 if element in ALKALI else 2) if element in salts else 0
        residue[formula_text({element: 1.0, "H": float(valence)}) if valence else element] = amount
        kept += valence * amount
    released = (amounts["H"] - kept) / 2
    if released <= 0:
        return Dehydriding(
            None,
            residue,
            0.0,
            note="it falls apart into binary hydrides without giving off hydrogen; see those instead",
        )
    text = formula_text(amounts)
    overall = f"{text} = {' + '.join(_times(n, name) for name, n in residue.items())} + {_times(released, 'H2')}"
    steps = _alanate_steps(amounts) if kind == "alanate" else ()
    source = {"alanate": _ALANATE, "borohydride": _BOROHYDRIDE}.get(kind, "")
    what = f"{kind} anions" if kind else "its salt-forming metals"
    note = f"removing the hydrogen on paper names no host: {what} end as {', '.join(residue)}"
    return Dehydriding(None, residue, released, steps or (overall,), source, note)


def _alanate_steps(amounts: dict[str, float]) -> tuple[str, ...]:
    """Return the two steps of an alkali alanate, of which a hexahydride knows the second only."""
    alkali = [el for el in amounts if el in ALKALI]
    if len(alkali) != 1 or set(amounts) != {alkali[0], "Al", "H"}:
        return ()
    metal, share = alkali[0], amounts["Al"]
    shape = (round(amounts[alkali[0]] / share, 3), round(amounts["H"] / share, 3))
    last = f"{metal}3AlH6 = 3 {metal}H + Al + 1.5 H2"
    if shape == (1.0, 4.0):
        return (f"3 {metal}AlH4 = {metal}3AlH6 + 2 Al + 3 H2", last)
    return (last,) if shape == (3.0, 6.0) else ()


def _times(amount: float, name: str) -> str:
    return name if amount == 1 else f"{amount:g} {name}"


def _no_alloy(host: Mapping[str, float]) -> str:
    """Say where the metals are known not to form a compound of that composition."""
    if set(host) == {"Mg", "Fe"}:
        return "Mg and Fe form no compound: the host is a mixture of the two metals"
    return ""


def _check(hydride: Material, host: Material, amounts: dict[str, float], bare: dict[str, float]) -> None:
    if "H" not in amounts:
        raise InputError(f"{hydride.material_id} ({hydride.formula}) holds no hydrogen; give the hydride first")
    if "H" in bare:
        raise InputError(f"{host.material_id} ({host.formula}) holds hydrogen; a host has none")
    wanted, given = canonical_formula(host_amounts(amounts)), canonical_formula(bare)
    if wanted != given:
        raise InputError(
            f"{hydride.formula} without hydrogen is {wanted}, but the host {host.material_id} is {given}; "
            "pair materials of the same metals in the same ratio"
        )


def _crystal(material: Material, notes: list[str]) -> Crystal | None:
    if material.structure is None:
        return None
    try:
        return Crystal.from_dict(material.structure)
    except InputError as error:
        notes.append(f"the structure of {material.material_id} was not used: {error}")
        return None


def _volume_per_metal(crystal: Crystal) -> float:
    return crystal.volume_angstrom3 / int((crystal.numbers != 1).sum())
