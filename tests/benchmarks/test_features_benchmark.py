import json


def test_small_run_compares_equal_values(benchmark):
    done = benchmark("features", "--structures", "2", "--tiers", "1", "--only", "density", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    density = figures["featurizers"]["density"]
    assert density["compared"] == 60
    assert density["outside"] == density["only_ours"] == density["only_matminer"] == 0
    assert density["ratio"] > 1
    tier = figures["tiers"]["1"]
    assert tier["crystals"] == 20
    assert tier["cached"]["ratio"] > 1
