import json


def test_small_run_prints_agreeing_figures(benchmark):
    done = benchmark("magpie", "--rows", "3000", "--sample", "20", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["max_abs_difference"] == 0.0
    assert figures["rows"] == 3000
    assert figures["sample"] == 20
    assert figures["ratio"] > 20
    assert min(figures["ours_per_s"], figures["ours_with_parsing_per_s"]) > figures["matminer_per_s"]
    assert set(figures["versions"]) == {"hstore", "matminer", "numpy", "pymatgen"}


def test_rows_must_be_positive(benchmark):
    done = benchmark("magpie", "--rows", "0")
    assert done.returncode == 2
    assert "at least 1" in done.stderr
