import json

import pytest

for package in ("lingam", "causallearn", "dowhy"):
    pytest.importorskip(package, reason="needs pip install 'hstore[explain]'")


def test_known_causes_are_found_and_a_null_effect_is_refuted(benchmark):
    done = benchmark("causes", "--seeds", "2", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert set(figures["methods"]) == {"lingam", "pc"}
    assert figures["methods"]["lingam"]["at_most_1"] == 2
    assert figures["methods"]["lingam"]["mean_effect_error"] < 0.1
    null = figures["null_effect"]
    assert null["refuted"] + null["unsure"] == null["of"] == 2
    assert null["not_refuted_without_adjusting"] == 2, "no test sees a common cause that is left out"


def test_seeds_must_be_there(benchmark):
    done = benchmark("causes", "--seeds", "0")
    assert done.returncode == 2
    assert "at least 1" in done.stderr
