"""Golden predictions: the same answers here, and a difference is named with the library that moved it."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from hstore.formula import parse_amounts
from hstore_models.golden import (
    N_PROBES,
    Golden,
    check_golden,
    golden_predictions,
    library_versions,
)
from hstore_models.registry import Registry
from hstore_models.training import MODELS
from hstore_models.training_data import load_training_data


class Molar:
    """A model whose answers are a function of the composition and the temperature."""

    properties = ("a", "b")

    def __init__(self, factor=1.0):
        self.factor = factor

    def predict(self, property_name, query):
        assert property_name in self.properties
        atoms = np.array([sum(row.values()) for row in query.amounts], dtype=float)
        mean = self.factor * atoms + query.column("temperature_k", 300.0)
        return SimpleNamespace(mean=mean, std=np.where(atoms > 20, np.inf, 0.1 * atoms))


@pytest.fixture
def rows():
    formulas = [f"La{i}Ni5" for i in range(1, 40)] + [f"Ti{i}Fe" for i in range(1, 4)] + ["MgH2", "MgH2"]
    families = ["AB5"] * 39 + ["AB"] * 3 + ["ionic"] * 2
    return pd.DataFrame(
        {
            "formula": formulas, "amounts": [parse_amounts(f) for f in formulas], "alloy_class": families,
            "temperature_k": np.linspace(300.0, 400.0, 44), "a": 1.0, "row": range(44),
            "reference": "somebody",
        }
    )  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_every_model_answers_in_this_environment_as_when_it_was_saved(loaded, trained, name):
    model = loaded(name)
    golden = golden_predictions(model.model, load_training_data(name, trained).rows)
    assert len(golden.probes) == N_PROBES
    again = Golden.model_validate_json(golden.model_dump_json())
    drift = check_golden(model.model, again, model.card.versions)
    assert (drift.moved, drift.changed) == ((), {})
    assert drift.n_answers == 2 * N_PROBES * len(model.model.properties)


def test_a_saved_model_carries_golden_predictions_of_its_own(loaded, trained):
    saved = loaded("sorbent_uptake").card
    registry = Registry(trained.models_dir)
    golden = registry.golden(saved.model, saved.model_id)
    loaded_again = registry.load(saved.model, saved.model_id).model
    assert str(check_golden(loaded_again, golden)).endswith("all libraries are those of the training")


def test_probes_are_drawn_from_all_families_and_fixed_ones_are_among_them(rows):
    labels = [probe.label for probe in golden_predictions(Molar(), rows).probes]
    assert labels[:3] == ["LaNi5", "TiFe", "Mg2Ni"]
    assert "MgH2" in labels
    assert {"Ti1Fe", "Ti2Fe", "Ti3Fe"} < set(labels)
    assert labels.count("MgH2") == 1, "a material is drawn once"


def test_probes_depend_on_nothing_but_the_rows(rows):
    first = golden_predictions(Molar(), rows)
    assert first == golden_predictions(Molar(), rows)
    assert first == golden_predictions(Molar(), rows.sample(frac=1.0, random_state=0).sort_index())


def test_probes_hold_conditions_and_no_answers_or_notes(rows):
    drawn = golden_predictions(Molar(), rows).probes[-1]
    assert set(drawn.columns) == {"temperature_k"}


def test_what_is_not_stated_is_left_out(rows):
    states = pd.array([*[1.5] * (len(rows) - 2), None, None], dtype="Float64")
    probes = golden_predictions(Molar(), rows.assign(pressure_bar=states)).probes
    stated = {probe.label: probe.columns for probe in probes}
    assert stated["Ti3Fe"]["pressure_bar"] == 1.5
    assert "pressure_bar" not in stated["MgH2"]


def test_without_rows_the_fixed_probes_serve():
    assert len(golden_predictions(Molar()).probes) == 5


def test_a_moved_answer_is_named_with_its_size(rows):
    golden = golden_predictions(Molar(), rows)
    drift = check_golden(Molar(1.001), golden)
    assert {moved.quantity for moved in drift.moved} == {"mean"}
    worst = drift.moved[0]
    assert worst.relative == max(moved.relative for moved in drift.moved)
    assert worst.relative == pytest.approx(abs(worst.now - worst.then) / worst.now)
    assert f"mean of {worst.property} for {worst.label}: {worst.then:.9g} then, {worst.now:.9g} now" in str(drift)
    assert "all libraries are those of the training" in str(drift)


def test_a_difference_within_rounding_is_none(rows):
    golden = golden_predictions(Molar(), rows)
    assert check_golden(Molar(1.0 + 1e-8), golden).moved == ()


def test_an_answer_that_is_no_number_any_more_has_moved(rows):
    golden = golden_predictions(Molar(), rows)
    assert any(probe.answers["a"][1] is None for probe in golden.probes), (
        "some answers were infinite and still are"
    )
    drift = check_golden(Molar(math.inf), golden)
    assert drift.moved[0].relative == math.inf
    assert "no number now" in str(drift)
    record = json.loads(json.dumps(drift.record(), allow_nan=False))
    assert record["moved"][0]["relative"] is None


def test_the_library_that_changed_is_named(rows):
    golden = golden_predictions(Molar(), rows)
    doctored = golden.model_copy(update={"versions": {**golden.versions, "numpy": "1.0", "gone": "2"}})
    drift = check_golden(Molar(1.1), doctored, {"scikit-learn": "0.1"})
    now = library_versions()["numpy"]
    assert drift.changed["numpy"] == ("1.0", now)
    assert drift.changed["gone"] == ("2", "absent")
    assert f"numpy 1.0 -> {now}" in str(drift)
    assert "scikit-learn" not in drift.changed, "the golden file knows better than the card"


def test_the_doctored_golden_file_of_a_saved_model_names_probe_and_library(loaded, tmp_path):
    model = loaded("sorbent_uptake")
    golden = golden_predictions(model.model)
    first = golden.probes[0]
    mean, std = first.answers["h2_uptake_wt_pct"]
    moved = first.model_copy(update={"answers": {**first.answers, "h2_uptake_wt_pct": (1.01 * mean, std)}})
    doctored = Golden(probes=(moved, *golden.probes[1:]), versions={**golden.versions, "scipy": "0.1"})
    registry = Registry(tmp_path)
    card = registry.save(model.model, model.card, model.held_out, doctored)
    saved = registry.load(card.model, card.model_id)
    drift = check_golden(saved.model, registry.golden(card.model, card.model_id), card.versions)
    (only,) = drift.moved
    assert (only.label, only.property) == (first.label, "h2_uptake_wt_pct")
    assert only.relative == pytest.approx(0.01 / 1.01)
    assert list(drift.changed) == ["scipy"]
