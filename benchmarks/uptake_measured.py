"""Simulated excess uptakes beside measured ones, with the scatter between labs as the floor.

Frameworks that can be named and whose structures the package ``core-mof`` holds, at 77 K; measured isotherms
are those of the public set ``isodb_h2`` (``HSTORE_DATA_MIRROR``) that are neither suspect nor told to be
simulated, each interpolated in its own range. A lab (an article) counts once, with the median of its samples.
Uptakes are excess, per mass of framework; the set seldom says which uptake an article means, and takes what is
drawn as it is.

Example: ``python benchmarks/uptake_measured.py --json``
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from simulating import parser_of

from hstore.settings import load_settings
from hstore_data.readers import read
from hstore_models.physics.force_field import ForceField
from hstore_models.physics.monte_carlo import Effort
from hstore_workflows.physics.uptake import CLASSICAL, QUANTUM, GasState, Question, uptakes_of
from hstore_workflows.sources.core_mof import read_core_mof

if TYPE_CHECKING:
    import argparse

    import pandas as pd

STRUCTURES = {
    "IRMOF-1": "EDUSIF_clean",
    "CuBTC": "FIQCEN_clean",
    "ZIF-8": "OFERUN_clean",
    "UiO-66": "RUBTAK01_SL",
}
"""Name in the set of isotherms -> entry of CoRE MOF 2019-ASR."""
TEMPERATURE_K, TOLERANCE_K = 77.0, 2.0
PRESSURES_BAR = (1.0, 20.0)
_LEAST_POINTS = 3


def measured(points: pd.DataFrame, name: str, pressure_bar: float) -> list[float]:
    """Return one uptake for each lab, wt% of the framework."""
    own = points[(points["name"] == name) & ~points["suspect"] & (points["category"] != "sim")]
    own = own[(own["temperature_k"] - TEMPERATURE_K).abs() <= TOLERANCE_K]
    labs = []
    for _, lab in own.groupby("reference"):
        values = []
        for _, isotherm in lab.groupby("isotherm_id"):
            curve = isotherm.sort_values("pressure_bar")
            p = curve["pressure_bar"].to_numpy(float)
            if len(p) >= _LEAST_POINTS and p[0] <= pressure_bar <= p[-1]:
                values.append(float(np.interp(pressure_bar, p, curve["h2_uptake_wt_pct"].to_numpy(float))))
        if values:
            labs.append(float(np.median(values)))
    return labs


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Simulate and compare."""
    points = read("isodb_h2", load_settings()).frame
    question = Question(
        states=tuple(GasState(TEMPERATURE_K, p) for p in PRESSURES_BAR),
        force_field=ForceField(cutoff_angstrom=arguments.cutoff),
        effort=Effort(arguments.error, most_cycles=arguments.cycles),
    )
    names = {entry: name for name, entry in STRUCTURES.items()}
    began = time.monotonic()
    rows = []
    for found in uptakes_of(read_core_mof(entries=set(names), workers=1), question, workers=arguments.workers):
        name = names[found.name.rpartition(":")[2]]
        for state in question.states:
            labs = measured(points, name, state.pressure_bar)
            low, middle, high = np.quantile(labs, [0.25, 0.5, 0.75])
            row = {
                "framework": name,
                "pressure_bar": state.pressure_bar,
                "labs": len(labs),
                "measured_median": round(float(middle), 3),
                "measured_quartiles": [round(float(low), 3), round(float(high), 3)],
            }
            for model in (CLASSICAL, QUANTUM):
                uptake = found.uptakes.get((model, state))
                row[model] = round(uptake.excess_wt_pct_host, 3) if uptake else None
            rows.append(row)
            print(f"{time.monotonic() - began:7.0f} s  {json.dumps(row)}", file=sys.stderr, flush=True)
    return {
        "mean_absolute_difference_wt_pct": {
            model: round(float(np.mean([abs(r[model] - r["measured_median"]) for r in rows if r[model]])), 3)
            for model in (CLASSICAL, QUANTUM)
        },
        "mean_half_range_of_labs_wt_pct": round(
            float(np.mean([np.ptp(r["measured_quartiles"]) / 2 for r in rows])), 3
        ),
        "versions": {name: version(name) for name in ("hstore", "raspalib", "core-mof")},
        "rows": rows,
    }


def main() -> None:
    """Read the arguments, measure, print."""
    parser = parser_of(__doc__, error=0.03, cycles=10_000)
    arguments = parser.parse_args()
    figures = measure(arguments)
    print(json.dumps(figures, indent=2) if arguments.json else "\n".join(f"{k}: {v}" for k, v in figures.items()))


if __name__ == "__main__":
    main()
