"""``hstore train``: a spec, added rows, release and refusals, from the terminal."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

SPEC = """
name = "band_gap"
kind = "property"
summary = "Band gaps."
unit = "eV"
[data]
files = ["gaps.csv"]
[split]
n_folds = 3
[targets.gap_ev]
features = ["hydride"]
low = 0.0
[[targets.gap_ev.learners]]
kind = "extra_trees"
parameters = { n_estimators = 10 }
[tuning]
trials = 2
[tuning.space]
"extra_trees.min_samples_leaf" = [1, 5]
"""


def gaps(n=40, seed=0):
    rng = np.random.default_rng(seed)
    ratios = rng.uniform(0.2, 5, n).round(4)
    metals = np.resize(["Li", "Na", "Mg", "Ca", "Al", "Ti", "Zr", "Y"], n)
    formulas = [f"{metal}{ratio}O{3.1:g}" for metal, ratio in zip(metals, ratios, strict=True)]
    return pd.DataFrame({"formula": formulas, "gap_ev": (8 - ratios + 0.2 * rng.normal(size=n)).clip(0).round(3)})


@pytest.fixture
def train(hstore, tmp_path, monkeypatch):
    """Call ``hstore train`` in a folder with a spec and its table, with a home of its own."""
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path / "home"))
    (tmp_path / "gap.toml").write_text(SPEC)
    gaps().to_csv(tmp_path / "gaps.csv", index=False)
    return lambda *arguments: hstore("train", *arguments)


def card_of(result):
    assert result.exit_code == 0, result.output
    (record,) = json.loads(result.stdout)
    return record


def test_a_spec_is_trained_and_its_card_printed(train):
    result = train("gap.toml")
    assert result.exit_code == 0, result.output
    assert "training band_gap" in result.stderr
    assert "gap_ev" in result.stdout
    assert "added:gaps (40)" in result.stdout
    record = card_of(train("gap.toml", "--json"))
    assert record["model_id"] in result.stdout
    assert (record["model"], record["properties"], record["own_spec"]) == ("band_gap", ["gap_ev"], True)
    assert (record["better_than_champion"], record["doubtful_rows"]) == (None, [])


def test_added_rows_are_named_and_the_model_waits_for_its_release(train, hstore, tmp_path):
    first = card_of(train("gap.toml", "--json"))
    rows = pd.concat(
        [gaps(20, seed=1).astype(str), pd.DataFrame({"formula": ["Xx", "TiO2"], "gap_ev": ["1", "wide"]})]
    )
    rows.to_csv(tmp_path / "more.csv", index=False)
    record = card_of(train("gap_ev", "--data", "more.csv", "--json"))
    assert record["parent"] == first["model_id"]
    assert record["rows_by_source"] == {"added:gaps": 40, "added:more": 20}
    assert [line.split(":")[0] for line in record["doubtful_rows"]] == ["row 21 (Xx)", "row 22 (TiO2)"]
    assert record["better_than_champion"] in {True, False}
    listed = json.loads(hstore("models", "list", "--json").stdout)
    assert {row["model_id"]: row["current"] for row in listed}[first["model_id"]]


def test_promote_releases_a_better_version_only(train, hstore, tmp_path, monkeypatch):
    """The same learner on shuffled values is worse, and stays out of use; then the right one is released."""
    wrong = gaps()
    wrong["gap_ev"] = np.random.default_rng(0).permutation(wrong["gap_ev"])
    wrong.to_csv(tmp_path / "wrong.csv", index=False)
    first = card_of(train("gap.toml", "--json"))
    spec = SPEC.replace("n_estimators = 10", "n_estimators = 10, min_samples_leaf = 25")
    (tmp_path / "gap.toml").write_text(spec)
    worse = card_of(train("gap.toml", "--promote", "--json"))
    assert not worse["better_than_champion"]
    listed = {row["model_id"]: row["current"] for row in json.loads(hstore("models", "list", "--json").stdout)}
    assert listed == {first["model_id"]: True, worse["model_id"]: False}


def test_tune_searches_and_trains_with_what_was_found(train, tmp_path):
    result = train("gap.toml", "--tune", "--trials", "3", "--json")
    record = card_of(result)
    assert "trial 3 of 3" in result.stderr
    (learner,) = record["spec"]["targets"]["gap_ev"]["learners"]
    assert 1 <= learner["parameters"]["min_samples_leaf"] <= 5
    assert (tmp_path / "home" / "tuning.sqlite").is_file()
    again = train("gap.toml", "--tune", "--trials", "3", "--json")
    assert "trial" not in again.stderr  # the search is kept
    assert card_of(again)["model_id"] == record["model_id"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give a PROPERTY, a MODEL, a SPEC.toml, or --all"),
        (["gap.toml", "--all"], "give a PROPERTY, a MODEL, a SPEC.toml, or --all"),
        (["--all", "--data", "gaps.csv"], "--all takes no --data"),
        (["--all", "--promote"], "--all takes no --data, --tune or --promote"),
        (["gap.toml", "--trials", "5"], "--trials belongs to --tune"),
        (["gap.toml", "--tune", "--trials", "0"], "--trials"),
        (["absent.toml"], "absent.toml is not a file"),
        (["gap_ev"], "unknown predicted property 'gap_ev'"),
        (["h2_capacity_wt_pc"], "did you mean 'h2_capacity_wt_pct'"),
        (["gap.toml", "--data", "absent.csv"], "absent.csv"),
        (["gap.toml", "--data", "gaps.csv"], "are called gaps"),
        (["gap.toml", "--data", "empty.csv"], "empty"),
        (["bad.toml"], "bad.toml is not TOML"),
        (["typo.toml"], "typo.toml: targets.gap_ev.learner"),
        (["learner.toml"], "cannot be imported"),
        (["trees.toml"], "n_estimators"),
    ],
)
def test_bad_usage_exits_2_and_trains_nothing(train, tmp_path, arguments, words):
    (tmp_path / "empty.csv").write_text("formula,gap_ev\n")
    (tmp_path / "bad.toml").write_text("name = ")
    (tmp_path / "typo.toml").write_text(SPEC.replace("[[targets.gap_ev.learners]]", "[[targets.gap_ev.learner]]"))
    (tmp_path / "learner.toml").write_text(SPEC.replace('kind = "extra_trees"', 'kind = "sklearn.svm.SVX"'))
    (tmp_path / "trees.toml").write_text(SPEC.replace("n_estimators = 10", "n_estimators = -1"))
    result = train(*arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert not (tmp_path / "home" / "models").exists()
