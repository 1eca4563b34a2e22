"""Ensembles: intervals on unseen groups, stacks, transforms, limits, constraints, blocks, bounds, determinism."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hstore.errors import InputError, UnknownNameError
from hstore_models.calibration import NORMAL_QUANTILE
from hstore_models.ensemble import Recipe, Task, fit_ensemble, forward
from hstore_models.learners import Learner

FOREST = Learner("extra_trees", {"n_estimators": 40, "max_features": 1.0})
PROCESS = Learner("gaussian_process")
BOOSTING = Learner("boosting", {"max_iter": 60, "max_features": 1.0})
RIDGE = Learner("sklearn.linear_model.Ridge")
LINE = Learner("sklearn.linear_model.LinearRegression")


@pytest.fixture(scope="module")
def task():
    """Noise that grows along the first feature, groups of four rows."""
    rng = np.random.default_rng(0)
    features = rng.uniform(0, 1, (800, 4))
    target = 3 * features[:, 0] + features[:, 1] + rng.normal(0, 0.05 + 0.4 * features[:, 0])
    return Task(features, target, np.repeat(np.arange(200), 4).astype(str))


def part(task, count):
    return Task(task.features[:count], task.target[:count], task.groups[:count])


@pytest.fixture(scope="module")
def fitted(task):
    """A forest and a line, fitted on the first half."""
    return fit_ensemble(part(task, 400), Recipe((FOREST, RIDGE)))


def test_intervals_cover_new_rows_at_their_nominal_rate(fitted, task):
    mean, std = fitted.predict(task.features[400:])
    covered = np.mean(np.abs(task.target[400:] - mean) <= NORMAL_QUANTILE * std)
    assert 0.85 <= covered <= 0.97


def test_std_is_larger_where_the_noise_is(task):
    ensemble = fit_ensemble(task, Recipe((FOREST,)))
    low, high = (ensemble.predict(np.array([[0.5 + shift, 0.5, 0.5, 0.5]]))[1][0] for shift in (-0.45, 0.45))
    assert high > 1.5 * low


def test_out_of_fold_answers_hold_whole_groups_out(fitted, task):
    for group in np.unique(task.groups[:400]):
        assert len(set(fitted.folds[task.groups[:400] == group])) == 1
    assert set(fitted.folds) == set(range(5))


def test_out_of_fold_answers_have_not_seen_their_row(task):
    """A row that no other row resembles: its own answer cannot come out right held out."""
    features, target = task.features[:200].copy(), task.target[:200].copy()
    features[0], target[0] = 30.0, 500.0
    ensemble = fit_ensemble(Task(features, target, task.groups[:200]), Recipe((FOREST,)))
    assert abs(ensemble.oof_mean[0] - 500.0) > 400.0
    assert ensemble.predict(features[:1])[0][0] > 300.0


def test_same_seed_same_answer_other_seed_other_answer(task):
    small = part(task, 200)
    answers = [
        fit_ensemble(small, Recipe((FOREST, RIDGE), seed=seed)).predict(task.features[400:420])
        for seed in (3, 3, 4)
    ]
    assert np.array_equal(answers[0], answers[1])
    assert not np.array_equal(answers[0], answers[2])


def test_one_row_is_answered_as_in_a_batch(fitted, task):
    mean, std = fitted.predict(task.features)
    for row in (0, 1, 399, 400, 799):
        alone = fitted.predict(task.features[row : row + 1])
        np.testing.assert_allclose([alone[0][0], alone[1][0]], [mean[row], std[row]], rtol=1e-12)


def test_missing_values_are_answered(fitted, task):
    blank = task.features[:5].copy()
    blank[:, 2] = np.nan
    assert np.isfinite(fitted.predict(blank)).all()


def test_weights_of_the_stack_are_shares_and_go_to_the_better_learner(task):
    rng = np.random.default_rng(1)
    line = 2 * task.features[:300, 0] - task.features[:300, 1] + rng.normal(0, 0.01, 300)
    ensemble = fit_ensemble(replace(part(task, 300), target=line), Recipe((FOREST, LINE)))
    assert sum(ensemble.weights.values()) == pytest.approx(1.0)
    assert all(weight >= 0 for weight in ensemble.weights.values())
    assert ensemble.weights["LinearRegression"] > 0.9
    assert ensemble.learners.keys() == ensemble.weights.keys() == ensemble.columns.keys()


def test_a_learner_without_weight_is_not_kept(task):
    nonsense = Learner("sklearn.dummy.DummyRegressor", {"strategy": "constant", "constant": 1e6})
    ensemble = fit_ensemble(part(task, 200), Recipe((RIDGE, nonsense)))
    assert list(ensemble.learners) == ["Ridge"]
    assert ensemble.weights == {"Ridge": pytest.approx(1.0)}


def test_learners_of_one_kind_get_names_of_their_own(task):
    ensemble = fit_ensemble(part(task, 100), Recipe((FOREST, FOREST, replace(FOREST, parameters={"trim": 0.1}))))
    assert set(ensemble.learners) <= {"extra_trees", "extra_trees 2", "extra_trees 3"}
    assert len(ensemble.learners) > 1


@pytest.mark.parametrize("transform", ["none", "log", "sqrt"])
def test_a_transformed_target_is_answered_in_its_own_unit(transform):
    rng = np.random.default_rng(2)
    features = rng.uniform(0, 3, (300, 2))
    target = np.exp(features[:, 0])
    task = Task(features, target, np.arange(300).astype(str))
    ensemble = fit_ensemble(task, Recipe((FOREST, LINE), transform=transform))
    mean, std = ensemble.predict(features)
    assert np.mean(np.abs(mean - target) / target) < 0.2
    assert (std > 0).all()
    if transform == "log":  # a line fits exp(x) only through its logarithm
        assert ensemble.weights["LinearRegression"] > 0.9


@pytest.mark.parametrize(
    ("transform", "low", "high"), [("none", -2.0, 2.0), ("log", 0.0, 5.0), ("sqrt", 0.0, 5.0)]
)
def test_forward_is_undone(transform, low, high):
    from hstore_models.ensemble import _back

    values = np.linspace(max(low, 0.01), high, 50)
    back, slope = _back(forward(values, transform), transform)
    np.testing.assert_allclose(back, values, rtol=1e-12)
    step = 1e-6
    rise = (_back(forward(values, transform) + step, transform)[0] - back) / step
    np.testing.assert_allclose(slope, rise, rtol=1e-4)


def test_answers_stay_within_the_physical_limits(task):
    recipe = Recipe((RIDGE,), low=0.5, high=2.0)
    mean, _ = fit_ensemble(part(task, 200), recipe).predict(np.array([[-9.0] * 4, [0.3] * 4, [9.0] * 4]))
    assert (mean[0], mean[2]) == (0.5, 2.0)
    assert 0.5 < mean[1] < 2.0


@pytest.mark.parametrize("sign", [1, -1])
def test_boosting_keeps_a_monotonic_constraint_against_the_data(task, sign):
    recipe = Recipe((BOOSTING,), monotonic={0: sign})
    ensemble = fit_ensemble(part(task, 400), recipe)
    line = np.tile([0.5, 0.5, 0.5, 0.5], (100, 1))
    line[:, 0] = np.linspace(0, 1, 100)
    steps = np.diff(ensemble.predict(line)[0])
    assert (sign * steps >= 0).all()


def test_a_constraint_finds_its_column_in_a_block(task):
    """The learner sees columns 3, 0 only; the constraint is on column 0 of the features."""
    learner = replace(BOOSTING, blocks=("some",))
    bound = replace(part(task, 400), blocks={"some": [0, 3]})
    ensemble = fit_ensemble(bound, Recipe((learner,), monotonic={0: -1}))
    line = np.tile(0.5, (50, 4))
    line[:, 0] = np.linspace(0, 1, 50)
    assert (np.diff(ensemble.predict(line)[0]) <= 0).all()


def test_a_learner_sees_its_blocks_only(task):
    blocks = {"first": [0], "rest": [1, 2, 3]}
    ensemble = fit_ensemble(
        replace(part(task, 200), blocks=blocks),
        Recipe((replace(FOREST, blocks=("rest",)), replace(RIDGE, blocks=("first",)))),
    )
    changed = task.features[:20].copy()
    changed[:, 0] += 5.0
    before = ensemble.learners["extra_trees rest"].predict(task.features[:20, [1, 2, 3]])[0]
    np.testing.assert_array_equal(ensemble.columns["extra_trees rest"], [1, 2, 3])
    np.testing.assert_array_equal(before, ensemble.learners["extra_trees rest"].predict(changed[:, [1, 2, 3]])[0])
    with pytest.raises(UnknownNameError, match=r"block of features 'frist'.*did you mean 'first'"):
        fit_ensemble(replace(part(task, 50), blocks=blocks), Recipe((replace(FOREST, blocks=("frist",)),)))


def test_a_block_may_count_several_times(task):
    """Among many columns of noise, forests find a column sooner that counts often; answers stay reproducible."""
    rng = np.random.default_rng(5)
    few = part(task, 300)
    noise = rng.normal(size=(300, 60))
    bound = replace(
        few, features=np.column_stack([few.features, noise]),
        blocks={"rows": [0, 1, 2, 3], "noise": list(range(4, 64))},
    )  # fmt: skip
    learner = replace(FOREST, parameters={**FOREST.parameters, "max_features": 0.1})
    once, often = (
        fit_ensemble(bound, Recipe((replace(learner, blocks=(name, "noise")),))) for name in ("rows", "rows x15")
    )
    columns = next(iter(often.columns.values()))
    assert np.bincount(columns).tolist() == [15] * 4 + [1] * 60
    assert np.mean(np.abs(often.oof_mean - few.target)) < np.mean(np.abs(once.oof_mean - few.target))
    shares = often.importances(64)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[:4].sum() > once.importances(64)[:4].sum()


@pytest.mark.parametrize("block", ["rows x0", "rows x", "rows x-2", "rows 2"])
def test_a_count_of_a_block_is_a_whole_number_from_one(task, block):
    with pytest.raises(InputError, match="block of features"):
        fit_ensemble(replace(part(task, 50), blocks={"rows": [0, 1]}), Recipe((replace(FOREST, blocks=(block,)),)))


def test_rows_that_are_not_scored_train_and_choose_nothing(task):
    rng = np.random.default_rng(3)
    wild = Task(
        np.vstack([task.features[:400], task.features[:100]]),
        np.concatenate([task.target[:400], rng.normal(0, 50, 100)]),
        np.concatenate([task.groups[:400], [f"wild {i}" for i in range(100)]]),
        weights=np.repeat([1.0, 1e-3], [400, 100]),
        scored=np.repeat([True, False], [400, 100]),
    )
    recipe = Recipe((RIDGE, FOREST))
    plain, with_wild = fit_ensemble(part(task, 400), recipe), fit_ensemble(wild, recipe)
    every = fit_ensemble(replace(wild, scored=None), recipe)
    stds = [np.median(e.predict(task.features[400:])[1]) for e in (plain, with_wild, every)]
    assert stds[1] < 2.0 * stds[0]
    assert stds[2] > 3.0 * stds[0]


def test_an_upper_bound_is_learned_as_one(task):
    """A third of the values is below a detection limit: what is learned there lies below it, not at it."""
    small = part(task, 400)
    limit = np.quantile(small.target, 0.33)
    bounds = small.target < limit
    seen = np.maximum(small.target, limit)
    censored = fit_ensemble(replace(small, target=seen, bounds=bounds), Recipe((FOREST,)))
    naive = fit_ensemble(replace(small, target=seen), Recipe((FOREST,)))
    assert (censored.target[bounds] <= limit).all()
    assert np.array_equal(censored.target[~bounds], small.target[~bounds])
    errors = [np.mean((e.target - small.target)[bounds]) for e in (censored, naive)]
    assert abs(errors[0]) < 0.5 * abs(errors[1])


def test_bounds_alone_cannot_be_learned_from(task):
    small = part(task, 60)
    with pytest.raises(InputError, match="none of the 60 rows states a value"):
        fit_ensemble(replace(small, bounds=np.ones(60, dtype=bool)), Recipe((RIDGE,)))
    with pytest.raises(InputError, match="add measured values"):
        fit_ensemble(replace(small, scored=np.zeros(60, dtype=bool)), Recipe((RIDGE,)))


def test_a_bound_beside_exact_answers_is_no_division_by_zero():
    features = np.linspace(0, 1, 60)[:, None]
    bounds = np.arange(60) % 7 == 0
    task = Task(features, np.full(60, 2.0), np.arange(60).astype(str), bounds=bounds)
    ensemble = fit_ensemble(task, Recipe((RIDGE,)))
    assert np.isfinite(ensemble.predict(features)).all()


def test_one_group_cannot_be_split(task):
    with pytest.raises(InputError, match="at least two"):
        fit_ensemble(replace(part(task, 20), groups=np.array(["La-Ni"] * 20)), Recipe((RIDGE,)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"learners": ()}, "at least one learner"),
        ({"transform": "logarithm"}, "did you mean 'log'"),
        ({"n_folds": 1}, "n_folds must be at least 2, got 1"),
    ],
)
def test_recipes_are_checked_when_they_are_made(change, words):
    with pytest.raises(InputError, match=words):
        Recipe(**({"learners": (RIDGE,)} | change))


def test_a_recipe_checks_every_learner():
    with pytest.raises(InputError, match="n_trees"):
        Recipe((RIDGE, Learner("extra_trees", {"n_trees": 3}))).check()


def test_importances_are_shares_of_what_forests_learned(fitted, task):
    shares = fitted.importances(4)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[0] == shares.max()
    assert not fit_ensemble(part(task, 100), Recipe((RIDGE,))).importances(4).any()


def test_a_saved_ensemble_answers_as_before(task):
    from hstore_models.serialization import from_bytes, to_bytes

    ensemble = fit_ensemble(part(task, 120), Recipe((FOREST, PROCESS, RIDGE, BOOSTING)))
    again = from_bytes(to_bytes(ensemble), "test")
    for before, after in zip(ensemble.predict(task.features), again.predict(task.features), strict=True):
        assert np.array_equal(before, after)
