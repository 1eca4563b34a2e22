"""Measure the topology of crystals on one core: crystals per second of the group, and of gudhi where it is there.

Crystals are enumerated ones with up to 50 atoms, half of them rattled out of their symmetry, as they are and in
supercells of as many atoms as fit below 50. gudhi has no periodic alpha complex for Python: it gets all
atoms of 3 x 3 x 3 cells, which is what its users do, and its time is set beside ours for the persistence of all
atoms. A block that ends has false voids along its faces, so the largest void of ours is looked for among all of
gudhi's.

With ``--mofs`` voids and channels of frameworks are compared with those that CoRE MOF 2019 states instead.

Example: ``python benchmarks/topology.py --crystals 60 --json``
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore_models.features.structure.geometry import Geometry
from hstore_models.features.structure.topology import TOPOLOGY, TOPOLOGY_IMAGES
from hstore_models.topology.alpha import alpha_complex
from hstore_models.topology.persistence import persistence_of

sys.path.insert(0, str(Path(__file__).parent))
from structures import enumerated

if TYPE_CHECKING:
    from collections.abc import Callable

    from hstore.arrays import FloatArray

MOST_ATOMS = 50
LEAST_ATOMS = 40
"""Supercells are of so many atoms at least."""


def measure(crystals: int) -> dict[str, Any]:
    """Time the group on small cells and on cells near 50 atoms, and gudhi on the same."""
    small = [crystal for crystal in enumerated(crystals) if len(crystal) <= MOST_ATOMS]
    large = [big for crystal in enumerated(4 * crystals) if (big := enlarged(crystal)) is not None][:crystals]
    figures: dict[str, Any] = {"versions": {"hstore": version("hstore"), "scipy": version("scipy")}}
    for group in (TOPOLOGY, TOPOLOGY_IMAGES):
        group.compute(Geometry(small[0]))  # compiles
    for name, some in (("as they are", small), ("near 50 atoms", large)):
        figures[name] = {
            "crystals": len(some),
            "mean_atoms": float(np.mean([len(crystal) for crystal in some])),
            "topology_per_s": rate(lambda c: TOPOLOGY.compute(Geometry(c)), some),
            "topology_images_per_s": rate(lambda c: TOPOLOGY_IMAGES.compute(Geometry(c)), some),
            "all_atoms_per_s": rate(persistence_of_all, some),
        }
        if find_spec("gudhi"):
            figures[name]["gudhi_per_s"] = rate(gudhi_voids, some)
            figures[name]["ratio"] = figures[name]["all_atoms_per_s"] / figures[name]["gudhi_per_s"]
            figures[name]["largest_void_in_gudhi"] = sum(
                bool((np.abs(gudhi_voids(crystal) - persistence_of_all(crystal)) < 1e-4).any()) for crystal in some
            )
    with suppress(PackageNotFoundError):
        figures["versions"]["gudhi"] = version("gudhi")
    return figures


def frameworks(count: int) -> dict[str, Any]:
    """Compare voids and channels of frameworks of CoRE MOF 2019 with the cavities and windows that it states.

    Those are Zeo++'s diameters between the surfaces of atoms, ours are radii from their centres: they go together
    but for the sizes of the atoms around.
    """
    from scipy.stats import spearmanr

    from hstore.records import Material
    from hstore_workflows.sources.core_mof import read_core_mof

    wanted = [
        TOPOLOGY.columns.index(f"all_{name}")
        for name in ("void_largest_radius_angstrom", "channel_1d_radius_angstrom")
    ]
    rows, times, atoms, failed = [], [], [], 0
    for material in read_core_mof(limit=count, workers=1):
        if not isinstance(material, Material) or material.structure is None:
            failed += 1
            continue
        crystal = Crystal.from_dict(material.structure)
        started = perf_counter()
        try:
            values = TOPOLOGY.compute(Geometry(crystal))
        except InputError:
            failed += 1
            continue
        times.append(perf_counter() - started)
        atoms.append(len(crystal))
        stated = [material.descriptors.get(name, np.nan) for name in ("lcd_A", "pld_A")]
        rows.append([*(2 * values[wanted]), *stated])
    table = np.array(rows)
    table = table[np.isfinite(table).all(axis=1)]
    figures: dict[str, Any] = {
        "frameworks": len(rows), "failed": failed, "compared": len(table), "mean_atoms": float(np.mean(atoms)),
        "seconds_mean": float(np.mean(times)), "seconds_max": float(np.max(times)), "most_atoms": max(atoms),
    }  # fmt: skip
    for place, name in enumerate(("cavity", "window")):
        ours, stated = table[:, place], table[:, place + 2]
        figures[f"{name}_rank_correlation"] = float(spearmanr(ours, stated).statistic)
        figures[f"{name}_surplus_angstrom_p5_p50_p95"] = np.quantile(ours - stated, [0.05, 0.5, 0.95]).tolist()
    return figures


def rate(run: Callable[[Crystal], Any], crystals: list[Crystal]) -> float:
    """Return crystals per second of the faster of two passes."""
    times = []
    for _ in range(2):
        started = perf_counter()
        for crystal in crystals:
            run(crystal)
        times.append(perf_counter() - started)
    return len(crystals) / min(times)


def persistence_of_all(crystal: Crystal) -> float:
    """Return the largest void of all atoms, angstrom, from our persistence."""
    found = persistence_of(alpha_complex(crystal.lattice_angstrom, crystal.fractional))
    return float(found.intervals[2].death_angstrom.max())


def gudhi_voids(crystal: Crystal) -> FloatArray:
    """Return the radii of the voids that gudhi finds in 3 x 3 x 3 cells, angstrom."""
    import gudhi

    shifts = np.indices((3, 3, 3)).reshape(3, -1).T
    points = (crystal.fractional[:, None] + shifts).reshape(-1, 3) @ crystal.lattice_angstrom
    tree = gudhi.AlphaComplex(points=points).create_simplex_tree()
    tree.compute_persistence()
    return np.sqrt(tree.persistence_intervals_in_dimension(2)[:, 1])


def enlarged(crystal: Crystal) -> Crystal | None:
    """Return a supercell along one direction after another of 40 to 50 atoms, None where none fits."""
    lattice, fractional, numbers = crystal.lattice_angstrom, crystal.fractional, crystal.numbers
    while len(numbers) < LEAST_ATOMS:
        axis = int(np.linalg.norm(lattice, axis=1).argmin())
        copies = next((k for k in (2, 3) if len(numbers) * k <= MOST_ATOMS), None)
        if copies is None:
            return None
        step = np.eye(3)[axis]
        fractional = np.concatenate([fractional + k * step for k in range(copies)]) / (1 + (copies - 1) * step)
        lattice = lattice * (1 + (copies - 1) * step)[:, None]
        numbers = np.tile(numbers, copies)
    return Crystal(lattice, fractional, numbers)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--crystals", type=int, default=60, help="crystals of each kind")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--mofs", type=int, metavar="N", help="compare so many frameworks of CoRE MOF instead")
    arguments = parser.parse_args()
    if arguments.mofs:
        print(json.dumps(frameworks(arguments.mofs), indent=1))
        return
    figures = measure(arguments.crystals)
    if arguments.json:
        print(json.dumps(figures, indent=1))
        return
    for name in ("as they are", "near 50 atoms"):
        found = figures[name]
        print(f"{name}: {found['crystals']} crystals, {found['mean_atoms']:.1f} atoms on average")
        for key, value in found.items():
            if key not in {"crystals", "mean_atoms"}:
                print(f"  {key:<26} {value:.1f}")


if __name__ == "__main__":
    main()
