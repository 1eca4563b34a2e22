"""What computed enthalpies change in the ranking of a screen of hydrides.

The shipped pool is ranked twice: as ``hstore screen`` does, and by predictions alone.

Example: ``python benchmarks/computed_ranking.py onboard stationary --json``
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from hstore.settings import load_settings
from hstore_workflows.computed_enthalpy import BOTH, ComputedHydride
from hstore_workflows.pool import shipped_pool
from hstore_workflows.screen import run_screen
from hstore_workflows.target import load_target

if TYPE_CHECKING:
    import pandas as pd

_TOPS = (10, 100, 1000)


def ranked(name: str) -> pd.DataFrame:
    """Return the candidates of a shipped target, best first."""
    target, settings = load_target(name), load_settings()
    return run_screen(target, shipped_pool(target, seed=settings.seed), settings).candidates


def compare(name: str) -> dict[str, Any]:
    """Rank with and without computed enthalpies."""
    with_them = ranked(name)
    with patch.object(ComputedHydride, "counts", new=False):
        without = ranked(name)
    both = with_them.merge(without[["material_id", "rank"]], on="material_id", suffixes=("", "_before"))
    used = both[both["enthalpy_basis"] == BOTH]
    moved = (used["rank_before"] - used["rank"]).abs()
    return {
        "candidates": len(both),
        "computed": int((both["computed_by"] != "").sum()),
        "ranked_by_both": len(used),
        "median_places_moved": float(moved.median()),
        "most_places_moved": int(moved.max()),
        "still_in_top": {top: int(((both["rank"] <= top) & (both["rank_before"] <= top)).sum()) for top in _TOPS},
    }


def main() -> None:
    """Read the arguments, rank, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", default=["onboard"], help="shipped targets of hydrides")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    arguments = parser.parse_args()
    found = {name: compare(name) for name in arguments.targets}
    print(json.dumps(found, indent=2) if arguments.json else "\n".join(f"{k}: {v}" for k, v in found.items()))


if __name__ == "__main__":
    main()
