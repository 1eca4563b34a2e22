import json
from importlib.util import find_spec

import pytest

from hstore_models.learners import Learner

pytestmark = pytest.mark.skipif(find_spec("pyoperon") is None, reason="needs pip install 'hstore[explain]'")


@pytest.fixture(autouse=True)
def _small_black_box(monkeypatch):
    """A forest of ten trees: how good the black box is is not what is tested here."""
    trees = (Learner("extra_trees", {"n_estimators": 10}),)
    monkeypatch.setattr("hstore_models.explain.equation._BLACK_BOX", trees)


def test_an_equation_of_sorbents_is_told_with_its_gap(hstore, tmp_path):
    done = hstore(
        "explain", "equation", "h2_uptake_wt_pct", "--data", "sorbents", "--use", "gsa_m2_g,pressure_bar",
        "--evaluations", "2000", "--figure", "law.png", "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert set(told["descriptors"].values()) == {"gsa_m2_g", "pressure_bar"}
    assert told["scores"]["equation"]["mae"] < told["scores"]["mean"]["mae"]
    assert told["error_gap"]["lower"] <= told["error_gap"]["mean"] <= told["error_gap"]["upper"]
    assert sum(one["told"] for one in told["front"]) == 1
    assert told["latex"].startswith(r"\mathrm{h2\_uptake\_wt\_pct} = ")
    assert (tmp_path / "law.png").stat().st_size > 10_000


def test_alloys_of_one_family_are_told_in_words(hstore):
    done = hstore(
        "explain", "equation", "desorption_enthalpy_kj_per_mol_h2", "--data", "hydrides", "--family",
        "interstitial", "--use", "mean_volume_a3,a_fraction", "--evaluations", "2000",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "a black box on all descriptors" in done.stdout
    assert "split by chemical_system, 5 folds" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("h2_uptake", "--data", "sorbents"), "column"),
        (("h2_uptake_wt_pct", "--data", "nothing.csv"), "neither a file nor a curated table"),
        (("h2_uptake_wt_pct", "--data", "sorbents", "--family", "x"), "family"),
    ],
)
def test_what_cannot_be_told_is_refused(hstore, arguments, message):
    done = hstore("explain", "equation", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
