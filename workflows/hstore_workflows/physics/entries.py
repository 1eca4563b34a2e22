"""Phases with formation energies: from a table, a fetched phase diagram, the store, or the computed set."""

from __future__ import annotations

import json
import math
import re
from contextlib import suppress
from itertools import combinations
from typing import TYPE_CHECKING, Any

from hstore.errors import HstoreError, InputError
from hstore.formula import canonical_formula, parse_amounts
from hstore_models.physics.corrections import Footing
from hstore_models.physics.entry import Computed, one_kind
from hstore_models.physics.reaction import KJ_PER_MOL_EV
from hstore_models.physics.vibrations import Vibrations
from hstore_workflows.measure.cells import finite
from hstore_workflows.measure.csv_rows import csv_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from hstore.records import Material, Scope
    from hstore.store import Store

_ENERGY = "formation_energy_ev_per_atom"
_KIND = "energy_kind"
_MIXED = re.compile(r"summary document|GGA_GGA\+U_R2SCAN")
_THERMO_TYPE = re.compile(r"energies of (?:the summary document|thermo type [A-Za-z0-9_+-]+)")


def entries_of_file(path: Path) -> list[Computed]:
    """Read phases from a file.

    A table (CSV) has the columns ``formula``, ``formation_energy_ev_per_atom`` and ``energy_kind`` (method and
    corrections, or potential and checksum); JSON is what ``hstore fetch mp --phase-diagram --json`` prints.

    Raises:
        InputError: the file is neither, or a row cannot be used: a phase left out would change the hull unseen.
    """
    try:
        with path.open("rb") as stream:
            if path.suffix == ".json":
                return _of_diagram(path, stream.read())
            rows = list(csv_rows(stream))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give a CSV or JSON file") from error
    return [_of_row(path, place, row) for place, row in enumerate(rows, 1)]


def entries_of_store(store: Store, elements: Collection[str], *, scope: Scope) -> list[Computed]:
    """Read the phases of a chemical system and its sub-systems that have a formation energy in the store.

    Args:
        store: the result store.
        elements: elements of the system.
        scope: in whose name.

    Raises:
        InputError: energies are of the Materials Project's mixed scale, which differs between chemical systems.
    """
    names = sorted(elements)
    systems = ["-".join(some) for size in range(1, len(names) + 1) for some in combinations(names, size)]
    found = [
        Computed(
            material.material_id,
            parse_amounts(material.formula),
            material.descriptors[_ENERGY],
            _kind_of(material),
        )
        for system in systems
        for material in store.materials(scope=scope, chemical_system=system)
        if _ENERGY in material.descriptors
    ]
    if mixed := next((one for one in found if _MIXED.search(one.energy_kind)), None):
        raise InputError(
            f"{mixed.identifier} holds an energy of a mixed scale ({mixed.energy_kind}), which differs between "
            "chemical systems; fetch it again with --thermo-type GGA_GGA+U, or give --entries"
        )
    return found


def entries_of_stored(formulas: Iterable[str], *others: str) -> list[Computed]:
    """Read the phases of the elements of some formulas from the user's store.

    Args:
        formulas: those that cannot be read are left out; they become a row with their cause later.
        others: further elements.
    """
    from hstore.records import Scope
    from hstore.settings import load_settings
    from hstore.store import open_store

    elements = set(others)
    for formula in formulas:
        with suppress(InputError):
            elements |= set(parse_amounts(formula))
    with open_store(load_settings().store_url) as store:
        return entries_of_store(store, elements, scope=Scope())


def entries_of_set() -> list[Computed]:
    """Return the hydrides that ship with the package and converged, as static energies of their potential."""
    from hstore_data.computed import computed_hydrides

    found = []
    for row in computed_hydrides().to_dict("records"):
        per_h2 = float(row["enthalpy_to_elements_kj_per_mol_h2"])
        if row["cause"] or not math.isfinite(per_h2):
            continue
        amounts = parse_amounts(str(row["formula"]))
        formation = -per_h2 * amounts["H"] / 2 / KJ_PER_MOL_EV / sum(amounts.values())
        kind = kind_of_potential(str(row["potential"]), Footing.UNCORRECTED, Vibrations.NONE, 0.0)
        found.append(Computed(str(row["material_id"]), amounts, formation, kind))
    return found


def kind_of_potential(key: str, footing: Footing, vibrations: Vibrations, temperature_k: float) -> str:
    """Return the kind of energies that a potential gives, as entries must state it.

    Args:
        key: of the potential.
        footing: with or without the MP2020 corrections.
        vibrations: what vibrations add.
        temperature_k: temperature of the vibrations, K.
    """
    moving = "static" if vibrations is Vibrations.NONE else f"{vibrations.value} {temperature_k:g} K"
    return f"{key}, {footing.value}, {moving}"


def lowest(entries: Sequence[Computed], elements: Collection[str]) -> dict[str, Computed]:
    """Return the entry of lowest energy for each composition of some elements and hydrogen, elements left out.

    Args:
        entries: phases.
        elements: elements of the system.

    Returns:
        Canonical formula -> entry.

    Raises:
        InputError: they are of several kinds of energy.
    """
    inside = [entry for entry in entries if len(entry.amounts) > 1 and set(entry.amounts) <= {*elements, "H"}]
    if inside:
        one_kind(inside)
    found: dict[str, Computed] = {}
    for entry in inside:
        name = canonical_formula(dict(entry.amounts))
        if name not in found or entry.formation_energy_ev_per_atom < found[name].formation_energy_ev_per_atom:
            found[name] = entry
    return found


def _of_row(path: Path, place: int, row: dict[str, str]) -> Computed:
    lacking = [name for name in ("formula", _ENERGY, _KIND) if not row.get(name)]
    if lacking:
        raise InputError(
            f"row {place} of {path.name} lacks {', '.join(lacking)}; a phase needs formula, {_ENERGY} and {_KIND}"
        )
    try:
        return Computed(
            f"{path.name} row {place}", parse_amounts(row["formula"]), finite(_ENERGY, row[_ENERGY]), row[_KIND]
        )
    except HstoreError as error:
        raise InputError(f"row {place} of {path.name}: {error}") from error


def _of_diagram(path: Path, body: bytes) -> list[Computed]:
    try:
        held: Any = json.loads(body)
        kind = f"Materials Project, {held['thermo_type']}, {held['database_version'] or 'version not stated'}"
        return [
            Computed(phase["material_id"], parse_amounts(phase["formula"]), float(phase[_ENERGY]), kind)
            for phase in held["phases"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path.name} is no phase diagram as hstore fetch mp --phase-diagram --json prints it "
            f"({type(error).__name__}: {error})"
        ) from error


def _kind_of(material: Material) -> str:
    """Return how the energy was computed: the source, and what its note says of the scale."""
    provenance = material.provenance
    told = _THERMO_TYPE.search(provenance.note or "")
    return ", ".join(filter(None, (provenance.source, told.group() if told else "")))
