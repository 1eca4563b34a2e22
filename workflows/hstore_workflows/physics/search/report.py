"""What a search found: energies above the hull, symmetry, novelty, the known phase, a CIF of each structure."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from hstore.errors import HstoreError
from hstore.formula import parse_amounts
from hstore_models.physics.hull import Hull
from hstore_models.physics.reaction import PhaseEnergy
from hstore_models.physics.relaxing import relax
from hstore_models.physics.vibrations import Vibrations
from hstore_workflows.physics.kept import Kept
from hstore_workflows.physics.phases import canonical, element, published_phases
from hstore_workflows.physics.pricing import PricedPhases, Pricing
from hstore_workflows.physics.search.distinct import print_of
from hstore_workflows.physics.search.known_types import novelty

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from hstore.crystal import Crystal
    from hstore.settings import Settings
    from hstore_workflows.physics.search.distinct import Structure
    from hstore_workflows.physics.search.search import Found
    from hstore_workflows.physics.search.settings import SearchSettings

SYMMETRY_ANGSTROM = 0.1
"""Atoms may lie so far from their symmetric places for a space group to count: relaxations begin rattled and end
at small forces, not at symmetry."""
REPORT_FILE = "search.json"
"""Name of the report in the folder of a search."""


def report(
    found: Found, settings: SearchSettings, *, home: Settings, folder: Path | None = None, workers: int = 1
) -> dict[str, Any]:
    """Return what a search found, and write it with a CIF of each structure.

    Args:
        found: the search.
        settings: how it was done.
        home: where relaxations of elements and known phases are kept.
        folder: where the report and the CIFs go; None writes nothing.
        workers: processes for the phases of the hull; 0 works in this one.
    """
    against = _Neighbours(found, settings, home, workers)
    rows = []
    for rank, structure in enumerate(found.structures, 1):
        row = {"rank": rank, **_row(structure, found), **against.row(structure)}
        row |= novelty(structure.crystal, found.formula).as_json()
        if folder is not None:
            row["cif"] = _write_cif(structure, row, found, folder).name
        rows.append(row)
    told = {
        "formula": found.formula,
        "potential": found.potential.as_json(),
        "settings": settings.as_json(),
        "tries": len(found.tries),
        "core_hours": round(found.core_hours, 4),
        "optimizer_steps": found.optimizer_steps,
        "ended_early": found.ended_early,
        "failures": found.failures,
        "structures": rows,
        "hull": against.hull_told,
        "known_phase": against.known_told(found.structures),
    }
    if folder is not None:
        _write(folder / REPORT_FILE, json.dumps(told, indent=1))
    return told


def space_group(crystal: Crystal) -> int:
    """Return the number of the space group at :data:`SYMMETRY_ANGSTROM`; 1 where none is found."""
    from moyopy import Cell, MoyoDataset

    cell = Cell(crystal.lattice_angstrom.tolist(), crystal.fractional.tolist(), crystal.numbers.tolist())
    try:
        return int(MoyoDataset(cell, symprec=SYMMETRY_ANGSTROM).number)
    except ValueError:
        return 1


def text_of(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield a report in words."""
    if "structures" not in told:
        yield f"{told['formula']}: {told['cause']}"
        return
    yield (
        f"{told['formula']}  {told['potential']['model']}, weights {told['potential']['weights_sha256'][:12]}  "
        f"{told['tries']} tries, {told['optimizer_steps']} steps, {told['core_hours']:.3f} core-hours"
    )
    for cause, count in told["failures"].items():
        yield f"  {count} without a structure: {cause}"
    if told["ended_early"]:
        yield f"  ended early: {told['ended_early']}"
    for row in told["structures"]:
        hull = row["energy_above_hull_ev_per_atom"]
        above = "" if hull is None else f"  hull {hull:+.4f}"
        yield (
            f"  {row['rank']}. {row['energy_ev_per_atom']:.4f} eV/atom "
            f"({row['energy_above_lowest_ev_per_atom']:+.4f}){above}  space group {row['space_group']}, "
            f"{row['atoms']} atoms, {row['volume_angstrom3_per_atom']:.2f} A3/atom, "
            f"found {len(row['found_by'])} times; {_type_text(row)}"
        )
    if told["hull"]["cause"]:
        yield f"  no hull: {told['hull']['cause']}"
    if known := told["known_phase"]:
        yield f"  {_known_text(known)}"


def _type_text(row: Mapping[str, Any]) -> str:
    if row["known_type"]:
        return str(row["nearest_type"])
    if row["nearest_type"] is None:
        return "no known type holds the composition"
    topology = row["topological_distance"]
    told = "" if topology is None else f", topology {topology:.3f}"
    return f"no known type; nearest {row['nearest_type']} (at {row['distance']:.3f}{told})"


def _known_text(known: Mapping[str, Any]) -> str:
    if known["cause"]:
        return f"the published phase has no energy: {known['cause']}"
    if known["rank"] is None:
        return f"the published phase ({known['energy_ev_per_atom']:.4f} eV/atom) was not found"
    return (
        f"the published phase is number {known['rank']}, {known['gap_ev_per_atom']:+.5f} eV/atom from its own "
        f"relaxation, first met in {known['first_met']}"
    )


class _Neighbours:
    """Phases that compete with the composition, by the same potential."""

    def __init__(self, found: Found, settings: SearchSettings, home: Settings, workers: int) -> None:
        self._found = found
        self._cause = ""
        self._other_ev_per_atom: float | None = None
        self._products: dict[str, float] = {}
        self._known: Any = None
        pricing = Pricing(
            settings.potential,
            vibrations=Vibrations.NONE,
            relax=settings.fine,
            workers=max(1, workers),
            weights=settings.weights,
            sha256=settings.sha256,
        )
        try:
            self._price(PricedPhases(pricing, home), alone=workers == 0)
        except HstoreError as error:  # an element without a structure, a potential without hydrogen
            self._cause = str(error)

    def _price(self, priced: PricedPhases, *, alone: bool) -> None:
        elements = parse_amounts(self._found.formula)
        phases = {name: crystal for name, crystal in published_phases().items() if _within(name, elements)}
        phases |= {symbol: element(symbol) for symbol in elements if symbol != "H"}
        if alone:
            _relax_here(phases.values(), priced)
        priced.add(phases)
        name = canonical(self._found.formula)
        self._known = priced.phases.get(name)
        energies = {phase: one.energy for phase, one in priced.phases.items() if one.energy is not None}
        energies[name] = PhaseEnergy(0.0, self._found.potential.key)  # so what the others come to is minus its own
        fallen = Hull(energies, priced.h2).decomposition(name)
        self._other_ev_per_atom = -fallen.energy_ev_per_atom
        self._products = dict(fallen.products)

    def row(self, structure: Structure) -> dict[str, Any]:
        """Return how far a structure is above other phases, and above the hull with all of its composition."""
        if self._other_ev_per_atom is None:
            return {"energy_above_other_phases_ev_per_atom": None, "energy_above_hull_ev_per_atom": None}
        lowest = [self._other_ev_per_atom, *(one.energy_ev_per_atom for one in self._found.structures)]
        if self._known is not None and self._known.relaxed.converged:
            lowest.append(self._known.relaxed.energy_ev_per_atom)
        return {
            "energy_above_other_phases_ev_per_atom": structure.energy_ev_per_atom - self._other_ev_per_atom,
            "energy_above_hull_ev_per_atom": structure.energy_ev_per_atom - min(lowest),
        }

    @property
    def hull_told(self) -> dict[str, Any]:
        """What the composition falls apart into."""
        return {"other_phases": self._products, "cause": self._cause}

    def known_told(self, structures: Sequence[Structure]) -> dict[str, Any] | None:
        """Return where the published phase is among the structures; None where none of this composition is."""
        if self._known is None:
            return None
        relaxed = self._known.relaxed
        told: dict[str, Any] = {
            "energy_ev_per_atom": relaxed.energy_ev_per_atom if relaxed.converged else None,
            "space_group": space_group(relaxed.crystal),
            "rank": None,
            "gap_ev_per_atom": None,
            "first_met": None,
            "cause": relaxed.cause,
        }
        if not relaxed.converged:
            return told
        mine = print_of(relaxed.crystal)
        for rank, structure in enumerate(structures, 1):
            if structure.holds(relaxed.crystal, mine):
                gap = structure.energy_ev_per_atom - relaxed.energy_ev_per_atom
                return told | {"rank": rank, "gap_ev_per_atom": gap, "first_met": _first(structure)}
        return told


def _relax_here(crystals: Iterable[Crystal], priced: PricedPhases) -> None:
    """Relax phases in this process, for workers of a batch may have none of their own; pricing reads them then."""
    kept = Kept.of(priced.home, priced.potential.key, priced.pricing.relax)
    for crystal in crystals:
        if kept.read(crystal) is None:
            kept.write(crystal, relax(crystal, priced.potential, kept.settings))


def _first(structure: Structure) -> str:
    """Return the earliest try that ended in a structure: random and substituted ones come before what follows."""
    order = {"substituted": 0, "random": 1, "refined": 2, "stepped": 3}
    return min(structure.found_by, key=lambda label: (order[label.split()[0]], int(label.split()[1])))


def _within(formula: str, elements: Mapping[str, float]) -> bool:
    return set(parse_amounts(formula)) <= set(elements)


def _row(structure: Structure, found: Found) -> dict[str, Any]:
    relaxed = structure.best.structure
    lowest = found.structures[0].energy_ev_per_atom
    return {
        "energy_ev_per_atom": structure.energy_ev_per_atom,
        "energy_above_lowest_ev_per_atom": structure.energy_ev_per_atom - lowest,
        "space_group": space_group(structure.crystal),
        "atoms": len(structure.crystal),
        "volume_angstrom3_per_atom": structure.crystal.volume_angstrom3 / len(structure.crystal),
        "force_most_ev_per_angstrom": relaxed.force_most_ev_per_angstrom,
        "converged": not structure.best.cause,
        "origin": structure.best.origin,
        "found_by": structure.found_by,
    }


def _write_cif(structure: Structure, row: Mapping[str, Any], found: Found, folder: Path) -> Path:
    """Write the cell as it was relaxed, without symmetry, with what belongs to it."""
    text = structure.crystal.to_pymatgen().to(fmt="cif")
    head, line, tail = text.partition("data_")
    name, _, rest = tail.partition("\n")
    items = {
        "_hstore_energy_ev_per_atom": f"{row['energy_ev_per_atom']:.6f}",
        "_hstore_space_group_number": str(row["space_group"]),
        "_hstore_space_group_tolerance_angstrom": f"{SYMMETRY_ANGSTROM:g}",
        "_hstore_potential": f"'{found.potential.key}'",
        "_hstore_origin": f"'{row['origin']}'",
    }
    path = folder / f"{row['rank']:02d}_{found.formula}_{row['space_group']}.cif"
    _write(path, head + line + name + "\n" + "".join(f"{key}  {value}\n" for key, value in items.items()) + rest)
    return path


def _write(path: Path, text: str) -> None:
    """Write a file; it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
