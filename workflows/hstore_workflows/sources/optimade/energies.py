"""Fields of single providers that hold an energy with a well-defined meaning and unit.

OPTIMADE itself has no energies. What a provider calls stability may be per atom or per cell, against its own hull
or another one; only fields whose definition is plain are taken. Below the hull counts as on it.
All are eV/atom:

- ``_alexandria_hull_distance``: above the hull of Alexandria;
  ``_alexandria_formation_energy_per_atom``: formation energy.
- ``_jarvis_ehull``: above the hull of JARVIS-DFT; ``_jarvis_formation_energy_peratom``: formation energy.
- ``_mp_stability``: both, of its thermo types the one of :data:`MP_THERMO_TYPE`.
- ``_oqmd_stability``: against the hull of all other phases, so negative for phases on the hull;
  ``_oqmd_delta_e``: formation energy.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError
from hstore.properties import get_property

if TYPE_CHECKING:
    from collections.abc import Mapping

MP_THERMO_TYPE = "gga_gga+u_r2scan"
"""The mixed scheme, on which the hull of the Materials Project's own pages stands."""
_HULL = "energy_above_hull_ev_per_atom"
_FORMATION = "formation_energy_ev_per_atom"

_PATHS: dict[str, dict[str, tuple[str, ...]]] = {
    "alexandria": {
        _HULL: ("_alexandria_hull_distance",),
        _FORMATION: ("_alexandria_formation_energy_per_atom",),
    },
    "jarvis": {_HULL: ("_jarvis_ehull",), _FORMATION: ("_jarvis_formation_energy_peratom",)},
    "mp": {
        _HULL: ("_mp_stability", MP_THERMO_TYPE, "energy_above_hull"),
        _FORMATION: ("_mp_stability", MP_THERMO_TYPE, "formation_energy_per_atom"),
    },
    "oqmd": {_HULL: ("_oqmd_stability",), _FORMATION: ("_oqmd_delta_e",)},
}
"""Prefix of a provider -> descriptor -> where it stands in the attributes."""


def energy_fields(prefix: str) -> tuple[str, ...]:
    """Return the fields with energies that a provider of this prefix has."""
    return tuple(dict.fromkeys(path[0] for path in _PATHS.get(prefix, {}).values()))


def energies(attributes: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """Read the energies of one structure, eV/atom; those which it does not have are left out.

    Raises:
        InputError: one is no number, or beyond belief.
    """
    found: dict[str, float] = {}
    for name, path in _PATHS.get(prefix, {}).items():
        value: Any = attributes
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"{'.'.join(path)} must be a finite number, got {value!r}")
        number = max(0.0, float(value)) if name == _HULL else float(value)
        found[name] = get_property(name).check(number, where=".".join(path))
    return found
