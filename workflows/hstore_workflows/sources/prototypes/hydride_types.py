"""The structure types of known hydrides, read from ``hydride_types.toml``."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore_workflows.sources.prototypes.radii import radius_sum
from hstore_workflows.sources.prototypes.structure_type import Frame, Prototype, Window, frame_of

if TYPE_CHECKING:
    from pymatgen.core import Structure

_PLACEHOLDERS = {"A": "Cs", "B": "Rb", "M": "Re", "H": "H"}


@cache
def load_prototypes() -> dict[str, Prototype]:
    """Read every structure type of the package, by slug, in the order of the file."""
    text = files("hstore_workflows.sources.prototypes").joinpath("hydride_types.toml").read_text(encoding="utf-8")
    return {entry["slug"]: _prototype(entry) for entry in tomllib.loads(text)["prototype"]}


def _prototype(entry: dict[str, Any]) -> Prototype:
    """Expand one entry of the table into its primitive cell."""
    structure = _primitive_structure(entry)
    names = {element: role for role, element in _PLACEHOLDERS.items()}
    roles = tuple(names[site.specie.symbol] for site in structure)
    frame = frame_of(structure, roles)
    reference = entry.get("reference", {})
    metallic = "alloy_class" in entry
    return Prototype(
        slug=entry["slug"],
        structure_type=entry["structure_type"],
        source=f"doi:{entry['doi']}" if "doi" in entry else entry["source"],
        examples=tuple(entry["examples"]),
        lattice=np.array(structure.lattice.matrix),
        roles=roles,
        frame=frame,
        calibration=dict.fromkeys(frame.shells, 1.0) if metallic else _calibration(reference, frame),
        ratio={role: _window(limit) for role, limit in entry.get("ratio", {}).items()},
        tolerance=_window(entry["tolerance"]) if "tolerance" in entry else None,
        stretch=tuple(entry.get("stretch", Prototype.stretch)),
        alloy_class=entry.get("alloy_class", ""),
        reference=reference if metallic else {},
        in_pool=entry.get("in_pool", True),
    )


def _window(limit: dict[str, list[Any]]) -> Window:
    low, high = limit["window"]
    return Window(tuple(limit["coordination"]), low, high)


def _calibration(reference: dict[str, tuple[str, int]], frame: Frame) -> dict[str, float]:
    """Return the mean distance in the reference compound over its radius sum, per cation role."""
    if not reference:
        return dict.fromkeys(frame.shells, 1.0)
    wanted = {}
    for role in frame.shells:
        element, charge = reference[role]
        wanted[role] = radius_sum(element, charge, frame.coordination[role])
    return {
        role: float(shell.lengths(1.0, frame.bond).mean()) / wanted[role] for role, shell in frame.shells.items()
    }


def _primitive_structure(entry: dict[str, Any]) -> Structure:
    """Expand the sites of an entry; ASE does so five times faster than pymatgen's ``from_spacegroup``."""
    from ase.spacegroup import crystal
    from pymatgen.core import Structure

    atoms: Any = crystal(
        [_PLACEHOLDERS[site[0]] for site in entry["sites"]],
        [site[1:] for site in entry["sites"]],
        spacegroup=entry["space_group"],
        setting=entry.get("setting", 1),
        cellpar=entry["lattice"],
        primitive_cell=True,
    )
    structure = Structure(atoms.cell.array, atoms.get_chemical_symbols(), atoms.get_scaled_positions())
    structure.sort()
    return structure
