"""Registry: what is saved is what is loaded, and nothing else is."""

import functools
import io
import itertools
import json
import os
import pickle
import stat
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import skops.io

import hstore as package
from hstore.errors import InputError, ModelError, UnknownNameError
from hstore.formula import parse_amounts
from hstore.records import Access, Scope
from hstore.settings import Settings
from hstore_models import serialization
from hstore_models.card import CARD_FORMAT, ModelCard
from hstore_models.ensemble import Recipe, Task, fit_ensemble
from hstore_models.learners import Learner, fit_learner
from hstore_models.ledger import Ledger, Promotion
from hstore_models.prediction import Query
from hstore_models.registry import Registry
from hstore_models.serialization import check_saveable, from_bytes, to_bytes
from hstore_models.signing import make_key, read_key, signature
from hstore_models.spec import shipped_spec
from hstore_models.training import address, ensure, model_of, train
from hstore_models.training_data import training_checksums

NAME = "sorbent_uptake"
FILES = ("model.zip", "held_out.parquet", "golden.json")
OPERATOR = Scope(everything=True)


@pytest.fixture
def registry(tmp_path):
    """An empty registry."""
    return Registry(tmp_path / "models")


@pytest.fixture
def add(registry, loaded):
    """Save the sorbent model under another id."""
    model = loaded(NAME)

    def save(name, **fields):
        card = model.card.model_copy(update={"model_id": f"{NAME}-{name}", "created": None, **fields})
        return registry.save(model.model, card, model.held_out)

    return save


@pytest.fixture
def card(add):
    """Card of the first version, which is in use."""
    return add("one")


def folder_of(registry, card):
    return registry.folder / card.model / card.model_id


def rewrite(registry, card, key=None, **fields):
    """Change a card and sign it anew; with the registry's own key, which nobody else has, when none is given."""
    path = folder_of(registry, card) / "card.json"
    content = json.loads(path.read_text()) | fields
    content["signature"] = signature(content, key or read_key(registry.folder))
    path.write_text(json.dumps(content))


def forge(registry, card, content, file="model.zip"):
    """Replace a file and make card and signature agree with it, as only the owner of the key can."""
    from hashlib import sha256

    (folder_of(registry, card) / file).write_bytes(content)
    stamps = json.loads((folder_of(registry, card) / "card.json").read_text())["files"]
    stamps[file] = {"sha256": sha256(content).hexdigest(), "n_bytes": len(content)}
    rewrite(registry, card, files=stamps)


# Saving and loading


def test_loaded_model_answers_as_the_saved_one(registry, loaded):
    saved = loaded("hydride_capacity")
    card = registry.save(saved.model, saved.card, saved.held_out)
    query = Query.of([parse_amounts(f) for f in ("LaNi5", "TiFe", "Mg2Ni", "NaAlH4")])
    before = saved.model.predict("h2_capacity_wt_pct", query)
    after = registry.load(card.model, card.model_id).model.predict("h2_capacity_wt_pct", query)
    assert np.array_equal(before.mean, after.mean)
    assert np.array_equal(before.upper, after.upper)


def test_the_card_comes_back_whole(registry, card):
    again = registry.card(NAME, card.model_id)
    assert again == card
    assert again.format == CARD_FORMAT
    assert set(again.files) == set(FILES)
    assert again.created.utcoffset().total_seconds() == 0


def test_all_files_of_a_version_are_there_and_none_besides(registry, card):
    assert {path.name for path in folder_of(registry, card).iterdir()} == {*FILES, "card.json"}


def test_a_version_is_never_written_twice(registry, add, card):
    before = (folder_of(registry, card) / "card.json").read_bytes()
    assert add("one", summary="another") == card
    assert (folder_of(registry, card) / "card.json").read_bytes() == before


@pytest.mark.parametrize("file", [*FILES, "card.json"])
def test_training_again_repairs_a_refused_version(registry, add, card, file):
    (folder_of(registry, card) / file).write_bytes(b"")
    add("one")
    assert registry.refusal(NAME, card.model_id) == ""
    assert registry.load(NAME, card.model_id).note == ""


@pytest.mark.parametrize("name", ["../x", "", ".hidden", "a/b", "/etc"])
def test_names_never_lead_out_of_the_folder(registry, add, card, name):
    with pytest.raises(ModelError, match="no model"):
        registry.card(name, card.model_id)
    with pytest.raises(ModelError, match="no model"):
        registry.load(NAME, name)
    with pytest.raises(InputError, match="letters, digits"):
        add("one", model_id=name)


# Nothing but data is read


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def zipped(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return stream.getvalue()


def bare_pickle(trap, marker):
    return pickle.dumps(trap)


def crafted(structure, **members):
    return zipped(model__json=json.dumps(structure), **members)


def pickle_beside_a_whole_model(trap, marker):
    stream = io.BytesIO(to_bytes({"a": np.arange(3.0)}))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("model.pkl", pickle.dumps(trap))
    return stream.getvalue()


def pickle_within_an_array(trap, marker):
    hidden = io.BytesIO()
    np.save(hidden, np.array([trap], dtype=object), allow_pickle=True)
    return crafted({"array": "0.npy"}, **{"0__npy": hidden.getvalue()})


def pickle_as_an_array(trap, marker):
    return crafted({"array": "0.npy"}, **{"0__npy": pickle.dumps(trap)})


def pickle_as_an_estimator(trap, marker):
    return crafted({"estimator": "0.skops"}, **{"0__skops": pickle.dumps(trap)})


def pickle_within_an_estimator(trap, marker):
    whole = io.BytesIO(skops.io.dumps({"a": np.arange(3.0)}))
    with zipfile.ZipFile(whole, "a") as archive:
        archive.writestr("model.pkl", pickle.dumps(trap))
    return crafted({"estimator": "0.skops"}, **{"0__skops": whole.getvalue()})


def call_named_in_an_estimator(trap, marker):
    call = skops.io.dumps(functools.partial(os.mkdir, str(marker)))
    fields = {"isotherm": {"estimator": "0.skops"}}
    return crafted({"class": "SorbentUptake", "fields": fields}, **{"0__skops": call})


def constructor_named_in_the_structure(trap, marker):
    return crafted({"class": "Popen", "fields": {"args": f"mkdir {marker}", "shell": True}})


def constructor_named_in_an_estimator(trap, marker):
    schema = {
        "__class__": "Popen", "__module__": "subprocess", "__loader__": "ObjectNode", "__id__": 1,
        "protocol": skops.io._protocol.PROTOCOL, "_skops_version": skops.__version__,
        "content": {"args": f"mkdir {marker}", "shell": True},
    }  # fmt: skip
    return crafted({"estimator": "0.skops"}, **{"0__skops": zipped(schema__json=json.dumps(schema))})


@pytest.mark.parametrize(
    "make",
    [
        bare_pickle, pickle_beside_a_whole_model, pickle_within_an_array, pickle_as_an_array,
        pickle_as_an_estimator, pickle_within_an_estimator, call_named_in_an_estimator,
        constructor_named_in_the_structure, constructor_named_in_an_estimator,
    ],
)  # fmt: skip
def test_a_malicious_model_is_refused_and_nothing_of_it_runs(registry, card, tmp_path, make):
    """Even where card and signature agree with it."""
    marker = tmp_path / "executed"
    forge(registry, card, make(Trap(marker), marker))
    with pytest.raises(ModelError, match=r"(model file .*|saved model names the class 'Popen'.*); retrain it"):
        registry.load(NAME, card.model_id)
    assert not marker.exists()


def test_the_trap_works(tmp_path):
    pickle.loads(pickle.dumps(Trap(tmp_path / "executed")))
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"hello", zipped(a__npy=b"")])
def test_what_is_no_model_file_is_refused(content):
    with pytest.raises(ModelError, match="model file here"):
        from_bytes(content, "here")


def test_random_damage_is_refused_or_harmless():
    whole = to_bytes(fit_tiny())
    random = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(whole)
        for place in random.integers(len(whole), size=3):
            damaged[place] = random.integers(256)
        try:
            from_bytes(bytes(damaged), "here")
        except ModelError:
            continue


def test_unknown_class_is_refused(registry, card):
    forge(registry, card, crafted({"class": "Elsewhere", "fields": {}}))
    with pytest.raises(ModelError, match="class 'Elsewhere'"):
        registry.load(NAME, card.model_id)


def test_fields_of_another_version_are_refused(registry, card):
    forge(registry, card, crafted({"class": "Domain", "fields": {"elements": {"dict": []}}}))
    with pytest.raises(ModelError, match="saved Domain does not fit this version"):
        registry.load(NAME, card.model_id)


def test_what_is_no_property_model_is_refused(registry, card):
    forge(registry, card, to_bytes({"a": 1}))
    with pytest.raises(ModelError, match="holds a dict, not a property model"):
        registry.load(NAME, card.model_id)


def fit_tiny():
    random = np.random.default_rng(0)
    rows = random.random((60, 3))
    learners = (Learner("extra_trees", {"n_estimators": 5}), Learner("boosting", {"max_iter": 5}))
    steps = np.floor(4 * rows[:, 0]) + random.normal(scale=0.3, size=60)
    return fit_ensemble(Task(rows, steps, [str(i % 12) for i in range(60)]), Recipe(learners, n_folds=3))


def test_an_ensemble_comes_back_the_same():
    made = fit_tiny()
    assert {type(part).__name__ for part in made.learners.values()} == {"Trees"}
    again = from_bytes(to_bytes(made), "here")
    rows = np.random.default_rng(1).random((50, 3))
    assert all(np.array_equal(a, b) for a, b in zip(made.predict(rows), again.predict(rows), strict=True))
    assert again.calibration.family_factors == made.calibration.family_factors


@pytest.mark.parametrize("kind", ["extra_trees", "boosting", "gaussian_process", "sklearn.svm.SVR"])
def test_each_learner_comes_back_the_same(kind):
    rows = np.random.default_rng(0).random((40, 3))
    made = fit_learner(Learner(kind), rows, rows.sum(axis=1), np.ones(40), seed=0)
    again = from_bytes(to_bytes(made), "here")
    assert np.array_equal(made.predict(rows)[0], again.predict(rows)[0])
    if kind == "extra_trees":
        assert again.nodes.dtype.isalignedstruct, "or the walk is compiled a second time"


def test_trees_that_lead_in_a_circle_are_refused():
    rows = np.random.default_rng(0).random((40, 3))
    made = fit_learner(Learner("extra_trees", {"n_estimators": 2}), rows, rows.sum(axis=1), np.ones(40), seed=0)
    made.nodes["left"][made.roots[0]] = made.roots[0]
    with pytest.raises(ModelError, match="do not lead from roots to leaves"):
        from_bytes(to_bytes(made), "here")


def test_nested_values_come_back_as_they_were():
    value = {"t": (1.0, "x", None, [True, (2,)]), "n": float("inf"), "i": {1: "a"}, ("a", "b"): {}, "dict": []}
    assert from_bytes(to_bytes(value), "here") == value
    assert to_bytes(value) == to_bytes(value)
    scalars = [np.float64(0.1), np.int32(3), np.bool_(1), np.float32(np.nan)]
    again = from_bytes(to_bytes(scalars), "here")
    assert [type(one) for one in again] == [type(one) for one in scalars]
    np.testing.assert_array_equal(again, scalars)
    arrays = {"f": np.arange(3.0), "t": np.array(["a", "bc"]), "b": np.zeros((0, 2), bool), "n": np.array(2.5)}
    for name, array in from_bytes(to_bytes(arrays), "here").items():
        assert array.dtype == arrays[name].dtype
        np.testing.assert_array_equal(array, arrays[name])


def test_every_class_of_the_list_exists():
    import importlib

    for name, module in serialization.CLASSES.items():
        assert hasattr(importlib.import_module(module), name), (
            f"{name} is gone from {module}: drop it from CLASSES"
        )


@pytest.mark.parametrize("kind", ["extra_trees", "sklearn.svm.SVR", "sklearn.linear_model.Ridge"])
def test_learners_that_can_be_saved_pass(kind):
    check_saveable(Learner(kind))


def test_a_learner_that_cannot_be_saved_is_told_before_the_training():
    with pytest.raises(InputError, match=r"KDTree.*use extra_trees"):
        check_saveable(Learner("sklearn.neighbors.KNeighborsRegressor"))


def test_a_model_that_cannot_be_saved_leaves_nothing_behind(registry, add, loaded):
    class Stranger:
        pass

    with pytest.raises(InputError, match="Stranger"):
        registry.save(Stranger(), loaded(NAME).card, loaded(NAME).held_out)
    assert not registry.folder.exists()


# Integrity


@pytest.mark.parametrize("file", FILES)
def test_a_truncated_file_is_refused(registry, card, file):
    path = folder_of(registry, card) / file
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(
        ModelError, match=rf"{file} is truncated: .* bytes, its card states .* retrain with: hstore"
    ):
        registry.load(NAME, card.model_id)


@pytest.mark.parametrize("file", FILES)
def test_a_changed_file_is_refused(registry, card, file):
    path = folder_of(registry, card) / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ModelError, match=rf"{file} was changed: SHA-256 .*, its card states .* retrain with"):
        registry.load(NAME, card.model_id)


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_refused(registry, card, file):
    (folder_of(registry, card) / file).unlink()
    with pytest.raises(ModelError, match=rf"{file} cannot be read .* retrain with"):
        registry.load(NAME, card.model_id)


def test_new_checksums_without_the_key_are_refused(registry, card):
    rewrite(registry, card, key=b"somebody else's key", summary="much better")
    with pytest.raises(ModelError, match="does not carry the signature of this registry"):
        registry.load(NAME, card.model_id)


def test_an_edited_card_is_refused(registry, card):
    path = folder_of(registry, card) / "card.json"
    path.write_text(path.read_text().replace('"mae": 0', '"mae": 9', 1).replace("Langmuir", "Magic"))
    with pytest.raises(ModelError, match="signature"):
        registry.card(NAME, card.model_id)


def test_a_card_without_a_checksum_is_refused(registry, card):
    rewrite(registry, card, files={})
    with pytest.raises(ModelError, match=r"states no checksum of model\.zip"):
        registry.load(NAME, card.model_id)


@pytest.mark.parametrize("text", ["", "{", '{"model": 1', "[1]", "\udcff"])
def test_a_damaged_card_is_refused(registry, card, text):
    path = folder_of(registry, card) / "card.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ModelError, match=r"is damaged .*retrain with"):
        registry.card(NAME, card.model_id)


def test_a_signed_card_of_the_wrong_form_is_refused(registry, card):
    rewrite(registry, card, n_features="many")
    with pytest.raises(ModelError, match=r"is damaged \(n_features"):
        registry.card(NAME, card.model_id)


@pytest.mark.parametrize("other", [1, 99, "2"])
def test_another_format_is_refused(registry, card, other):
    rewrite(registry, card, format=other)
    with pytest.raises(
        ModelError, match=f"is of format {other!r}, this version of hstore reads format {CARD_FORMAT}"
    ):
        registry.card(NAME, card.model_id)


def test_a_card_from_before_formats_is_refused(registry, card):
    path = folder_of(registry, card) / "card.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in content.items() if k not in {"format", "signature"}}))
    with pytest.raises(ModelError, match="is of format 1"):
        registry.card(NAME, card.model_id)


@pytest.mark.parametrize(
    ("writer", "newer"), [("99.1", True), (f"{package.__version__}.1", True), ("0.0.9", False)]
)
def test_a_model_of_a_newer_hstore_is_refused(registry, card, writer, newer):
    rewrite(registry, card, versions={**card.versions, "hstore": writer})
    if newer:
        with pytest.raises(ModelError, match=f"was written by hstore {writer}, newer than"):
            registry.load(NAME, card.model_id)
    else:
        assert registry.load(NAME, card.model_id)


def test_a_version_under_another_name_is_refused(registry, card):
    place = folder_of(registry, card)
    place.rename(place.parent / f"{NAME}-two")
    with pytest.raises(ModelError, match="copied or renamed"):
        registry.load(NAME, f"{NAME}-two")


def test_the_key_is_its_owners_alone(registry, card):
    assert stat.S_IMODE((registry.folder / "registry.key").stat().st_mode) == 0o600


def test_a_lost_key_is_told(registry, card):
    (registry.folder / "registry.key").unlink()
    with pytest.raises(ModelError, match=r"registry.key is missing.*hstore train --all"):
        registry.load(NAME, card.model_id)
    assert not (registry.folder / "registry.key").exists(), "reading makes no key"


def test_a_key_that_is_none_is_told(registry, card):
    (registry.folder / "registry.key").write_text("abc")
    with pytest.raises(ModelError, match="must hold 64 hexadecimal digits"):
        registry.load(NAME, card.model_id)


def test_a_copied_model_is_refused_by_another_registry(registry, card, tmp_path):
    import shutil

    shutil.copytree(registry.folder, tmp_path / "copy")
    (tmp_path / "copy" / "registry.key").unlink()
    make_key(tmp_path / "copy")
    with pytest.raises(ModelError, match="or copied from another machine; retrain with"):
        Registry(tmp_path / "copy").load(NAME, card.model_id)


def test_all_who_make_the_key_at_once_get_the_same(tmp_path):
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: make_key(tmp_path / "models"), range(16)))
    assert len(keys) == 1
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["registry.key"]


# Champions


def test_the_first_version_is_in_use_and_later_ones_wait(registry, add, card):
    second = add("two")
    assert registry.current_id(NAME) == card.model_id
    assert registry.serving(NAME).card == card
    registry.promote(NAME, second.model_id, "better")
    assert registry.current_id(NAME) == second.model_id
    assert [e.model_id for e in registry.history(NAME)] == [card.model_id, second.model_id]
    assert registry.history(NAME)[1].previous == card.model_id
    assert registry.history(NAME)[1].reason == "better"


def test_rollback_goes_back_step_by_step(registry, add, card):
    for name in ("two", "three"):
        registry.promote(NAME, add(name).model_id, "better")
    assert registry.rollback(NAME, "odd").model_id == f"{NAME}-two"
    assert registry.rollback(NAME).model_id == card.model_id
    with pytest.raises(ModelError, match="no earlier champion"):
        registry.rollback(NAME)
    entry = registry.history(NAME)[-2]
    assert (entry.action, entry.previous, entry.reason) == ("rollback", f"{NAME}-three", "odd")


def test_rollback_passes_over_refused_versions(registry, add, card):
    for name in ("two", "three"):
        registry.promote(NAME, add(name).model_id, "better")
    (registry.folder / NAME / f"{NAME}-two" / "model.zip").write_bytes(b"x")
    assert registry.rollback(NAME).model_id == card.model_id


def test_the_previous_champion_serves_on_and_says_why(registry, add, card):
    second = add("two")
    registry.promote(NAME, second.model_id, "better")
    (folder_of(registry, second) / "model.zip").write_bytes(b"x")
    serving = registry.serving(NAME)
    assert registry.usable(NAME).card == serving.card == card
    assert "serves in place of the champion, which is refused" in serving.note
    assert "is truncated" in serving.note
    assert [bad.model_id for bad in registry.refused()] == [second.model_id]


def test_where_all_are_refused_the_reason_of_the_champion_is_told(registry, card):
    (folder_of(registry, card) / "model.zip").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"no version of sorbent_uptake can be used; .* is truncated"):
        registry.serving(NAME)
    assert registry.usable(NAME) is None


def test_a_new_version_serves_at_once_where_all_others_are_refused(registry, add, card):
    (folder_of(registry, card) / "card.json").write_text("{}")
    second = add("two")
    assert registry.serving(NAME).card == second


def test_nothing_in_use_says_how_to_train(registry):
    with pytest.raises(ModelError, match="train it with: hstore train conductivity"):
        registry.serving("conductivity")
    with pytest.raises(ModelError, match="train it with: hstore train conductivity"):
        registry.load("conductivity", "conductivity-0")
    with pytest.raises(ModelError, match="no model"):
        registry.rollback("conductivity")
    assert not registry.folder.exists()


def test_a_refused_version_is_not_promoted(registry, add, card):
    second = add("two")
    (folder_of(registry, second) / "golden.json").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"golden\.json is truncated"):
        registry.promote(NAME, second.model_id, "better")
    assert registry.current_id(NAME) == card.model_id


def test_promotions_at_the_same_time_are_all_kept(registry, add, card):
    ids = [add(f"v{i}").model_id for i in range(4)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda i: registry.promote(NAME, ids[i % 4], f"number {i}"), range(24)))
    history = registry.history(NAME)
    assert sorted(e.reason for e in history[1:]) == sorted(f"number {i}" for i in range(24))
    assert all(a.model_id == b.previous for a, b in itertools.pairwise(history))
    assert registry.current_id(NAME) == history[-1].model_id


def test_versions_saved_at_the_same_time_are_whole(registry, add):
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda i: add(f"v{i % 2}"), range(8)))
    assert registry.refused() == []
    assert len(registry.cards()) == 2
    assert not list(registry.folder.glob("*/.new-*"))


def test_a_line_cut_short_by_a_crash_is_passed_over(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.record(Promotion(model_id="a", previous=None, reason="first"))
    with (tmp_path / "history.jsonl").open("ab") as stream:
        stream.write(b'{"model_id": "b", "prev')
    ledger.record(Promotion(model_id="c", previous="a", reason="third"))
    assert [e.model_id for e in ledger.history()] == ["a", "c"]
    assert ledger.champions() == ["c", "a"]


def test_the_pointer_counts_where_a_crash_left_it_apart_from_the_history(tmp_path):
    ledger = Ledger(tmp_path)
    for name in "ab":
        ledger.record(Promotion(model_id=name, previous=None, reason="x"))
    (tmp_path / "current").write_text("a\n")
    assert ledger.champions()[0] == "a"


# Labs


NORTH, SOUTH, NOBODY = Scope(lab_id="north"), Scope(lab_id="south"), Scope()


@pytest.fixture
def own(add, card, build):
    """A version trained on rows of the lab north, beside a public one."""
    return add("north", access=build.of("north"), labs=("north",))


def test_a_labs_model_does_not_exist_for_others(registry, card, own):
    for scope in (SOUTH, NOBODY):
        assert [c.model_id for c in registry.cards(scope)] == [card.model_id]
        for read in (registry.card, registry.load, registry.golden):
            with pytest.raises(ModelError) as told:
                read(NAME, own.model_id, scope)
            with pytest.raises(ModelError) as unknown:
                read(NAME, "nonsense", scope)
            assert str(told.value) == str(unknown.value).replace("nonsense", own.model_id)
    assert registry.load(NAME, own.model_id, NORTH).card.labs == ("north",)
    assert len(registry.cards(NORTH)) == len(registry.cards(OPERATOR)) == 2


def test_a_lab_is_served_its_own_champion_and_others_the_public_one(registry, card, own):
    assert registry.serving(NAME, NORTH).card == card, "nothing of its own is in use yet"
    registry.promote(NAME, own.model_id, "our rows")
    assert registry.serving(NAME, NORTH).card == own
    assert registry.serving(NAME, SOUTH).card == registry.serving(NAME).card == card
    assert (registry.current_id(NAME), registry.current_id(NAME, "north")) == (card.model_id, own.model_id)
    assert registry.current_id(NAME, "south") == card.model_id
    assert registry.pointers(NAME) == {None: card.model_id, "north": own.model_id}


def test_the_history_of_a_lab_is_its_own(registry, card, own):
    registry.promote(NAME, own.model_id, "our rows")
    assert [e.model_id for e in registry.history(NAME)] == [card.model_id]
    assert [e.model_id for e in registry.history(NAME, NORTH)] == [card.model_id, own.model_id]


def test_a_labs_model_serves_no_other_lab(registry, own):
    with pytest.raises(ModelError, match="belongs to another lab"):
        registry.promote(NAME, own.model_id, "x", lab_id="south")


def test_a_labs_broken_champion_gives_way_to_the_public_one(registry, card, own):
    registry.promote(NAME, own.model_id, "our rows")
    (folder_of(registry, own) / "model.zip").write_bytes(b"x")
    serving = registry.serving(NAME, NORTH)
    assert serving.card == card
    assert own.model_id in serving.note


def test_the_first_model_of_a_lab_does_not_become_public(registry, add, build):
    own = add("north", access=build.of("north"))
    assert registry.current_id(NAME) is None
    assert registry.serving(NAME, NORTH).card == own
    with pytest.raises(ModelError, match="no version of sorbent_uptake is in use"):
        registry.serving(NAME)


def test_a_lab_may_be_named_by_anything(registry, add, build, card):
    name = "../../lab of Ångström"
    own = add("odd", access=build.of(name))
    registry.promote(NAME, own.model_id, "x")
    assert registry.pointers(NAME)[name] == own.model_id
    assert registry.serving(NAME, Scope(lab_id=name)).card == own
    assert {path.parent for path in Path(registry.folder).rglob("current*")} == {registry.folder / NAME}


def test_a_lab_model_is_everybodys_after_its_embargo(registry, add, card):
    access = Access(lab_id="north", visibility="lab", embargo_until="2026-01-01")
    own = add("late", access=access)
    assert registry.card(NAME, own.model_id, Scope(today="2026-01-01")) == own
    with pytest.raises(ModelError, match="no model"):
        registry.card(NAME, own.model_id, Scope(today="2025-12-31"))


# Training


def test_second_call_loads_without_training(trained):
    ensure(NAME, trained)
    told = []
    ensure(NAME, trained, say=told.append)
    assert told == []


def test_identity_depends_on_data_spec_and_seed(trained):
    spec = shipped_spec("conductivity")
    checksums = training_checksums("conductivity", trained)
    first = address(spec, checksums, trained)
    assert first == address(spec, dict(reversed(list(checksums.items()))), trained)
    assert first != address(spec, checksums | {"more/file.csv": "0" * 64}, trained)
    assert first != address(spec, checksums, trained.model_copy(update={"seed": 1}))
    assert first != address(spec.model_copy(update={"metric": "rmse"}), checksums, trained)


def test_changed_data_retrains_and_says_so(tmp_path, monkeypatch):
    from hstore_models import training

    settings = Settings(home=tmp_path, data_mirror=None, database_url=None)
    loaded = ensure(NAME, settings)
    later = {**loaded.card.checksums, "sorbents/sorbents.csv": "1" * 64}
    monkeypatch.setattr(training, "training_checksums", lambda *_: later)
    told = []
    training.ensure(NAME, settings, say=told.append)
    assert told == ["training sorbent_uptake: data changed (sorbents)"]


@pytest.mark.parametrize("file", [*FILES, "card.json"])
def test_a_damaged_champion_without_a_predecessor_can_be_trained_again(tmp_path, file):
    """As the message says that refuses it."""
    settings = Settings(home=tmp_path, data_mirror=None, database_url=None)
    saved = ensure(NAME, settings).card
    (settings.models_dir / NAME / saved.model_id / file).write_bytes(b"{}")
    assert train(shipped_spec(NAME), settings).loaded.card.model_id == saved.model_id
    assert Registry(settings.models_dir).serving(NAME).note == ""


def test_card_scores_stand_beside_the_mean_predictor(loaded):
    card = loaded(NAME).card
    score = card.scores["h2_uptake_wt_pct"]
    assert score.mae < score.mae_mean_predictor
    assert 0.8 <= score.coverage <= 1.0
    assert sum(card.rows_by_source.values()) > 100


def test_unknown_property_lists_those_that_are_predicted():
    with pytest.raises(UnknownNameError, match="h2_capacity_wt_pct"):
        model_of("h2_capacity")


def test_every_field_of_the_card_is_described():
    schema = ModelCard.model_json_schema()
    assert all("description" in field or "$ref" in field for field in schema["properties"].values())
