"""Descriptors of solid ionic conductors from composition, and from the lattice where it is known.

A formula is split into the mobile ion, the anions and the framework cations, each with its usual charge and
radius (:func:`hstore_models.features.elemental.ions`). Sulfur and selenium count as cations where oxygen
outnumbers them at least three to one (sulfates), hydrogen as H+ beside oxygen or nitrogen without boron or
aluminium, else as H-. NaN stands where a quantity is not defined.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError, unknown_name
from hstore_models.features.composition import (
    ATOMIC_NUMBER,
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

LATTICE_NAMES: tuple[str, ...] = (
    "cell_volume_per_atom_a3", "cell_volume_per_anion_a3", "cell_volume_per_mobile_a3", "cell_ionic_packing",
    "cell_axis_ratio", "cell_angle_distortion_deg",
)  # fmt: skip
"""Names of the lattice descriptors, in order."""

_TETRAHEDRAL = ("B", "C", "Si", "P", "S", "Ge", "As", "Al", "Ga")
_OCTAHEDRAL = ("Ti", "Zr", "Hf", "Nb", "Ta", "Sn", "Sb", "Sc", "In", "Y", "W", "Mo")
_LARGE = ("Na", "K", "Rb", "Cs", "Ca", "Sr", "Ba", "La", "Nd", "Pr", "Sm")
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
    """Name the mobile ion of each material: the first of ``MOBILE_IONS`` it contains, or ``""``."""
    present = [batch.contains([ion]).any(axis=1) for ion in MOBILE_IONS]
    return [str(name) for name in np.select(present, MOBILE_IONS, default="")]


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
        Values of shape (n, 6), columns as in ``LATTICE_NAMES``; NaN where the cell is not known.

    Raises:
        UnknownNameError: a mobile ion is not one of ``MOBILE_IONS``.
        InputError: not one mobile ion or not one cell per material.
    """
    if lattice.lengths_a.shape != (len(batch), 3):
        raise InputError(f"one unit cell per material is needed: {len(batch)}, got {len(lattice.lengths_a)}")
    parts = _Ions.of(batch, _checked(batch, mobile_ions))
    per_atom = lattice.volume_a3 / (lattice.formula_units * row_sum(batch.amounts))
    edges = lattice.lengths_a
    columns = (
        per_atom,
        divide(per_atom, row_sum(parts.anion)),
        divide(per_atom, row_sum(parts.mobile)),
        divide(_ionic_volume_a3(parts, batch.fractions), per_atom),
        edges.max(axis=1) / edges.min(axis=1),
        np.abs(lattice.angles_deg - 90.0).max(axis=1),
    )
    return np.stack(columns, axis=1)


def _columns(batch: CompositionBatch, mobile_ions: Sequence[str] | None) -> dict[str, FloatArray]:
    parts = _Ions.of(batch, _checked(batch, mobile_ions))
    return {**_ratios(parts), **_framework(parts), **_anions(parts), **_contrasts(parts)}


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


def _ionic_volume_a3(parts: _Ions, weights: FloatArray) -> FloatArray:
    """Volume of the ions as spheres, cubic angstrom per atom of the whole."""
    return row_sum(np.where(weights > 0, weights * _SPHERE_A3_PER_PM3 * parts.radius_pm**3, 0.0))
