"""What can be asked of the Materials Project, with ready-made restrictions by family."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.errors import InputError, unknown_name
from hstore.records import Family
from hstore_workflows.sources.mp_records import NON_METALS

FamilyPreset = Literal[
    "hydride", "hydride_electrolyte", "alloy_host", "electrolyte", "li_conductor", "na_conductor", "mg_conductor"
]
"""Ready-made restrictions, as the help of ``hstore fetch mp`` describes them."""

ThermoType = Literal["GGA_GGA+U", "GGA_GGA+U_R2SCAN", "R2SCAN"]
"""Functionals and mixing schemes whose energies share one scale."""

_ANY_ELEMENT = "*"  # as in the chemical system "Li-*"
_MOBILE_IONS = frozenset({"Li", "Na", "K", "Ag", "Cu", "Mg", "Ca", "Zn", "Al"})
_CONDUCTOR_ION = {"li_conductor": "Li", "na_conductor": "Na", "mg_conductor": "Mg"}
_HYDRIDE_EXCLUDES = frozenset({"O", "C"})
_GROUPS_4_TO_11 = frozenset({
    "Ti", "Zr", "Hf", "V", "Nb", "Ta", "Cr", "Mo", "W", "Mn", "Tc", "Re", "Fe", "Ru", "Os", "Co", "Rh", "Ir",
    "Ni", "Pd", "Pt", "Cu", "Ag", "Au",
})  # fmt: skip
"""Metals whose hydrides conduct electrons; kept when asked for by name."""


@dataclass(frozen=True)
class MPQuery:
    """What to ask for; at least one of elements, chemical systems, exclusions, family or ids is required."""

    elements: tuple[str, ...] = ()
    """Elements that must all be present."""
    chemical_systems: tuple[str, ...] = ()
    """Exact chemical systems such as ``"La-Ni-H"``; any of them."""
    exclude_elements: tuple[str, ...] = ()
    """Elements that must be absent."""
    family: FamilyPreset | None = None
    """Ready-made restriction; fixes the family of the records except for hydrides."""
    energy_above_hull_max: float | None = None
    """Highest energy above the hull, eV/atom; the hull is that of ``thermo_type``, else of the summary."""
    limit: int | None = None
    """At most so many materials."""
    ids: tuple[str, ...] = ()
    """Identifiers of materials, sent as they are."""
    thermo_type: ThermoType | None = None
    """Where energies come from; None takes those of the summary documents, of the type the server prefers."""
    fields: tuple[str, ...] = ()
    """Further fields of the summary documents; numbers become descriptors, text goes into the note."""

    def __post_init__(self) -> None:
        """Refuse what would match everything, nothing, or no element of the table."""
        if not (self.elements or self.chemical_systems or self.exclude_elements or self.family or self.ids):
            raise InputError(
                "a query without elements, chemical system, exclusion, family or ids asks for the whole database, "
                "which this client does not serve; give one, such as --chemsys La-Ni-H"
            )
        for symbol in {*self.elements, *self.exclude_elements, *self._system_elements} - {_ANY_ELEMENT}:
            if symbol not in ATOMIC_MASS_G_PER_MOL:
                raise InputError(f"{symbol!r} is not an element; use symbols such as La or Ni")
        if self.family is not None and self.family not in get_args(FamilyPreset):
            raise unknown_name("family", self.family, get_args(FamilyPreset))
        if self.thermo_type is not None and self.thermo_type not in get_args(ThermoType):
            raise unknown_name("thermo type", self.thermo_type, get_args(ThermoType))
        both = (set(self.required) | self._system_elements) & set(self.excluded)
        if both:
            raise InputError(
                f"{', '.join(sorted(both))} is asked for and excluded at once (family: {self.family}); "
                "leave one of the two out"
            )
        hull = self.energy_above_hull_max
        if hull is not None and not (math.isfinite(hull) and hull >= 0):
            raise InputError(f"energy above hull must be finite and at least 0 eV/atom, got {hull}")
        if self.limit is not None and self.limit < 1:
            raise InputError(f"limit must be at least 1, got {self.limit}")
        bad = [i for i in self.ids if not i or not i.isprintable() or "," in i or i != i.strip()]
        if bad:
            raise InputError(f"{bad[0]!r} cannot be an identifier: it may hold no comma and no space at its ends")

    @property
    def _system_elements(self) -> set[str]:
        return {element for system in self.chemical_systems for element in system.split("-")}

    @property
    def required(self) -> tuple[str, ...]:
        """Elements that must be present, those of the family included."""
        wanted = set(self.elements)
        if self.family in {"hydride", "hydride_electrolyte"}:
            wanted.add("H")
        if self.family in {"electrolyte", "hydride_electrolyte"} and not (
            (wanted | self._system_elements) & _MOBILE_IONS
        ):
            wanted.add("Li")
        if self.family in _CONDUCTOR_ION:
            wanted.add(_CONDUCTOR_ION[self.family])
        return tuple(sorted(wanted))

    @property
    def excluded(self) -> tuple[str, ...]:
        """Elements that must be absent, those of the family included."""
        without_hydrogen = frozenset({"H"})
        presets: dict[str | None, frozenset[str]] = {
            "hydride": _HYDRIDE_EXCLUDES - set(self.elements),
            "hydride_electrolyte": (_GROUPS_4_TO_11 | {"O"}) - set(self.elements) - self._system_elements,
            "alloy_host": NON_METALS | without_hydrogen,
            "electrolyte": without_hydrogen,
            **dict.fromkeys(_CONDUCTOR_ION, without_hydrogen),
        }
        return tuple(sorted(set(self.exclude_elements) | presets.get(self.family, frozenset())))

    @property
    def record_family(self) -> Family | None:
        """Family that the preset fixes; None where it follows from each composition."""
        if self.family == "alloy_host":
            return Family.INTERSTITIAL
        return None if self.family in {None, "hydride"} else Family.ELECTROLYTE

    @property
    def filters_here(self) -> bool:
        """True when the hull limit refers to energies that the summary documents do not hold."""
        return self.thermo_type is not None and self.energy_above_hull_max is not None

    def criteria(self) -> dict[str, Any]:
        """Return the keyword arguments for ``SummaryRester.search`` that restrict it."""
        hull = None if self.filters_here else self.energy_above_hull_max
        found: dict[str, Any] = {
            "elements": list(self.required),
            "chemsys": list(self.chemical_systems),
            "exclude_elements": list(self.excluded),
            "material_ids": list(self.ids),
            "energy_above_hull": None if hull is None else (0.0, hull),
        }
        return {name: value for name, value in found.items() if value}

    def text(self) -> str:
        """Return the query as text that is equal for equal queries."""
        return json.dumps(
            {name: value for name, value in asdict(self).items() if value not in {None, ()}}, sort_keys=True
        )
