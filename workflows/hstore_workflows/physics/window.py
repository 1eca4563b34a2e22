"""Phases for electrochemical windows: from a table, a fetched phase diagram, or the store."""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import TYPE_CHECKING, Any

from hstore.errors import HstoreError, InputError
from hstore.formula import parse_amounts
from hstore_models.physics.window import Computed, Window, electrochemical_window
from hstore_workflows.measure.cells import finite
from hstore_workflows.measure.csv_rows import csv_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
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


def windows(entries: Sequence[Computed], formulas: Sequence[str], ion: str) -> Iterator[Window | tuple[str, str]]:
    """Compute windows; for one that cannot be computed, give the formula and the cause."""
    for formula in formulas:
        try:
            yield electrochemical_window(entries, formula, ion)
        except InputError as error:
            yield formula, str(error)


def window_in_words(window: Window) -> Iterator[str]:
    """Tell a window in words, the equilibria below and above it too."""
    above = window.energy_above_hull_ev_per_atom
    if above is None:
        place = "no entry has this composition; the window is that of " + " + ".join(window.decomposes_to)
    elif len(window.decomposes_to) == 1:
        place = "on the hull"
    else:
        place = (
            f"{above * 1000:.0f} meV/atom above the hull; the window is that of {' + '.join(window.decomposes_to)}"
        )
    upper = "no upper end" if window.oxidation_v is None else f"{window.oxidation_v:.2f} V"
    yield (
        f"{window.formula}: {window.reduction_v:.2f} V to {upper} against {window.ion}, {place} "
        f"({window.entries} phases, {window.energy_kind})"
    )
    if window.against_metal_ev_per_atom:
        yield f"  reacts with {window.ion}: {window.against_metal_ev_per_atom:.3f} eV/atom"
    for step in window.steps:
        end = "up" if step.to_v is None else f"to {step.to_v:.2f} V"
        taken = "" if abs(step.ions_taken_up) < 1e-4 else f", {step.ions_taken_up:+.2f} {window.ion}"
        yield f"  {step.from_v:.2f} V {end}: {' + '.join(step.products)}{taken}"


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
