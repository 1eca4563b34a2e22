"""Descriptors of solid ionic conductors from composition, and from the lattice where it is known.

Conductors are told apart by how many tetrahedral, octahedral and large cations there are for each anion (a garnet
has 2 and 3 for 12, a NASICON 2 and 3 tetrahedra), and by how mixed their sites are.

A formula is split into the mobile ion, the anions and the framework cations, each with its usual charge and
radius (:func:`hstore_models.features.elemental.ions`). Sulfur and selenium count as cations where oxygen
outnumbers them at least three to one (sulfates), hydrogen as H+ beside oxygen or nitrogen without boron or
aluminium, else as H-. NaN stands where a quantity is not defined.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from hstore.errors import InputError, unknown_name
from hstore_models.features.composition import (
    ATOMIC_NUMBER,
    SYMBOLS,
    CompositionBatch,
    FloatArray,
    divide,
    row_sum,
    weighted_deviation,
    weighted_mean,
)
from hstore_models.features.elemental import elemental_column, ions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore_models.features.composition import BoolArray

MOBILE_IONS: tuple[str, ...] = ("Li", "Na", "K", "Ag", "Cu", "Mg", "Ca", "Zn", "F", "O", "H")
"""Ions that may move, in the order in which a formula is searched for them."""

ANIONS: tuple[str, ...] = ("O", "S", "Se", "Te", "N", "F", "Cl", "Br", "I", "H")
"""Elements that count as anions."""

_SALT_FORMERS = (*(anion for anion in ANIONS if anion != "H"), "P", "As")
_NON_METALS = (*ANIONS, "P", "As", "B", "C", "Si", "Ge", "He", "Ne", "Ar", "Kr", "Xe")

ROOT_ELEMENTS: tuple[str, ...] = tuple(
    symbol for symbol in SYMBOLS[1:84] if symbol not in {"He", "Ne", "Ar", "Kr", "Xe", "Tc", "Pm"}
)
"""Elements whose amounts are descriptors: hydrogen to bismuth without the noble gases and the unstable ones."""

LATTICE_NAMES: tuple[str, ...] = (
    "cell_volume_per_atom_a3", "cell_volume_per_anion_a3", "cell_volume_per_mobile_a3", "cell_ionic_packing",
    "cell_axis_ratio", "cell_angle_distortion_deg", "cell_space_group", "cell_crystal_system", "cell_volume_a3",
    "cell_formula_units", "cell_free_volume_per_atom_a3", "cell_shortest_edge_a", "cell_longest_edge_a",
    "cell_atoms",
)  # fmt: skip
"""Names of the lattice descriptors, in order."""

_TETRAHEDRAL = ("B", "C", "Si", "P", "S", "Ge", "As", "Al", "Ga")
_OCTAHEDRAL = ("Ti", "Zr", "Hf", "Nb", "Ta", "Sn", "Sb", "Sc", "In", "Y", "W", "Mo")
_LARGE = ("Na", "K", "Rb", "Cs", "Ca", "Sr", "Ba", "La", "Nd", "Pr", "Sm")
_REDOX = ("V", "Cr", "Mn", "Fe", "Co", "Ni")
_ALKALI = ("Na", "K", "Rb", "Cs")
_SITES = {"tetrahedral": _TETRAHEDRAL, "octahedral": _OCTAHEDRAL, "large": _LARGE}
_FORMERS = {"p": ("P",), "si": ("Si",), "ge": ("Ge",), "b": ("B",), "al_ga": ("Al", "Ga")}
"""Cations that set how stiff a tetrahedral framework is, counted by themselves."""
_MAY_BE_DOPANTS = ("K", "Cu", "Mg", "Ca", "Zn")
_DOPANT = 0.15
_INFERRED: WeakKeyDictionary[CompositionBatch, tuple[str, ...]] = WeakKeyDictionary()
"""A prediction asks for the mobile ions of its materials seven times."""
_LARGEST_MULTIPLE = 200
_MULTIPLES_AT_ONCE = 1000
_WHOLE = 0.02
_SYSTEM_STARTS = (3.0, 16.0, 75.0, 143.0, 168.0, 195.0)
"""First space group of the monoclinic to the cubic system."""
_OXO_RATIO = 3.0
_SPHERE_A3_PER_PM3 = 4.0 / 3.0 * np.pi * 1e-6


@dataclass(frozen=True, eq=False)
class Lattice:
    """Unit cells of n materials; NaN where not known."""

    lengths_a: FloatArray
    """Edges a, b, c, angstrom, shape (n, 3)."""
    angles_deg: FloatArray
    """Angles alpha, beta, gamma, degrees, shape (n, 3)."""
    formula_units: FloatArray
    """Formula units per cell, shape (n,)."""
    space_group: FloatArray | None = None
    """Number of the space group, 1 to 230, shape (n,); NaN, or None for all, where not known."""

    @property
    def volume_a3(self) -> FloatArray:
        """Volume of the cell, cubic angstrom, shape (n,); NaN where the angles close no cell."""
        cosines = np.cos(np.radians(self.angles_deg))
        squared = 1.0 - (cosines**2).sum(axis=1) + 2.0 * cosines.prod(axis=1)
        return np.asarray(self.lengths_a.prod(axis=1) * np.sqrt(np.where(squared > 0, squared, np.nan)))


@dataclass(frozen=True, eq=False)
class _Ions:
    """Compositions split into ions; weights of shape (n, k), zero where an element plays another part."""

    batch: CompositionBatch
    """The compositions themselves."""
    mobile: FloatArray
    """Atomic fraction of the mobile ion."""
    anion: FloatArray
    """Atomic fractions of the anions."""
    framework: FloatArray
    """Atomic fractions of the cations that stay."""
    charge: FloatArray
    """Charge of each ion, elementary charges."""
    radius_pm: FloatArray
    """Radius of each ion, pm."""

    @classmethod
    def of(cls, batch: CompositionBatch, mobile_ions: Sequence[str]) -> _Ions:
        z, x = batch.atomic_numbers, batch.fractions
        moving = z == np.array([ATOMIC_NUMBER.get(ion, -1) for ion in mobile_ions])[:, None]
        anionic = _anionic(batch)
        table = ions()
        charge = np.where(anionic, table["anion_charge"][z], table["cation_charge"][z])
        radius = np.where(anionic, table["anion_radius_pm"][z], table["cation_radius_pm"][z])
        return cls(
            batch,
            mobile=np.where(moving, x, 0.0),
            anion=np.where(anionic, x, 0.0),
            framework=np.where(moving | anionic, 0.0, x),
            charge=charge,
            radius_pm=radius,
        )


def infer_mobile_ions(batch: CompositionBatch) -> list[str]:
    """Name the mobile ion of each material, or ``""``.

    It is the first of ``MOBILE_IONS`` that the formula holds, with these exceptions. Potassium, copper, magnesium,
    calcium and zinc below 15 % of the cations that form no tetrahedra are dopants and stay. Silver and copper move
    before potassium. Without Li, Na, Ag and such copper, hydrogen moves in its oxygen compounds and in hydrides of
    metals alone, if neither holds boron or aluminium (CsHSO4, CaH2), and fluorine moves where it outnumbers the
    other anions.
    """
    if batch not in _INFERRED:
        _INFERRED[batch] = _inferred(batch)
    return list(_INFERRED[batch])


def _inferred(batch: CompositionBatch) -> tuple[str, ...]:
    share = {ion: batch.fraction_of([ion]) for ion in MOBILE_IONS}
    anions, large_cations = batch.fraction_of(ANIONS), 1.0 - batch.fraction_of((*ANIONS, *_TETRAHEDRAL))
    least = {ion: _DOPANT * large_cations if ion in _MAY_BE_DOPANTS else 0.0 for ion in MOBILE_IONS}
    moves = {ion: share[ion] > least[ion] for ion in MOBILE_IONS}
    complexes = batch.contains(["B", "Al"]).any(axis=1)
    hydrogen = moves["H"] & ~complexes & (moves["O"] | (anions == share["H"]))
    rules = [
        *((moves[ion], ion) for ion in ("Li", "Na", "Ag", "Cu")),
        (hydrogen, "H"),
        (2 * share["F"] > anions, "F"),
    ]
    rules += [(moves[ion], ion) for ion in MOBILE_IONS]
    return tuple(map(str, np.select([met for met, _ in rules], [ion for _, ion in rules], default="")))


def why_no_ion_moves(batch: CompositionBatch) -> list[str]:
    """Say for each material why its composition alone makes it no ionic conductor; empty text where it may be one.

    Metals, alloys, borides, carbides and silicides hold no anion; hydrogen counts as one beside a metal. Oxides
    and fluorides without a metal are molecules or networks.
    """
    holds_metal = ((batch.fractions > 0) & ~batch.contains(_NON_METALS)).any(axis=1)
    holds_anion = batch.contains(_SALT_FORMERS).any(axis=1)
    holds_anion |= holds_metal & batch.contains(["H"]).any(axis=1)
    ion = np.array(infer_mobile_ions(batch))
    may_move = (ion != "") & (holds_metal | ~np.isin(ion, ("F", "O")))
    none_moves = f"holds no ion that is known to move ({', '.join(MOBILE_IONS)})"
    no_anion = "holds no anion, so that electrons move and not ions"
    return [str(why) for why in np.select([~holds_anion, ~may_move], [no_anion, none_moves], default="")]


def electrolyte_features(batch: CompositionBatch, mobile_ions: Sequence[str] | None = None) -> FloatArray:
    """Compute the electrolyte descriptors of every material.

    Args:
        batch: n materials.
        mobile_ions: symbol of the mobile ion of each material, of ``MOBILE_IONS``, or ``""`` for none; inferred
            from the formulas when None.

    Returns:
        Values of shape (n, len(electrolyte_names())), NaN where not defined.

    Raises:
        UnknownNameError: a mobile ion is not one of ``MOBILE_IONS``.
        InputError: not one mobile ion per material.
    """
    return np.stack(list(_columns(batch, mobile_ions).values()), axis=1)


@cache
def electrolyte_names() -> tuple[str, ...]:
    """Return the names of the electrolyte descriptors, units included, in the order of the columns."""
    return tuple(_columns(CompositionBatch.from_amounts([{"Li": 3.0, "P": 1.0, "S": 4.0}]), None))


def lattice_features(
    batch: CompositionBatch, lattice: Lattice, mobile_ions: Sequence[str] | None = None
) -> FloatArray:
    """Compute the descriptors that need the unit cell.

    Args:
        batch: n materials; the amounts are those of one formula unit.
        lattice: their unit cells.
        mobile_ions: as for :func:`electrolyte_features`.

    Returns:
        Values of shape (n, 14), columns as in ``LATTICE_NAMES``; rows whose cell is not known are NaN.

    Raises:
        UnknownNameError: a mobile ion is not one of ``MOBILE_IONS``.
        InputError: not one mobile ion or not one cell per material.
    """
    if lattice.lengths_a.shape != (len(batch), 3):
        raise InputError(f"one unit cell per material is needed: {len(batch)}, got {len(lattice.lengths_a)}")
    parts = _Ions.of(batch, _checked(batch, mobile_ions))
    volume, edges, atoms = lattice.volume_a3, lattice.lengths_a, lattice.formula_units * row_sum(batch.amounts)
    per_atom = volume / atoms
    ionic = _ionic_volume_a3(parts, batch.fractions)
    group = np.full(len(batch), np.nan) if lattice.space_group is None else lattice.space_group
    columns = (
        per_atom,
        divide(per_atom, row_sum(parts.anion)),
        divide(per_atom, row_sum(parts.mobile)),
        divide(ionic, per_atom),
        edges.max(axis=1) / edges.min(axis=1),
        np.abs(lattice.angles_deg - 90.0).max(axis=1),
        group,
        np.where(np.isnan(group), np.nan, np.digitize(np.nan_to_num(group), _SYSTEM_STARTS)),
        volume,
        lattice.formula_units,
        per_atom - ionic,
        edges.min(axis=1),
        edges.max(axis=1),
        atoms,
    )
    return np.where(np.isfinite(per_atom)[:, None], np.stack(columns, axis=1), np.nan)


def ionic_volumes_a3(batch: CompositionBatch) -> FloatArray:
    """Return the volume of the ions as spheres of their usual radii, cubic angstrom per atom, shape (n,)."""
    return _ionic_volume_a3(_Ions.of(batch, infer_mobile_ions(batch)), batch.fractions)


def root_fractions(batch: CompositionBatch) -> FloatArray:
    """Return square roots of the atomic fractions of ``ROOT_ELEMENTS``; roots let small dopings count.

    Returns:
        Values of shape (n, len(ROOT_ELEMENTS)), 0 where an element is absent.
    """
    by_number = np.zeros((len(batch), len(SYMBOLS)))
    rows = np.arange(len(batch))[:, None]
    by_number[rows, batch.atomic_numbers] = np.sqrt(batch.fractions)
    return by_number[:, [ATOMIC_NUMBER[symbol] for symbol in ROOT_ELEMENTS]]


@cache
def root_names() -> tuple[str, ...]:
    """Return the names of the columns of :func:`root_fractions`."""
    return tuple(f"root_fraction_{symbol.lower()}" for symbol in ROOT_ELEMENTS)


def conductor_families(batch: CompositionBatch) -> list[str]:
    """Name mobile ion and chemistry of each material, such as ``Li garnet``, by its composition alone.

    Returns:
        For each material the mobile ion (or ``other``) and one of garnet, polyanion (a tetrahedral cation for
        less than seven oxygens), perovskite (an octahedral cation for less than four oxygens beside a large
        one), oxide, sulfide (selenides and tellurides too), halide, or other; mixed anions count as the most
        frequent.
    """
    ions_of = infer_mobile_ions(batch)
    parts = _Ions.of(batch, ions_of)
    anions = row_sum(parts.anion)
    site = {name: _per_anion(parts, group, anions) for name, group in _SITES.items()}
    kinds = np.stack([
        row_sum(np.where(batch.contains(group), parts.anion, 0.0))
        for group in (("O",), ("S", "Se", "Te"), ("F", "Cl", "Br", "I"))
    ])  # fmt: skip
    oxide, sulfide, halide = ((kinds.argmax(axis=0) == number) & (kinds.max(axis=0) > 0) for number in range(3))
    octahedra, large = site["octahedral"], site["large"]
    garnet = oxide & (np.abs(octahedra - 2 / 12) < 1 / 20) & (np.abs(large - 3 / 12) < 1 / 20)
    chemistry = np.select(
        [garnet, oxide & (site["tetrahedral"] > 1 / 7), oxide & (octahedra > 1 / 4) & (large > 0), oxide, sulfide,
         halide],
        ["garnet", "polyanion", "perovskite", "oxide", "sulfide", "halide"],
        default="other",
    )  # fmt: skip
    return [f"{ion or 'other'} {kind}" for ion, kind in zip(ions_of, chemistry, strict=True)]


def _columns(batch: CompositionBatch, mobile_ions: Sequence[str] | None) -> dict[str, FloatArray]:
    parts = _Ions.of(batch, _checked(batch, mobile_ions))
    columns: dict[str, FloatArray] = {}
    for group in (_ratios, _framework, _anions, _contrasts, _sites, _mixing):
        columns |= group(parts)
    return columns


def _checked(batch: CompositionBatch, mobile_ions: Sequence[str] | None) -> Sequence[str]:
    if mobile_ions is None:
        return infer_mobile_ions(batch)
    if len(mobile_ions) != len(batch):
        raise InputError(f"one mobile ion per material is needed: {len(batch)}, got {len(mobile_ions)}")
    for ion in set(mobile_ions) - {"", *MOBILE_IONS}:
        raise unknown_name("mobile ion", ion, MOBILE_IONS)
    return mobile_ions


def _anionic(batch: CompositionBatch) -> BoolArray:
    """Mark the elements that count as anions, shape (n, k)."""
    oxygen = batch.fraction_of(["O"])
    oxo = np.zeros(batch.present.shape, dtype=bool)
    for symbol in ("S", "Se"):
        outnumbered = oxygen >= _OXO_RATIO * batch.fraction_of([symbol])
        oxo |= batch.contains([symbol]) & outnumbered[:, None]
    protic = (batch.fraction_of(["O", "N"]) > 0) & (batch.fraction_of(["B", "Al"]) == 0)
    proton = batch.contains(["H"]) & protic[:, None]
    return np.asarray(batch.contains(ANIONS) & ~oxo & ~proton)


def _ratios(parts: _Ions) -> dict[str, FloatArray]:
    """How much moves, among how many anions and framework cations, and whether the charges balance."""
    mobile, anion, framework = row_sum(parts.mobile), row_sum(parts.anion), row_sum(parts.framework)
    everything = parts.batch.fractions
    net = row_sum(np.where(everything > 0, everything * parts.charge, 0.0))
    return {
        "mobile_fraction": mobile,
        "mobile_per_anion": divide(mobile, anion),
        "mobile_per_framework_cation": divide(mobile, framework),
        "cations_per_anion": divide(mobile + framework, anion),
        "framework_per_anion": divide(framework, anion),
        "net_charge_per_atom": net,
        "net_charge_per_mobile": divide(net, mobile),
    }


def _framework(parts: _Ions) -> dict[str, FloatArray]:
    """Charge, electronegativity and size of the cations that stay, and what polyhedra they form."""
    weights, batch = parts.framework, parts.batch
    electronegativity = elemental_column("Electronegativity")[batch.atomic_numbers]
    total = row_sum(weights)
    columns = {
        "framework_charge": weighted_mean(weights, parts.charge),
        "framework_charge_spread": weighted_deviation(weights, parts.charge),
        "framework_electronegativity": weighted_mean(weights, electronegativity),
        "framework_electronegativity_spread": weighted_deviation(weights, electronegativity),
        "framework_radius_pm": weighted_mean(weights, parts.radius_pm),
        "framework_radius_spread_pm": weighted_deviation(weights, parts.radius_pm),
        "framework_ionic_potential_per_pm": weighted_mean(weights, parts.charge / parts.radius_pm),
        "framework_cation_kinds": (weights > 0).sum(axis=1).astype(np.float64),
    }
    for name, group in (("tetrahedral", _TETRAHEDRAL), ("octahedral", _OCTAHEDRAL), ("large", _LARGE)):
        share = row_sum(np.where(batch.contains(group), weights, 0.0))
        columns[f"framework_{name}_fraction"] = divide(share, total)
    return columns


def _anions(parts: _Ions) -> dict[str, FloatArray]:
    """Shares of the anions, their size and electronegativity."""
    weights, batch = parts.anion, parts.batch
    electronegativity = elemental_column("Electronegativity")[batch.atomic_numbers]
    polarizability = elemental_column("Polarizability")[batch.atomic_numbers]
    total = row_sum(weights)
    columns = {
        "anion_electronegativity": weighted_mean(weights, electronegativity),
        "anion_electronegativity_spread": weighted_deviation(weights, electronegativity),
        "anion_radius_pm": weighted_mean(weights, parts.radius_pm),
        "anion_atom_polarizability_a3": weighted_mean(weights, polarizability),
    }
    for symbol in ANIONS:
        share = row_sum(np.where(batch.contains([symbol]), weights, 0.0))
        columns[f"anion_share_{symbol.lower()}"] = divide(share, total)
    return columns


def _contrasts(parts: _Ions) -> dict[str, FloatArray]:
    """Radius ratios, electronegativity differences and the space the ions take."""
    batch = parts.batch
    electronegativity = elemental_column("Electronegativity")[batch.atomic_numbers]
    of_anions = weighted_mean(parts.anion, electronegativity)
    anion_radius = weighted_mean(parts.anion, parts.radius_pm)
    volume = _ionic_volume_a3(parts, batch.fractions)
    return {
        "mobile_to_anion_radius": divide(weighted_mean(parts.mobile, parts.radius_pm), anion_radius),
        "framework_to_anion_radius": divide(weighted_mean(parts.framework, parts.radius_pm), anion_radius),
        "framework_bond_ionicity": of_anions - weighted_mean(parts.framework, electronegativity),
        "mobile_bond_ionicity": of_anions - weighted_mean(parts.mobile, electronegativity),
        "ionic_volume_per_atom_a3": volume,
        "mobile_volume_share": divide(_ionic_volume_a3(parts, parts.mobile), volume),
        "framework_volume_share": divide(_ionic_volume_a3(parts, parts.framework), volume),
    }


def _sites(parts: _Ions) -> dict[str, FloatArray]:
    """Count cations of each kind of site for each anion, which tells structure types apart."""
    anions, framework, batch = row_sum(parts.anion), parts.framework, parts.batch
    named = np.any([batch.contains(group) for group in _SITES.values()], axis=0)
    columns = {f"{name}_per_anion": _per_anion(parts, group, anions) for name, group in _SITES.items()}
    columns["other_cation_per_anion"] = divide(row_sum(np.where(named, 0.0, framework)), anions)
    columns["redox_per_anion"] = _per_anion(parts, _REDOX, anions)
    columns["framework_alkali_per_anion"] = _per_anion(parts, _ALKALI, anions)
    return columns | {f"{name}_per_anion": _per_anion(parts, group, anions) for name, group in _FORMERS.items()}


def _mixing(parts: _Ions) -> dict[str, FloatArray]:
    """How mixed the sites are, the extreme cations, and how intricate the composition is."""
    framework, batch = parts.framework, parts.batch
    there = framework > 0
    none = ~there.any(axis=1)
    entropies = {
        "framework": framework,
        "anion": parts.anion,
        "octahedral": np.where(batch.contains(_OCTAHEDRAL), framework, 0.0),
        "tetrahedral": np.where(batch.contains(_TETRAHEDRAL), framework, 0.0),
        "element": batch.fractions,
    }
    columns = {f"{name}_mixing_entropy": _mixing_entropy(weights) for name, weights in entropies.items()}
    for name, values in (("charge", parts.charge), ("radius_pm", parts.radius_pm)):
        highest = np.max(np.where(there, values, -np.inf), axis=1)
        lowest = np.min(np.where(there, values, np.inf), axis=1)
        columns[f"framework_highest_{name}"] = np.where(none, np.nan, highest)
        columns[f"framework_lowest_{name}"] = np.where(none, np.nan, lowest)
    columns["largest_anion_radius_pm"] = np.max(np.where(parts.anion > 0, parts.radius_pm, 0.0), axis=1)
    columns["log10_atoms_of_whole_formula"] = _log10_whole_atoms(batch)
    return columns


def _per_anion(parts: _Ions, group: Sequence[str], anions: FloatArray) -> FloatArray:
    return divide(row_sum(np.where(parts.batch.contains(group), parts.framework, 0.0)), anions)


def _mixing_entropy(weights: FloatArray) -> FloatArray:
    """Ideal entropy of mixing of the elements of each row, in units of the gas constant; 0 where none is."""
    total = np.maximum(row_sum(weights), 1e-12)[:, None]
    share = weights / total
    return -row_sum(np.where(share > 0, share * np.log(np.where(share > 0, share, 1.0)), 0.0))


def _log10_whole_atoms(batch: CompositionBatch) -> FloatArray:
    """Return log10 of the atoms in the smallest formula of nearly whole numbers: large for doped materials."""
    least = np.min(np.where(batch.present, batch.amounts, np.inf), axis=1)
    relative = batch.amounts / least[:, None]
    multiple = np.full(len(batch), float(_LARGEST_MULTIPLE))
    open_rows = np.arange(len(batch))
    number = 1
    while number < _LARGEST_MULTIPLE and len(open_rows):
        step = max(1, _MULTIPLES_AT_ONCE // len(open_rows))  # few rows: many multiples in one pass
        tried = np.arange(number, min(number + step, _LARGEST_MULTIPLE))
        scaled = relative[open_rows][:, None, :] * tried[:, None]
        whole = np.all(np.abs(scaled - np.round(scaled)) < _WHOLE, axis=2)
        found = whole.any(axis=1)
        multiple[open_rows[found]] = tried[whole[found].argmax(axis=1)]
        open_rows = open_rows[~found]
        number += step
    return np.log10(multiple * row_sum(relative))


def _ionic_volume_a3(parts: _Ions, weights: FloatArray) -> FloatArray:
    """Volume of the ions as spheres, cubic angstrom per atom of the whole."""
    return row_sum(np.where(weights > 0, weights * _SPHERE_A3_PER_PM3 * parts.radius_pm**3, 0.0))
