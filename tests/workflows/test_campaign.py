"""Campaigns: the ledger, its lock, the strategy, and the results that come back."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from hstore.formula import parse_amounts
from hstore.settings import Settings
from hstore_workflows.campaign import belief, story
from hstore_workflows.campaign.belief import Belief, Prior, believe, recalibrated
from hstore_workflows.campaign.ledger import open_ledger
from hstore_workflows.campaign.objective import Objective, Window
from hstore_workflows.campaign.pool import read_pool
from hstore_workflows.campaign.strategy import (
    History,
    Landscape,
    choose,
    expected_improvement,
    success_probability,
)
from hstore_workflows.cli import main

CAPACITY = "h2_capacity_wt_pct"
ENTHALPY = "desorption_enthalpy_kj_per_mol_h2"
COMMON = Objective(CAPACITY, (Window(ENTHALPY, 25.0, 45.0),))


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setattr(belief, "N_TREES", 30)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HSTORE_DATABASE_URL", raising=False)
    return Settings()


def alloys(n=40, seed=1):
    """A screen's table of La-Ce-Ni-Co-Al alloys."""
    rng = np.random.default_rng(seed)
    x, y, z = rng.uniform(0.05, 0.95, (3, n)).round(3)
    formulas = [
        f"La{a:.3f}Ce{1 - a:.3f}Ni{4 + b:.3f}Co{1 - b:.3f}Al{c / 2:.3f}" for a, b, c in zip(x, y, z, strict=True)
    ]
    score = 1.0 + 0.4 * x - 0.3 * (z - 0.4) ** 2
    return pd.DataFrame({
        "rank": np.arange(1, n + 1), "material_id": [f"a{k:03d}" for k in range(n)], "formula": formulas,
        "family": "interstitial", "known": [k == 3 for k in range(n)], "score": score,
        "in_domain": [k != 5 for k in range(n)],
        "domain_reason": ["cobalt-rich" if k == 5 else "" for k in range(n)],
        f"{CAPACITY}_mean": score, f"{CAPACITY}_std": 0.15,
        f"{ENTHALPY}_mean": 25 + 30 * y, f"{ENTHALPY}_std": 4.0,
    })  # fmt: skip


@pytest.fixture
def screen(tmp_path):
    folder = tmp_path / "screen"
    folder.mkdir()
    alloys().to_parquet(folder / "candidates.parquet")
    (folder / "manifest.json").write_text(json.dumps({"models": {"hydride": "hydride-abc"}}))
    return folder


@pytest.fixture
def campaign(settings, screen):
    story.begin(settings, "alloys", screen, COMMON, keep_outside=True)
    return settings


def write_results(path, rows, columns="material_id,value"):
    path.write_text("\n".join([columns, *rows]) + "\n")
    return path


def run(*arguments):
    return CliRunner().invoke(main, ["campaign", *map(str, arguments)])


def test_the_commands_tell_one_story(settings, screen, tmp_path):
    made = run("new", "a", "--pool", screen, "--maximize", CAPACITY, "--window", f"{ENTHALPY}:25:45", "--batch", 4)
    assert made.exit_code == 0, made.output
    proposed = run("propose", "a", "--lab", "north", "--json")
    assert proposed.exit_code == 0, proposed.output
    proposals = json.loads(proposed.stdout)["proposals"]
    assert len({p["material_id"] for p in proposals}) == 4
    for p in proposals:
        assert p["lower"] < p["predicted_mean"] < p["upper"]
        assert 0 <= p["p_windows"] <= 1
        assert f"predicted {CAPACITY}" in p["reason"]
        assert "90 % interval" in p["reason"]
        assert f"{ENTHALPY}:25:45" in p["reason"]
    ids = [p["material_id"] for p in proposals]
    rows = [f"{ids[0]},1.5,30", f"{ids[1]},failed,", f"{ids[2]},9.0,80"]
    results = write_results(tmp_path / "r.csv", rows, f"material_id,value,{ENTHALPY}")
    observed = run("observe", "a", "--results", results, "--json")
    assert json.loads(observed.stdout) == {"campaign": "a", "measured": 2, "failed": 1, "rejected": []}
    status = json.loads(run("status", "a", "--json").stdout)
    assert (status["pending"], status["measured"], status["failed"]) == (1, 2, 1)
    assert status["best"]["material_id"] == ids[0]  # the higher one missed the window
    assert {e["lab"] for e in status["experiments"]} == {"north"}
    assert status["experiments"][0]["model_ids"] == ["hydride-abc"]
    assert "north" in run("status", "a").stdout
    assert ids[0] in run("status", "a").stdout


def test_the_ledger_is_an_optuna_study_that_others_can_read(campaign, tmp_path):
    import optuna

    first = story.propose(campaign, "alloys", n=3)
    rows = [f"{first[0].material_id},1.2,50", f"{first[1].material_id},failed,"]
    story.observe(campaign, "alloys", write_results(tmp_path / "r.csv", rows, f"material_id,value,{ENTHALPY}"))
    study = optuna.load_study(study_name="alloys", storage=f"sqlite:///{campaign.home / 'campaigns.sqlite'}")
    states = [trial.state.name for trial in study.trials]
    assert states == ["COMPLETE", "FAIL", "RUNNING"]
    assert study.trials[0].value == 1.2
    assert study.trials[0].constraints == {f"{ENTHALPY}:25:45": 5.0}
    assert study.trials[2].user_attrs["material_id"] == first[2].material_id


def test_no_candidate_comes_twice_until_the_pool_is_exhausted(campaign):
    seen = [p.material_id for _ in range(9) for p in story.propose(campaign, "alloys", n=5)]
    assert len(seen) == len(set(seen)) == 40
    assert story.propose(campaign, "alloys") == []
    assert "exhausted" in run("propose", "alloys").stdout


FOUR_AT_ONCE = """
import json, multiprocessing
import optuna, pandas
from hstore.settings import Settings
from hstore_workflows.campaign import story
from hstore_models.features import magpie

def work(_):
    return [p.material_id for p in story.propose(Settings(), "alloys", n=3)]

with multiprocessing.get_context("fork").Pool(4) as pool:
    print(json.dumps(pool.map(work, range(8), chunksize=1)))
"""


def test_processes_at_once_never_propose_the_same(campaign):
    done = subprocess.run(
        [sys.executable, "-c", FOUR_AT_ONCE], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = [material for batch in json.loads(done.stdout) for material in batch]
    assert len(seen) == len(set(seen)) == 24
    with open_ledger(campaign, "alloys") as ledger:
        entries = ledger.entries()
    assert sorted(e.material_id for e in entries) == sorted(seen)
    assert [e.number for e in entries] == list(range(24))


def test_a_killed_proposer_leaves_no_lock_behind(campaign):
    code = (
        "import time; from hstore.settings import Settings; from hstore_workflows.campaign.lock import deciding\n"
        "with deciding(Settings(), 'alloys'): print('held', flush=True); time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline().strip() == "held"
    holder.kill()
    holder.communicate()
    start = time.monotonic()
    assert story.propose(campaign, "alloys", n=1)
    assert time.monotonic() - start < 30


def test_both_databases_keep_campaigns(database_url, screen, tmp_path):
    settings = Settings(home=tmp_path / "home", database_url=database_url)
    story.begin(settings, "alloys", screen, COMMON)
    ids = [p.material_id for _ in range(2) for p in story.propose(settings, "alloys", n=2)]
    assert len(set(ids)) == 4
    story.observe(settings, "alloys", write_results(tmp_path / "r.csv", [f"{ids[0]},1.5", f"{ids[1]},failed"]))
    assert story.status(settings, "alloys").counts == {"pending": 2, "measured": 1, "failed": 1}


def test_bad_result_rows_become_rejects_and_the_rest_goes_on(campaign, tmp_path):
    ids = [p.material_id for p in story.propose(campaign, "alloys", n=4)]
    rows = [
        f"{ids[0]},1.1", "nobody,1.0", f"{ids[1]},nan", f"{ids[1]},", f"{ids[0]},1.3", f"{ids[1]},480",
        f"{ids[1]},about one", f"{ids[2]},FAILED", f"{ids[1]},1.4",
    ]  # fmt: skip
    observed = story.observe(campaign, "alloys", write_results(tmp_path / "r.csv", rows))
    assert (observed.measured, observed.failed) == (2, 1)
    causes = {reject.row: reject.cause for reject in observed.rejected}
    assert sorted(causes) == [2, 3, 4, 5, 6, 7]
    for row, word in {
        2: "not in the campaign's pool",
        3: "finite",
        4: "number",
        5: "already",
        6: "[0, 25]",
    }.items():
        assert word in causes[row]
    again = story.observe(campaign, "alloys", write_results(tmp_path / "again.csv", [f"{ids[1]},1.4"]))
    assert "already" in again.rejected[0].cause
    assert story.status(campaign, "alloys").rejected_results == 7
    assert run("observe", "alloys", "--results", tmp_path / "again.csv").exit_code == 1


def test_results_are_found_by_formula_and_unproposed_ones_are_taken(campaign, tmp_path):
    table = alloys()
    written = str(table["formula"][7])
    rows = [f"{written},1.3", f"{table['formula'][8]},1.1", "LaNi5,1.4", "La(,1"]
    observed = story.observe(campaign, "alloys", write_results(tmp_path / "r.csv", rows, "formula,value"))
    assert observed.measured == 2
    assert ["LaNi5" in observed.rejected[0].cause, "La(" in observed.rejected[1].cause] == [True, True]
    entries = story.status(campaign, "alloys").entries
    assert [e.material_id for e in entries] == ["a007", "a008"]
    assert "not proposed" in entries[0].attributes["reason"]


def test_a_formula_that_fits_two_materials_needs_an_id_unless_one_is_under_way(settings, tmp_path):
    source = tmp_path / "pool.csv"
    source.write_text("material_id,formula\nmp-1,TiFe\nmp-2,TiFe\nmp-3,LaNi5\n")
    story.begin(settings, "two", source, Objective(CAPACITY))
    results = write_results(tmp_path / "r.csv", ["TiFe,1.8"], "formula,value")
    assert "give the material_id" in story.observe(settings, "two", results).rejected[0].cause
    proposed = story.propose(settings, "two", n=2)
    assert {p.formula for p in proposed} == {"TiFe", "LaNi5"}
    assert story.observe(settings, "two", results).measured == 1


def test_a_plain_table_starts_by_covering_the_pool(settings, tmp_path):
    source = tmp_path / "pool.csv"
    formulas = ["LaNi5", "LaNi4.9Al0.1", "LaNi4.8Al0.2", "MgH2", "TiFe", "LaNi4.7Al0.3", "notaformula", "LaNi5"]
    source.write_text("formula\n" + "\n".join(formulas) + "\n")
    pool = story.begin(settings, "plain", source, Objective("my_figure_of_merit"))
    assert len(pool) == 6
    assert {reject.row for reject in pool.rejects} == {7, 8}
    first = story.propose(settings, "plain", n=3)
    assert sum("Al" in p.formula or p.formula == "LaNi5" for p in first) == 1
    assert all(p.predicted_mean is None and "cover the pool" in p.reason for p in first)


def test_a_pool_changed_after_the_start_is_refused(campaign):
    path = campaign.home / "campaigns" / "alloys" / "pool.parquet"
    pd.read_parquet(path).head(5).to_parquet(path)
    result = run("propose", "alloys")
    assert result.exit_code == 1
    assert "checksum" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["new", "alloys", "--pool", "SCREEN", "--maximize", CAPACITY], "already"),
        (["new", "a/b", "--pool", "SCREEN", "--maximize", CAPACITY], "campaign name"),
        (["new", "b", "--pool", "SCREEN", "--maximize", "h2_capacity"], f"did you mean '{CAPACITY}'"),
        (["new", "b", "--pool", "SCREEN", "--maximize", "score", "--window", "x:2:1"], "LOW below HIGH"),
        (["new", "b", "--pool", "SCREEN", "--maximize", "score", "--window", "x:2"], "COLUMN:LOW:HIGH"),
        (["propose", "alloy"], "did you mean 'alloys'"),
    ],
)  # fmt: skip
def test_bad_usage_is_explained(campaign, screen, arguments, message):
    result = run(*[screen if a == "SCREEN" else a for a in arguments])
    assert result.exit_code == 2
    assert message in result.output


def test_reasons_name_neighbours_and_warn(campaign, tmp_path):
    everything = {p.material_id: p for _ in range(8) for p in story.propose(campaign, "alloys")}
    assert "nearest reported material" in everything["a000"].reason
    assert "reported in the literature already" in everything["a003"].reason
    assert "outside its domain here: cobalt-rich" in everything["a005"].reason


def test_proposals_repeat_exactly(tmp_path, screen):
    told = []
    for home in ("one", "two"):
        settings = Settings(home=tmp_path / home)
        story.begin(settings, "alloys", screen, COMMON)
        ids = [p.material_id for p in story.propose(settings, "alloys", n=6)]
        rows = [f"{material},{1 + k / 10}" for k, material in enumerate(ids[:5])]
        story.observe(settings, "alloys", write_results(tmp_path / "r.csv", rows))
        told.append(story.propose(settings, "alloys", n=5))
    assert told[0] == told[1]


def test_expected_improvement_agrees_with_sampling():
    known = Belief(np.array([0.0, 1.0, -2.0]), np.array([1.0, 0.3, 2.0]))
    draws = np.random.default_rng(0).normal(known.mean, known.std, (400_000, 3))
    assert expected_improvement(known, 0.5) == pytest.approx(np.maximum(draws - 0.5, 0).mean(axis=0), rel=0.02)


def test_a_biased_screen_is_shifted_and_widened_but_never_narrowed():
    prior = Prior(np.zeros(50), np.full(50, 0.1))
    rows = np.arange(30)
    corrected = recalibrated(prior, rows, np.random.default_rng(0).normal(1.0, 0.5, 30))
    assert corrected.mean[40] == pytest.approx(1.0, abs=0.2)
    assert corrected.std[40] == pytest.approx(0.5, abs=0.12)
    assert recalibrated(prior, rows, np.zeros(30)).std == pytest.approx(prior.std)


def test_results_outweigh_a_wrong_screen():
    features = np.random.default_rng(0).normal(size=(200, 3))
    truth = 2.0 * features[:, 0]
    wrong = Prior(-truth, np.full(200, 0.5))
    rows = np.arange(80)
    now = believe(features, wrong, rows, truth[rows], seed=0)
    assert np.corrcoef(now.mean[80:], truth[80:])[0, 1] > 0.8


def test_a_handful_of_equal_results_proves_nothing():
    features = np.random.default_rng(0).normal(size=(100, 3))
    now = believe(features, Prior(np.full(100, 40.0), np.full(100, 8.0)), np.arange(4), np.full(4, 33.0), seed=0)
    assert now.std.min() > 1.5
    assert (now.mean > 32).all()
    assert (now.mean < 40).all()


def test_candidates_outside_the_domain_are_left_out_unless_asked_for(screen):
    assert (len(read_pool(screen, COMMON)), read_pool(screen, COMMON).outside) == (39, 1)
    assert len(read_pool(screen, COMMON, keep_outside=True)) == 40


def test_failures_lower_the_odds_nearby_and_nowhere_else():
    features = np.array([[0.0], [0.1], [50.0]])
    odds = success_probability(features, History(failed=[0]), 1.0)
    assert odds[1] < 0.6
    assert odds[2] == pytest.approx(1.0)


def test_a_window_turns_proposals_away_from_what_cannot_meet_it():
    features = np.linspace(-1, 1, 60)[:, None]
    priors = {
        "y": Prior(features[:, 0], np.full(60, 0.2)),
        "w": Prior(30 * features[:, 0], np.full(60, 2.0)),
    }
    free = choose(Landscape(features, priors, Objective("y")), History(), 2, seed=0)
    bound = choose(Landscape(features, priors, Objective("y", (Window("w", -20, 0),))), History(), 2, seed=0)
    assert min(features[p.row, 0] for p in free) > 0.8
    assert max(features[p.row, 0] for p in bound) < 0.15
    assert all(p.p_windows > 0.5 for p in bound)


def labelled_pool():
    """300 quaternary alloys whose merit has a narrow optimum in size and electronegativity."""
    from pymatgen.core import Element

    rng = np.random.default_rng(7)
    formulas = []
    for _ in range(300):
        a = rng.choice(["Mg", "Ti", "Zr", "La", "Ca", "Y"], 2, replace=False)
        b = rng.choice(["Ni", "Fe", "Mn", "V", "Cr", "Co", "Al"], 2, replace=False)
        x, y = rng.integers(1, 10, 2) / 10
        r = rng.choice([1, 2, 5])
        formulas.append(f"{a[0]}{x:.1f}{a[1]}{1 - x:.1f}{b[0]}{r * y:.2f}{b[1]}{r * (1 - y):.2f}")
    merits = []
    for formula in formulas:
        amounts = parse_amounts(formula)
        total = sum(amounts.values())
        size = sum(n * Element(el).atomic_radius for el, n in amounts.items()) / total
        negativity = sum(n * Element(el).X for el, n in amounts.items()) / total
        peak = np.exp(-(((negativity - 1.62) / 0.06) ** 2) - ((size - 1.42) / 0.06) ** 2)
        merits.append(3 * peak + amounts.get("V", 0) / total + 0.3 * np.sin(9 * size))
    return formulas, np.array(merits)


def test_the_strategy_finds_more_of_the_best_than_chance(tmp_path):
    formulas, merit = labelled_pool()
    source = tmp_path / "pool.csv"
    pd.DataFrame({"material_id": range(300), "formula": formulas}).to_csv(source, index=False)
    landscape = Landscape(read_pool(source, Objective("merit")).features(), {}, Objective("merit"))
    best = set(np.argsort(merit)[-15:])
    budget, found = 40, []
    for seed in range(3):
        start = np.random.default_rng(seed).permutation(300)[:5]
        results = {int(row): {"merit": float(merit[row])} for row in start}
        while len(results) < budget:
            picks = choose(landscape, History(results=results), 5, seed=seed)
            results |= {pick.row: {"merit": float(merit[pick.row])} for pick in picks}
        found.append(len(best & set(results)))
    by_chance = 15 * budget / 300
    assert min(found) >= by_chance
    assert np.mean(found) >= 2 * by_chance, found
