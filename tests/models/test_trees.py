"""Packed trees answer as the estimators they came from, for one row or many."""

from __future__ import annotations

import numpy as np
import pytest

from hstore_models.trees import NODE, pack

FORESTS = ["ExtraTreesRegressor", "RandomForestRegressor"]


@pytest.fixture(scope="module")
def rows():
    """Features with missing values in one column, rounded as learners see them, and a target with a step."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, 6)).astype(np.float32).astype(np.float64)
    features[rng.random(400) < 0.2, 2] = np.nan
    missing = np.isnan(features[:, 2])
    target = features[:, 0] ** 2 + np.where(missing, 2.0, features[:, 2]) + rng.normal(0, 0.1, 400)
    return features, target


@pytest.fixture(scope="module")
def fitted(rows):
    """Estimator by name, fitted on the first 300 rows."""
    from sklearn import ensemble

    parameters = {
        "ExtraTreesRegressor": {"n_estimators": 40},
        "RandomForestRegressor": {"n_estimators": 40, "min_samples_leaf": 2},
        "HistGradientBoostingRegressor": {"max_iter": 40},
    }
    features, target = rows
    return {
        name: getattr(ensemble, name)(**given, random_state=0).fit(features[:300], target[:300])
        for name, given in parameters.items()
    }


@pytest.mark.parametrize("name", [*FORESTS, "HistGradientBoostingRegressor"])
def test_answers_are_those_of_scikit_learn_also_for_missing_values(fitted, rows, name):
    unseen = rows[0][300:]
    assert np.isnan(unseen).any()
    np.testing.assert_allclose(pack(fitted[name]).predict(unseen)[0], fitted[name].predict(unseen), rtol=1e-12)


@pytest.mark.parametrize("name", FORESTS)
def test_spread_is_that_of_the_trees(fitted, rows, name):
    unseen = rows[0][300:]
    each = np.array([tree.predict(unseen) for tree in fitted[name].estimators_])
    np.testing.assert_allclose(pack(fitted[name]).predict(unseen)[1], each.std(axis=0), rtol=1e-12)


def test_boosting_has_no_spread(fitted, rows):
    assert not pack(fitted["HistGradientBoostingRegressor"]).predict(rows[0])[1].any()


@pytest.mark.parametrize("name", [*FORESTS, "HistGradientBoostingRegressor"])
def test_a_row_alone_is_answered_as_in_a_batch_bit_by_bit(fitted, rows, name):
    trees = pack(fitted[name], trim=0.1)
    many = np.tile(rows[0], (12, 1))  # more than are walked at once, so in several threads
    mean, spread = trees.predict(many)
    for place in (0, 2047, 2048, 3777, len(many) - 1):
        alone = trees.predict(many[place : place + 1])
        assert (alone[0][0], alone[1][0]) == (mean[place], spread[place])
    assert np.array_equal(mean[:400], mean[-400:])


def test_no_row_gives_no_answer(fitted):
    mean, spread = pack(fitted["ExtraTreesRegressor"]).predict(np.empty((0, 6)))
    assert mean.shape == spread.shape == (0,)


@pytest.mark.parametrize("trim", [0.0, 0.1, 0.25, 0.49])
def test_the_trimmed_mean_leaves_out_trees_at_either_end(fitted, rows, trim):
    from scipy.stats import trim_mean

    forest, unseen = fitted["ExtraTreesRegressor"], rows[0][300:]
    each = np.array([tree.predict(unseen) for tree in forest.estimators_])
    mean, spread = pack(forest, trim=trim).predict(unseen)
    np.testing.assert_allclose(mean, trim_mean(each, trim, axis=0), rtol=1e-12)
    np.testing.assert_allclose(spread, each.std(axis=0), rtol=1e-12)  # all trees, the trimmed ones included


@pytest.mark.parametrize("name", FORESTS)
def test_a_feature_that_was_never_missing_may_be_missing_later(fitted, rows, name):
    """Scikit-learn refuses such rows; here they go where most training rows went, and are finite."""
    blank = rows[0][300:310].copy()
    blank[:, 0] = np.nan
    mean, _ = pack(fitted[name]).predict(blank)
    assert np.isfinite(mean).all()
    low, high = rows[1].min(), rows[1].max()
    assert ((low <= mean) & (mean <= high)).all()


@pytest.mark.parametrize("name", FORESTS)
def test_importances_are_those_of_the_forest(fitted, name):
    trees = pack(fitted[name])
    np.testing.assert_array_equal(trees.importances, fitted[name].feature_importances_)
    assert trees.importances.argmax() in {0, 2}


@pytest.mark.parametrize("name", [*FORESTS, "HistGradientBoostingRegressor"])
@pytest.mark.parametrize("kept", [0, 1, 63, 64, 65, 300])
def test_answers_are_those_of_the_nodes_one_after_the_other(fitted, rows, name, kept):
    """Also for values on a threshold, without end, of either zero, and missing where none was in training."""
    trees, unseen = pack(fitted[name]), rows[0][:kept].copy()
    thresholds = trees.nodes[trees.nodes["feature"] == 0]["threshold"]
    unseen[::2, 0] = np.resize(thresholds, len(unseen[::2]))
    unseen[1::5, 1], unseen[2::5, 1], unseen[3::5, 1], unseen[4::5, 1] = np.nan, np.inf, -np.inf, -0.0
    expected = np.full((kept, len(trees.roots)), trees.base)
    for row, values in enumerate(unseen.astype(np.float32)):
        for tree, root in enumerate(trees.roots):
            node = trees.nodes[root]
            while node["feature"] >= 0:
                value = values[node["feature"]]
                side = "missing" if np.isnan(value) else "right" if value > node["threshold"] else "left"
                node = trees.nodes[node[side]]
            expected[row, tree] += node["threshold"]
    answer = expected.sum(axis=1) if trees.summed else expected.mean(axis=1)
    answer -= trees.base * (len(trees.roots) - 1) if trees.summed else 0.0
    np.testing.assert_allclose(trees.predict(unseen)[0], answer, rtol=1e-12, atol=1e-12)


def test_nodes_of_all_trees_stand_one_after_the_other(fitted):
    forest = fitted["RandomForestRegressor"]
    trees = pack(forest)
    assert trees.nodes.dtype == NODE
    sizes = [tree.tree_.node_count for tree in forest.estimators_]
    assert trees.roots.tolist() == [0, *np.cumsum(sizes)[:-1]]
    assert len(trees.nodes) == sum(sizes)
    inner = np.flatnonzero(trees.nodes["feature"] >= 0)
    for child in ("left", "right", "missing"):  # children come after their parent: no walk can go round
        assert (trees.nodes[child][inner] > inner).all()


@pytest.mark.parametrize("name", [*FORESTS, "HistGradientBoostingRegressor"])
def test_saved_trees_answer_as_before(fitted, rows, name):
    from hstore_models.serialization import from_bytes, to_bytes

    trees = pack(fitted[name], trim=0.05)
    again = from_bytes(to_bytes(trees), "test")
    for before, after in zip(trees.predict(rows[0]), again.predict(rows[0]), strict=True):
        assert np.array_equal(before, after)


def test_a_target_without_variation_is_one_leaf_per_tree(rows):
    from sklearn.ensemble import ExtraTreesRegressor

    forest = ExtraTreesRegressor(5, random_state=0).fit(rows[0], np.full(len(rows[0]), 3.5))
    trees = pack(forest)
    assert len(trees.nodes) == 5
    assert np.array_equal(trees.predict(rows[0])[0], np.full(len(rows[0]), 3.5))
