"""A funnel: fewer and fewer are asked, each stage survives, and what it cuts is known."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from hstore.errors import InputError
from hstore_workflows.batch.collecting import collect
from hstore_workflows.batch.funnel import FINAL, FUNNEL, Audit, do_stages
from hstore_workflows.batch.plan import keep_plan, make_plan
from hstore_workflows.batch.running import Run
from hstore_workflows.batch.site import LocalSite
from hstore_workflows.batch.standing import standing
from hstore_workflows.cli import main

sys.path.insert(0, str(Path(__file__).parent))  # workers import it too
import stage_functions

TWO = LocalSite(kind="local", workers=2)
SPEC = """
name = "ab5"
target = "onboard"
shard_rows = 30
top = 25

[source]
kind = "files"
files = ["pool.csv"]
"""
STAGES = """
[[stages]]
name = "lanthanum"
function = "stage_functions:lanthanum"
take = 30
audit = 20
shard_rows = 7

[[stages]]
name = "nickel"
function = "stage_functions:nickel"
take = 10
audit = 5
"""


@pytest.fixture
def began(trained, loaded, tmp_path, monkeypatch):
    """A function that does the first stage of a batch with some stages, and returns what they need."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.delenv("HSTORE_DATA_MIRROR", raising=False)  # the models of all tests are trained without
    for name in ("hydride_capacity", "hydride_thermodynamics"):
        loaded(name)
    rng = np.random.default_rng(0)
    formulas = [f"La{x:.3f}Ce{1 - x:.3f}Ni{5 - y:.3f}Al{y:.3f}" for x, y in rng.uniform(0.05, 0.95, (100, 2))]
    pd.DataFrame({"formula": formulas}).to_csv(tmp_path / "pool.csv", index=False)

    def begin(stages, folder="run"):
        (tmp_path / "ab5.toml").write_text(SPEC + stages)
        run = tmp_path / folder
        plan = make_plan(tmp_path / "ab5.toml", run, trained)
        keep_plan(plan, run)
        Run(plan, run, trained, TWO)()
        return plan, run, trained, TWO, collect(plan, run)

    return begin


def test_each_stage_asks_the_best_of_the_one_before(began):
    _, folder, *_, first = began_with = began(STAGES)
    lanthanum, nickel = do_stages(*began_with)
    every = pd.concat([pd.read_parquet(path) for path in sorted((folder / "shards").glob("*.parquet"))])
    order = every.sort_values(["score", "candidate"], ascending=[False, True])["candidate"].tolist()
    asked = pd.read_parquet(folder / "stages/1-lanthanum/source/input.parquet")
    by = {why: rows["candidate"].tolist() for why, rows in asked.groupby("why")}
    assert by["best"] == order[:30]
    assert len(by["near"]) == len(by["far"]) == 10
    assert set(by["near"]) <= set(order[30:60])
    assert set(by["far"]) <= set(order[60:])
    assert (lanthanum.given, lanthanum.asked, lanthanum.answered, lanthanum.rejected) == (100, 30, 50, 0)

    scored = asked.assign(share=[stage_functions.lanthanum({"formula": f})["score"] for f in asked["formula"]])
    threshold = scored["share"].nlargest(10).iloc[-1]
    better = scored[scored["share"] >= threshold].groupby("why").size()
    assert lanthanum.best == 10
    assert lanthanum.near == Audit(10, better.get("near", 0), 30)
    assert lanthanum.far == Audit(10, better.get("far", 0), 40)
    assert lanthanum.near.better + lanthanum.far.better > 0, "or the test says nothing"

    final = pd.read_parquet(folder / f"{FINAL}.parquet")
    best_of_lanthanum = scored.nlargest(10, "share")["candidate"]
    assert set(best_of_lanthanum) <= set(final["candidate"])
    assert final["score_nickel"].is_monotonic_decreasing
    assert {"rank", "score_lanthanum"} <= set(final)
    assert final["candidate"].isin(order).all()
    known = first.top.set_index("candidate")["h2_capacity_wt_pct_mean"]
    shown = final.set_index("candidate")["h2_capacity_wt_pct_mean"].dropna()
    pd.testing.assert_series_equal(shown, known.reindex(shown.index))
    assert [entry["name"] for entry in json.loads((folder / FUNNEL).read_text())] == ["lanthanum", "nickel"]
    assert nickel.given == 50
    assert any("just below the cut" in line for line in lanthanum.lines())


@pytest.mark.long
def test_stages_are_done_once_and_go_on(began, tmp_path):
    began_with = began(STAGES)
    do_stages(*began_with)
    folder = began_with[1]
    kept = {path: path.stat().st_mtime_ns for path in (folder / "stages").rglob("shards/*")}
    final = (folder / f"{FINAL}.csv").read_bytes()
    gone = next(path for path in kept if path.suffix == ".json")
    gone.unlink()
    do_stages(*began_with)
    assert (folder / f"{FINAL}.csv").read_bytes() == final
    again = {path for path, moment in kept.items() if path.stat().st_mtime_ns != moment}
    assert again == {gone}
    elsewhere = began(STAGES, "elsewhere")
    do_stages(*elsewhere)
    assert (tmp_path / "elsewhere" / f"{FINAL}.csv").read_bytes() == final, "the audit is drawn alike"


@pytest.mark.long
def test_other_stages_do_not_touch_the_first_but_are_not_mixed(began):
    plan, folder, *_ = began_with = began(STAGES)
    do_stages(*began_with)
    before = {path: path.stat().st_mtime_ns for path in (folder / "shards").iterdir()}
    changed = began(STAGES.replace("take = 30", "take = 29"))
    assert changed[0].plan_id == plan.plan_id
    assert {path: path.stat().st_mtime_ns for path in (folder / "shards").iterdir()} == before
    with pytest.raises(
        InputError, match=r"1-lanthanum holds a stage of other candidates, settings or code; delete"
    ):
        do_stages(*changed)


@pytest.mark.long
def test_candidates_that_a_stage_cannot_do_cost_only_themselves(began):
    fields = "take = 40\naudit = 0\nminutes = 0.02\n"
    stage = f'[[stages]]\nname = "moody"\nfunction = "stage_functions:moody"\n{fields}'
    _, folder, *_ = began_with = began(stage)
    (report,) = do_stages(*began_with)
    assert report.answered + report.rejected == 40
    assert any("not known" in line for line in report.lines())
    rejected = pd.read_csv(folder / "stages/1-moody/rejected.csv").set_index("candidate")["cause"]
    causes = {1: "ArithmeticError: not this one", 2: "signal 9", 3: "took longer than 1.2 s", 4: "no finite score"}
    assert set(rejected.index % 5) <= set(causes)
    assert len(set(rejected.index % 5)) == 4, "or the test says less"
    for number, cause in rejected.items():
        assert causes[number % 5] in cause
    assert (pd.read_parquet(folder / f"{FINAL}.parquet")["candidate"] % 5 == 0).all()


@pytest.mark.long
def test_a_budget_takes_fewer(began):
    budget = 10 * 0.4 / 3600  # ten candidates of 0.4 s
    stage = STAGES.split("[[stages]]")[1].replace("audit = 20", "audit = 2").replace("shard_rows = 7", "")
    arguments = f"budget_core_hours = {budget}\narguments = {{ slowly_s = 0.4 }}\n"
    plan, folder, settings, site, first = began("[[stages]]" + stage + arguments)
    said = []
    (report,) = do_stages(plan, folder, settings, site, first, say=said.append)
    assert 4 <= report.asked <= 8, "ten less the audit, and less what a slow machine takes"
    assert "as many as the budget allows" in report.rule
    assert any("within the budget" in line for line in said)
    again = do_stages(plan, folder, settings, site, first, say=said.append)
    assert again[0].asked == report.asked, "measured once"
    assert sum("within the budget" in line for line in said) == 1


def test_bounds_of_what_was_lost():
    assert Audit(0, 0, 10).expected_loss is None
    assert Audit(0, 0, 10).largest_share == 1.0
    assert Audit(25, 0, 1000).expected_loss == 0
    assert Audit(25, 0, 1000).largest_share == pytest.approx(1 - 0.05 ** (1 / 25))
    assert Audit(10, 10, 30).largest_share == 1.0
    assert Audit(10, 2, 30).expected_loss == pytest.approx(6)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        (STAGES.replace("take = 10", "take = 31"), "gets narrower"),
        (STAGES.replace('name = "nickel"', 'name = "lanthanum"'), "stands twice"),
        (STAGES.replace("stage_functions:nickel", "stage_functions:nickle"), "cannot be imported"),
        (STAGES.replace("stage_functions:nickel", "stage_functions"), "function"),
    ],
)
def test_a_funnel_that_cannot_be_used_is_refused_before_anything_is_paid_for(began, stages, message, tmp_path):
    with pytest.raises(InputError, match=message):
        began(stages)
    assert not (tmp_path / "run" / "shards").exists()


def test_the_command_does_the_stages_and_prints_what_they_cut(began, trained, tmp_path):
    plan, folder, *_ = began(STAGES)
    environment = {"HSTORE_HOME": str(trained.home)}
    early = CliRunner().invoke(main, ["batch", "collect", str(folder)], env=environment)
    assert early.exit_code == 1
    assert f"stage lanthanum is not done; run: hstore batch resume {folder}" in early.output
    asked = ["batch", "resume", str(folder), "--json"]
    done = CliRunner().invoke(main, asked, env=environment)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    assert [stage["name"] for stage in told["funnel"]] == ["lanthanum", "nickel"]
    shown = CliRunner().invoke(main, asked[:-1], env=environment)
    assert "lanthanum: 30 of 100 (the best 30 by score)" in shown.output
    assert "final.csv" in shown.output
    assert not standing(plan, folder).missing
    final = (folder / f"{FINAL}.csv").read_bytes()
    (folder / f"{FINAL}.csv").unlink()
    collected = CliRunner().invoke(main, ["batch", "collect", str(folder), "--json"], env=environment)
    assert json.loads(collected.stdout)["funnel"] == told["funnel"]
    assert (folder / f"{FINAL}.csv").read_bytes() == final
    state = CliRunner().invoke(main, ["batch", "status", str(folder)], env=environment)
    assert "ab5-lanthanum: 8 of 8 shards done, 50 candidates" in state.output
    dry = CliRunner().invoke(main, ["batch", str(tmp_path / "ab5.toml"), "--dry-run"], env=environment)
    assert "then stage nickel: at most 2.5 core-hours" in dry.output
