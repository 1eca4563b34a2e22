"""Bond-valence barriers of lithium in five known conductors and insulators, and in a hydride.

Structures are made from published lattice data, named beside each. Positions that were not at hand are marked:
they are those of an isostructural compound, or the ideal ones of an ordered model, relaxed in the published cell
with CHGNet 0.3.0 to 0.02 eV/angstrom. Li6PS5Cl is disordered in nature; here all lithium is on 24g and no sulfur
and chlorine are exchanged. LiFePO4 is the structure that pymatgen carries.

Example: ``python benchmarks/barriers.py --json``
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from hstore.crystal import Crystal
from hstore_models.physics.barriers import BarrierSettings, migration_barriers


@dataclass(frozen=True)
class Known:
    """A crystal by its space group."""

    space_group: str
    """Hermann-Mauguin symbol."""
    cell: tuple[float, ...]
    """a, b, c, angstrom, alpha, beta, gamma, degrees."""
    sites: tuple[tuple[str, float, float, float], ...]
    """Element and fractional coordinates of each distinct site."""
    citation: str
    """Where the lattice, and the positions if not said otherwise, come from."""
    relaxed: str = ""
    """How positions were found where the citation does not give them."""


STRUCTURES = {
    "Li3N": Known(
        "P6/mmm",
        (3.648, 3.648, 3.875, 90, 90, 120),
        (("N", 0, 0, 0), ("Li", 0, 0, 0.5), ("Li", 1 / 3, 2 / 3, 0)),
        "doi 10.1039/c0ee00052c",
    ),
    "Li6PS5Cl": Known(
        "F-43m",
        (9.85, 9.85, 9.85, 90, 90, 90),
        (
            ("P", 0, 0, 0.5),
            ("S", 0.1201, 0.3799, 0.1201),
            ("S", 0.25, 0.25, 0.75),
            ("Cl", 0, 0, 0),
            ("Li", 0.0230, 0.25, 0.75),
        ),
        "doi 10.1002/pssa.201001117",
        "ordered model, relaxed",
    ),
    "LiI": Known(
        "Fm-3m",
        (6.0, 6.0, 6.0, 90, 90, 90),
        (("Li", 0, 0, 0), ("I", 0.5, 0.5, 0.5)),
        "distance of neighbours 3.00 angstrom, crystal data of University College London",
    ),
    "gamma-Li3PS4": Known(
        "Pmn2_1",
        (7.70829, 6.53521, 6.1365, 90, 90, 90),
        (
            ("Li", 0.245617, 0.324144, 0.996306),
            ("Li", 0.5, 0.848210, 0.988572),
            ("P", 0, 0.823378, 0.994805),
            ("S", 0.224204, 0.680460, 0.889967),
            ("S", 0, 0.121757, 0.885146),
            ("S", 0.5, 0.182892, 0.830032),
        ),
        "doi 10.1021/ja3110895",
        "from Li3PO4 (Keffer et al. 1967, Inorganic Chemistry 6, 119), relaxed",
    ),
    "LiH": Known(
        "Fm-3m",
        (4.083, 4.083, 4.083, 90, 90, 90),
        (("Li", 0, 0, 0), ("H", 0.5, 0.5, 0.5)),
        "doi 10.1021/acscombsci.7b00050",
    ),
}
"""Name -> structure."""


def crystal(name: str) -> Crystal:
    """Return one of the structures, or LiFePO4 as pymatgen carries it."""
    from pymatgen.core import Lattice, Structure

    if name == "LiFePO4":
        import pymatgen.util

        (folder,) = pymatgen.util.__path__
        structure = Structure.from_file(Path(folder) / "structures" / "LiFePO4.json")
        return Crystal.from_pymatgen(structure.remove_oxidation_states())
    known = STRUCTURES[name]
    elements, places = zip(*[(site[0], site[1:]) for site in known.sites], strict=True)
    lattice = Lattice.from_parameters(*known.cell)
    return Crystal.from_pymatgen(Structure.from_spacegroup(known.space_group, lattice, elements, places))


def measure(resolution_angstrom: float) -> dict[str, Any]:
    """Compute all barriers, with the time each takes."""
    settings = BarrierSettings(resolution_angstrom=resolution_angstrom)
    rows = {}
    for name in (*STRUCTURES, "LiFePO4"):
        begin = perf_counter()
        found = migration_barriers(crystal(name), "Li", settings).as_json()
        rows[name] = found | {"seconds": round(perf_counter() - begin, 1)}
    return {
        "barriers": rows,
        "resolution_angstrom": resolution_angstrom,
        "versions": {name: version(name) for name in ("hstore", "bvlain", "pymatgen")},
    }


def main() -> None:
    """Read the arguments, compute, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", type=float, default=0.2, help="angstrom (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    arguments = parser.parse_args()
    figures = measure(arguments.resolution)
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    for name, row in figures["barriers"].items():
        print(name, *(row[f"barrier_{dimension}d_ev"] for dimension in (1, 2, 3)), row["reason"])


if __name__ == "__main__":
    main()
