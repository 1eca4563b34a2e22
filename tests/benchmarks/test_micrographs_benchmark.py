import json


def test_a_small_run_compares_images_with_their_drawings(benchmark):
    done = benchmark("micrographs", "--images", "2", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["kinds"]["discs"]["0.1"]["dark_fraction"] < 0.03
    assert figures["kinds"]["grains"]["0.1"]["components"] < 0.2
    assert figures["relations"]["48"]["planted_there"] >= figures["relations"]["48"]["null_there"]
    assert all(value > 0 for value in figures["seconds"].values())
