"""Phase diagrams from the thermo documents of the Materials Project, built here.

The client's own phase diagrams come from bulk object storage and ignore the endpoint. Its mixed thermo type
cannot be pooled: the corrections of each document refer to the hull of its own chemical system, so entries of
sub-systems lie on other scales. Only types with one scale are taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal, get_args

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.errors import FetchError, InputError
from hstore.formula import parse_amounts
from hstore_workflows.sources.intake import Rejected
from hstore_workflows.sources.phase_diagram import Entry, PhaseDiagram, build_phase_diagram

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstore_workflows.sources.materials_project import MPAccess

OneScale = Literal["GGA_GGA+U", "R2SCAN"]
"""Thermo types whose entries can be pooled."""
_ELEMENTS_MAX = 9  # 511 sub-systems
_FIELDS = (
    "material_id", "thermo_type", "formula_pretty", "energy_per_atom", "energy_above_hull", "energy_type",
    "entries",
)  # fmt: skip


@dataclass(frozen=True)
class FetchedDiagram:
    """A phase diagram with what it was made of."""

    diagram: PhaseDiagram
    """The diagram."""
    thermo_type: str
    """Thermo type of all entries."""
    database_version: str
    """Version of the database, as the server states it."""
    total: int
    """Thermo documents announced."""
    received: int
    """Thermo documents received; always equal to ``total``."""
    rejected: tuple[Rejected, ...]
    """Documents that could not be used."""

    def to_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        return {
            "chemical_system": self.diagram.system,
            "thermo_type": self.thermo_type,
            "database_version": self.database_version,
            "total": self.total,
            "received": self.received,
            "rejected": [{"reference": one.reference, "cause": one.cause} for one in self.rejected],
            "compared": sum(phase.agrees is not None for phase in self.diagram.phases),
            "disagreements": [phase.identifier for phase in self.diagram.disagreements],
            "phases": [phase.to_dict() for phase in self.diagram.phases],
        }


def fetch_phase_diagram(system: str, access: MPAccess, *, thermo_type: str | None = None) -> FetchedDiagram:
    """Fetch all entries of a chemical system and its sub-systems and build the diagram.

    Args:
        system: chemical system such as ``"La-Ni-H"``.
        access: how to reach the Materials Project.
        thermo_type: ``"GGA_GGA+U"`` (when None) or ``"R2SCAN"``.

    Raises:
        InputError: the system or thermo type cannot be used.
        FetchError: the server failed, delivered other than announced, or has no entries of an element.
    """
    elements = sorted(set(system.split("-")))
    thermo_type = thermo_type or "GGA_GGA+U"
    unknown = [element for element in elements if element not in ATOMIC_MASS_G_PER_MOL]
    if unknown or len(elements) > _ELEMENTS_MAX:
        raise InputError(f"a phase diagram needs one to {_ELEMENTS_MAX} elements such as La-Ni-H, got {system!r}")
    if thermo_type not in get_args(OneScale):
        raise InputError(
            f"entries of thermo type {thermo_type} refer to different hulls and make no phase diagram; "
            f"use {' or '.join(get_args(OneScale))}"
        )
    client = access.open(f"phase diagram {'-'.join(elements)} {thermo_type}")
    found = client.search(
        "thermo",
        {"chemsys": sub_systems(elements), "thermo_types": [thermo_type], "fields": list(_FIELDS)},
    )
    entries: list[Entry] = []
    rejected: list[Rejected] = []
    for document in client.documents(found):
        try:
            entries += _entries(document, thermo_type)
        except InputError as error:
            rejected.append(Rejected(str(document.get("material_id") or ""), str(error)))
    try:
        diagram = build_phase_diagram(entries, elements)
    except InputError as error:
        raise FetchError(f"{found.count} thermo documents were received, but {error}") from error
    client.forget()
    return FetchedDiagram(diagram, thermo_type, client.database_version, found.count, found.count, tuple(rejected))


def sub_systems(elements: list[str]) -> list[str]:
    """Return every system that the elements span, elements in alphabetical order."""
    names = sorted(set(elements))
    return ["-".join(some) for size in range(1, len(names) + 1) for some in combinations(names, size)]


def _entries(document: dict[str, Any], thermo_type: str) -> Iterator[Entry]:
    """Give the entries of a thermo document; the one that its energies refer to is listed."""
    identifier = document.get("material_id")
    if not isinstance(identifier, str) or not identifier:
        raise InputError(f"material_id must be text, got {identifier!r}; the row cannot be referred to")
    stated = str(document.get("thermo_type") or thermo_type)
    if stated.upper() != thermo_type.upper():
        raise InputError(f"the entry is of thermo type {stated}, asked for was {thermo_type}")
    served = document.get("energy_above_hull")
    above = None if served is None else _number(served, "energy_above_hull")
    held = document.get("entries")
    if not isinstance(held, dict) or not held:
        amounts = parse_amounts(str(document.get("formula_pretty") or ""))
        energy = _number(document.get("energy_per_atom"), "energy_per_atom") * sum(amounts.values())
        yield Entry(identifier, amounts, energy, above)
        return
    read = {kind: _entry(identifier, entry) for kind, entry in held.items()}
    chosen = document.get("energy_type")
    if chosen not in read:
        chosen = min(read, key=lambda kind: read[kind].energy_ev / sum(read[kind].amounts.values()))
    for kind, entry in read.items():
        yield Entry(identifier, entry.amounts, entry.energy_ev, above if kind == chosen else None, kind == chosen)


def _entry(identifier: str, entry: Any) -> Entry:
    """Read a pymatgen entry without its classes: the energy, and the correction that its adjustments add up to."""
    if not isinstance(entry, dict) or not isinstance(entry.get("composition"), dict):
        raise InputError("an entry must be an object with composition and energy")
    amounts = {str(el): _number(n, f"amount of {el}") for el, n in entry["composition"].items()}
    correction = entry.get("correction")
    if correction is None:
        adjustments = entry.get("energy_adjustments") or []
        correction = sum(_adjustment(one) for one in adjustments)
    return Entry(identifier, amounts, _number(entry.get("energy"), "energy") + _number(correction, "correction"))


def _adjustment(adjustment: Any) -> float:
    if not isinstance(adjustment, dict):
        raise InputError(f"an energy adjustment must be an object, got {str(adjustment)[:40]!r}")
    if "value" in adjustment:
        return _number(adjustment["value"], "value of an energy adjustment")
    return _number(adjustment.get("adj_per_atom"), "adj_per_atom") * _number(adjustment.get("n_atoms"), "n_atoms")


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f"{name} must be a number, got {str(value)[:40]!r}")
    return float(value)
