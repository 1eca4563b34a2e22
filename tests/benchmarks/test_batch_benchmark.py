import json


def test_small_run_ranks_as_the_plain_way_does(benchmark, trained, loaded):
    for name in ("hydride_capacity", "hydride_thermodynamics"):
        loaded(name)
    sizes = ("--rows", "1200", "--sample", "12", "--compare", "1500")
    done = benchmark("batch", *sizes, "--json", home=trained.home)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["compared"]["same_candidates"] == 1.0
    assert figures["compared"]["largest_difference_of_scores"] < 1e-9
    assert figures["features_ratio_to_plain"] > 1
    assert figures["ratio_to_plain"] > 0
    assert 0 < figures["peak_rss_mib"] < 4096


def test_rows_must_be_positive(benchmark):
    done = benchmark("batch", "--rows", "0")
    assert done.returncode == 2
    assert "at least 1" in done.stderr
