"""Does a computed enthalpy help a model of compositions? A comparison on chemical systems that were left out.

The composition model is a forest of extremely randomised trees on the descriptors of the package (``magpie`` and
``hydride``, which know the enthalpies of the binary hydrides), trained on all hydrides of the curated table with a
measured enthalpy. Every known hydride is predicted by models that have seen nothing of its chemical system, in
five ways: composition alone, corrected potential alone, their mean, composition with the corrected enthalpy as a
further descriptor, and the corrected enthalpy plus a forest for what is left of the error (delta learning).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.formula import parse_amounts
from hstore_models.physics.calibrated import error_of, left_out
from hstore_workflows.physics.known_hydrides import WINDOW_KJ_PER_MOL_H2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore.arrays import FloatArray
    from hstore_models.physics.calibrated import Priced
    from hstore_workflows.physics.known_hydrides import KnownSet

TREES = 100
WAYS = ("composition", "corrected potential", "mean of both", "with it as a descriptor", "delta on it")


def chemical_system(formula: str) -> str:
    """Return the elements other than hydrogen, in alphabetical order."""
    return "-".join(sorted(set(parse_amounts(formula)) - {"H"}))


def compare_with_composition(known: KnownSet, *, seed: int = 0) -> dict[str, Any]:
    """Return the errors of the five ways over the known hydrides, all and within 15 to 80 kJ/mol H2.

    Args:
        known: what one potential makes of the known hydrides.
        seed: of the forests.
    """
    from hstore_data.curated import curated_table

    table = curated_table("hydrides").frame
    table = table[table["desorption_enthalpy_kj_per_mol_h2"].notna()].reset_index(drop=True)
    systems = [chemical_system(row.formula) for row in known.rows]
    computed = left_out(known.rows, systems).kj_per_mol_h2
    of_system = {
        system: np.flatnonzero([chemical_system(str(formula)) == system for formula in table["formula"]])
        for system in dict.fromkeys(systems)
    }
    descriptors = _descriptors([str(formula) for formula in table["formula"]])
    own = _descriptors([row.formula for row in known.rows])
    measured = table["desorption_enthalpy_kj_per_mol_h2"].to_numpy(dtype=float)
    added = _as_descriptor(table["formula"], known.rows, computed)
    predicted = {way: np.full(len(systems), np.nan) for way in WAYS}
    predicted["corrected potential"] = computed
    for system, members in of_system.items():
        mine = np.array([one == system for one in systems])
        others = np.setdiff1d(np.arange(len(table)), members)
        forest = _forest(descriptors[others], measured[others], seed)
        predicted["composition"][mine] = forest.predict(own[mine])
        wide = np.column_stack([descriptors, added])
        forest = _forest(wide[others], measured[others], seed)
        predicted["with it as a descriptor"][mine] = forest.predict(np.column_stack([own[mine], computed[mine]]))
        forest = _forest(own[~mine], (known.measured - computed)[~mine], seed)
        predicted["delta on it"][mine] = computed[mine] + forest.predict(own[mine])
    predicted["mean of both"] = (predicted["composition"] + computed) / 2
    low, high = WINDOW_KJ_PER_MOL_H2
    inside = (known.measured >= low) & (known.measured <= high)
    useful = [row for row, within in zip(known.rows, inside, strict=True) if within]
    return {
        way: {"all": error_of(known.rows, value), "window": error_of(useful, value[inside])}
        for way, value in predicted.items()
    }


def lines(found: dict[str, Any]) -> list[str]:
    """Return the comparison as text."""
    text = ["  MAE with the chemical system left out, kJ/mol H2        all   15-80"]
    text += [
        f"    {way:<50}{errors['all']['mae']:6.1f}  {errors['window']['mae']:6.1f}"
        for way, errors in found.items()
    ]
    return text


def _descriptors(formulas: Sequence[str]) -> FloatArray:
    """Descriptors of formulas, shape (n, d); what is not defined is 0, which trees set apart."""
    from hstore_models.features.composition import CompositionBatch
    from hstore_models.features.table import featurize

    batch = CompositionBatch.from_amounts([parse_amounts(formula) for formula in formulas])
    return np.nan_to_num(featurize(batch).values, nan=0.0)


def _as_descriptor(formulas: Any, rows: Sequence[Priced], computed: FloatArray) -> FloatArray:
    """The corrected enthalpy of each row of the table by its host's elements; the mean where none is computed."""
    by_system: dict[str, list[float]] = {}
    for row, value in zip(rows, computed, strict=True):
        by_system.setdefault(chemical_system(row.formula), []).append(float(value))
    mean = float(np.mean(computed))
    found = [np.mean(by_system.get(chemical_system(str(formula)), [mean])) for formula in formulas]
    return np.array(found)


def _forest(descriptors: FloatArray, values: FloatArray, seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesRegressor

    forest = ExtraTreesRegressor(TREES, min_samples_leaf=2, max_features=0.4, random_state=seed, n_jobs=1)
    return forest.fit(descriptors, values)
