"""Whether a search from composition alone finds the structures of five hydrides, and at what cost.

MgH2 (rutile), LiH and NaH (rock salt), CaH2 (cotunnite) and TiH2 (fluorite) are searched for by random symmetric
crystals only: no known structure type is substituted, and the published structures are used afterwards, relaxed
by the same potential, to tell whether they are among what was found. The same structure means: fingerprints and
volumes within the tolerances of docs/explanation/deduplication.md, and ``StructureMatcher`` agrees.

Example: ``python benchmarks/structure_search.py --json``
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hstore.settings import load_settings
from hstore_workflows.physics.search.report import report
from hstore_workflows.physics.search.search import search
from hstore_workflows.physics.search.settings import SearchSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hstore_workflows.physics.search.tries import Try

BUDGETS = {
    "LiH": ((1, 2), 12),
    "NaH": ((1, 2), 12),
    "TiH2": ((1, 2), 12),
    "MgH2": ((1, 2), 40),
    "CaH2": ((2, 4), 40),
}
"""Formula -> formula units looked in, up to what the known phase needs, and tries."""


def measure(formula: str, settings: SearchSettings, folder: Path, workers: int) -> dict[str, Any]:
    """Search for one hydride and say whether its published structure was found."""
    began = time.monotonic()
    found = search(formula, settings, folder=folder / formula / "tries", workers=workers)
    seconds = time.monotonic() - began
    told = report(found, settings, home=load_settings(), folder=folder / formula, workers=workers)
    known = told["known_phase"]
    rank = known["rank"]
    tries = [one for one in found.tries if one.kind == "random"]
    row = told["structures"][rank - 1] if rank else None
    random = [] if row is None else [by for by in row["found_by"] if by.startswith("random")]
    first = -1 if row is None else min(_begun_at(by, found.tries) for by in row["found_by"])
    return {
        "formula": formula,
        "found": rank is not None,
        "rank": rank,
        "energy_gap_to_known_ev_per_atom": known["gap_ev_per_atom"],
        "energy_above_lowest_ev_per_atom": None if row is None else row["energy_above_lowest_ev_per_atom"],
        "space_group_found": None if row is None else row["space_group"],
        "space_group_known": known["space_group"],
        "nearest_type": None if row is None else row["nearest_type"],
        "lowest": {key: told["structures"][0][key] for key in ("space_group", "nearest_type", "known_type")},
        "units": settings.units,
        "first_met": known["first_met"],
        "tries_until_met": None if row is None else first + 1,
        "seconds_until_met": None if row is None else sum(one.seconds for one in tries[: first + 1]),
        "tries": len(tries),
        "tries_that_ended_there": len(random),
        "failures": told["failures"],
        "all_tries": told["tries"],
        "optimizer_steps": told["optimizer_steps"],
        "seconds_of_tries": told["core_hours"] * 3600,
        "seconds_of_this_run": seconds,
    }


def _begun_at(label: str, tries: Iterable[Try]) -> int:
    """Return the number of the random try that a try goes back to."""
    origins = {one.label: one.origin.partition(",")[0] for one in tries}
    while not label.startswith("random"):
        label = origins[label]
    return int(label.split()[1])


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--formulas", default=",".join(BUDGETS), help="which of the five")
    parser.add_argument("--potential", default="sevennet")
    parser.add_argument("--tries", type=int, help="of each; 12 or 40 where not given")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--best", type=int, default=6)
    parser.add_argument("--basin-steps", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, help="keep the records here, to go on with later")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows = []
    with TemporaryDirectory() as scratch:
        for formula in asked.formulas.split(","):
            settings = SearchSettings(
                potential=asked.potential,
                units=BUDGETS[formula][0],
                tries=asked.tries or BUDGETS[formula][1],
                draws=asked.draws,
                substitutions=0,
                best=asked.best,
                basin_steps=asked.basin_steps,
                seed=asked.seed,
            )
            rows.append(measure(formula, settings, asked.out or Path(scratch), asked.workers))
            if not asked.json:
                print(_text(rows[-1]), flush=True)
    if asked.json:
        settings_told = {
            "potential": asked.potential,
            "draws": asked.draws,
            "seed": asked.seed,
        }
        print(json.dumps({"settings": settings_told, "found": sum(row["found"] for row in rows), "rows": rows}))


def _text(row: dict[str, Any]) -> str:
    if not row["found"]:
        return f"{row['formula']}: not found in {row['tries']} tries, {row['seconds_of_tries']:.0f} s"
    return (
        f"{row['formula']}: number {row['rank']}, {row['energy_gap_to_known_ev_per_atom']:+.5f} eV/atom from the "
        f"known phase, {row['energy_above_lowest_ev_per_atom']:.4f} above the lowest; "
        f"met after {row['tries_until_met']} tries and {row['seconds_until_met']:.0f} s, "
        f"{row['tries_that_ended_there']} of {row['tries']} ended there loosely relaxed, "
        f"{row['seconds_of_tries']:.0f} s in all"
    )


if __name__ == "__main__":
    main()
