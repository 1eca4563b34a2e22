import json


def test_a_small_run_reports_rates_and_agreement(benchmark):
    done = benchmark("topology", "--crystals", "3", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    large = figures["near 50 atoms"]
    assert 40 <= large["mean_atoms"] <= 50
    assert large["crystals"] == 3
    assert large["topology_per_s"] > 4
    if "gudhi" in figures["versions"]:
        assert large["largest_void_in_gudhi"] == 3
