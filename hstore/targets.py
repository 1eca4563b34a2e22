"""System-level storage targets, and what they ask of the material inside the system.

Published targets, such as those of the US DOE for light-duty vehicles, count the whole system: vessel, heat
exchanger, valves, insulation. What a screen compares is the material, so a target is translated with a
:class:`SystemFactor` whose numbers are stated and adjustable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.arrays import FloatArray, checked
from hstore.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class SystemTarget:
    """Targets for a complete storage system, as its author states them."""

    name: str
    """Short name, such as ``"DOE onboard"``."""
    year: str
    """Target year, or a word such as ``"ultimate"``."""
    gravimetric_wt_pct: float
    """Usable hydrogen per mass of the filled system, wt%."""
    volumetric_g_per_l: float
    """Usable hydrogen per volume of the system, g/L."""
    delivery_temperature_k: tuple[float, float]
    """Lowest and highest temperature of the hydrogen delivered, K."""
    citation: str
    """Document the numbers were taken from."""
    delivery_pressure_bar: tuple[float, float] | None = None
    """Lowest and highest pressure of the hydrogen delivered, bar (absolute); None where not stated."""

    def __post_init__(self) -> None:
        """Refuse values that no system can have, and ranges given backwards."""
        checked("gravimetric_wt_pct of a target", self.gravimetric_wt_pct, above=0, high=100)
        checked("volumetric_g_per_l of a target", self.volumetric_g_per_l, above=0)
        for field in ("delivery_temperature_k", "delivery_pressure_bar"):
            if getattr(self, field) is None:
                continue
            low, high = getattr(self, field)
            checked(f"{field} of a target", low, above=0)
            if not low <= high:
                raise InputError(f"{field} must be (lowest, highest), got ({low}, {high}); swap them")


@dataclass(frozen=True)
class SystemFactor:
    """Share of a storage system that is storage material.

    No published design fits every material, so the default is a stated assumption with the label to go on
    every figure and table that uses it.
    """

    mass_fraction: float = 0.5
    """Mass of material with its hydrogen / mass of the filled system, above 0 to 1."""
    volume_fraction: float = 0.7
    """Volume of the material bed / volume of the system, above 0 to 1."""
    packing_fraction: float = 0.6
    """Volume of solid / volume of the bed, above 0 to 1; 1 if densities are those of the bed."""
    label: str = "assumed system factor"
    """Words that mark results which depend on it."""
    reason: str = (
        "stated assumption, adjustable: half of the mass and three tenths of the volume of the system go to "
        "vessel, heat exchange and balance of plant; powder packs to about 0.6 of its crystal density"
    )
    """Why these numbers."""

    def __post_init__(self) -> None:
        """Refuse fractions outside (0, 1]."""
        for field in ("mass_fraction", "volume_fraction", "packing_fraction"):
            checked(f"{field} of a system factor", getattr(self, field), above=0, high=1)


DEFAULT_FACTOR = SystemFactor()
"""The stated assumption, used where no factor is given."""


@dataclass(frozen=True)
class MaterialRequirement:
    """What a material must deliver for its system to meet a target."""

    usable_capacity_wt_pct: float
    """Usable hydrogen per mass of material with its hydrogen, wt%; 100 and above cannot be met."""
    usable_capacity_g_per_l: float
    """Usable hydrogen per volume of solid (crystal density), g/L."""
    label: str
    """Label of the system factor used."""

    @property
    def possible(self) -> bool:
        """False when even pure hydrogen would be too heavy for the system."""
        return self.usable_capacity_wt_pct < 100


def material_requirement(target: SystemTarget, factor: SystemFactor = DEFAULT_FACTOR) -> MaterialRequirement:
    """Translate a system target into a requirement on the material.

    The gas in the voids of the bed is not counted, which is right for hydrides and on the safe side for
    sorbents.
    """
    return MaterialRequirement(
        usable_capacity_wt_pct=target.gravimetric_wt_pct / factor.mass_fraction,
        usable_capacity_g_per_l=target.volumetric_g_per_l / (factor.volume_fraction * factor.packing_fraction),
        label=factor.label,
    )


def system_gravimetric_wt_pct(
    usable_capacity_wt_pct: ArrayLike, factor: SystemFactor = DEFAULT_FACTOR
) -> FloatArray:
    """Return the hydrogen per mass of the system, wt%, of materials with these usable capacities, wt%."""
    capacity = checked("usable_capacity_wt_pct", usable_capacity_wt_pct, low=0, high=100)
    return np.asarray(capacity * factor.mass_fraction)[()]


def system_volumetric_g_per_l(
    usable_capacity_g_per_l: ArrayLike, factor: SystemFactor = DEFAULT_FACTOR
) -> FloatArray:
    """Return the hydrogen per volume of the system, g/L, of materials with these usable capacities, g/L."""
    capacity = checked("usable_capacity_g_per_l", usable_capacity_g_per_l, low=0)
    return np.asarray(capacity * factor.volume_fraction * factor.packing_fraction)[()]
