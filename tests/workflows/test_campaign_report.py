"""The report of a campaign: one page, honest curves, and what was told before measuring."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from hstore_workflows.campaign import story
from hstore_workflows.campaign.objective import Goal, Objective, Window
from hstore_workflows.campaign.report import campaign_report, figures
from hstore_workflows.campaign.report.foretold import Foretold, foretold, holdings
from hstore_workflows.campaign.report.plots import parity_plot
from hstore_workflows.campaign.report.progress import Worth, curves, top_share
from hstore_workflows.campaign.report.view import gather
from tests.workflows.campaign_bench import CAPACITY, COMMON, ENTHALPY, alloys, run

SCRIPT = re.compile(r"<script>.*?</script>", re.DOTALL)


def answers(table, proposal, rng):
    """The row that a lab tells: about what was predicted, one synthesis in six failed."""
    row = table.set_index("material_id").loc[proposal.material_id]
    if rng.random() < 1 / 6:
        return {"material_id": proposal.material_id, "value": "failed: did not melt"}
    return {
        "material_id": proposal.material_id,
        CAPACITY: row[f"{CAPACITY}_mean"] + 0.1 * rng.standard_normal(),
        ENTHALPY: row[f"{ENTHALPY}_mean"] + 3 * rng.standard_normal(),
    }


@pytest.fixture
def busy(settings, screen):
    """A campaign with results of two labs, failures, a conflict, a held row and experiments under way."""
    story.begin(settings, "alloys", screen, COMMON, keep_outside=True, budget=30.0)
    table, rng = alloys(), np.random.default_rng(0)
    for lab in ("north", "south", "north"):
        rows = [answers(table, p, rng) for p in story.propose(settings, "alloys", n=5, lab=lab)]
        story.observe(settings, "alloys", rows, lab=lab)
    measured = story.status(settings, "alloys").standing.best()[0]
    story.observe(settings, "alloys", [{"material_id": measured, CAPACITY: 2.9}], lab="east")
    story.observe(settings, "alloys", [{"material_id": "a030", CAPACITY: 24.0}], lab="east")
    story.propose(settings, "alloys", n=3, lab="north")
    return settings


def test_the_command_writes_one_page_with_every_part(busy, tmp_path):
    done = run("report", "alloys", "--out", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert told["report"].endswith("report.html")
    assert told["stop"]["word"] in {"go on", "stop"}
    assert told["stop"]["budget"] == {"unit": "experiments", "total": 30.0, "spent": pytest.approx(19, abs=1)}
    assert told["coverage"][CAPACITY]["n"] >= 8
    progress = told["progress"]
    lengths = {len(v) for v in progress.values() if isinstance(v, list)}
    assert lengths == {progress["experiments"]}
    for words in ("north", "south", "did not melt", "Under way: 3", "random choice, median", "in hindsight",
                  "30 experiments", "told before", "Which ways of choosing", "held"):  # fmt: skip
        assert words in page, words
    outside = SCRIPT.sub("", page)
    assert not re.search(r"(src|href)=\"https?:", outside)
    plain = run("report", "alloys", "--out", tmp_path / "out")
    assert "report.html" in plain.stdout


def test_the_report_changes_nothing_and_equal_campaigns_give_equal_pages(busy):
    before = len(story.status(busy, "alloys").standing)
    assert campaign_report(busy, "alloys") == campaign_report(busy, "alloys")
    assert len(story.status(busy, "alloys").standing) == before


def test_a_campaign_without_results_has_a_report(settings, screen):
    story.begin(settings, "new", screen, COMMON)
    page = campaign_report(settings, "new")
    assert "Nothing is measured yet" in page
    assert "Nothing to draw" in page


def test_names_that_are_no_html_stay_text(settings, tmp_path):
    table = alloys(12).drop(columns="formula").assign(size=np.linspace(0, 1, 12))
    table["material_id"] = ["<b>x</b>", *table["material_id"][1:]]
    table.to_csv(tmp_path / "pool.csv", index=False)
    story.begin(settings, "odd", tmp_path / "pool.csv", Objective.maximizing(CAPACITY), features=("size",))
    story.observe(settings, "odd", [{"material_id": "<b>x</b>", CAPACITY: 1.0}], lab="north")
    page = SCRIPT.sub("", campaign_report(settings, "odd"))
    assert "<b>x</b>" not in page
    assert "&lt;b&gt;" in page


def test_several_goals_have_a_curve_each_and_one_together(settings, screen):
    goals = (Goal(CAPACITY), Goal(ENTHALPY, minimize=True))
    story.begin(settings, "two", screen, Objective(goals), keep_outside=True)
    rng, table = np.random.default_rng(1), alloys()
    rows = [answers(table, p, rng) for p in story.propose(settings, "two", n=8)]
    story.observe(settings, "two", rows)
    page = campaign_report(settings, "two")
    assert all(f'id="progress-{part}"' in page for part in ("all", 0, 1, "share"))
    progress = figures(gather(settings, "two"))["progress"]
    reached = [v for v in progress["reached"] if v is not None]
    assert reached == sorted(reached)
    assert max(reached) <= progress["hindsight"][-1] + 1e-9 <= 1 + 2e-9


def test_random_choice_reaches_what_arithmetic_says():
    """The median best of n draws without replacement from 1..N, and the share of the top."""
    pool = np.arange(1.0, 201.0)[:, None]
    answered = pool[np.random.default_rng(0).permutation(200)[:40]]
    found = curves(answered, pool)
    expected = [201 * (1 - 0.5 ** (1 / n)) for n in (1, 10, 40)]  # quantile of the smallest of n
    assert found.at_random[0.5][[0, 9, 39]] == pytest.approx([201 - e for e in expected], abs=12)
    assert (found.in_hindsight == 200).all()
    assert found.reached[-1] == answered.max() == found.shuffled[-1]
    share = top_share(np.arange(199, 159, -1), pool)
    assert share.total == 10
    assert share.found[9] == 1.0
    assert share.at_random[39] == pytest.approx(0.2)
    assert share.found == pytest.approx(share.in_hindsight)


def test_candidates_that_fail_count_as_draws_that_bring_nothing():
    pool = np.full((100, 1), -np.inf)
    pool[::10, 0] = np.arange(10.0)
    found = curves(pool[1:5], pool)
    assert np.isnan(found.reached).all()
    assert np.isnan(found.at_random[0.1]).all()
    assert np.isfinite(found.in_hindsight).all()


def test_hypervolume_of_the_whole_pool_is_one():
    points = np.random.default_rng(2).random((60, 3))
    worth = Worth(points)
    assert worth.running(points)[-1] == pytest.approx(1.0)
    assert worth.best_order(points, 50)[-1] == pytest.approx(1.0)
    assert (np.diff(worth.running(points)) >= 0).all()


def test_coverage_counts_only_what_was_told_before(busy):
    values = foretold(story.status(busy, "alloys").standing)
    assert {v.column for v in values} == {CAPACITY, ENTHALPY}
    assert 2.9 not in [v.measured for v in values]  # another lab's own choice, nothing was told
    (one, _) = holdings(values)
    assert one.low <= one.inside / one.n <= one.high


@pytest.mark.parametrize(("errors", "words"), [
    ([0.0] * 60, "wider than they need be"),
    ([3.0] * 10, "too narrow"),
    ([0.0] * 9 + [3.0], "no contradiction"),
])  # fmt: skip
def test_coverage_is_judged_in_words(errors, words):
    values = [Foretold(k, "TiFe", CAPACITY, 1.0 + e, 1.0, 0.0, 2.0) for k, e in enumerate(errors)]
    (one,) = holdings(values)
    assert words in one.words


def test_windows_without_a_side_are_written(settings, screen):
    objective = Objective((Goal(CAPACITY),), (Window(ENTHALPY, float("-inf"), 45.0),))
    story.begin(settings, "open", screen, objective)
    assert "within any to 45" in campaign_report(settings, "open")


def test_pressures_are_judged_by_their_logarithm():
    values = [
        Foretold(k, "TiFe", "plateau_pressure_bar", p, p * np.e, p / 9, p * 9) for k, p in enumerate((0.1, 50))
    ]
    (one,) = holdings(values)
    assert one.mae == pytest.approx(1.0)
    assert parity_plot(one.column, values, one).layout["xaxis"]["type"] == "log"


def test_a_pressure_may_be_a_window_and_a_goal(settings, tmp_path):
    pressure = "plateau_pressure_bar"
    table = alloys(30)
    table[f"{pressure}_mean"], table[f"{pressure}_std"] = np.geomspace(1e-3, 300, 30), 1.0
    table.to_csv(tmp_path / "pool.csv", index=False)
    objective = Objective((Goal(CAPACITY), Goal(pressure)), (Window(ENTHALPY, 20.0, 60.0),))
    story.begin(settings, "p", tmp_path / "pool.csv", objective)
    rows = [
        {
            "material_id": p.material_id,
            CAPACITY: 1.0 + 0.01 * k,
            pressure: 0.5 + k,
            ENTHALPY: 30.0,
            "temperature_k": 298,
        }
        for k, p in enumerate(story.propose(settings, "p", n=8))
    ]
    story.observe(settings, "p", rows)
    page = campaign_report(settings, "p")
    assert "(ln)" in page
