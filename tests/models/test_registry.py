"""Registry: what is saved is what is loaded, and nothing else is."""

import json
import pickle
import zipfile

import numpy as np
import pytest

from hstore.errors import ModelError, UnknownNameError
from hstore.formula import parse_amounts
from hstore.settings import Settings
from hstore_models.prediction import Query
from hstore_models.registry import Registry
from hstore_models.training import ensure, model_id, model_of, train
from hstore_models.training_data import training_checksums


@pytest.fixture
def copy(trained, tmp_path):
    """A registry of its own that holds the capacity model."""
    loaded = ensure("hydride_capacity", trained)
    registry = Registry(tmp_path / "models")
    return registry, registry.save(loaded.model, loaded.card, loaded.held_out)


def test_loaded_model_answers_as_the_saved_one(trained, copy):
    registry, card = copy
    query = Query.of([parse_amounts(f) for f in ("LaNi5", "TiFe", "Mg2Ni", "NaAlH4")])
    saved = ensure("hydride_capacity", trained).model.predict("h2_capacity_wt_pct", query)
    loaded = registry.load(card.model, card.model_id).model.predict("h2_capacity_wt_pct", query)
    assert np.array_equal(saved.mean, loaded.mean)
    assert np.array_equal(saved.upper, loaded.upper)


def test_current_model_is_the_last_saved(copy):
    registry, card = copy
    assert registry.current_id(card.model) == card.model_id
    assert [c.model_id for c in registry.cards()] == [card.model_id]


def test_changed_model_file_is_refused(copy):
    registry, card = copy
    path = registry.folder / card.model / card.model_id / "model.skops"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ModelError, match=r"its card states .* retrain with: hstore train"):
        registry.load(card.model, card.model_id)


def test_pickle_in_disguise_is_refused(copy):
    registry, card = copy
    folder = registry.folder / card.model / card.model_id
    (folder / "model.skops").write_bytes(pickle.dumps({"a": 1}))
    resign(folder)
    with pytest.raises((ModelError, zipfile.BadZipFile)):
        registry.load(card.model, card.model_id)


def test_foreign_types_are_refused(copy):
    import skops.io

    class Trap:
        pass

    registry, card = copy
    folder = registry.folder / card.model / card.model_id
    skops.io.dump({"hstore class": "HydrideCapacity", "trap": Trap()}, folder / "model.skops")
    resign(folder)
    with pytest.raises(ModelError, match="types that are not allowed"):
        registry.load(card.model, card.model_id)


def test_unknown_class_is_refused(copy):
    import skops.io

    registry, card = copy
    folder = registry.folder / card.model / card.model_id
    skops.io.dump({"hstore class": "Elsewhere"}, folder / "model.skops")
    resign(folder)
    with pytest.raises(ModelError, match="class 'Elsewhere'"):
        registry.load(card.model, card.model_id)


def resign(folder):
    """Write the checksum of a tampered model file into its card."""
    import hashlib

    card = json.loads((folder / "card.json").read_text())
    card["model_sha256"] = hashlib.sha256((folder / "model.skops").read_bytes()).hexdigest()
    (folder / "card.json").write_text(json.dumps(card))


def test_damaged_card_is_refused(copy):
    registry, card = copy
    (registry.folder / card.model / card.model_id / "card.json").write_text('{"model": 1}')
    with pytest.raises(ModelError, match="is damaged"):
        registry.card(card.model, card.model_id)


def test_missing_model_says_how_to_train_it(tmp_path):
    with pytest.raises(ModelError, match="train it with: hstore train conductivity"):
        Registry(tmp_path).load("conductivity", "conductivity-0")


def test_second_call_loads_without_training(trained):
    ensure("hydride_capacity", trained)
    told = []
    ensure("hydride_capacity", trained, say=told.append)
    assert told == []


def test_identity_depends_on_data_and_seed(trained):
    checksums = training_checksums("conductivity", trained)
    first = model_id("conductivity", checksums, trained)
    assert first == model_id("conductivity", dict(reversed(list(checksums.items()))), trained)
    assert first != model_id("conductivity", checksums | {"more/file.csv": "0" * 64}, trained)
    assert first != model_id("conductivity", checksums, trained.model_copy(update={"seed": 1}))


def test_changed_data_retrains_and_says_so(trained, tmp_path, monkeypatch):
    from hstore_models import training

    settings = Settings(home=tmp_path, data_mirror=None, database_url=None)
    loaded = ensure("sorbent_uptake", settings)
    later = {**loaded.card.checksums, "new_set/file.csv": "1" * 64}
    monkeypatch.setattr(training, "training_checksums", lambda *_: later)
    told = []
    training.ensure("sorbent_uptake", settings, say=told.append)
    assert told == ["training sorbent_uptake: data changed (new_set)"]


def test_card_scores_stand_beside_the_mean_predictor(trained):
    card = train("sorbent_uptake", trained).card
    score = card.scores["h2_uptake_wt_pct"]
    assert score.mae < score.mae_mean_predictor
    assert 0.8 <= score.coverage <= 1.0
    assert sum(card.rows_by_source.values()) > 100


def test_unknown_property_lists_those_that_are_predicted():
    with pytest.raises(UnknownNameError, match="h2_capacity_wt_pct"):
        model_of("h2_capacity")
