"""Training: versions and their ids, what goes into use, rows and specs of a user's own, and retraining."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from hstore.errors import InputError, ModelError, UnknownNameError
from hstore.records import Scope, Visibility
from hstore.settings import Settings
from hstore_models import training
from hstore_models.registry import Registry
from hstore_models.spec import read_spec
from hstore_models.training import address, code_version, ensure, fit, model_of, train, versions
from hstore_models.training_data import TrainingData, load_training_data
from hstore_workflows.predict import predict_table
from hstore_workflows.train import TrainingRequest, run

CAPACITY, HARDNESS = "h2_capacity_wt_pct", "hardness_gpa"

OWN = """
name = "hardness"
kind = "property"
summary = "Hardness of alloys."
unit = "GPa"
[data]
files = ["hardness.csv"]
[split]
n_folds = 3
[targets.hardness_gpa]
features = ["magpie"]
columns = ["temperature_k"]
low = 0.0
[[targets.hardness_gpa.learners]]
kind = "extra_trees"
parameters = { n_estimators = 20 }
[[targets.hardness_gpa.learners]]
kind = "sklearn.svm.SVR"
"""

SMALL_CAPACITY = """
name = "small_capacity"
kind = "hydride_capacity"
summary = "Capacities, quickly."
[data]
curated = "hydrides"
[split]
n_folds = 3
[targets.h2_capacity_wt_pct]
features = ["hydride"]
columns = ["temperature_k", "reversible"]
low = 0.0
[[targets.h2_capacity_wt_pct.learners]]
kind = "extra_trees"
parameters = { n_estimators = 20 }
"""


@pytest.fixture
def home(tmp_path):
    """Settings of an empty home on the embedded data."""
    return Settings(home=tmp_path / "home", data_mirror=None, database_url=None, seed=0)


def hardness_table(n=60, seed=0):
    """Alloys of two elements whose hardness follows their composition."""
    rng = np.random.default_rng(seed)
    pairs = [("Ti", "Fe"), ("Zr", "Mn"), ("La", "Ni"), ("V", "Cr"), ("Mg", "Cu"), ("Nb", "Co"), ("Y", "Al")]
    rows = []
    for place in range(n):
        first, second = pairs[place % len(pairs)]
        share = round(float(rng.uniform(0.1, 0.9)), 5)
        rows.append((f"{first}{share}{second}{1 - share:.5f}", 5 + 4 * share + place % len(pairs), 300 + place))
    return pd.DataFrame(rows, columns=["formula", HARDNESS, "temperature_k"])


@pytest.fixture
def own(tmp_path):
    """A spec of the user's own, with its table beside it."""
    hardness_table().to_csv(tmp_path / "hardness.csv", index=False)
    (tmp_path / "hardness.toml").write_text(OWN)
    return tmp_path / "hardness.toml"


@pytest.fixture
def small(tmp_path):
    """A quick spec of capacities on the embedded table."""
    (tmp_path / "small.toml").write_text(SMALL_CAPACITY)
    return tmp_path / "small.toml"


def registry_of(home):
    return Registry(home.models_dir)


def test_the_first_version_goes_into_use_and_needs_no_verdict(home, own):
    trained = train(read_spec(own), home)
    card = trained.loaded.card
    assert trained.verdict is None
    assert registry_of(home).current_id("hardness") == card.model_id
    assert (card.own_spec, card.parent, card.properties) == (True, None, (HARDNESS,))
    assert card.rows_by_source == {"added:hardness": 60}
    assert card.added_rows.count == 60
    assert card.scores[HARDNESS].n == 60
    assert card.scores[HARDNESS].unit == "GPa"
    assert (card.code_version, card.versions, card.n_folds) == (code_version(), versions(), 3)
    assert set(card.checksums) == {"added:hardness"}
    assert card.wall_time_s > 0
    assert trained.loaded.held_out["label"].tolist() == hardness_table()["formula"].tolist()


def test_same_inputs_same_id_and_anything_else_another(home, own, tmp_path):
    first = train(read_spec(own), home).loaded
    again = train(read_spec(own), home)
    assert (again.loaded.card.model_id, again.verdict) == (first.card.model_id, None)
    assert len(registry_of(home).versions()) == 1
    pd.testing.assert_frame_equal(again.loaded.held_out, first.held_out)
    own.write_text(OWN.replace("n_estimators = 20", "n_estimators = 21"))
    other_spec = train(read_spec(own), home)
    assert other_spec.loaded.card.model_id != first.card.model_id
    assert other_spec.loaded.card.parent == first.card.model_id
    assert other_spec.verdict is not None
    assert (other_spec.verdict.champion_id, other_spec.verdict.challenger_id) == (
        first.card.model_id,
        other_spec.loaded.card.model_id,
    )
    assert registry_of(home).current_id("hardness") == first.card.model_id  # release is another step
    own.write_text(OWN)
    hardness_table(61).to_csv(tmp_path / "hardness.csv", index=False)
    assert train(read_spec(own), home).loaded.card.model_id not in {
        first.card.model_id,
        other_spec.loaded.card.model_id,
    }


def test_the_id_names_spec_data_seed_code_and_libraries(home, own, monkeypatch):
    spec, sums = read_spec(own), {"a/b.csv": "1"}
    base = address(spec, sums, home)
    moved = spec.model_copy(update={"data": spec.data.model_copy(update={"files": ()})})
    assert address(moved, sums, home) == base  # a path is not what the file holds
    assert address(spec, {"a/b.csv": "2"}, home) != base
    assert address(spec, sums, Settings(home=home.home, seed=1)) != base
    assert address(spec.model_copy(update={"metric": "rmse"}), sums, home) != base
    monkeypatch.setattr(training, "code_version", lambda: "changed")
    assert address(spec, sums, home) != base
    monkeypatch.undo()
    monkeypatch.setattr(training, "versions", lambda: {"numpy": "9"})
    assert address(spec, sums, home) != base
    assert base.startswith("hardness-")


def capacity_rows(home, n=45):
    """Known alloys, each altered by at most 2 %."""
    rows = load_training_data("hydride_capacity", home).rows
    alloys = rows[["H" not in amounts for amounts in rows["amounts"]]]
    pool = alloys[(alloys[CAPACITY] > 1.0) & (alloys["reversible"] == 0)].drop_duplicates("composition")
    rng = np.random.default_rng(4)
    pick = pool.iloc[rng.permutation(len(pool))[:n]].reset_index(drop=True)
    changed = pick[CAPACITY] * (1 + rng.choice([-1, 1], len(pick)) * rng.uniform(0.005, 0.02, len(pick)))
    return pick[["formula", "temperature_k"]].assign(**{CAPACITY: changed.round(4)})


def test_of_fifty_added_rows_the_five_absurd_ones_are_named_and_the_rest_trains(home, small, tmp_path):
    run(TrainingRequest(str(small)), home)
    good = capacity_rows(home)
    absurd = good.tail(5).assign(**{CAPACITY: [-1.4, 140.0, 1e9, 0.0149, 88.0]})
    frame = pd.concat([good.head(45), absurd], ignore_index=True)
    frame.to_csv(tmp_path / "mine.csv", index=False)
    trained = run(TrainingRequest(str(small), (tmp_path / "mine.csv",)), home)
    card = trained.loaded.card
    (added,) = trained.added
    numbers = {r.row for r in added.rejects} | {s.row for s in added.suspects}
    assert numbers == {46, 47, 48, 49, 50}
    assert card.added_rows.count == card.rows_by_source["added:mine"] == 45
    assert len(card.added_rows.suspects) == 5
    for line, number in zip(card.added_rows.suspects, range(46, 51), strict=True):
        assert line.startswith(f"row {number} ({frame['formula'][number - 1]}): ")
    assert set(trained.loaded.held_out["source"]) == {"hydrides", "added:mine"}
    assert trained.verdict is not None
    assert {result.property for result in trained.verdict.properties} == {CAPACITY}
    assert card.checksums.keys() == {*registry_of(home).cards()[0].checksums, "added:mine"}


def test_a_table_of_absurd_rows_alone_is_refused_and_nothing_is_saved(home, small):
    spec = read_spec(small)
    frame = pd.DataFrame({"formula": ["LaNi5", "Xx"], CAPACITY: [5000.0, 1.0]})
    with pytest.raises(InputError, match="none of the 2 rows"):
        train(spec, home, tables={"bad": frame})
    assert registry_of(home).versions() == []


def test_a_champion_is_promoted_and_served(home, own, tmp_path):
    first = train(read_spec(own), home).loaded.card
    more = train(read_spec(own), home, tables={"more": hardness_table(14, seed=9)}).loaded.card
    assert ensure("hardness", home).card.model_id == first.model_id
    registry_of(home).promote("hardness", more.model_id, "test")
    said = []
    served = ensure("hardness", home, say=said.append)
    assert served.card.model_id == more.model_id
    assert said == []
    assert [entry.model_id for entry in registry_of(home).history("hardness")] == [first.model_id, more.model_id]


def test_changed_code_means_a_new_version_with_the_rows_that_were_added(home, own, tmp_path, monkeypatch):
    train(read_spec(own), home)
    more = train(read_spec(own), home, tables={"more": hardness_table(14, seed=9)}).loaded.card
    registry_of(home).promote("hardness", more.model_id, "test")
    for file in ("hardness.csv", "hardness.toml"):
        (tmp_path / file).unlink()  # the user's own files are gone; what they held was kept
    monkeypatch.setattr(training, "code_version", lambda: "changed")
    said = []
    renewed = ensure("hardness", home, say=said.append).card
    assert said == ["training hardness: code, features or library versions changed"]
    assert renewed.model_id != more.model_id
    assert renewed.rows_by_source == more.rows_by_source == {"added:hardness": 60, "added:more": 14}
    assert renewed.checksums == more.checksums
    assert (renewed.own_spec, renewed.code_version) == (True, "changed")
    assert registry_of(home).current_id("hardness") == renewed.model_id
    assert ensure("hardness", home, say=said.append).card.model_id == renewed.model_id
    assert len(said) == 1  # trained once


def test_rows_that_are_gone_or_changed_are_not_trained_on_silently(home, own, monkeypatch):
    train(read_spec(own), home)
    monkeypatch.setattr(training, "code_version", lambda: "changed")
    (kept,) = (home.home / "added_rows").iterdir()
    kept.write_text(kept.read_text() + "Ti,1,300\n")
    with pytest.raises(Exception, match="was changed since a model was trained on it"):
        ensure("hardness", home)
    kept.unlink()
    with pytest.raises(Exception, match="add the table again with --data"):
        ensure("hardness", home)


def test_rows_of_a_lab_make_a_model_that_only_the_lab_sees(home, own):
    public = train(read_spec(own), home).loaded.card
    lab_rows = hardness_table(14, seed=9).assign(lab_id="lab-a")
    private = train(read_spec(own), home, tables={"lab": lab_rows}).loaded.card
    assert (private.access.visibility, private.access.lab_id) == (Visibility.LAB, "lab-a")
    assert private.labs == ("lab-a",)
    registry = registry_of(home)
    registry.promote("hardness", private.model_id, "test")
    assert [card.model_id for card in registry.cards()] == [public.model_id]
    assert registry.serving("hardness").card.model_id == public.model_id
    assert registry.serving("hardness", Scope(lab_id="lab-a")).card.model_id == private.model_id
    assert registry.serving("hardness", Scope(lab_id="lab-b")).card.model_id == public.model_id
    with pytest.raises(ModelError, match="no model"):
        registry.card("hardness", private.model_id, Scope(lab_id="lab-b"))
    assert ensure("hardness", home).card.model_id == public.model_id


def test_rows_of_two_labs_do_not_go_into_one_model(home, own):
    rows = hardness_table(14, seed=9).assign(lab_id=["lab-a", "lab-b"] * 7)
    with pytest.raises(InputError, match="2 labs \\(lab-a, lab-b\\) cannot go into one model"):
        train(read_spec(own), home, tables={"lab": rows})
    assert registry_of(home).versions() == []


def test_an_own_property_is_predicted_and_evaluated_also_without_its_files(home, own, tmp_path):
    from hstore_workflows.evaluate import evaluate_table

    run(TrainingRequest(str(own)), home)
    for file in ("hardness.csv", "hardness.toml"):
        (tmp_path / file).unlink()
    assert model_of(HARDNESS, home) == "hardness"
    with pytest.raises(UnknownNameError, match=r"predicted property 'hardnes_gpa'.*did you mean 'hardness_gpa'"):
        model_of("hardnes_gpa", home)
    with pytest.raises(UnknownNameError, match="hardness_gpa"):
        model_of(HARDNESS)
    unseen = hardness_table(20, seed=5)
    table = predict_table(HARDNESS, unseen.drop(columns=HARDNESS), home)
    assert table.model_id.startswith("hardness-")
    assert np.mean(np.abs(table.frame["mean"] - unseen[HARDNESS])) < 1.0
    assert (table.frame["lower"] >= 0).all()
    report = evaluate_table(HARDNESS, unseen, HARDNESS, home)
    assert report["n"] == 20
    assert report["mae"] == pytest.approx(np.mean(np.abs(table.frame["mean"] - unseen[HARDNESS])))
    assert report["unit"] == "GPa"


def test_commands_know_an_own_property(hstore, home, own, tmp_path, monkeypatch):
    monkeypatch.setenv("HSTORE_HOME", str(home.home))
    for module in ("screen", "predict"):
        monkeypatch.setattr(f"hstore_workflows.{module}.ensure", ensure)
    assert hstore("train", str(own)).exit_code == 0
    unseen = hardness_table(12, seed=5)
    unseen.to_csv(tmp_path / "unseen.csv", index=False)
    predicted = hstore("predict", HARDNESS, "--in", "unseen.csv", "--out", "out.csv", "--json")
    assert predicted.exit_code == 0, predicted.output
    answer = pd.read_csv(tmp_path / "out.csv")
    evaluated = hstore("evaluate", HARDNESS, "--on", "unseen.csv", "--target", HARDNESS, "--json")
    assert evaluated.exit_code == 0, evaluated.output
    report = json.loads(evaluated.stdout)
    assert report["mae"] == pytest.approx(np.mean(np.abs(answer["mean"] - unseen[HARDNESS])))


def test_two_tables_of_one_name_are_refused(home, own, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    for path in (tmp_path / "more.csv", folder / "more.csv", folder / "hardness.csv"):
        hardness_table(14, seed=9).to_csv(path, index=False)
    with pytest.raises(InputError, match="both called 'more'"):
        run(TrainingRequest(str(own), (tmp_path / "more.csv", folder / "more.csv")), home)
    with pytest.raises(InputError, match="called hardness"):
        run(TrainingRequest(str(own), (folder / "hardness.csv",)), home)
    assert registry_of(home).versions() == []


def test_a_learner_that_cannot_be_saved_is_refused_before_the_data_are_read(home, own, monkeypatch):
    monkeypatch.delattr(training, "assemble_rows")
    own.write_text(OWN.replace("sklearn.svm.SVR", "sklearn.ensemble.GradientBoostingRegressor"))
    with pytest.raises(InputError, match=r"GradientBoostingRegressor.*use extra_trees"):
        train(read_spec(own), home)


def test_a_spec_without_data_says_what_to_set(home, own):
    spec = read_spec(own)
    empty = spec.model_copy(update={"data": spec.data.model_copy(update={"files": ()})})
    with pytest.raises(InputError, match=r"names no data that are present; set data.files, data.public or --data"):
        train(empty, home)


def test_a_spec_keeps_the_rows_it_names(home, small):
    small.write_text(
        SMALL_CAPACITY.replace('"hydrides"\n', '"hydrides"\nkeep = { alloy_class = ["AB5", "AB2"] }\n')
    )
    data, _ = training.assemble_rows(read_spec(small), home, {})
    assert set(data.rows["alloy_class"].dropna()) <= {"AB5", "AB2"}
    assert 0 < len(data.rows) < len(load_training_data("hydride_capacity", home).rows)


def test_a_model_nobody_knows_cannot_be_ensured(home):
    with pytest.raises(UnknownNameError, match="hydride_capacity"):
        ensure("hydride_capacty", home)


def test_few_rows_are_learned_from_by_one_thread_so_that_every_machine_learns_the_same(monkeypatch):
    def threads():
        return {library["num_threads"] for library in threadpool_info()}

    monkeypatch.setattr("hstore_models.training.fit_conductivity", lambda *_, **__: threads())
    with threadpool_limits(2):
        assert 2 in threads()
        assert fit(TrainingData("conductivity", pd.DataFrame(index=range(300)), None, {}, 0)) == {1}


def test_fit_alone_saves_nothing(home, small):
    spec = read_spec(small)
    model = fit(training.assemble_rows(spec, home, {})[0], spec=spec)
    assert model.properties == (CAPACITY,)
    assert not home.models_dir.exists()


@pytest.mark.parametrize("name", training.MODELS)
def test_every_shipped_property_finds_its_model(name):
    for property_name in training.MODELS[name]:
        assert model_of(property_name) == name
