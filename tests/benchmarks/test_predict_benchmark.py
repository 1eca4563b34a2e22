import json

from hstore_models.training import MODELS


def test_small_run_times_one_and_many_and_agrees_with_its_peer(benchmark, trained, loaded):
    loaded("hydride_capacity")
    sizes = ("--rows", "500", "--single", "10", "--trees", "60")
    done = benchmark("predict", "--only", "hydride_capacity", *sizes, "--json", home=trained.home)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["data"] == "embedded"
    assert set(figures["single"]) == set(MODELS["hydride_capacity"])
    assert 0 < figures["slowest_single_ms"] < 1000
    assert figures["batch"]["hydride_capacity"]["seconds"] > 0
    for peer in figures["trees"].values():
        assert peer["largest_relative_difference"] < 1e-12
        assert peer["one_row_ratio"] > 5
    assert set(figures["versions"]) == {"hstore", "numpy", "numba", "scikit-learn"}


def test_rows_must_be_positive(benchmark):
    done = benchmark("predict", "--rows", "0")
    assert done.returncode == 2
    assert "at least 1" in done.stderr
