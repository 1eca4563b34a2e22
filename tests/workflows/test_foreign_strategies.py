"""Strategies of other libraries: they choose free candidates, use what is known, and beat chance."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np
import pytest

from hstore.errors import InputError, MissingExtraError
from hstore_workflows.campaign.landscape import History, Landscape, Prior
from hstore_workflows.campaign.objective import Goal, Objective, Window
from hstore_workflows.campaign.strategies.baybe import BayBe
from hstore_workflows.campaign.strategies.botorch import LogEi, Nehvi
from hstore_workflows.campaign.strategies.coordinates import MAX_COLUMNS, coordinates, unit_cube
from hstore_workflows.campaign.strategies.optuna_samplers import Gp, Tpe
from tests.workflows.alloy_pool import alloy_formulas, alloy_labels, alloy_landscape, best_found, measured

needs_botorch = pytest.mark.skipif(find_spec("botorch") is None, reason="install hstore[botorch]")
needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="install hstore[botorch]")
needs_baybe = pytest.mark.skipif(find_spec("baybe") is None, reason="install hstore[baybe]")

TPE = pytest.param(Tpe(), id="tpe")
GP = pytest.param(Gp(), id="gp", marks=needs_torch)
LOG_EI = pytest.param(LogEi(), id="log-ei", marks=needs_botorch)
NEHVI = pytest.param(Nehvi(), id="nehvi", marks=needs_botorch)
BAYBE = pytest.param(BayBe(), id="baybe", marks=needs_baybe)
ONE_GOAL = [TPE, GP, LOG_EI, BAYBE]
MANY_GOALS = [TPE, GP, NEHVI, BAYBE]

COLUMNS = ("merit", "size", "negativity")
MERIT = Objective.maximizing("merit")


@pytest.fixture(scope="module")
def formulas():
    return alloy_formulas()


@pytest.fixture(scope="module")
def labels(formulas):
    return alloy_labels(formulas)


@pytest.fixture(scope="module")
def history(labels):
    """24 results, two of them partial, two failures and three experiments under way."""
    rows = np.random.default_rng(0).permutation(120).tolist()
    results = measured(labels, rows[:24], COLUMNS)
    del results[rows[0]]["size"], results[rows[1]]["merit"]
    return History(results, failed=rows[24:26], pending=rows[26:29])


def rows_of(strategy, landscape, history, n=4, seed=0):
    return [pick.row for pick in strategy.choose(landscape, history, n, seed=seed)]


@pytest.mark.parametrize("strategy", ONE_GOAL)
def test_picks_are_free_distinct_and_repeatable(formulas, history, strategy):
    makeable = np.arange(120) % 3 > 0
    landscape = alloy_landscape(formulas, MERIT, makeable=makeable)
    rows = rows_of(strategy, landscape, history)
    assert len(set(rows)) == 4
    assert not set(rows) & set(history.taken)
    assert makeable[rows].all()
    assert rows_of(strategy, landscape, history) == rows


@pytest.mark.parametrize("strategy", ONE_GOAL)
def test_most_of_the_best_are_found_by_the_time_chance_finds_a_third(formulas, labels, strategy):
    landscape = alloy_landscape(formulas, MERIT)
    found = [best_found(strategy, landscape, labels, seed=seed) for seed in range(3)]
    assert np.mean(found) >= 1.3 * 10 * 40 / 120, found


@pytest.mark.parametrize("strategy", ONE_GOAL)
def test_smaller_is_better_where_the_goal_says_so(formulas, labels, history, strategy):
    rows = rows_of(strategy, alloy_landscape(formulas, Objective((Goal("size", minimize=True),))), history)
    free = np.setdiff1d(np.arange(120), history.taken)
    assert labels["size"][rows].mean() < np.quantile(labels["size"][free], 0.35)


@pytest.mark.parametrize("strategy", ONE_GOAL)
def test_a_window_turns_picks_towards_what_meets_it(strategy):
    square = np.random.default_rng(0).uniform(-1.0, 1.0, (150, 2))
    labels = {"merit": square[:, 0] - square[:, 1], "w": square[:, 0]}
    history = History(measured(labels, range(30), ("merit", "w")))
    shares = []
    for windows in ((), (Window("w", -np.inf, 0.0),)):
        landscape = Landscape({"x": square}, Objective.maximizing("merit", windows))
        shares.append(np.mean(labels["w"][rows_of(strategy, landscape, history, n=5)] <= 0.0))
    assert shares[1] >= shares[0] + 0.4


@pytest.mark.parametrize("window", [Window("size", 1.4, 1.5), Window("merit", -np.inf, 2.0)], ids=str)
@pytest.mark.parametrize("strategy", MANY_GOALS)
def test_several_goals_within_windows(formulas, history, strategy, window):
    objective = Objective((Goal("merit"), Goal("negativity", minimize=True)), (window,))
    rows = rows_of(strategy, alloy_landscape(formulas, objective), history)
    assert len(set(rows) - set(history.taken)) == 4


@needs_botorch
def test_a_window_on_a_minimised_goal_keeps_its_sides(formulas, labels, history):
    objective = Objective((Goal("negativity", minimize=True),), (Window("negativity", 1.55, 1.7),))
    rows = rows_of(LogEi(), alloy_landscape(formulas, objective), history)
    assert labels["negativity"][rows].mean() > 1.52


@pytest.mark.parametrize("strategy", ONE_GOAL)
def test_few_results_are_answered_at_random(formulas, labels, strategy):
    picks = strategy.choose(alloy_landscape(formulas, MERIT), History(measured(labels, range(3))), 5, seed=0)
    assert {pick.why for pick in picks} == {"random"}
    assert not {pick.row for pick in picks} & {0, 1, 2}


@pytest.mark.parametrize("strategy", ONE_GOAL)
def test_equal_candidates_are_all_proposed_and_then_nothing_is_left(strategy):
    values = np.repeat(np.linspace(-1.0, 1.0, 10), 2)  # twins, of which one may be measured and the other not
    landscape = Landscape({"x": values[:, None]}, MERIT)
    history = History({row: {"merit": float(values[row])} for row in range(13)}, failed=[13])
    assert sorted(rows_of(strategy, landscape, history, n=9)) == [14, 15, 16, 17, 18, 19]
    history = History(history.results, pending=range(13, 20))
    assert rows_of(strategy, landscape, history, n=9) == []


@pytest.mark.parametrize("strategy", ONE_GOAL)
def test_candidates_that_nothing_tells_apart_are_drawn_at_random(strategy):
    landscape = Landscape({"x": np.zeros((30, 2))}, MERIT)
    history = History({row: {"merit": float(row)} for row in range(12)})
    assert len(set(rows_of(strategy, landscape, history))) == 4


@pytest.mark.parametrize("windows", [(), (Window("w", 0.5, 1.5),)], ids=["free", "window"])
@pytest.mark.parametrize("strategy", ONE_GOAL)
def test_equal_results_stop_nobody(formulas, strategy, windows):
    landscape = alloy_landscape(formulas, Objective.maximizing("merit", windows))
    history = History({row: {"merit": 0.0, "w": 1.0} for row in range(12)})
    assert len(set(rows_of(strategy, landscape, history))) == 4


def test_many_descriptors_become_principal_components_beside_what_was_predicted():
    rng = np.random.default_rng(0)
    features = np.hstack([rng.normal(size=(200, 30)), np.ones((200, 1))])
    prior = Prior(np.linspace(3.0, 5.0, 200), np.ones(200))
    points = coordinates(Landscape({"x": features}, MERIT, {"merit": prior}))
    assert points.shape == (200, MAX_COLUMNS + 1)
    spread = points[:, :-1].std(axis=0)
    assert (np.diff(spread) <= 0).all()
    assert points[:, -1].std() == pytest.approx(1.0)
    few = coordinates(Landscape({"x": features[:, [3, 30, 7]]}, MERIT))
    assert few == pytest.approx(features[:, [3, 7]])
    assert (unit_cube(few).min(axis=0), unit_cube(few).max(axis=0)) == (pytest.approx(0.0), pytest.approx(1.0))


def test_components_that_are_only_rounding_are_left_out():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 40))
    points = coordinates(Landscape({"x": features}, MERIT))
    assert points.shape == (200, 3)
    assert points.var(axis=0).sum() == pytest.approx(features.var(axis=0).sum())


@pytest.mark.parametrize(
    ("strategy", "extra"),
    [
        pytest.param(Gp(), "botorch", id="gp"),
        pytest.param(LogEi(), "botorch", id="log-ei"),
        pytest.param(BayBe(), "baybe", id="baybe"),
    ],
)
def test_a_missing_library_names_its_extra(formulas, monkeypatch, strategy, extra):
    monkeypatch.setattr(sys.modules[type(strategy).__module__], "find_spec", {}.get)
    with pytest.raises(MissingExtraError, match=rf"hstore\[{extra}\]"):
        strategy.choose(alloy_landscape(formulas, MERIT), History(), 1, seed=0)


@pytest.mark.parametrize(
    ("strategy", "goals", "message"),
    [(LogEi(), ("merit", "size"), "one goal, got 2"), (Nehvi(), ("merit",), "2 to 4 goals, got 1")],
    ids=["log-ei", "nehvi"],
)
def test_the_number_of_goals_must_fit(formulas, strategy, goals, message):
    landscape = alloy_landscape(formulas, Objective(tuple(Goal(goal) for goal in goals)))
    with pytest.raises(InputError, match=message):
        strategy.choose(landscape, History(), 1, seed=0)
