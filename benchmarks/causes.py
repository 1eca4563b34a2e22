"""Causal discovery on data whose causes are known: distance of graphs, error of effects, and a null effect.

Each seed makes a graph of six variables, seven arrows and 1,000 rows. LiNGAM is compared with the graph itself, PC
with what independences can tell of it at best. Effects are those of each cause on each variable it reaches, with
the direct causes in the graph that was found held fixed. The null is a variable tied to the outcome by a common
cause alone.

Example: ``python benchmarks/causes.py --json``
"""

from __future__ import annotations

import argparse
import json
from importlib.metadata import version
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from hstore_models.explain.causal.effects import adjusted_slope, estimate_effect
from hstore_models.explain.causal.graph import CauseGraph, equivalence_class, hamming_distance
from hstore_models.explain.causal.search import METHODS
from hstore_models.explain.causal.synthetic import World, make_world


def main() -> None:
    """Print distances and errors over seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="number of graphs, from seed 0")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--gaussian", action="store_true", help="disturbances")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.seeds < 1:
        parser.error("--seeds must be at least 1")
    found = score(arguments.seeds, rows=arguments.rows, gaussian=arguments.gaussian)
    if arguments.json:
        print(json.dumps(found))
        return
    for method, told in found["methods"].items():
        print(f"{method}: distances {told['distances']}, at most 1 in {told['at_most_1']} of {arguments.seeds}")
        print(
            f"  mean error of effects {told['mean_effect_error']:.3f}, largest {told['largest_effect_error']:.3f}"
        )
    null = found["null_effect"]
    print(f"null effect: refuted in {null['refuted']} of {null['of']}, unsure in {null['unsure']}")
    print(
        f"  where its common cause is ignored, believed in {null['not_refuted_without_adjusting']} of {null['of']}"
    )


def score(seeds: int, *, rows: int = 1000, gaussian: bool = False) -> dict[str, Any]:
    """Score both methods.

    Args:
        seeds: number of graphs.
        rows: rows of each.
        gaussian: True for Gaussian disturbances.
    """
    worlds = [make_world(seed=seed, rows=rows, gaussian=gaussian) for seed in range(seeds)]
    nulls = [null_effect(seed, rows=rows) for seed in range(seeds)]
    return {
        "seeds": seeds,
        "rows": rows,
        "gaussian": gaussian,
        "versions": {name: version(name) for name in ("lingam", "causal-learn", "dowhy")},
        "methods": {method: score_method(method, worlds) for method in METHODS},
        "null_effect": {
            "of": seeds,
            "refuted": sum(right == "refuted" for right, _ in nulls),
            "unsure": sum(right == "unsure" for right, _ in nulls),
            "not_refuted_without_adjusting": sum(wrong == "not refuted" for _, wrong in nulls),
        },
    }


def score_method(method: str, worlds: list[World]) -> dict[str, Any]:
    """Return distances and errors of one method over worlds."""
    distances, joins, errors = [], [], []
    started = perf_counter()
    graphs = [METHODS[method](world.values, world.graph.names, None) for world in worlds]
    seconds = perf_counter() - started
    for world, graph in zip(worlds, graphs, strict=True):
        best = world.graph if method == "lingam" else equivalence_class(world.graph)
        distances.append(hamming_distance(graph, best))
        joins.append(int(np.triu(graph.joined != world.graph.joined, 1).sum()))
        errors += effect_errors(world, graph)
    return {
        "distances": distances,
        "mean_distance": float(np.mean(distances)),
        "at_most_1": sum(distance <= 1 for distance in distances),
        "pairs_joined_wrongly": joins,
        "effects": len(errors),
        "mean_effect_error": float(np.mean(errors)),
        "largest_effect_error": float(np.max(errors)),
        "seconds_per_graph": seconds / len(worlds),
    }


def effect_errors(world: World, graph: CauseGraph) -> list[float]:
    """Return the magnitude of the error of each effect that exists, standardised data not being used."""
    names, truth = world.graph.names, world.total_effects()
    errors = []
    for i, j in np.argwhere(world.graph.reaches()).tolist():
        fixed = [names.index(parent) for parent in graph.parents(names[i]) if parent != names[j]]
        errors.append(abs(adjusted_slope(world.values[:, [i, *fixed, j]]) - float(truth[i, j])))
    return errors


def null_effect(seed: int, *, rows: int) -> tuple[str, str]:
    """Return the verdict on a null effect with its common cause held fixed, and without."""
    rng = np.random.default_rng(seed)
    common = rng.uniform(-1, 1, rows)
    table = pd.DataFrame({
        "common": common,
        "bystander": common + rng.uniform(-1, 1, rows),
        "outcome": 2.0 * common + rng.uniform(-1, 1, rows),
    })  # fmt: skip
    right = estimate_effect(table, "bystander", "outcome", ["common"], seed=seed)
    wrong = estimate_effect(table, "bystander", "outcome", seed=seed)
    return right.verdict, wrong.verdict


if __name__ == "__main__":
    main()
