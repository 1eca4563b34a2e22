"""Crystals to measure with: real ones where they are installed, enumerated ones rattled out of their symmetry."""

from __future__ import annotations

import numpy as np

from hstore.crystal import Crystal
from hstore_workflows.sources.enumeration import enumerate_pool


def enumerated(count: int, *, seed: int = 0, rattle_angstrom: float = 0.05) -> list[Crystal]:
    """Return crystals of the embedded pool; every second one as enumerated, the others rattled."""
    rng = np.random.default_rng(seed)
    structures = [m.structure for m in enumerate_pool() if m.structure is not None]
    found = []
    for place in range(count):
        crystal = Crystal.from_dict(structures[place % len(structures)])
        if place % 2 or place >= len(structures):
            noise = rng.normal(0.0, rattle_angstrom, (len(crystal), 3)) @ np.linalg.inv(crystal.lattice_angstrom)
            crystal = Crystal(crystal.lattice_angstrom, crystal.fractional + noise, crystal.numbers)
        # into the cell, for outside it pymatgen's Voronoi neighbours fail or are silently wrong
        crystal = Crystal(crystal.lattice_angstrom, crystal.fractional % 1.0, crystal.numbers)
        found.append(crystal)
    return found
