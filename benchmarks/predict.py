"""Measure predictions: milliseconds for one material, and seconds for many, of every property that hstore ships.

One material is a formula (or the texture of a sorbent) that the model has not been asked before; text is parsed,
descriptors are computed and the model answers, in process, with the model loaded. The median of many materials is
printed. Many materials are asked in one call each model, all properties, as a screen does, and from text too.

The named peer is scikit-learn's own ``predict`` of forests and boosted trees of the same sizes, fitted here on the
same descriptors; ``trees`` compares answers and times of both on the same rows in the same run.

Models are trained first where they are missing, on the embedded data or, with HSTORE_DATA_MIRROR, on the public
sets; that is not part of any time.

Example: ``python benchmarks/predict.py --rows 100000 --json``
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.formula import formula_text, parse_amounts
from hstore.settings import load_settings
from hstore.workers import default_workers
from hstore_models.prediction import Query
from hstore_models.training import MODELS, ensure

sys.path.insert(0, str(Path(__file__).parent))
from magpie import alloy_amounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from hstore_models.registry import LoadedModel

_REPEATS = 3
_GOAL_MS, _GOAL_SECONDS = 5.0, 60.0
_CHUNK_ROWS = 20_000
_PEER_TRAINING_ROWS = 1500
_ANIONS, _CATIONS, _FORMERS = ("O", "S", "Cl", "Br"), ("Li", "Na"), ("La", "Zr", "P", "Ge", "Y", "Si", "Al")


def conductors(rows: int, seed: int) -> list[str]:
    """Draw formulas of conductors of lithium or sodium with two network formers and an anion."""
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(rows):
        first, second = rng.choice(_FORMERS, 2, replace=False)
        a, b, c, d = rng.uniform(0.2, 8.0, 4).round(3)
        drawn.append(f"{rng.choice(_CATIONS)}{a}{first}{b}{second}{c}{rng.choice(_ANIONS)}{d}")
    return drawn


def sorbents(rows: int, seed: int) -> pd.DataFrame:
    """Draw pore descriptors, and a state of each sorbent."""
    rng = np.random.default_rng(seed)
    density, area, volume = rng.uniform(0.3, 2, rows), rng.uniform(300, 6000, rows), rng.uniform(0.2, 2.5, rows)
    return pd.DataFrame(
        {
            "density_g_cm3": density,
            "gsa_m2_g": area,
            "vsa_m2_cm3": density * area,
            "void_fraction": np.clip(density * volume, 0.1, 0.9),
            "pore_volume_cm3_g": volume,
            "lcd_A": rng.uniform(5, 25, rows),
            "pld_A": rng.uniform(3, 5, rows),
            "temperature_k": rng.uniform(77, 298, rows),
            "pressure_bar": rng.uniform(1, 100, rows),
        }
    )


def materials_of(model: str, rows: int, seed: int) -> tuple[list[str] | None, pd.DataFrame]:
    """Draw what a model is asked: formulas (None for sorbents), and conditions or descriptors."""
    if model == "sorbent_uptake":
        return None, sorbents(rows, seed)
    temperatures = np.random.default_rng(seed).uniform(280, 400, rows)
    if model == "conductivity":
        return conductors(rows, seed), pd.DataFrame({"temperature_k": temperatures})
    return [formula_text(a) for a in alloy_amounts(rows, seed)], pd.DataFrame({"temperature_k": temperatures})


def query_of(formulas: list[str] | None, frame: pd.DataFrame) -> Query:
    """Parse formulas and build a query."""
    return Query.of([{}] * len(frame) if formulas is None else [parse_amounts(f) for f in formulas], frame)


def measure_single(loaded: LoadedModel, name: str, property_name: str, count: int) -> dict[str, float]:
    """Return median and 95th percentile of the milliseconds for one material."""
    formulas, frame = materials_of(name, count + 5, 1)
    times = []
    for row in range(count + 5):
        one = frame.iloc[[row]]
        started = time.perf_counter()
        loaded.model.predict(property_name, query_of(None if formulas is None else [formulas[row]], one))
        times.append(1000.0 * (time.perf_counter() - started))
    kept = times[5:]  # the first few load compiled code
    return {"median_ms": statistics.median(kept), "p95_ms": float(np.quantile(kept, 0.95))}


def measure_many(loaded: LoadedModel, name: str, rows: int) -> dict[str, float]:
    """Return the seconds for all properties of so many materials, in chunks as a screen asks, from text."""
    formulas, frame = materials_of(name, rows, 2)
    started = time.perf_counter()
    asking = 0.0
    for start in range(0, rows, _CHUNK_ROWS):
        part = slice(start, start + _CHUNK_ROWS)
        query = query_of(None if formulas is None else formulas[part], frame.iloc[part])
        parsed = time.perf_counter()
        for property_name in loaded.card.properties:
            loaded.model.predict(property_name, query)
        asking += time.perf_counter() - parsed
    return {"seconds": time.perf_counter() - started, "seconds_after_parsing": asking}


def shortest(run: Callable[[], Any]) -> tuple[float, Any]:
    """Return the shortest of three times of a run, and its result."""
    best, result = np.inf, None
    for _ in range(_REPEATS):
        started = time.perf_counter()
        result = run()
        best = min(best, time.perf_counter() - started)
    return best, result


def measure_trees(rows: int, count: int) -> dict[str, dict[str, float]]:
    """Time our walk through trees against scikit-learn's own predict, on the same rows, for many and for one."""
    from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor

    from hstore_models.trees import pack

    train = Query.of(alloy_amounts(_PEER_TRAINING_ROWS, 3)).features(("magpie", "hydride"), host=True).values
    asked = Query.of(alloy_amounts(rows, 4)).features(("magpie", "hydride"), host=True).values
    train, asked = (x.astype(np.float32).astype(np.float64) for x in (train, asked))
    target = np.nansum(train[:, :20], axis=1) + np.random.default_rng(0).normal(size=len(train))
    cores = default_workers()
    peers = {
        "extra_trees": ExtraTreesRegressor(count, max_features=0.35, random_state=0, n_jobs=cores),
        "boosting": HistGradientBoostingRegressor(max_iter=count, max_leaf_nodes=16, early_stopping=False),
    }
    found = {}
    for name, peer in peers.items():
        trees = pack(peer.fit(train, target))
        trees.predict(asked[:1000])
        ours, answer = shortest(lambda trees=trees: trees.predict(asked)[0])
        theirs, expected = shortest(lambda peer=peer: peer.predict(asked))
        one_ours, _ = shortest(lambda trees=trees: trees.predict(asked[:1]))
        one_theirs, _ = shortest(lambda peer=peer: peer.predict(asked[:1]))
        found[name] = {
            "trees": count,
            "rows": rows,
            "ours_s": ours,
            "scikit_learn_s": theirs,
            "ratio": theirs / ours,
            "ours_one_row_ms": 1000 * one_ours,
            "scikit_learn_one_row_ms": 1000 * one_theirs,
            "one_row_ratio": one_theirs / one_ours,
            "largest_relative_difference": float(np.max(np.abs(answer - expected) / np.abs(expected).max())),
        }
    return found


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="materials of each model in the batch")
    parser.add_argument("--single", type=int, default=200, help="materials asked one by one")
    parser.add_argument("--trees", type=int, default=300, help="trees of the peer, and of ours beside it")
    parser.add_argument("--only", choices=sorted(MODELS), help="one model")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if min(arguments.rows, arguments.single, arguments.trees) < 1:
        parser.error("--rows, --single and --trees must be at least 1")
    settings = load_settings()
    result: dict[str, Any] = {
        "data": "embedded" if settings.data_mirror is None else "embedded and public",
        "rows": arguments.rows,
        "cores": default_workers(),
        "load_average": os.getloadavg()[0],
        "goals": {"single_ms": _GOAL_MS, "batch_s": _GOAL_SECONDS},
        "single": {},
        "batch": {},
    }
    for name in [arguments.only] if arguments.only else MODELS:
        loaded = ensure(name, settings, say=lambda line: print(line, file=sys.stderr))
        for property_name in loaded.card.properties:
            result["single"][property_name] = measure_single(loaded, name, property_name, arguments.single)
        result["batch"][name] = measure_many(loaded, name, arguments.rows)
    result["batch_s"] = sum(part["seconds"] for part in result["batch"].values())
    result["slowest_single_ms"] = max(part["median_ms"] for part in result["single"].values())
    result["trees"] = measure_trees(min(arguments.rows, 20_000), arguments.trees)
    result["versions"] = {name: version(name) for name in ("hstore", "numpy", "numba", "scikit-learn")}
    print(
        json.dumps(result, indent=1)
        if arguments.json
        else pd.Series(pd.json_normalize(result).iloc[0]).to_string()
    )


if __name__ == "__main__":
    main()
