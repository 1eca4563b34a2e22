"""What a block of descriptors adds, on data where it is known."""

from __future__ import annotations

import numpy as np
import pytest

from hstore.errors import InputError, UnknownNameError
from hstore_models import ablation
from hstore_models.ablation import ablate
from hstore_models.learners import Learner


@pytest.fixture(scope="module")
def found():
    random = np.random.default_rng(3)
    known, telling, noise = random.normal(size=(3, 240, 2))
    values = known[:, 0] + 2.0 * telling[:, 0] + 0.1 * random.normal(size=240)
    groups = [f"system {row // 4}" for row in range(240)]
    blocks = {"known": known, "telling": telling, "noise": noise, "absent": np.full((240, 3), np.nan)}
    few_trees = (
        Learner("extra_trees", {"n_estimators": 60, "min_samples_leaf": 2}),
        Learner("boosting", {"max_iter": 80}),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ablation, "LEARNERS", few_trees)
        return ablate(blocks, values, groups, base=["known"], seeds=2)


def test_a_telling_block_is_better_and_noise_adds_nothing(found):
    by = {variant.blocks: variant for variant in found.variants}
    base, telling = by["known",], by["known", "telling"]
    assert telling.verdict == "better"
    assert telling.mae < 0.5 * base.mae
    assert telling.interval[0] < telling.change < telling.interval[1] < 0
    assert by["known", "noise"].verdict != "better"
    assert (
        by[
            "known",
            "noise",
        ].change
        > -0.05 * base.mae
    )
    assert by["known", "telling", "noise", "absent"].verdict == "better"
    assert base.verdict == "base"
    assert base.change == 0.0
    assert base.mae < found.mae_mean_predictor


def test_a_block_without_values_changes_nothing_and_its_coverage_says_why(found):
    by = {variant.blocks: variant for variant in found.variants}
    assert found.coverage == {"known": 1.0, "telling": 1.0, "noise": 1.0, "absent": 0.0}
    assert by["known", "absent"].verdict == "no difference that can be told"
    assert by["known", "absent"].columns == 5
    assert (found.rows, found.groups, len(found.split_hashes)) == (240, 60, 2)


def test_json_has_all(found):
    told = found.as_json()
    assert told["variants"][0]["verdict"] == "base"
    assert told["variants"][1]["interval_90"] == list(found.variants[1].interval)


def test_what_cannot_be_compared_is_refused():
    one = np.zeros((20, 1))
    with pytest.raises(InputError, match="nothing to compare"):
        ablate({"known": one}, np.zeros(20), ["a"] * 20, base=["known"])
    with pytest.raises(UnknownNameError, match="knwon"):
        ablate({"known": one, "more": one}, np.zeros(20), ["a"] * 20, base=["knwon"])
    with pytest.raises(InputError, match="20 rows of 2 groups"):
        ablate({"known": one, "more": one}, np.zeros(20), ["a", "b"] * 10, base=["known"])
    with pytest.raises(InputError, match="20 values, 19 groups"):
        ablate({"known": one, "more": one}, np.zeros(20), ["a"] * 19, base=["known"])
