import json


def test_a_run_is_simulated_from_its_own_times(benchmark, trained, loaded):
    for name in ("hydride_capacity", "hydride_thermodynamics"):
        loaded(name)
    done = benchmark("batch_forecast", "--rows", "600", "--shard-rows", "150", "--json", home=trained.home)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["shards"], figures["files"], figures["foretold_files"]) == (4, 8, 8)
    assert figures["simulated_s"] > 2 * figures["shard_s"]
    assert abs(figures["foretold_result_mib"] - figures["result_mib"]) < 0.3 * figures["result_mib"]


def test_rows_must_be_positive(benchmark):
    done = benchmark("batch_forecast", "--rows", "0")
    assert done.returncode == 2
    assert "at least 1" in done.stderr
