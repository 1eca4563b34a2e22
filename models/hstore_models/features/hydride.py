"""Descriptors of how a composition may hold hydrogen: of the host alloy, and of the hydride if one is given.

All are functions of composition alone. The host is the composition without hydrogen; A and B are its elements
which do and do not form stable hydrides (:mod:`hstore_models.features.alloy`). NaN stands where a quantity is
not defined, such as a mean over B elements where there are none.

Sources: rule of reversed stability (Van Mal, Buschow and Miedema, J. Less-Common Met. 35, 65 (1974),
doi 10.1016/0022-5088(74)90146-5), Miedema's mixing enthalpies and hydride-forming enthalpies
(doi 10.2320/matertrans.46.2817), measured binary hydrides (``element_hydride.csv``), tetrahedral holes of
Laves phases (Shoemaker and Shoemaker, J. Less-Common Met. 68, 43 (1979)), electronegativity of the cation and
stability of borohydrides (Nakamori et al., Phys. Rev. B 74, 045126 (2006), doi 10.1103/PhysRevB.74.045126),
metallic radii and electronegativities (as in Magpie's files).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore_models.features.alloy import (
    GROUP_4,
    RARE_EARTHS,
    a_sites,
    b_to_a_ratio,
    infer_alloy_class,
    strip_hydrogen,
)
from hstore_models.features.composition import (
    ATOMIC_NUMBER,
    SYMBOLS,
    CompositionBatch,
    FloatArray,
    IntArray,
    divide,
    row_sum,
    weighted_deviation,
    weighted_mean,
)
from hstore_models.features.elemental import (
    elemental_column,
    hydride_enthalpies,
    hydride_ratios,
    miedema_column,
    mixing_enthalpies,
)

__all__ = ["hydride_features", "hydride_names", "infer_alloy_class", "strip_hydrogen"]

Columns = dict[str, FloatArray]

STOICHIOMETRIES: dict[str, float] = {"a2b": 0.5, "ab": 1.0, "ab2": 2.0, "ab3": 3.0, "a2b7": 3.5, "ab5": 5.0}
"""B/A ratio of the ideal families."""

A_MEMBERS: tuple[str, ...] = ("La", "Ce", "Mg", "Ti", "Zr", "Hf", "Ca", "Y")
"""Elements whose share of the A sites is a descriptor of its own."""

B_MEMBERS: tuple[str, ...] = ("V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Al")
"""Elements whose share of the B sites is a descriptor of its own."""

ELEMENT_GROUPS: dict[str, tuple[str, ...]] = {
    "rare_earth": RARE_EARTHS,
    "group_4": GROUP_4,
    "group_5": ("V", "Nb", "Ta"),
    "magnesium": ("Mg",),
    "late_transition": ("Fe", "Co", "Ni", "Cu", "Ru", "Rh", "Pd", "Ag", "Os", "Ir", "Pt", "Au"),
    "sp_metal": ("B", "C", "Al", "Si", "Zn", "Ga", "Ge", "Cd", "In", "Sn", "Sb", "Tl", "Pb", "Bi"),
}
"""Groups of elements whose fraction of the host is a descriptor."""

ANION_FORMERS: tuple[str, ...] = ("B", "Al", "N")
"""Centres of the complex anions: borohydrides, alanates, amides and imides."""

_SPREAD = ("radius_pm", "electronegativity", "volume_a3", "work_function_v", "electron_density_root")
_MIN_RATIO = 0.01
_STABLE_KJ = -30.0
"""Enthalpy of formation, kJ/mol H2, below which a binary hydride is stable at room temperature and 1 bar."""
_DIHYDRIDE = 2.0


@dataclass(frozen=True, eq=False)
class _Host:
    """Hydrogen-free compositions with what all descriptor groups need."""

    numbers: IntArray
    """Atomic numbers, shape (n, k)."""
    whole: FloatArray
    """Atomic fractions, shape (n, k)."""
    a: FloatArray
    """Atomic fractions on A elements, zero elsewhere, shape (n, k)."""
    b: FloatArray
    """Atomic fractions on B elements, zero elsewhere, shape (n, k)."""
    batch: CompositionBatch
    """The compositions themselves."""

    @classmethod
    def of(cls, batch: CompositionBatch) -> _Host:
        host = strip_hydrogen(batch)
        on_a = a_sites(host)
        fractions = host.fractions
        a, b = np.where(on_a, fractions, 0.0), np.where(on_a, 0.0, fractions)
        return cls(host.atomic_numbers, fractions, a, b, host)


def hydride_features(batch: CompositionBatch) -> FloatArray:
    """Compute the hydride descriptors of every material.

    Args:
        batch: n materials, alloys or hydrides.

    Returns:
        Values of shape (n, len(hydride_names())), NaN where not defined.

    Raises:
        DataError: the elemental data files of matminer are missing.
    """
    return np.stack(list(_columns(batch).values()), axis=1)


@cache
def hydride_names() -> tuple[str, ...]:
    """Return the names of the hydride descriptors, units included, in the order of the columns."""
    return tuple(_columns(CompositionBatch.from_amounts([{"La": 1.0, "Ni": 5.0}])))


def _columns(batch: CompositionBatch) -> Columns:
    host = _Host.of(batch)
    return {
        **_stoichiometry(host),
        **_site_means(host),
        **_spreads(host),
        **_thermodynamics(host),
        **_binary_hydrides(host),
        **_members(host),
        **_geometry(host),
        **_hydrogen(batch),
    }


def _stoichiometry(host: _Host) -> Columns:
    """A fraction, B/A ratio, and the distance |ln(ratio / ideal)| to each ideal family."""
    ratio = b_to_a_ratio(host.batch)
    log_ratio = np.log(np.maximum(ratio, _MIN_RATIO))
    distances = {f"distance_from_{name}": np.abs(log_ratio - np.log(r)) for name, r in STOICHIOMETRIES.items()}
    return {"a_fraction": row_sum(host.a), "b_to_a_ratio": ratio, **distances}


def _site_means(host: _Host) -> Columns:
    """Means of elemental properties over the host, its A elements and its B elements."""
    columns: Columns = {}
    for name, table in _properties().items():
        for site, weights in (("mean", host.whole), ("a", host.a), ("b", host.b)):
            columns[f"{site}_{name}"] = weighted_mean(weights, table[host.numbers])
    return columns


def _spreads(host: _Host) -> Columns:
    """Weighted standard deviations over host, A and B elements, and differences B minus A."""
    columns: Columns = {}
    for name in _SPREAD:
        values = _properties()[name][host.numbers]
        columns[f"spread_{name}"] = weighted_deviation(host.whole, values)
        columns[f"b_minus_a_{name}"] = weighted_mean(host.b, values) - weighted_mean(host.a, values)
    for name in ("radius_pm", "electronegativity"):
        values = _properties()[name][host.numbers]
        columns[f"a_spread_{name}"] = weighted_deviation(host.a, values)
        columns[f"b_spread_{name}"] = weighted_deviation(host.b, values)
    columns["size_mismatch"] = divide(columns["spread_radius_pm"], weighted_mean(host.whole, _radius(host)))
    return columns


def _thermodynamics(host: _Host) -> Columns:
    """Regular-solution mixing enthalpy, binary hydride enthalpies, and their balance.

    The reversed-stability balance is the hydrogen affinity of the A elements less the mixing enthalpy of the
    alloy, per A atom: the more stable the alloy, the less stable its hydride.
    """
    mixing, mixing_ab = _mixing_enthalpies(host)
    fraction_a = row_sum(host.a)
    affinity = _affinity()[host.numbers]
    measured = hydride_enthalpies()[host.numbers]
    known = np.isfinite(measured)
    affinity_a = row_sum(np.where(host.a > 0, host.a * affinity, 0.0))
    covered = np.where(known, host.whole, 0.0)
    return {
        "mixing_enthalpy_kj_per_mol": mixing,
        "mixing_enthalpy_ab_kj_per_mol": mixing_ab,
        "mixing_enthalpy_kj_per_mol_a": divide(mixing, fraction_a),
        "affinity_less_mixing_kj_per_mol": weighted_mean(host.whole, affinity) - mixing,
        "reversed_stability_kj_per_mol_a": divide(affinity_a - mixing, fraction_a),
        "binary_hydride_enthalpy_kj_per_mol_h2": weighted_mean(covered, measured),
        "binary_hydride_enthalpy_kj_per_mol_h2_atom": row_sum(np.where(known, covered * measured, 0.0)),
        "binary_hydride_known_fraction": row_sum(covered),
        "a_binary_hydride_enthalpy_kj_per_mol_h2": weighted_mean(np.where(known, host.a, 0.0), measured),
    }


def _binary_hydrides(host: _Host) -> Columns:
    """Hydrogen the elements would hold if each formed its own hydride: what a lean alloy can hold at most.

    Only hydrides more stable than ``_STABLE_KJ`` count; rare earths without a measured hydride as dihydrides.
    """
    ratio, measured = hydride_ratios(), hydride_enthalpies()
    stable = np.where(measured < _STABLE_KJ, ratio, 0.0)
    for symbol in RARE_EARTHS:
        z = ATOMIC_NUMBER[symbol]
        stable[z] = stable[z] or _DIHYDRIDE
    per_atom = row_sum(host.whole * stable[host.numbers])
    held = ATOMIC_MASS_G_PER_MOL["H"] * per_atom
    forming = np.where(stable[host.numbers] > 0, host.whole, 0.0)
    mass = weighted_mean(host.whole, _masses()[host.numbers])
    of_formers = row_sum(np.where(forming > 0, forming * _masses()[host.numbers], 0.0))
    return {
        "binary_hydrides_hydrogen_per_atom": per_atom,
        "binary_hydrides_wt_pct": 100.0 * divide(held, mass + held),
        "hydride_former_mass_fraction": divide(of_formers, mass),
    }


def _members(host: _Host) -> Columns:
    """Shares of single elements of the A and B sites, and fractions of groups of elements of the host."""
    columns: Columns = {}
    for site, weights, symbols in (("a", host.a, A_MEMBERS), ("b", host.b, B_MEMBERS)):
        total = row_sum(weights)
        for symbol in symbols:
            share = row_sum(np.where(host.numbers == ATOMIC_NUMBER[symbol], weights, 0.0))
            columns[f"{site}_share_{symbol.lower()}"] = divide(share, total)
    for name, group in ELEMENT_GROUPS.items():
        columns[f"{name}_fraction"] = host.batch.fraction_of(group)
    return columns


def _geometry(host: _Host) -> Columns:
    """Radius ratio, radii of tetrahedral holes between touching spheres, volumes, mass and mixing entropy."""
    radius_a, radius_b = weighted_mean(host.a, _radius(host)), weighted_mean(host.b, _radius(host))
    volume = weighted_mean(host.whole, elemental_column("GSvolume_pa")[host.numbers])
    mass = weighted_mean(host.whole, _masses()[host.numbers])
    logs = np.log(np.where(host.whole > 0, host.whole, 1.0))
    return {
        "a_to_b_radius_ratio": divide(radius_a, radius_b),
        "hole_radius_a2b2_pm": hole_radius(radius_a, radius_a, radius_b, radius_b),
        "hole_radius_ab3_pm": hole_radius(radius_a, radius_b, radius_b, radius_b),
        "volume_per_a_atom_a3": divide(volume, row_sum(host.a)),
        "density_estimate_amu_per_a3": divide(mass, volume),
        "atoms_per_amu": divide(np.ones(len(mass)), mass),
        "mixing_entropy_r": -row_sum(host.whole * logs),
    }


def _hydrogen(batch: CompositionBatch) -> Columns:
    """Descriptors of the hydride as written; zero hydrogen where the formula is that of an alloy."""
    fraction = batch.fraction_of(["H"])
    others = 1.0 - fraction
    mass = weighted_mean(batch.fractions, _masses()[batch.atomic_numbers])
    cations = np.where(batch.contains(["H", *ANION_FORMERS]), 0.0, batch.fractions)
    electronegativity = elemental_column("Electronegativity")[batch.atomic_numbers]
    columns = {
        "hydrogen_per_other_atom": divide(fraction, others),
        "formula_hydrogen_wt_pct": 100 * divide(fraction * ATOMIC_MASS_G_PER_MOL["H"], mass),
    }
    for symbol in ANION_FORMERS:
        share = divide(batch.fraction_of([symbol]), others)
        columns[f"anion_{symbol.lower()}_fraction"] = np.where(fraction > 0, share, 0.0)
    columns["cation_electronegativity"] = weighted_mean(cations, electronegativity)
    return columns


def hole_radius(*radii: FloatArray) -> FloatArray:
    """Return the radius of the sphere between four mutually touching spheres, by Soddy's theorem.

    Args:
        radii: four arrays of radii, any one unit; equal radii r give 0.2247 r.

    Returns:
        Radii of the holes, in the same unit; NaN where a radius is NaN.
    """
    bends = [1.0 / r for r in radii]
    total, squares = sum(bends, np.zeros(())), sum((bend**2 for bend in bends), np.zeros(()))
    return np.asarray(2.0 / (total + np.sqrt(np.maximum(3.0 * total**2 - 6.0 * squares, 0.0))))


@cache
def _properties() -> dict[str, FloatArray]:
    """Elemental properties by name with unit, each of shape (104,) by atomic number."""
    return {
        "radius_pm": elemental_column("MiracleRadius"),
        "electronegativity": elemental_column("Electronegativity"),
        "volume_a3": elemental_column("GSvolume_pa"),
        "work_function_v": miedema_column("electronegativity"),
        "electron_density_root": np.cbrt(miedema_column("electron_density")),
        "bulk_modulus_gpa": miedema_column("compressibility"),
        "hydrogen_affinity_kj_per_mol": _affinity(),
        "valence_electrons": _valence_electrons(),
    }


def _affinity() -> FloatArray:
    """Miedema's mixing enthalpy of each element with hydrogen, kJ/mol; very negative for hydride formers."""
    return np.asarray(mixing_enthalpies()[ATOMIC_NUMBER["H"]])


@cache
def _valence_electrons() -> FloatArray:
    """Electrons per atom as alloys count them: the group, less ten in the p block, 3 in the f block."""
    group = elemental_column("Column")
    electrons = np.where(group > ATOMIC_NUMBER["Mg"], group - 10, group)
    first, last = ATOMIC_NUMBER["La"], ATOMIC_NUMBER["Lu"]
    z = np.arange(len(SYMBOLS))
    return np.where(((z >= first) & (z <= last)) | (z >= ATOMIC_NUMBER["Ac"]), 3.0, electrons)


@cache
def _masses() -> FloatArray:
    return np.array([np.nan, *ATOMIC_MASS_G_PER_MOL.values()])


def _radius(host: _Host) -> FloatArray:
    return np.asarray(elemental_column("MiracleRadius")[host.numbers])


def _mixing_enthalpies(host: _Host) -> tuple[FloatArray, FloatArray]:
    """Sum of 4 x_i x_j dH_ij over all pairs, and over the pairs of one A with one B element, kJ/mol."""
    table, z, x = mixing_enthalpies(), host.numbers, host.whole
    on_a = host.a > 0
    everything, across = np.zeros(len(x)), np.zeros(len(x))
    for i in range(x.shape[1]):
        for j in range(i + 1, x.shape[1]):
            both = x[:, i] * x[:, j]
            term = np.where(both > 0, 4.0 * both * table[z[:, i], z[:, j]], 0.0)
            everything += term
            across += np.where(on_a[:, i] != on_a[:, j], term, 0.0)
    return everything, across
