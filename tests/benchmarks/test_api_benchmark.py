import json


def test_small_run_asks_without_error_and_agrees_with_its_peer(benchmark, trained, loaded, tmp_path):
    loaded("hydride_capacity")
    store = f"sqlite:///{tmp_path / 'store.sqlite'}"
    sizes = ("--rows", "400", "--seconds", "3", "--rate", "20", "--prediction-rate", "5", "--pairs", "8")
    done = benchmark("api", "--home", trained.home, "--url", store, *sizes, "--minutes", "0.05", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["rows"] == 400
    service = figures["service"]
    for load, kinds in (("searches", {"elements", "value"}), ("predictions", {"prediction"})):
        assert service[load]["errors"] == 0
        assert kinds <= set(service[load]["by_kind"])
        assert service[load]["p50_ms"] <= service[load]["p99_ms"]
    assert service["predictions"]["answers"] == 15
    assert {"value", "prediction"} <= set(service["memory"]["load"]["by_kind"])
    same, others = figures["peer"]["pages_with_the_same_entries"], figures["peer"]["pages_with_others"]
    assert same + others == 14
    assert same >= 10
    assert figures["peer"]["library_to_v1"] > 0


def test_rates_must_be_positive(benchmark):
    done = benchmark("api", "--rate", "0")
    assert done.returncode == 2
    assert "must be positive" in done.stderr
