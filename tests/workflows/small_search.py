"""A small search by a quick potential; run as a script with a folder, it does it there in two processes."""

from __future__ import annotations

import sys
from pathlib import Path

from hstore_models.physics.relaxing import RelaxSettings
from hstore_workflows.physics.search.search import search
from hstore_workflows.physics.search.settings import SearchSettings

FORMULA = "Cu3Au"
EMT = "ase.calculators.emt:EMT"
QUICK = RelaxSettings(force_most_ev_per_angstrom=0.1, steps=60, rattle_angstrom=0.0, strain=0.0)
TIGHT = RelaxSettings(force_most_ev_per_angstrom=0.02, steps=200, rattle_angstrom=0.05)
SMALL = SearchSettings(
    potential=EMT, units=(1,), tries=5, draws=4, substitutions=0, best=2, basin_steps=2, coarse=QUICK, fine=TIGHT
)

if __name__ == "__main__":
    search(FORMULA, SMALL, folder=Path(sys.argv[1]), workers=2)
