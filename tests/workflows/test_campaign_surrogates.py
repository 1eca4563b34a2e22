"""What learns from results: the forest, the process, beliefs, and expected improvement."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from hstore_workflows.campaign.beliefs import Belief, beliefs, believe, success_odds, teaches, window_odds
from hstore_workflows.campaign.guess import guess
from hstore_workflows.campaign.improvement import hypervolume_improvement, log_expected_improvement
from hstore_workflows.campaign.landscape import History, Landscape, Prior
from hstore_workflows.campaign.objective import Objective, Window
from hstore_workflows.campaign.surrogates.forest import Forest, held_out
from hstore_workflows.campaign.surrogates.process import Process, scaled_blocks
from hstore_workflows.campaign.surrogates.stretch import Stretch


@pytest.fixture
def plane():
    """300 points in five dimensions of which two matter."""
    points = np.random.default_rng(0).normal(size=(300, 5))
    return points, 2.0 * points[:, 0] - points[:, 1]


def told(values, rows, column="y"):
    return {int(row): {column: float(values[row])} for row in rows}


def test_forest_repeats_what_it_was_told_and_never_leaves_its_range(plane):
    points, values = plane
    forest = Forest(points[:80], values[:80], seed=1)
    mean, std = forest.moments(points)
    assert mean[:80] == pytest.approx(values[:80])
    assert std[:80] == pytest.approx(0.0, abs=1e-5)
    assert values[:80].min() - 1e-9 <= mean.min() <= mean.max() <= values[:80].max() + 1e-9
    assert np.corrcoef(mean[80:], values[80:])[0, 1] > 0.85


def test_forest_agrees_with_the_extra_trees_of_a_library(plane):
    from sklearn.ensemble import ExtraTreesRegressor

    points, values = plane
    ours = Forest(points[:100], values[:100], seed=0, n_trees=400).moments(points[100:])[0]
    library = ExtraTreesRegressor(400, max_features=0.4, random_state=0).fit(points[:100], values[:100])
    theirs = library.predict(points[100:])
    error = np.abs(ours - values[100:]).mean() / np.abs(theirs - values[100:]).mean()
    assert 0.9 < error < 1.1
    assert np.corrcoef(ours, theirs)[0, 1] > 0.97


def test_forest_repeats_exactly_and_its_trees_are_its_mean(plane):
    points, values = plane
    one, two = (Forest(points[:50], values[:50], seed=7) for _ in range(2))
    answers = one.answers(points)
    assert np.array_equal(answers, two.answers(points))
    assert answers.mean(axis=0) == pytest.approx(one.moments(points)[0])
    assert answers.std(axis=0) == pytest.approx(one.moments(points)[1], abs=1e-5)
    assert np.array_equal(answers[13], one.answers_of(13, points))
    assert not np.array_equal(answers, Forest(points[:50], values[:50], seed=8).answers(points))


def test_forest_shares_many_rows_among_threads(plane):
    points, values = plane
    forest = Forest(points[:50], values[:50], seed=7, n_trees=5)
    many = np.tile(points, (100, 1)).astype(np.float32).astype(float)
    assert np.array_equal(forest.moments(many)[0][:300], forest.moments(many[:300])[0])


def test_forest_takes_results_that_nothing_tells_apart():
    forest = Forest(np.zeros((4, 2)), np.array([1.0, 2.0, 3.0, 6.0]), seed=0)
    assert forest.moments(np.zeros((2, 2)))[0] == pytest.approx([3.0, 3.0])


def test_held_out_answers_have_not_seen_their_rows():
    points = np.random.default_rng(0).normal(size=(60, 3))
    noise = np.random.default_rng(1).normal(size=60)
    mean, _ = held_out(points, noise, seed=0)
    assert np.corrcoef(mean, noise)[0, 1] < 0.4


def test_process_interpolates_and_knows_how_little_it_knows_far_away(plane):
    points, values = plane
    blocks = scaled_blocks([points])
    process = Process([block[:60] for block in blocks], values[:60])
    mean, std = process.moments(blocks)
    assert np.corrcoef(mean[60:], values[60:])[0, 1] > 0.98
    assert process.explained > 0.9
    far = process.moments([block[:1] + 50.0 for block in blocks])[1]
    assert far[0] > 3 * np.median(std)


def test_process_gives_each_of_few_columns_its_own_length(plane):
    points, _ = plane
    assert [block.shape[1] for block in scaled_blocks([points])] == [1] * 5
    wide = np.random.default_rng(0).normal(size=(50, 30))
    assert [block.shape[1] for block in scaled_blocks([wide])] == [30]


def test_process_samples_have_its_moments(plane):
    points, values = plane
    blocks = scaled_blocks([points])
    process = Process([block[:30] for block in blocks], values[:30])
    some = [block[30:60] for block in blocks]
    draws = process.samples(some, 4000, np.random.default_rng(0))
    mean, std = process.moments(some)
    assert draws.mean(axis=0) == pytest.approx(mean, abs=0.1 * std.max())
    assert draws.std(axis=0) == pytest.approx(std, rel=0.1)


def test_process_gradient_is_the_slope_of_its_loss(plane):
    from scipy.optimize import check_grad

    from hstore_workflows.campaign.surrogates.process import _loss, _squares

    points, values = plane
    squares = np.stack([_squares(points[:25, [k]], points[:25, [k]]) for k in range(3)])
    known = (values[:25] - values[:25].mean()) / values[:25].std()
    middle, deviation = np.array([0.5, 0.5, 0.5, 0.0, -3.0]), np.array([1.0, 1.0, 1.0, 1.0, 1.5])
    at = middle + 0.3

    def part(place):
        return lambda logs: _loss(logs, squares, known, middle, deviation)[place]

    assert check_grad(part(0), part(1), at) < 1e-4


def test_process_learns_nothing_from_noise():
    points, noise = np.random.default_rng(0).normal(size=(40, 20)), np.random.default_rng(1).normal(size=40)
    assert Process(scaled_blocks([points]), noise).explained < 0.15


@pytest.mark.parametrize("mean", [-40.0, -6.0, -4.9, 0.0, 3.0])
def test_log_expected_improvement_is_the_integral(mean):
    """Far below the best, the integral in units of the density at the best is compared."""
    offset = norm.logpdf(mean)
    integral = quad(lambda x: x * np.exp(norm.logpdf(x - mean) - offset), 0.0, np.inf)[0]
    found = log_expected_improvement(np.array([mean + 2.0]), np.array([1.0]), 2.0)[0]
    assert found == pytest.approx(np.log(integral) + offset, abs=1e-6)


def test_hypervolume_improvement_is_proportional_to_the_area_gained():
    front = np.array([[0.2, 0.8], [0.8, 0.3]])
    points = np.array([[0.6, 0.9, 0.1], [0.6, 0.9, 0.1]])
    directions = np.abs(np.random.default_rng(0).normal(size=(20_000, 2)))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    gained = hypervolume_improvement(points, front, directions)
    # areas above (0, 0), by hand: the square up to a point without what the two points of the front cover
    first = 0.6 * 0.6 - (0.2 * 0.6 + 0.4 * 0.3)
    second = 0.9 * 0.9 - (0.2 * 0.8 + 0.6 * 0.3)
    assert gained[0] / gained[1] == pytest.approx(first / second, rel=0.03)
    assert gained[2] == 0.0


def test_beliefs_follow_the_results_and_leave_out_what_nothing_is_known_of(plane):
    points, values = plane
    objective = Objective.maximizing("y", (Window("w", 0.0, 1.0),))
    landscape = Landscape({"columns": points}, objective)
    found = beliefs(landscape, History(told(values, range(60))), seed=0)
    assert set(found.columns) == {"y"}
    assert np.corrcoef(found.columns["y"].mean[60:], values[60:])[0, 1] > 0.8
    assert found.p_windows == pytest.approx(np.full(300, 0.5))
    assert beliefs(landscape, History(), seed=0).columns == {}


def test_intervals_of_beliefs_cover_new_results(plane):
    points, values = plane
    noisy = values + 0.3 * np.random.default_rng(3).normal(size=300)
    landscape = Landscape({"columns": points}, Objective.maximizing("y"))
    found = believe(landscape, History(told(noisy, range(60))), "y", seed=0)
    inside = np.abs(noisy[60:] - found.mean[60:]) <= 1.645 * found.std[60:]
    assert 0.8 < inside.mean() < 0.99


def test_results_outweigh_a_wrong_prediction(plane):
    points, values = plane
    wrong = Prior(-values, np.full(300, 0.5))
    landscape = Landscape({"columns": points}, Objective.maximizing("y"), priors={"y": wrong})
    assert believe(landscape, History(), "y", seed=0).mean is wrong.mean
    found = believe(landscape, History(told(values, range(80))), "y", seed=0)
    assert np.corrcoef(found.mean[80:], values[80:])[0, 1] > 0.8


def test_a_right_prediction_is_kept_and_its_bias_is_learned(plane):
    points, values = plane
    biased = Prior(values - 3.0, np.full(300, 1.0))
    landscape = Landscape({"columns": points}, Objective.maximizing("y"), priors={"y": biased})
    found = believe(landscape, History(told(values, range(12))), "y", seed=0)
    assert found.mean == pytest.approx(values, abs=0.2)


def test_a_handful_of_equal_results_proves_nothing(plane):
    points, _ = plane
    prior = Prior(np.full(300, 40.0), np.full(300, 8.0))
    landscape = Landscape({"columns": points}, Objective.maximizing("y"), priors={"y": prior})
    found = believe(landscape, History({row: {"y": 33.0} for row in range(4)}), "y", seed=0)
    assert found.std.min() > 1.5


def test_odds_of_a_window():
    belief = Belief(np.array([0.0, 5.0]), np.array([1.0, 1.0]))
    assert window_odds(Window("w", -1.645, 1.645), belief) == pytest.approx([0.9, 0.0], abs=1e-3)
    assert window_odds(Window("w", 0.0, 1.0), None) == 0.5


def test_failures_lower_the_odds_nearby_and_nowhere_else():
    landscape = Landscape({"columns": np.array([[0.0], [0.1], [50.0], [50.2]])}, Objective.maximizing("y"))
    odds = success_odds(landscape, History(failed=[0]))
    assert odds[1] < 0.7
    assert odds[2] == pytest.approx(1.0)
    assert success_odds(landscape, History()) == pytest.approx(np.ones(4))


def test_what_is_like_the_hopeful_teaches_more_than_what_is_not(plane):
    points, values = plane
    landscape = Landscape({"columns": points}, Objective.maximizing("y"))
    history = History(told(values, range(40)))
    best, worst = int(np.argmax(values[40:])) + 40, int(np.argmin(values[40:])) + 40
    lessons = teaches(landscape, history, [best, worst], seed=0)
    assert 0 <= lessons[1] < lessons[0] <= 1
    assert teaches(landscape, History(), [1, 2], seed=0).tolist() == [0.0, 0.0]


def test_pressures_are_learned_as_logarithms_and_told_in_bar():
    points = np.random.default_rng(0).normal(size=(200, 3))
    pressure = np.exp(3.0 * points[:, 0])
    prior = Prior(np.exp(3.0 * points[:, 0] + 0.5), np.full(200, 1.0))  # of ln P
    window = Window("plateau_pressure_bar", 1.0, 10.0)
    objective = Objective.maximizing("y", (window,))
    landscape = Landscape({"columns": points}, objective, priors={"plateau_pressure_bar": prior})
    before = believe(landscape, History(), "plateau_pressure_bar", seed=0)
    assert before.middle(3) == pytest.approx(prior.mean[3])
    assert before.upper(3) / before.middle(3) == pytest.approx(np.exp(1.645), rel=1e-3)
    found = believe(
        landscape, History(told(pressure, range(40), "plateau_pressure_bar")), "plateau_pressure_bar", seed=0
    )
    assert np.abs(np.log(found.middles[40:] / pressure[40:])).mean() < 0.3
    odds = window_odds(window, found)
    inside = (pressure >= 1.0) & (pressure <= 10.0)
    assert odds[inside].mean() > 0.6
    assert odds[~inside].mean() < 0.3
    assert np.isfinite(odds).all()
    assert window_odds(Window("plateau_pressure_bar", float("-inf"), 10.0), found).min() >= 0.0


@pytest.mark.parametrize("sign", [1, -1])
def test_the_good_end_is_drawn_apart_and_the_way_back_is_exact(sign):
    values = np.random.default_rng(0).normal(20.0, 4.0, 200)
    stretch = Stretch(values, sign)
    there = stretch.stretched(values)
    assert stretch.back(there) == pytest.approx(values)
    ranked = np.argsort(sign * values)
    assert (np.diff(there[ranked]) > 0).all(), "the order of merit is kept"
    rise = np.diff(there[ranked]) / np.diff((sign * values)[ranked])
    assert rise[-20:].mean() > 5 * rise[90:110].mean() > 5 * rise[:20].mean()
    start = np.quantile(sign * values, 0.75) * sign
    near = start + sign * np.array([0.0, 1e-6])
    assert np.diff(stretch.stretched(near)) == pytest.approx(1e-6 / values.std(), rel=1e-3), "slope 1 at its start"


def test_stretched_values_come_back_finite_from_however_far():
    stretch = Stretch(np.array([1.0, 1.0, 1.0]), 1)
    assert np.isfinite(stretch.back(np.array([-1e9, 1e9]))).all()


def test_only_who_gathers_asks_the_stretched_process(plane):
    points, values = plane
    landscape = Landscape({"columns": points}, Objective.maximizing("y"))
    history = History(told(values, range(80)))
    rows = np.arange(100, 160)
    looking = guess(landscape, history, "y", rows, np.random.default_rng(0))
    gathering = guess(landscape, history, "y", rows, np.random.default_rng(0), gathering=True)
    assert len(gathering.draws) == 2 * len(looking.draws)
    assert (gathering.draws[::2] == looking.draws).all()
    best = set(np.argsort(-values[rows])[:10])
    assert len(best & set(np.argsort(-np.median(gathering.draws[1::2], axis=0))[:10])) >= 8
    priors = {"y": Prior(values * 0.9, np.ones_like(values))}
    foretold = guess(
        Landscape({"columns": points}, Objective.maximizing("y"), priors), history, "y", rows,
        np.random.default_rng(0), gathering=True,
    )  # fmt: skip
    assert len(foretold.draws) == len(looking.draws), "what a prediction misses has no good end"
