"""How far fits of isotherms are from the truth, and how often their 90 % intervals hold it, on made-up isotherms.

Each draw makes one isotherm of a model whose parameters are drawn too, with equal noise on all points, and fits
that model (``models``) or lets ``hstore fit isotherm`` choose (``chosen``). ``all_temperatures`` makes excess
isotherms of the modified Dubinin-Astakhov model at five temperatures. Coverage is counted over parameters, over
points of the curve, and, for five temperatures, over the isosteric heat.

With ``--measured N`` it fits N measured isotherms of the public set isodb_h2 instead (``HSTORE_DATA_MIRROR``),
drawn by seed, all taken as excess uptakes, and the isotherms of MOF-5 at six temperatures of one paper together.

Example: ``python benchmarks/fit_isotherm.py --draws 200 --json``
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError
from hstore.settings import load_settings
from hstore.thermo import J_PER_KJ
from hstore.units import GAS_CONSTANT_J_PER_MOL_K as R
from hstore_data.readers import read
from hstore_workflows.fit.isotherm_fit import Points, fit_isotherm
from hstore_workflows.fit.isotherm_heat import isosteric_heats
from hstore_workflows.fit.isotherm_mda import fit_mda, mda_uptake
from hstore_workflows.fit.isotherm_models import isotherm_models
from hstore_workflows.fit.vant_hoff import COVERAGE

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from hstore_workflows.fit.isotherm_fit import ModelFit

RANGES = {
    "Langmuir": ((2.0, 6.0), (0.05, 0.6)),
    "Toth": ((3.0, 8.0), (0.1, 2.0), (0.4, 0.9)),
    "Sips": ((3.0, 8.0), (0.05, 0.4), (0.6, 0.95)),
    "DSLangmuir": ((0.5, 2.0), (1.0, 4.0), (2.0, 5.0), (0.02, 0.1)),
}
"""Parameters are drawn evenly from these."""
MDA_RANGES = ((10.0, 16.0), (2500.0, 3500.0), (12.0, 20.0), (8000.0, 16000.0), (0.8, 1.6))
"""About those of hydrogen on activated carbon (doi 10.1007/s10450-009-9149-x)."""
_KELVIN = (77.0, 100.0, 130.0, 200.0, 298.0)
_HEAT_KELVIN = (77.0, 87.0, 97.0, 107.0)
_POINTS, _FIRST_BAR, _LAST_BAR = 25, 0.05, 60.0
_NOISE = 0.01
"""Share of the largest uptake."""
_LEAST_MEASURED = 8
_MOF5, _MOF5_ISOTHERMS = "10.1021Jp901988e.isotherm", (16, 18, 20, 22, 24, 26)
"""MOF-5 at 60, 77, 100, 125, 200 and 300 K (doi 10.1021/jp901988e): the lower, excess isotherm of each pair."""


def draw(name: str, seed: int) -> dict[str, Any]:
    """Make and fit one isotherm; return the errors, and which intervals hold the truth."""
    rng = np.random.default_rng((seed, sorted(RANGES).index(name)))
    truth = np.array([rng.uniform(low, high) for low, high in RANGES[name]])
    model = next(one for one in isotherm_models() if one.name == name)
    p = np.geomspace(_FIRST_BAR, _LAST_BAR, _POINTS)
    exact = model.uptake(p, truth)
    measured = exact + _NOISE * exact.max() * rng.standard_normal(_POINTS)
    points = Points(77.0, "absolute", p, measured)
    found = fit_isotherm(points)
    fit = next(one for one in found.fits if one.name == name)
    return {
        "error": np.abs(fit.solution.theta / truth - 1.0).tolist(),
        "parameters": _hold(fit.solution.intervals, truth),
        "curve": _curve(fit, p, exact),
        "chosen": found.chosen.name == name,
        "chosen_curve": _curve(found.chosen, p, exact),
    }


def draw_mda(seed: int) -> dict[str, Any]:
    """Make and fit excess isotherms at five temperatures together."""
    rng = np.random.default_rng((seed, len(RANGES)))
    truth = np.array([rng.uniform(low, high) for low, high in MDA_RANGES])
    p = np.geomspace(0.1, _LAST_BAR, 15)
    exact = [mda_uptake(truth, p, kelvin, "excess") for kelvin in _KELVIN]
    noise = _NOISE * max(float(one.max()) for one in exact)
    fit = fit_mda(
        [
            Points(kelvin, "excess", p, one + noise * rng.standard_normal(len(p)))
            for kelvin, one in zip(_KELVIN, exact, strict=True)
        ]
    )
    uptake = np.array([0.1, 0.3]) * truth[0]
    heat, error = fit.heat_kj_per_mol(uptake)
    true_heat = truth[1] * np.sqrt(np.log(truth[0] / uptake)) / J_PER_KJ
    reach = fit.solution.reach
    held = [
        float(np.mean(np.abs(fit.uptake(p, kelvin) - one) <= reach * fit.std(p, kelvin)))
        for kelvin, one in zip(_KELVIN, exact, strict=True)
    ]
    return {
        "error": np.abs(fit.solution.theta / truth - 1.0).tolist(),
        "parameters": _hold(fit.solution.intervals, truth),
        "curve": float(np.mean(held)),
        "heat": (np.abs(heat - true_heat) <= reach * error).tolist(),
    }


def draw_heat(temperatures_k: tuple[float, ...], seed: int) -> list[bool]:
    """Make Langmuir isotherms of the same heat at every uptake; return which of the intervals hold it."""
    rng = np.random.default_rng((seed, len(RANGES) + len(temperatures_k)))
    heat, saturation, affinity = rng.uniform(4.0, 8.0), rng.uniform(2.0, 6.0), rng.uniform(0.1, 0.6)
    model = next(one for one in isotherm_models() if one.name == "Langmuir")
    p = np.geomspace(_FIRST_BAR, _LAST_BAR, _POINTS)
    fits = []
    for kelvin in temperatures_k:
        there = affinity * np.exp(J_PER_KJ * heat / R * (1.0 / kelvin - 1.0 / temperatures_k[0]))
        exact = model.uptake(p, np.array([saturation, there]))
        noisy = exact + _NOISE * exact.max() * rng.standard_normal(_POINTS)
        fits.append(fit_isotherm(Points(kelvin, "absolute", p, noisy)).chosen)
    return [one.interval[0] <= heat <= one.interval[1] for one in isosteric_heats(fits)]


def _hold(intervals: NDArray[np.float64], truth: NDArray[np.float64]) -> list[bool]:
    return ((intervals[:, 0] <= truth) & (truth <= intervals[:, 1])).tolist()


def _curve(fit: ModelFit, p: NDArray[np.float64], exact: NDArray[np.float64]) -> float:
    """Return the share of points of the curve whose interval holds the truth."""
    return float(np.mean(np.abs(fit.uptake(p) - exact) <= fit.solution.reach * fit.std(p)))


def _mean(rows: list[dict[str, Any]], key: str) -> float:
    return round(float(np.mean([row[key] for row in rows])), 3)


def _median_error(rows: list[dict[str, Any]]) -> list[float]:
    return np.round(np.median([row["error"] for row in rows], axis=0), 3).tolist()


def measure(draws: int, workers: int, seed: int) -> dict[str, Any]:
    """Draw and summarize."""
    models: dict[str, Any] = {}
    with ProcessPoolExecutor(workers) as pool:
        for name in RANGES:
            rows = list(pool.map(partial(draw, name), range(seed, seed + draws), chunksize=5))
            models[name] = {
                "median_relative_error": _median_error(rows),
                "coverage_parameters": _mean(rows, "parameters"),
                "coverage_curve": _mean(rows, "curve"),
                "chosen": _mean(rows, "chosen"),
                "coverage_curve_of_chosen": _mean(rows, "chosen_curve"),
            }
        rows = list(pool.map(draw_mda, range(seed, seed + draws), chunksize=5))
        heats = {}
        for some in (_HEAT_KELVIN[:2], _HEAT_KELVIN):
            held = pool.map(partial(draw_heat, some), range(seed, seed + draws), chunksize=5)
            heats[f"{len(some)} temperatures"] = round(float(np.mean(list(chain.from_iterable(held)))), 3)
    return {
        "nominal_coverage": COVERAGE,
        "models": models,
        "coverage_clausius_clapeyron": heats,
        "all_temperatures": {
            "median_relative_error": _median_error(rows),
            "coverage_parameters": _mean(rows, "parameters"),
            "coverage_curve": _mean(rows, "curve"),
            "coverage_heat": _mean(rows, "heat"),
        },
        "draws": draws,
        "seed": seed,
        "versions": {name: version(name) for name in ("hstore", "numpy", "scipy", "pygaps")},
    }


def measured(number: int, seed: int) -> dict[str, Any]:
    """Fit measured isotherms of the public set isodb_h2."""
    frame = read("isodb_h2", load_settings()).frame
    frame = frame[~frame["suspect"] & (frame["category"] != "sim") & (frame["pressure_bar"] > 0)]
    groups = {name: group for name, group in frame.groupby("isotherm_id") if len(group) >= _LEAST_MEASURED}
    drawn = np.random.default_rng(seed).permutation(sorted(groups))[:number]
    rows, failed = [], Counter()
    for name in drawn:
        points = _points(groups[name])
        try:
            found = fit_isotherm(points)
        except InputError as error:
            failed[str(error)[:60]] += 1
            continue
        fit, top = found.chosen, float(points.uptake_wt_pct.max())
        falls = points.maximum is not None
        rows.append((fit.name, fit.solution.rmse / top, fit.held_out_rmse / top, bool(fit.doubt), falls))
    misses = np.array([row[1:3] for row in rows])
    together = fit_mda([_points(groups[f"{_MOF5}{place}"]) for place in _MOF5_ISOTHERMS])
    return {
        "isotherms": len(drawn),
        "fitted": len(rows),
        "failed": dict(failed),
        "chosen": dict(Counter(row[0] for row in rows).most_common()),
        "doubtful": sum(row[3] for row in rows),
        "with_a_maximum": sum(row[4] for row in rows),
        "median_rmse_share_of_largest": round(float(np.median(misses[:, 0])), 4),
        "median_held_out_rmse_share_of_largest": round(float(np.nanmedian(misses[:, 1])), 4),
        "mof5_all_temperatures": together.as_json(),
        "seed": seed,
    }


def _points(group: pd.DataFrame) -> Points:
    distinct = group.groupby("pressure_bar")["h2_uptake_wt_pct"].mean()
    return Points(
        float(group["temperature_k"].iloc[0]), "excess", distinct.index.to_numpy(float), distinct.to_numpy(float)
    )


def main() -> None:
    """Read the arguments, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200, help="draws of each model (default %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default %(default)s)")
    parser.add_argument("--measured", type=int, help="fit so many measured isotherms instead")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    arguments = parser.parse_args()
    if min(arguments.draws, arguments.workers) < 1:
        parser.error("--draws and --workers must be at least 1")
    if arguments.measured:
        print(json.dumps(measured(arguments.measured, arguments.seed), indent=2))
        return
    figures = measure(arguments.draws, arguments.workers, arguments.seed)
    print(json.dumps(figures, indent=2) if arguments.json else "\n".join(f"{k}: {v}" for k, v in figures.items()))


if __name__ == "__main__":
    main()
