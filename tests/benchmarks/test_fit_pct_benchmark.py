"""The benchmark of PCT fits runs, and its figures are of what it says."""

import json


def test_a_few_draws(benchmark, tmp_path):
    done = benchmark("fit_pct", "--draws", "3", "--json", home=tmp_path)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert set(figures["shapes"]) == {"logistic", "gaussian", "tilted"}
    for shape in figures["shapes"].values():
        assert 0 < shape["largest_error_kj_per_mol_h2"] < 0.5
        assert 0 <= shape["coverage_enthalpy"] <= 1
    assert figures["draws"] == 3


def test_draws_must_be_positive(benchmark):
    done = benchmark("fit_pct", "--draws", "0")
    assert done.returncode == 2
    assert "at least 1" in done.stderr
