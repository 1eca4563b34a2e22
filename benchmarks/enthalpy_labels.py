"""How low the error of desorption enthalpies can go: the shipped learners, told the measured pressure or not.

``HSTORE_DATA_MIRROR=... python benchmarks/enthalpy_labels.py --json`` scores enthalpies of ``ml_hydpark`` with
whole chemical systems held out, twice: from composition, and from composition and the measured plateau pressure
of the very row that is asked for. Of dH = T (dS - R ln P) only the reported entropy is then left to guess. Its
scatter is mostly that of slopes drawn through a few points, of which a composition says little: who is not told
the pressure has still less to go by.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.settings import load_settings
from hstore.units import GAS_CONSTANT_J_PER_MOL_K, STANDARD_TEMPERATURE_K
from hstore_models.ensemble import Recipe, Task, fit_ensemble
from hstore_models.hydride_thermodynamics import ENTHALPY, LN_PRESSURE, learning_tasks
from hstore_models.inputs import assemble
from hstore_models.prediction import Query
from hstore_models.spec import shipped_spec
from hstore_workflows.evaluate.protocol import Scoring
from hstore_workflows.evaluate.task import folds_of, make_task

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_workflows.evaluate.task import Task as Scored

_ENTROPY_J_PER_MOL_K = 110.0
"""Entropy of the first guess from the pressure, which the learners correct."""
_PRESSURE = "pressure"
_COUNTS = 20
"""How often the pressure counts beside the 95 descriptors."""


def from_pressure(ln_pressure: FloatArray) -> FloatArray:
    """Return the enthalpy, kJ/mol H2, that goes with ln(P / bar) at 25 degC and an entropy of 110 J/(mol K)."""
    return STANDARD_TEMPERATURE_K * (_ENTROPY_J_PER_MOL_K - GAS_CONSTANT_J_PER_MOL_K * ln_pressure) / 1000.0


def told(task: Task, recipe: Recipe, ln_pressure: FloatArray) -> tuple[Task, Recipe]:
    """Return what is learned, and how, by who knows the pressure: what it leaves of the enthalpy."""
    place = task.features.shape[1]
    more = replace(
        task,
        features=np.column_stack([task.features, ln_pressure]),
        target=task.target - from_pressure(ln_pressure),
        blocks={**task.blocks, _PRESSURE: np.array([place])},
    )
    learners = [replace(one, blocks=(*one.blocks, f"{_PRESSURE} x{_COUNTS}")) for one in recipe.learners]
    return more, replace(recipe, learners=tuple(learners), low=-np.inf)


def answers(rows: pd.DataFrame, asked: pd.DataFrame, *, seed: int) -> dict[str, FloatArray]:
    """Train on rows and answer others, by composition alone and told the pressure, kJ/mol H2."""
    spec = shipped_spec("hydride_thermodynamics")
    rows = rows[rows[ENTHALPY].notna() & rows[LN_PRESSURE].notna()].reset_index(drop=True)
    task, recipe = learning_tasks(rows, spec)[ENTHALPY], spec.recipe(ENTHALPY, seed=seed)
    features = assemble(Query.of(list(asked["amounts"]), asked), spec.targets[ENTHALPY].features, host=True).values
    known, ask = (part[LN_PRESSURE].to_numpy(dtype=float) for part in (rows, asked))
    plain, _ = fit_ensemble(task, recipe).mean_and_spread(features)
    rest, _ = fit_ensemble(*told(task, recipe, known)).mean_and_spread(np.column_stack([features, ask]))
    return {"composition": plain, "composition and pressure": from_pressure(ask) + rest}


def held_out(scored: Scored, seed: int) -> dict[str, FloatArray]:
    """Return the errors of all scored rows, kJ/mol H2, each held out with its chemical system."""
    errors = {}
    for fold in folds_of(scored, scored.split(seed)):
        asked = scored.scored[fold.held_out].reset_index(drop=True)
        for name, values in answers(scored.trained[fold.trained], asked, seed=seed).items():
            errors.setdefault(name, np.empty(len(scored.truth)))[fold.held_out] = values
    return {name: np.abs(values - scored.truth) for name, values in errors.items()}


def run(data_set: str, seeds: int) -> dict[str, Any]:
    """Score both, means over seeds, beside an entropy of 110 J/(mol K) for all and the scatter of repeats."""
    scored = make_task(ENTHALPY, data_set, load_settings(), Scoring())
    with_pressure: NDArray[np.bool_] = scored.scored[LN_PRESSURE].notna().to_numpy()
    scored = replace(
        scored,
        scored=scored.scored[with_pressure].reset_index(drop=True),
        truth=scored.truth[with_pressure],
        scored_labels=scored.scored_labels[with_pressure],
    )
    runs = [held_out(scored, seed) for seed in range(seeds)]
    guess = np.abs(from_pressure(scored.scored[LN_PRESSURE].to_numpy(dtype=float)) - scored.truth)
    found = {name: _both([one[name] for one in runs]) for name in runs[0]}
    return {
        "data_set": data_set,
        "rows": len(scored.truth),
        "seeds": seeds,
        **found,
        "pressure alone": _both([guess]),
    }


def _both(errors: list[FloatArray]) -> dict[str, float]:
    return {
        "mae_kj_per_mol_h2": float(np.mean([one.mean() for one in errors])),
        "median_kj_per_mol_h2": float(np.mean([np.median(one) for one in errors])),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-set", default="ml_hydpark", help="(default %(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="splits (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    found = run(options.data_set, options.seeds)
    if options.json:
        print(json.dumps(found))
        return
    print(
        f"{found['rows']} enthalpies of {found['data_set']}, {found['seeds']} splits by chemical system, kJ/mol H2"
    )
    for name, row in found.items():
        if isinstance(row, dict):
            print(f"{name:<26} MAE {row['mae_kj_per_mol_h2']:5.2f}  median {row['median_kj_per_mol_h2']:5.2f}")


if __name__ == "__main__":
    main()
