"""The properties hstore speaks of, each with its one canonical unit.

The unit is part of the name, so a column header is enough to know what a number means.
"""

from __future__ import annotations

from dataclasses import dataclass

from hstore.errors import InputError, unknown_name
from hstore.units import STANDARD_TEMPERATURE_K


@dataclass(frozen=True)
class Property:
    """A physical quantity with its canonical unit and the range in which a value can be believed."""

    name: str
    """Canonical name, unit included; the column header in tables."""
    unit: str
    """Canonical unit, as printed."""
    label: str
    """Short label for axes and tables."""
    description: str
    """One sentence: what is measured, on which basis and with which sign."""
    low: float
    """Smallest believable value; anything below is refused as input."""
    high: float
    """Largest believable value."""
    conditions: tuple[str, ...] = ()
    """Names of the conditions without which a value means nothing."""

    @property
    def customary_conditions(self) -> dict[str, float]:
        """Return those conditions that have a customary value, with it: 298.15 K."""
        return {"temperature_k": STANDARD_TEMPERATURE_K} if "temperature_k" in self.conditions else {}

    def check(self, value: float, *, where: str = "") -> float:
        """Return the value if it is finite and believable.

        Args:
            value: number in the canonical unit.
            where: place of the value, appended to the message (``"row 17 of a.csv"``).

        Raises:
            InputError: the value is not finite or outside ``[low, high]``.
        """
        if self.low <= value <= self.high:
            return value
        place = f" ({where})" if where else ""
        raise InputError(
            f"{self.name} must lie in [{self.low:g}, {self.high:g}] {self.unit}, got {value}{place}; "
            "check the value and its unit"
        )


_ALL = (
    Property(
        "h2_capacity_wt_pct",
        "wt%",
        "H2 capacity",
        "Mass of H2 per mass of hydrogenated material, maximum unless stated otherwise.",
        0.0,
        25.0,
    ),
    Property(
        "h2_density_g_per_l",
        "g/L",
        "H2 density",
        "Mass of H2 per volume of hydrogenated material.",
        0.0,
        250.0,
    ),
    Property(
        "desorption_enthalpy_kj_per_mol_h2",
        "kJ/mol H2",
        "Desorption enthalpy",
        "Enthalpy of H2 release per mol H2; positive means endothermic release.",
        -150.0,
        400.0,
    ),
    Property(
        "desorption_entropy_j_per_mol_h2_k",
        "J/(mol H2 K)",
        "Desorption entropy",
        "Entropy of H2 release per mol H2.",
        -50.0,
        300.0,
    ),
    Property(
        "plateau_pressure_bar",
        "bar",
        "Plateau pressure",
        "Equilibrium desorption pressure at the stated temperature.",
        0.0,
        1e6,
        ("temperature_k",),
    ),
    Property(
        "h2_uptake_wt_pct",
        "wt%",
        "H2 uptake",
        "Adsorbed H2 at one state, per mass of sorbent plus hydrogen unless the mass basis says otherwise.",
        0.0,
        40.0,
        ("temperature_k", "pressure_bar"),
    ),
    Property(
        "usable_capacity_wt_pct",
        "wt%",
        "Usable capacity",
        "H2 delivered between the charged and the discharged state, per mass of sorbent plus hydrogen.",
        0.0,
        40.0,
        ("charge_pressure_bar", "charge_temperature_k", "discharge_pressure_bar", "discharge_temperature_k"),
    ),
    Property(
        "usable_capacity_g_per_l",
        "g/L",
        "Usable volumetric capacity",
        "H2 delivered between the charged and the discharged state, per volume of material.",
        0.0,
        120.0,
        ("charge_pressure_bar", "charge_temperature_k", "discharge_pressure_bar", "discharge_temperature_k"),
    ),
    Property(
        "log10_conductivity_s_per_cm",
        "log10(S/cm)",
        "log10 ionic conductivity",
        "Decimal logarithm of the ionic conductivity in S/cm at the stated temperature.",
        -25.0,
        2.0,
        ("temperature_k",),
    ),
    Property(
        "activation_energy_ev", "eV", "Activation energy", "Arrhenius activation energy of sigma T.", 0.0, 5.0
    ),
    Property(
        "energy_above_hull_ev_per_atom",
        "eV/atom",
        "Energy above hull",
        "Energy above the convex hull of competing phases.",
        0.0,
        10.0,
    ),
    Property(
        "formation_energy_ev_per_atom",
        "eV/atom",
        "Formation energy",
        "Energy of formation from the elements.",
        -10.0,
        10.0,
    ),
)

PROPERTIES: dict[str, Property] = {p.name: p for p in _ALL}
"""Every property by its canonical name."""


def get_property(name: str) -> Property:
    """Return the property of that canonical name.

    Raises:
        UnknownNameError: no such property; the message lists the close matches.
    """
    try:
        return PROPERTIES[name]
    except KeyError:
        raise unknown_name("property", name, PROPERTIES) from None
