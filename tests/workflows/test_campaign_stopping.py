"""The advice when to stop: what it counts, and that its probability means what it says."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hstore.errors import InputError, UnknownNameError
from hstore_workflows.campaign import story
from hstore_workflows.campaign.config import CampaignConfig
from hstore_workflows.campaign.landscape import History, Prior
from hstore_workflows.campaign.objective import Goal, Objective, Window
from hstore_workflows.campaign.replay import ReplaySettings, one_campaign
from hstore_workflows.campaign.replay_pool import LabelledPool
from hstore_workflows.campaign.stopping import SURE, Budget, advise, best_batch
from hstore_workflows.campaign.strategies import strategy
from hstore_workflows.campaign.worlds import gains
from tests.workflows.alloy_pool import alloy_formulas, alloy_labels, alloy_landscape, measured
from tests.workflows.campaign_bench import CAPACITY, COMMON, run

OPEN = Budget("experiments", None, 0.0)
FORMULAS = alloy_formulas(120)
LABELS = alloy_labels(FORMULAS)
MERIT = Objective.maximizing("merit")


@pytest.fixture(scope="module")
def landscape():
    return alloy_landscape(FORMULAS, MERIT)


@pytest.fixture(scope="module")
def ordered():
    """Rows from the worst to the best."""
    return np.argsort(LABELS["merit"])


def test_with_the_best_in_hand_less_is_left(landscape, ordered):
    rng = np.random.default_rng(3)
    some = rng.permutation(ordered[:-15])[:40]
    without = advise(landscape, History(measured(LABELS, some)), batch=5, budget=OPEN)
    having = advise(landscape, History(measured(LABELS, [*some, ordered[-1]])), batch=5, budget=OPEN)
    assert without.p_best_found < having.p_best_found
    assert without.expected_left > having.expected_left
    assert 0 <= having.expected_gain <= having.expected_left + 1e-9


def test_the_same_question_has_the_same_answer(landscape, ordered):
    history = History(measured(LABELS, ordered[::4]))
    assert advise(landscape, history, batch=5, budget=OPEN) == advise(landscape, history, batch=5, budget=OPEN)


def test_noise_counts_as_no_improvement(landscape, ordered):
    history = History(measured(LABELS, ordered[:-6:3]))
    exact = advise(landscape, history, batch=5, budget=OPEN)
    noisy = advise(landscape, history, batch=5, budget=OPEN, noise=10.0)
    assert noisy.p_best_found == 1.0 > exact.p_best_found
    assert noisy.word == "stop"


def test_an_experiment_under_way_may_be_the_best(landscape, ordered):
    """Calling all that is left pending changes nothing about the odds, only that nothing can be proposed."""
    known = measured(LABELS, ordered[:-20])
    left = [int(row) for row in ordered[-20:]]
    free = advise(landscape, History(known), batch=5, budget=OPEN)
    pending = advise(landscape, History(known, pending=left), batch=5, budget=OPEN)
    assert pending.p_best_found < 1.0
    assert pending.word == "stop"
    assert "exhausted" in pending.why
    assert free.word == "go on"


@pytest.mark.parametrize(("budget", "word", "batch"), [
    (Budget("experiments", 30.0, 30.0), "stop", 0),
    (Budget("experiments", 32.0, 30.0), None, 2),
    (Budget("effort", 30.0, 29.5), "stop", 5),
])  # fmt: skip
def test_a_budget_ends(landscape, ordered, budget, word, batch):
    found = advise(landscape, History(measured(LABELS, ordered[:30])), batch=5, budget=budget)
    assert found.batch == batch
    if word:
        assert found.word == word
        assert "is spent" in found.why


def test_effort_is_the_cost_where_the_budget_counts_it(landscape, ordered):
    dear = replace(landscape, effort=np.full(120, 3.0))
    history = History(measured(LABELS, ordered[:30]))
    found = advise(dear, history, batch=4, budget=Budget("effort", 100.0, 90.0))
    assert found.cost == 12.0
    assert found.gain_per_cost == pytest.approx(found.expected_gain / 12.0)


def test_little_knowledge_goes_on(landscape):
    found = advise(landscape, History(measured(LABELS, [1, 2])), batch=5, budget=OPEN)
    assert (found.word, found.p_best_found) == ("go on", None)
    assert "too little is known" in found.words()


def test_a_prediction_alone_is_enough_to_judge_by(landscape):
    prior = {"merit": Prior(LABELS["merit"], np.full(120, 0.05))}
    told = replace(landscape, priors=prior)
    best = int(np.argmax(LABELS["merit"]))
    assert advise(told, History(measured(LABELS, [best])), batch=5, budget=OPEN).p_best_found > 0.5
    assert advise(told, History(measured(LABELS, [0])), batch=5, budget=OPEN).p_best_found < 0.05


def test_windows_and_several_goals_are_judged(ordered):
    windowed = alloy_landscape(FORMULAS, Objective((Goal("merit"),), (Window("size", 1.3, 1.5),)))
    columns = ("merit", "size", "negativity")
    history = History(measured(LABELS, ordered[::3], columns))
    assert 0 <= advise(windowed, history, batch=5, budget=OPEN).p_best_found <= 1
    several = alloy_landscape(FORMULAS, Objective((Goal("merit"), Goal("size", minimize=True))))
    found = advise(several, history, batch=5, budget=OPEN)
    assert found.unit == "share of the hypervolume"
    assert 0 <= found.expected_gain <= found.expected_left
    nothing = alloy_landscape(FORMULAS, Objective((Goal("merit"),), (Window("size", 90.0, 91.0),)))
    assert gains(nothing, history, seed=0) is None


def test_smaller_is_better_where_it_is_asked(landscape, ordered):
    down = replace(landscape, objective=Objective((Goal("merit", minimize=True),)))
    turned = {row: {"merit": -values["merit"]} for row, values in measured(LABELS, ordered[:40]).items()}
    up = advise(landscape, History(measured(LABELS, ordered[:40])), batch=5, budget=OPEN)
    found = advise(down, History(turned), batch=5, budget=OPEN)
    assert found.p_best_found == pytest.approx(up.p_best_found, abs=0.1)


def test_a_batch_takes_what_gains_together():
    """Two copies of the best, and one that wins in the other worlds: the pair is not the two copies."""
    of = np.tile([[3.0, 3.0, 0.0, 0.0], [0.0, 0.0, 2.0, 1.0]], (20, 1)).repeat(2, axis=0)
    places, gain = best_batch(of, 2)
    assert set(places) in ({0, 2}, {1, 2})
    assert gain == pytest.approx(2.5)
    assert best_batch(np.full((4, 3), -np.inf), 2)[1] == 0.0


def test_the_probability_means_what_it_says(landscape):
    """Over replays, the best is found about as often as the advice says, and nearly always where it says stop."""
    pool = LabelledPool(landscape, {"merit": LABELS["merit"]}, tuple(FORMULAS), (), ())
    told, found = [], []
    for seed in range(12):
        order = one_campaign(pool, strategy("hstore"), ReplaySettings(budget=60), seed)
        for n in (15, 30, 45, 60):
            advice = advise(landscape, History(measured(LABELS, order[:n])), batch=5, budget=OPEN, seed=seed)
            told.append(advice.p_best_found)
            found.append(LABELS["merit"][order[:n]].max() == LABELS["merit"].max())
    told, found = np.array(told), np.array(found)
    assert np.mean((told - found) ** 2) < found.var()
    assert abs(told.mean() - found.mean()) < 0.2
    assert found[told >= SURE].mean() >= 0.75


@pytest.mark.usefixtures("settings")
def test_status_and_new_know_the_budget(screen):
    made = run("new", "a", "--pool", screen, "--maximize", CAPACITY, "--budget", 12, "--budget-in", "effort")
    assert made.exit_code == 0, made.output
    run("propose", "a", "--n", 3)
    stop = json.loads(run("status", "a", "--json").stdout)["stop"]
    assert stop["word"] == "go on"
    assert stop["budget"]["unit"] == "effort"
    assert stop["left"] == pytest.approx(12 - stop["budget"]["spent"])
    assert 0 < stop["budget"]["spent"] < 12


@pytest.mark.parametrize(("choices", "error", "message"), [
    ({"budget": -1.0}, InputError, "above 0"),
    ({"budget_unit": "euros"}, UnknownNameError, "experiments"),
    ({"retrain_every": 0}, InputError, "1 new result"),
])  # fmt: skip
def test_settings_that_cannot_work_are_refused(choices, error, message):
    with pytest.raises(error, match=message):
        CampaignConfig(COMMON, **choices)


def test_released_experiments_cost_nothing(settings, screen):
    story.begin(settings, "b", screen, COMMON, budget=10.0)
    (first, *_) = story.propose(settings, "b", n=4)
    story.retract(settings, "b", first.number, why="furnace broke")
    assert json.loads(run("status", "b", "--json").stdout)["stop"]["budget"]["spent"] == 3
