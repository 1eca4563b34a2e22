"""How numbers, units, states and sources are written on the pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from hstore.properties import PROPERTIES
from hstore.units import celsius_from_kelvin

if TYPE_CHECKING:
    from datetime import datetime

    from hstore.records import Basis, Conditions

MISSING = "–"
"""Stands where there is no value."""

_DOI = re.compile(r"(?:doi:\s*|https?://(?:dx\.)?doi\.org/)?(10\.\d{4,9}/[^\s\"<>]+)", re.IGNORECASE)
_PROPERTY_NAME = re.compile(rf"\b(?:{'|'.join(sorted(PROPERTIES, key=len, reverse=True))})\b")
_UNITS = {
    "_kj_per_mol_h2": "kJ/mol H₂",
    "_j_per_mol_h2_k": "J/(mol H₂ K)",
    "_ev_per_atom": "eV/atom",
    "_s_per_cm": "S/cm",
    "_g_per_l": "g/L",
    "_g_cm3": "g/cm³",
    "_cm3_g": "cm³/g",
    "_m2_cm3": "m²/cm³",
    "_m2_g": "m²/g",
    "_wt_pct": "wt%",
    "_bar": "bar",
    "_ev": "eV",
    "_A": "Å",
    "_k": "K",
}
_NAMES = {
    "lcd_A": "Largest cavity diameter",
    "pld_A": "Pore limiting diameter",
    "gsa_m2_g": "Surface area by mass",
    "vsa_m2_cm3": "Surface area by volume",
    "bet_area_m2_g": "BET area",
    "p_window": "P(works in the swing)",
    "p_capacity": "P(capacity reached)",
    "p_density": "P(density reached)",
    "p_feasible": "P(all that is asked)",
    "score": "Score",
    "temperature_1bar_k": "Temperature at 1 bar",
    "capacity_attained": "Share of the capacity asked",
}


def pretty(text: str) -> str:
    """Write units as print does.

    >>> pretty("kJ/mol H2"), pretty("log10(S/cm)")
    ('kJ/mol H₂', 'log₁₀(S/cm)')
    """
    return re.sub(r"\blog10\b", "log₁₀", re.sub(r"\bH2\b", "H₂", re.sub(r" ?degC\b", "\u00a0°C", text)))


def readable(text: str) -> str:
    """Write units as print does, and names of properties in words.

    >>> readable("best h2_capacity_wt_pct so far 1.4")
    'best H₂ capacity (wt%) so far 1.4'
    """
    named = _PROPERTY_NAME.sub(
        lambda found: f"{PROPERTIES[found.group()].label} ({PROPERTIES[found.group()].unit})", text
    )
    return pretty(named)


def within(text: str) -> str:
    """Write a label inside a sentence: its first letter small, unless it begins a symbol.

    >>> within("Plateau pressure"), within("H₂ capacity")
    ('plateau pressure', 'H₂ capacity')
    """
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def label(name: str) -> str:
    """Name a property or a descriptor in words, without its unit."""
    if name in PROPERTIES:
        return pretty(PROPERTIES[name].label)
    if name in _NAMES:
        return _NAMES[name]
    ending = next((ending for ending in _UNITS if name.endswith(ending)), "")
    words = name.removesuffix(ending).replace("_", " ").strip() or name
    return words[:1].upper() + words[1:]


def unit(name: str) -> str:
    """Return the unit of a property or a descriptor, empty where it has none.

    >>> unit("desorption_enthalpy_kj_per_mol_h2"), unit("void_fraction")
    ('kJ/mol H₂', '')
    """
    if name in PROPERTIES:
        return pretty(PROPERTIES[name].unit)
    return next((printed for ending, printed in _UNITS.items() if name.endswith(ending)), "")


def number(value: float | None, digits: int = 3) -> str:
    """Print a number with some significant digits, in powers of ten where it is very small or large.

    >>> number(30.5373), number(-4.7036), number(0.00001234), number(None)
    ('30.5', '−4.70', '1.23 · 10⁻⁵', '–')
    """
    from hstore_workflows.report.quantities import significant

    return MISSING if value is None else significant(value, digits)


def conditions_words(conditions: Conditions) -> str:
    r"""Print the state a value holds for, empty where none was stated.

    >>> from hstore.records import Conditions
    >>> conditions_words(Conditions(temperature_k=298.15, pressure_bar=20))
    '25.0\xa0°C (298\xa0K), 20\xa0bar'
    """
    charged = _state(conditions.charge_temperature_k, conditions.charge_pressure_bar)
    discharged = _state(conditions.discharge_temperature_k, conditions.discharge_pressure_bar)
    parts = [_state(conditions.temperature_k, conditions.pressure_bar)]
    if charged or discharged:
        parts.append(f"{charged or 'not stated'} → {discharged or 'not stated'}")
    return "; ".join(filter(None, parts))


def basis_words(basis: Basis) -> str:
    """Print the definitions a value follows, empty where none was stated."""
    stated = (basis.capacity_definition, basis.uptake_kind, mass_words(basis.mass_basis or ""))
    return ", ".join(part.replace("_", " ") for part in stated if part)


def mass_words(mass_basis: str) -> str:
    """Say of which mass a share is, empty where nothing was said.

    >>> mass_words("hydrogenated_material"), mass_words("unspecified")
    ('per mass of hydrogenated material', 'mass basis not stated')
    """
    if mass_basis == "unspecified":
        return "mass basis not stated"
    return f"per mass of {mass_basis.replace('_', ' ')}" if mass_basis else ""


def reference_link(reference: str | None) -> str:
    """Return the address a reference leads to, empty where it is none we know how to open."""
    found = _DOI.search(reference or "")
    return f"https://doi.org/{quote(found.group(1).rstrip('.,;)'), safe='/().;:_-')}" if found else ""


def when(moment: datetime | None) -> str:
    """Print an instant in UTC."""
    return moment.strftime("%Y-%m-%d %H:%M UTC") if moment else MISSING


def material_path(material_id: str) -> str:
    """Return the address of the page of a material."""
    return f"/materials/{quote(material_id, safe='/:(),.')}"


def _state(temperature_k: float | None, pressure_bar: float | None) -> str:
    parts = []
    if temperature_k is not None:
        parts.append(f"{celsius_from_kelvin(temperature_k):.1f}\u00a0°C ({temperature_k:.0f}\u00a0K)")
    if pressure_bar is not None:
        parts.append(f"{pressure_bar:.4g}\u00a0bar")
    return ", ".join(parts).replace("-", "−")
