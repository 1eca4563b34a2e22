"""How far fits of PCT curves are from the truth, and how often their intervals hold it, on made-up curves.

Each draw makes isotherms of one sample at five temperatures, with noise in pressure and uptake and a sloping
plateau, and fits them as ``hstore fit pct`` does. Curves have plateaus of another shape than the fit assumes too:
``gaussian`` spreads the local pressures normally, ``tilted`` evenly with sharp ends.

Example: ``python benchmarks/fit_pct.py --draws 500 --json``
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from hstore.units import GAS_CONSTANT_J_PER_MOL_K as R
from hstore_workflows.fit.plateau import fit_plateaus
from hstore_workflows.fit.vant_hoff import fit_vant_hoff

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHAPES = ("logistic", "gaussian", "tilted")
_TEMPERATURES_K = (293.15, 313.15, 333.15, 353.15, 373.15)
_POINTS = 40
_CAPACITY_WT_PCT = 1.4


def isotherm(
    ln_pressure: float, shape: str, width: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return measured pressures, bar, and uptakes, wt%, of a plateau whose middle is known."""
    x = np.linspace(ln_pressure - 4.0, ln_pressure + 2.5, 6000)
    distance = (x - ln_pressure) / width
    if shape == "logistic":
        turned = 1.0 / (1.0 + np.exp(-distance))
    elif shape == "gaussian":
        turned = norm.cdf(distance / 1.7)
    else:
        turned = np.clip(0.5 + distance / 6.0, 0.0, 1.0)
    dissolved = 0.12 * np.exp(0.5 * (x - ln_pressure))
    filled = _CAPACITY_WT_PCT - 0.1 * np.exp(-0.5 * (x - ln_pressure))
    uptake = (1.0 - turned) * dissolved + turned * filled
    wanted = np.linspace(0.03, 0.995 * uptake[-1], _POINTS)
    pressure = np.exp(np.interp(wanted, uptake, x) + 0.01 * rng.standard_normal(_POINTS))
    return pressure, wanted + 0.005 * _CAPACITY_WT_PCT * rng.standard_normal(_POINTS)


def draw(shape: str, seed: int) -> list[float]:
    """Return the errors of enthalpy and entropy, and 1 where their intervals hold the truth."""
    rng = np.random.default_rng((seed, SHAPES.index(shape)))
    enthalpy, entropy = rng.uniform(25.0, 40.0), rng.uniform(100.0, 115.0)
    width = rng.uniform(0.03, 0.15)
    found = []
    for kelvin in _TEMPERATURES_K:
        middle = entropy / R - 1000.0 * enthalpy / (R * kelvin)
        found.append(fit_plateaus(*isotherm(middle, shape, width, rng), plateaus=1).plateaus[0])
    line = fit_vant_hoff(
        _TEMPERATURES_K, [one.ln_pressure for one in found], [one.ln_pressure_std for one in found]
    )
    return [
        line.enthalpy_kj_per_mol_h2 - enthalpy,
        line.entropy_j_per_mol_h2_k - entropy,
        float(line.enthalpy_interval[0] <= enthalpy <= line.enthalpy_interval[1]),
        float(line.entropy_interval[0] <= entropy <= line.entropy_interval[1]),
    ]


def measure(draws: int, workers: int, seed: int) -> dict[str, object]:
    """Draw and summarize."""
    figures: dict[str, object] = {}
    with ProcessPoolExecutor(workers) as pool:
        for shape in SHAPES:
            rows = np.array(list(pool.map(partial(draw, shape), range(seed, seed + draws), chunksize=5)))
            error = np.abs(rows[:, :2])
            figures[shape] = {
                "mean_error_kj_per_mol_h2": round(float(rows[:, 0].mean()), 4),
                "largest_error_kj_per_mol_h2": round(float(error[:, 0].max()), 3),
                "largest_error_j_per_mol_h2_k": round(float(error[:, 1].max()), 3),
                "coverage_enthalpy": round(float(rows[:, 2].mean()), 3),
                "coverage_entropy": round(float(rows[:, 3].mean()), 3),
            }
    return {
        "nominal_coverage": 0.9,
        "shapes": figures,
        "draws": draws,
        "seed": seed,
        "versions": {name: version(name) for name in ("hstore", "numpy", "scipy")},
    }


def main() -> None:
    """Read the arguments, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=500, help="draws of each shape (default %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    arguments = parser.parse_args()
    if min(arguments.draws, arguments.workers) < 1:
        parser.error("--draws and --workers must be at least 1")
    figures = measure(arguments.draws, arguments.workers, arguments.seed)
    print(json.dumps(figures, indent=2) if arguments.json else "\n".join(f"{k}: {v}" for k, v in figures.items()))


if __name__ == "__main__":
    main()
