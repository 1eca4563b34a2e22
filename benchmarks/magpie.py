"""Measure Magpie descriptors: compositions per second of hstore and of matminer, in one run on one core.

Both start from text; ``ours_per_s`` starts from compositions read before. matminer runs as its documentation
says, ``featurize_dataframe`` of ``StrToComposition`` and ``ElementProperty`` with ``n_jobs=1`` (its workers are
slower), on a sample of the same formulas, and both results are compared on that sample. Times are the shortest of
three.

Example: ``python benchmarks/magpie.py --rows 100000 --sample 300 --json``
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from hstore.formula import formula_text
from hstore_models.features.composition import CompositionBatch
from hstore_models.features.magpie import MAGPIE_NAMES, magpie_features

if TYPE_CHECKING:
    from collections.abc import Callable

_REPEATS = 3
_METALS = (
    "Mg",
    "Al",
    "Ca",
    "Ti",
    "V",
    "Cr",
    "Mn",
    "Fe",
    "Co",
    "Ni",
    "Cu",
    "Y",
    "Zr",
    "Nb",
    "La",
    "Ce",
    "Nd",
    "Hf",
)


def alloy_amounts(rows: int, seed: int) -> list[dict[str, float]]:
    """Draw alloys of two to six metals with fractional amounts."""
    rng = np.random.default_rng(seed)
    drawn = []
    for count in rng.integers(2, 7, rows):
        symbols = rng.choice(_METALS, count, replace=False)
        drawn.append({str(s): float(n) for s, n in zip(symbols, rng.random(count).round(3) + 0.01, strict=True)})
    return drawn


def best_time_s(work: Callable[[], object]) -> float:
    """Run the work a few times and return the shortest wall time, s."""
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def matminer_values(formulas: list[str]) -> tuple[np.ndarray, float]:
    """Read formulas and compute the descriptors with matminer; return values of shape (n, 132) and the time, s."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside matminer and pymatgen are not ours
        import pandas as pd
        from matminer.featurizers.composition import ElementProperty
        from matminer.featurizers.conversions import StrToComposition

        reader, featurizer = StrToComposition(), ElementProperty.from_preset("magpie", impute_nan=True)
        reader.set_n_jobs(1)
        featurizer.set_n_jobs(1)

        def work() -> pd.DataFrame:
            read = reader.featurize_dataframe(pd.DataFrame({"formula": formulas}), "formula", pbar=False)
            return featurizer.featurize_dataframe(read, "composition", pbar=False)

        result, elapsed_s = work(), best_time_s(work)
    return result[list(MAGPIE_NAMES)].to_numpy(dtype=float), elapsed_s


def measure(rows: int, sample: int, seed: int) -> dict[str, object]:
    """Run both and return the figures."""
    formulas = [formula_text(row) for row in alloy_amounts(rows, seed)]
    batch, _ = CompositionBatch.from_formulas(formulas)
    magpie_features(batch.take(slice(1)))  # reads the elemental table and loads the compiled loops once
    ours_s = best_time_s(lambda: magpie_features(batch))
    with_parsing_s = best_time_s(lambda: magpie_features(CompositionBatch.from_formulas(formulas)[0]))
    sample = min(sample, rows)
    theirs, matminer_s = matminer_values(formulas[:sample])
    with_parsing_per_s, matminer_per_s = rows / with_parsing_s, sample / matminer_s
    return {
        "ours_per_s": round(rows / ours_s),
        "ours_with_parsing_per_s": round(with_parsing_per_s),
        "matminer_per_s": round(matminer_per_s, 1),
        "ratio": round(with_parsing_per_s / matminer_per_s, 1),
        "max_abs_difference": float(np.abs(magpie_features(batch.take(slice(sample))) - theirs).max()),
        "rows": rows,
        "sample": sample,
        "seed": seed,
        "versions": {name: version(name) for name in ("hstore", "matminer", "numpy", "pymatgen")},
    }


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="compositions for hstore (default %(default)s)")
    parser.add_argument("--sample", type=int, default=300, help="compositions for matminer (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the compositions (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    arguments = parser.parse_args()
    if arguments.rows < 1 or arguments.sample < 1:
        parser.error("--rows and --sample must be at least 1")
    figures = measure(arguments.rows, arguments.sample, arguments.seed)
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        print("\n".join(f"{name}: {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
