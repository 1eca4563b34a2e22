"""The benchmarks of uptakes say what they are given, and their figures are of what they say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


def row(table, ours, void=0.5, **more):
    """A framework of which table and simulation are known."""
    return {
        "framework": "A", "table_g_per_l": table, "table_wt_pct": table / 10, "table_void_fraction": 0.5,
        "g_per_l": ours, "wt_pct": ours / 10, "helium_void_fraction": void, "table_density_g_cm3": 1.0,
        "density_g_cm3": 1.0, "error_95_g_per_l": 0.3, "cause": "", **more,
    }  # fmt: skip


def test_the_summary_is_of_its_rows(benchmark_module):
    rows = [
        row(10.0, 10.5, void=0.51), row(20.0, 24.0, cause="not converged"), row(40.0, 38.0), row(1.0, 3.0),
        {"table_g_per_l": 5.0, "table_wt_pct": 0.5, "table_void_fraction": 0.5, "cause": "no parameters"},
        row(10.0, 30.0, void=0.52, framework="other void"),
        row(10.0, 30.0, framework="other density", density_g_cm3=1.02),
    ]  # fmt: skip
    found = benchmark_module("uptake").summary(rows)
    assert (found["frameworks"], found["simulated"], found["converged"]) == (7, 6, 5)
    assert found["other_structures"] == ["other void", "other density"]
    told = found["g_per_l"]
    assert told["bias"] == pytest.approx((0.5 + 4 - 2 + 2) / 4)
    assert told["ratio_of_means"] == pytest.approx(75.5 / 71, abs=1e-4)
    assert (told["within_10_percent"], told["of"]) == (2, 3)  # the one of 1 g/L is too small for a ratio
    assert told["correlation"] == pytest.approx(np.corrcoef([10, 20, 40, 1], [10.5, 24, 38, 3])[0, 1], abs=1e-4)
    assert found["void_fraction_mean_absolute_difference"] == pytest.approx(0.0025)


def test_differences_that_follow_oxygen_are_told(benchmark_module):
    rows = [row(10.0, 10.0 + i, framework=str(i)) for i in range(5)]
    rows += [row(0.02, 9.0, framework="empty"), row(10.0, 30.0, void=0.6, framework="other structure")]
    oxygen = {str(i): i / 10 for i in range(5)} | {"empty": -1.0, "other structure": -1.0}
    found = benchmark_module("uptake").against_composition(rows, oxygen)
    assert (found["of"], found["spearman"]) == (5, 1.0)
    assert found["p_value"] < 0.01


def test_the_table_is_compared_with_itself(benchmark_module, monkeypatch):
    module = benchmark_module("uptake")
    same = dict.fromkeys(module.MOF_DESCRIPTORS, 1.0)
    other = dict.fromkeys(module.MOF_DESCRIPTORS, 2.0)
    closed = same | {"gsa_m2_g": 0.0}
    rows = [
        same | {"usable_capacity_g_per_l": 4.0}, same | {"usable_capacity_g_per_l": 5.0},
        other | {"usable_capacity_g_per_l": 20.0}, other | {"usable_capacity_g_per_l": 20.0},
        closed | {"usable_capacity_g_per_l": 1.0}, closed | {"usable_capacity_g_per_l": 9.0},
    ]  # fmt: skip
    monkeypatch.setattr(module, "read", lambda *_: type("Rows", (), {"frame": pd.DataFrame(rows)}))
    found = module.noise_of_table()
    assert (found["pairs"], found["pairs_of_2_to_8_g_per_l"]) == (2, 1)
    assert found["of_these_apart_by_more_than_10_percent"] == 1
    assert found["standard_deviation_of_one_g_per_l"] == pytest.approx(0.5)


def test_each_lab_counts_once(benchmark_module):
    def isotherm(number, lab, factor, **more):
        return pd.DataFrame(
            {
                "name": "IRMOF-1", "isotherm_id": number, "reference": lab, "temperature_k": 77.0,
                "pressure_bar": [0.5, 1.5, 30.0], "h2_uptake_wt_pct": [factor, 2 * factor, 5.0],
                "suspect": False, "category": "exp", **more,
            }
        )  # fmt: skip

    points = pd.concat(
        [
            isotherm("a", "lab 1", 1.0), isotherm("b", "lab 1", 1.2), isotherm("c", "lab 1", 1.4),
            isotherm("d", "lab 2", 2.0), isotherm("e", "lab 3", 9.0, category="sim"),
            isotherm("f", "lab 4", 9.0, suspect=True), isotherm("g", "lab 5", 9.0, temperature_k=87.0),
        ]
    )  # fmt: skip
    benchmark = benchmark_module("uptake_measured")
    assert sorted(benchmark.measured(points, "IRMOF-1", 1.0)) == pytest.approx([1.8, 3.0])
    assert benchmark.measured(points, "IRMOF-1", 50.0) == []


def test_there_must_be_a_framework(benchmark):
    done = benchmark("uptake", "--frameworks", "0")
    assert done.returncode == 2
    assert "at least 1" in done.stderr
