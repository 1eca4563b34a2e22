"""How near simulated usable capacities of frameworks come to a published table, 100 to 5 bar at 77 K.

Frameworks are drawn by seed from the rows of the public set ``mof_h2_usable`` (``HSTORE_DATA_MIRROR``) that
name an entry of CoRE MOF 2019-ASR, whose structures the package ``core-mof`` holds, and simulated as ``hstore
physics uptake`` does. Taken unless told otherwise: DREIDING with the metals of UFF for the framework, ``michels``
for hydrogen with the Feynman-Hibbs correction of each pair, tail corrections, and cavities without access filled:
the choice that reproduces the table, whose own settings could not be read (docs/how-to/adsorption.md).

A drawn framework whose density or helium void (with UFF, which gives the table's) is not that of the table is
another structure than the table's: it is told, and left out. ``--composition`` tells whether what is left follows
oxygen and hydrogen, and ``--noise`` how far rows of the table differ that have the same seven descriptors to the
last digit: what the table repeats of itself.

Example: ``python benchmarks/uptake.py --frameworks 20 --seed 0 --json``
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import spearmanr
from simulating import parser_of

from hstore.records import Material
from hstore.settings import load_settings
from hstore_data.readers import read
from hstore_data.readers.sorbent import MOF_DESCRIPTORS
from hstore_models.physics.adsorption import look_into
from hstore_models.physics.force_field import FRAMEWORK_SOURCES, HYDROGEN_MODELS, ForceField
from hstore_models.physics.monte_carlo import Effort
from hstore_models.physics.raspa_system import SAMPLERS
from hstore_models.prediction import Query
from hstore_models.sorbent import fit_sorbent
from hstore_models.training_data import load_training_data
from hstore_workflows.physics.pores import crystal_of
from hstore_workflows.physics.uptake import CLASSICAL, QUANTUM, FrameworkUptakes, GasState, Question, uptakes_of
from hstore_workflows.sources.core_mof import LINK_COLUMN, read_core_mof

if TYPE_CHECKING:
    import pandas as pd

    from hstore.crystal import Crystal

CHARGED, DISCHARGED = GasState(77.0, 100.0), GasState(77.0, 5.0)
_NEAR = 0.10
"""Relative difference within which a framework counts as reproduced."""
_POROUS_G_PER_L = 2.0
"""Relative differences are told of frameworks that deliver more than this: below it the table's rounding and the
statistical error decide."""
_SMALL_G_PER_L = 8.0
_NOTHING_G_PER_L = 0.1


_SAME_DENSITY, _ROUNDED = 0.01, 0.005
"""Relative difference of densities, beyond what the table rounds, above which a structure is not the table's."""
_SAME_VOID = 0.01
"""The same for the helium void, a difference, with what the table rounds."""


def drawn(frameworks: int, seed: int) -> pd.DataFrame:
    """Return rows of the table, one for each framework, by the name of its structure."""
    table = read("mof_h2_usable", load_settings()).frame
    linked = table[table[LINK_COLUMN].notna() & (table[LINK_COLUMN] != "")].sort_values(LINK_COLUMN)
    places = np.sort(np.random.default_rng(seed).choice(len(linked), frameworks, replace=False))
    return linked.iloc[places].set_index(LINK_COLUMN)


def one_row(found: FrameworkUptakes, table: pd.Series[Any], model: str) -> dict[str, Any]:
    """Return table and simulation of one framework beside each other."""
    name = found.name.rpartition(":")[2]
    row = {
        "framework": name,
        "table_g_per_l": float(table["usable_capacity_g_per_l"]),
        "table_wt_pct": float(table["usable_capacity_wt_pct"]),
        "table_density_g_cm3": float(table["density_g_cm3"]),
        "table_void_fraction": float(table["void_fraction"]),
    }
    usable = found.usable(model, (CHARGED, DISCHARGED))
    if usable is None:
        causes = [found.cause, *found.causes.values()]
        return row | {"cause": next(cause for cause in causes if cause)}
    states = [found.uptakes[model, state] for state in (CHARGED, DISCHARGED)]
    void = found.voids[model, CHARGED.temperature_k]
    return row | {
        "g_per_l": round(usable.g_per_l, 3),
        "error_95_g_per_l": round(usable.error_95_g_per_l, 3),
        "wt_pct": round(usable.wt_pct, 3),
        "charged_g_per_l": round(states[0].total_g_per_l, 2),
        "discharged_g_per_l": round(states[1].total_g_per_l, 2),
        "density_g_cm3": round(void.density_g_per_cm3, 3),
        "cycles": [state.cycles for state in states],
        "starts": [state.starts for state in states],
        "cause": "; ".join(state.cause for state in states if state.cause),
    }


def is_same(row: dict[str, Any]) -> bool:
    """Return whether the structure that was simulated has the density and the helium void of the table's."""
    density = row["density_g_cm3"] - row["table_density_g_cm3"]
    void = row["helium_void_fraction"] - row["table_void_fraction"]
    allowed = _ROUNDED + _SAME_DENSITY * row["table_density_g_cm3"]
    return bool(round(abs(density), 6) <= round(allowed, 6) and round(abs(void), 6) <= _SAME_VOID)


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how well simulation and table agree, over the frameworks that both have."""
    done = [row for row in rows if "g_per_l" in row]
    figures: dict[str, Any] = {"frameworks": len(rows), "simulated": len(done)}
    figures["converged"] = sum(not row["cause"] for row in done)
    figures["other_structures"] = [row["framework"] for row in done if not is_same(row)]
    done = [row for row in done if is_same(row)]
    for ours, theirs in (("g_per_l", "table_g_per_l"), ("wt_pct", "table_wt_pct")):
        x, y = (np.array([row[name] for row in done]) for name in (theirs, ours))
        porous = np.array([row["table_g_per_l"] > _POROUS_G_PER_L for row in done])
        ratio = y[porous] / x[porous]
        figures[ours] = {
            "ratio_of_means": _short(y.mean() / x.mean()),
            "bias": _short((y - x).mean()),
            "mean_absolute_difference": _short(np.abs(y - x).mean()),
            "median_ratio": _short(np.median(ratio)),
            "median_relative_difference": _short(np.median(np.abs(ratio - 1))),
            "within_10_percent": int((np.abs(ratio - 1) <= _NEAR).sum()),
            "of": int(porous.sum()),
            "correlation": _short(np.corrcoef(x, y)[0, 1]),
            "spearman": _short(spearmanr(x, y).statistic),
        }
    void = np.array([[row["helium_void_fraction"], row["table_void_fraction"]] for row in done])
    figures["void_fraction_mean_absolute_difference"] = _short(np.abs(void[:, 0] - void[:, 1]).mean())
    return figures


def _short(value: float) -> float:
    return round(float(value), 4)


def noise_of_table() -> dict[str, Any]:
    """Return how far usable capacities differ between rows of the table with the same seven descriptors.

    Rows without accessible area are left out: they have one descriptor less to tell them apart.
    """
    table = read("mof_h2_usable", load_settings()).frame
    table = table[table["gsa_m2_g"] > 0]
    groups = table.groupby(list(MOF_DESCRIPTORS))["usable_capacity_g_per_l"]
    pairs = np.array([values.to_numpy() for _, values in groups if len(values) == 2])
    apart, means = np.abs(np.diff(pairs, axis=1))[:, 0], pairs.mean(axis=1)
    low = (means > _POROUS_G_PER_L) & (means <= _SMALL_G_PER_L)
    return {
        "pairs": len(pairs),
        "standard_deviation_of_one_g_per_l": _short(math.sqrt(np.mean(apart**2) / 2)),
        "pairs_of_2_to_8_g_per_l": int(low.sum()),
        "of_these_apart_by_more_than_10_percent": int((apart[low] > _NEAR * means[low]).sum()),
    }


def crystals(names: set[str]) -> dict[str, Crystal]:
    """Return frameworks by name."""
    found = read_core_mof(entries=names, workers=1)
    return {one.name: crystal_of(one) for one in found if isinstance(one, Material)}


def shares(frameworks: dict[str, Crystal]) -> dict[str, float]:
    """Return the share of oxygen minus that of hydrogen among the atoms of frameworks, by name."""
    return {
        name: (one.symbols.count("O") - one.symbols.count("H")) / len(one.symbols)
        for name, one in frameworks.items()
    }


def helium_voids(frameworks: dict[str, Crystal]) -> dict[str, float]:
    """Return helium void fractions with UFF, as those of the table are, whatever hydrogen is simulated with."""
    voids = {n: look_into(one, 298.15, ForceField(), blocking=False) for n, one in frameworks.items()}
    return {name: round(void.helium_void_fraction, 3) for name, void in voids.items()}


def against_composition(rows: list[dict[str, Any]], oxygen: dict[str, float]) -> dict[str, Any]:
    """Return whether simulation minus table follows composition, as it would with other parameters of atoms."""
    done = [row for row in rows if "g_per_l" in row and is_same(row) and row["table_g_per_l"] > _NOTHING_G_PER_L]
    apart = [row["g_per_l"] - row["table_g_per_l"] for row in done]
    found = spearmanr([oxygen[row["framework"]] for row in done], apart)
    return {"of": len(done), "spearman": _short(found.statistic), "p_value": float(f"{found.pvalue:.2g}")}


def learned(table: pd.DataFrame) -> dict[str, float]:
    """Return what the sorbent model predicts, g/L, trained without the drawn frameworks and their likes."""
    data = load_training_data("sorbent_uptake", load_settings())
    simulated = data.simulated
    assert simulated is not None
    model = fit_sorbent(data.rows, simulated[~simulated["group"].isin(table["group"])])
    query = Query.of([{}] * len(table), table.reset_index())
    predicted = model.predict("usable_capacity_g_per_l", query).mean
    return dict(zip(map(str, table.index), np.asarray(predicted, float).tolist(), strict=True))


def of_learned(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how far the model is from the simulation, and beside it from the table it learned from."""
    done = [row for row in rows if "g_per_l" in row and np.isfinite(row["learned_g_per_l"])]
    guess = np.array([row["learned_g_per_l"] for row in done])
    found = {}
    for name, column in (("simulation", "g_per_l"), ("table", "table_g_per_l")):
        truth = np.array([row[column] for row in done])
        found[name] = {
            "bias_g_per_l": _short((guess - truth).mean()),
            "mean_absolute_difference_g_per_l": _short(np.abs(guess - truth).mean()),
            "correlation": _short(np.corrcoef(guess, truth)[0, 1]),
        }
    return found


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Draw, simulate or read, compare."""
    table = drawn(arguments.frameworks, arguments.seed)
    if arguments.rows:
        figures: dict[str, Any] = json.loads(arguments.rows.read_text(encoding="utf-8"))
    else:
        figures = simulated_figures(arguments, table)
    frameworks = crystals({row["framework"] for row in figures["rows"]})
    voids = helium_voids(frameworks)
    for row in figures["rows"]:
        row["helium_void_fraction"] = voids[row["framework"]]
    figures = {"summary": summary(figures["rows"])} | {k: v for k, v in figures.items() if k != "summary"}
    if arguments.composition:
        figures["against_oxygen_minus_hydrogen"] = against_composition(figures["rows"], shares(frameworks))
    if arguments.noise:
        figures["noise_of_table"] = noise_of_table()
    if arguments.learned:
        guesses = learned(table)
        for row in figures["rows"]:
            row["learned_g_per_l"] = round(guesses[row["framework"]], 3)
        figures["learned"] = of_learned(figures["rows"])
    return figures


def simulated_figures(arguments: argparse.Namespace, table: pd.DataFrame) -> dict[str, Any]:
    """Simulate the drawn frameworks and compare them with the table."""
    model = QUANTUM if arguments.quantum else CLASSICAL
    question = Question(
        states=(),
        swings=((CHARGED, DISCHARGED),),
        force_field=ForceField(
            arguments.framework, arguments.hydrogen, cutoff_angstrom=arguments.cutoff, tail=arguments.tail
        ),
        effort=Effort(
            arguments.error, exchanges=arguments.exchanges, most_cycles=arguments.cycles, seed=arguments.seed
        ),
        models=(model,),
        blocking=False,
        sampler=arguments.sampler,
    )
    return {
        "force_field": question.fields[model].describe(),
        "sampler": arguments.sampler,
        "error": arguments.error,
        "exchanges": arguments.exchanges,
        "seed": arguments.seed,
        "versions": {name: version(name) for name in ("hstore", "numpy", "raspalib", "core-mof")},
        "rows": simulated_rows(question, table, model, arguments.workers),
    }


def simulated_rows(question: Question, table: pd.DataFrame, model: str, workers: int) -> list[dict[str, Any]]:
    """Simulate the frameworks of a table and return a row for each."""
    began = time.monotonic()
    of_table = {str(name): row for name, row in table.iterrows()}
    rows = []
    for found in uptakes_of(read_core_mof(entries=set(table.index), workers=1), question, workers=workers):
        rows.append(one_row(found, of_table[found.name.rpartition(":")[2]], model))
        print(f"{time.monotonic() - began:7.0f} s  {json.dumps(rows[-1])}", file=sys.stderr, flush=True)
    return rows


def main() -> None:
    """Read the arguments, measure, print."""
    parser = parser_of(__doc__, error=0.02, cycles=20_000)
    parser.add_argument("--frameworks", type=int, default=20, help="frameworks (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default %(default)s)")
    parser.add_argument("--exchanges", type=float, default=2.0, help="least exchanges (default %(default)s)")
    parser.add_argument("--framework", choices=sorted(FRAMEWORK_SOURCES), default="dreiding")
    parser.add_argument("--hydrogen", choices=sorted(HYDROGEN_MODELS), default="michels")
    parser.add_argument(
        "--quantum",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="Feynman-Hibbs refitted for each pair",
    )
    parser.add_argument("--tail", action=argparse.BooleanOptionalAction, default=True, help="tail corrections")
    parser.add_argument("--sampler", choices=SAMPLERS, default="raspa")
    parser.add_argument(
        "--rows", type=Path, help="JSON of an earlier run with the same draw: nothing is simulated"
    )
    parser.add_argument(
        "--composition", action="store_true", help="whether differences follow oxygen and hydrogen"
    )
    parser.add_argument("--noise", action="store_true", help="what the table repeats of itself")
    parser.add_argument("--learned", action="store_true", help="compare the sorbent model with the simulation too")
    arguments = parser.parse_args()
    if min(arguments.frameworks, arguments.workers) < 1:
        parser.error("--frameworks and --workers must be at least 1")
    figures = measure(arguments)
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    more = ("against_oxygen_minus_hydrogen", "noise_of_table", "learned")
    told = {name: figures[name] for name in more if name in figures}
    for name, value in (figures["summary"] | told).items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
