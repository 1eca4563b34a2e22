"""Campaigns from the command line and from Python: one story, with reasons."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from hstore.errors import InputError, UnknownNameError
from hstore.settings import Settings
from hstore_workflows.campaign import story
from hstore_workflows.campaign.ground import make_ground
from hstore_workflows.campaign.objective import Goal, Objective, Window
from hstore_workflows.campaign.places import campaign_folder, open_pool
from hstore_workflows.campaign.pool_reading import read_pool
from tests.workflows.campaign_bench import CAPACITY, COMMON, ENTHALPY, alloys, run, write_results


def test_the_commands_tell_one_story(settings, screen, tmp_path):
    goals = ("--maximize", CAPACITY, "--window", f"{ENTHALPY}:25:45")
    made = run("new", "a", "--pool", screen, *goals, "--batch", 4)
    assert made.exit_code == 0, made.output
    assert f"with predictions of {CAPACITY}" in made.stdout
    proposed = run("propose", "a", "--lab", "north", "--json")
    assert proposed.exit_code == 0, proposed.output
    proposals = json.loads(proposed.stdout)["proposals"]
    assert len({p["material_id"] for p in proposals}) == 4
    for p in proposals:
        assert p["lower"] < p["predicted_mean"] < p["upper"]
        assert p["predictions"][ENTHALPY]["lower"] < p["predictions"][ENTHALPY]["mean"]
        assert 0 <= p["p_window"][f"{ENTHALPY}:25:45"] <= 1
        assert 0 <= p["p_windows"] <= 1
        assert 0 <= p["p_success"] <= 1
        assert 0 <= p["teaches"] <= 1
        assert p["effort"] > 0
        assert p["model_ids"] == ["hydride-abc"]
        assert (p["strategy"], p["lab"], p["n_results"]) == ("hstore", "north", 0)
        assert f"predicted {CAPACITY}" in p["reason"]
        assert "90 % interval" in p["reason"]
        assert f"{ENTHALPY}:25:45" in p["reason"]
    ids = [p["material_id"] for p in proposals]
    rows = [f"{ids[0]},1.5,30", f"{ids[1]},failed,", f"{ids[2]},2.0,80"]
    results = write_results(tmp_path / "r.csv", rows, f"material_id,value,{ENTHALPY}")
    observed = json.loads(run("observe", "a", "--results", results, "--lab", "north", "--json").stdout)
    assert (observed["measured"], observed["failed"], observed["rejected"]) == (2, 1, [])
    assert [v["verdict"] for v in observed["verdicts"]] == ["taken", "failed", "taken"]
    status = json.loads(run("status", "a", "--json").stdout)
    assert (status["pending"], status["measured"], status["failed"]) == (1, 2, 1)
    assert status["best"] == {"material_id": ids[0], "value": 1.5, "number": 0}, "the higher one missed the window"
    assert {e["lab"] for e in status["experiments"]} == {"north"}
    assert status["experiments"][0]["model_ids"] == ["hydride-abc"]
    assert "north" in run("status", "a").stdout
    assert ids[0] in run("status", "a").stdout
    (listed,) = json.loads(run("list", "--json").stdout)["campaigns"]
    assert (listed["campaign"], listed["measured"], listed["goals"]) == ("a", 2, [f"max:{CAPACITY}"])
    assert "a  " in run("list").stdout


def test_corrections_and_retractions_from_the_command_line(campaign):
    story.observe(campaign, "alloys", [{"material_id": "a001", "value": 1.2}], lab="north")
    done = run("correct", "alloys", 0, "--set", f"{CAPACITY}=1.3", "--why", "typed wrongly", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["verdict"] == "correction"
    history = json.loads(run("status", "alloys", "--material", "a001", "--json").stdout)["history"]
    assert [entry["kind"] for entry in history] == ["experiment", "correction"]
    assert history[1]["why"] == "typed wrongly"
    assert history[0]["told"][0]["values"] == {CAPACITY: 1.2}
    assert run("retract", "alloys", 0, "--why", "wrong sample").exit_code == 0
    assert json.loads(run("status", "alloys", "--json").stdout)["retracted"] == 1
    assert "2 correction" not in run("status", "alloys", "--material", "a001").stdout
    for arguments, message in [
        (["correct", "alloys", 9, "--set", "value=1", "--why", "x"], "no experiment 9"),
        (["correct", "alloys", 0, "--why", "x"], "give --set"),
        (["correct", "alloys", 0, "--set", "value", "--why", "x"], "COLUMN=VALUE"),
        (["retract", "alloys", 0, "--why", " "], "say why"),
    ]:
        done = run(*arguments)
        assert done.exit_code == 2
        assert message in done.output


def test_several_goals_come_from_the_command_line(settings, screen):
    done = run("new", "two", "--pool", screen, "--minimize", ENTHALPY, "--maximize", CAPACITY, "--json")
    assert json.loads(done.stdout)["goals"] == [f"max:{CAPACITY}", f"min:{ENTHALPY}"]
    ids = [p.material_id for p in story.propose(settings, "two", n=3)]
    values = [(1.2, 30.0), (1.4, 40.0), (1.1, 41.0)]
    rows = [{"material_id": m, CAPACITY: c, ENTHALPY: h} for m, (c, h) in zip(ids, values, strict=True)]
    story.observe(settings, "two", rows)
    status = json.loads(run("status", "two", "--json").stdout)
    assert status["front"] == ids[:2]
    assert status["best"]["material_id"] == ids[1]


def test_no_candidate_comes_twice_until_the_pool_is_exhausted(campaign):
    seen = [p.material_id for _ in range(9) for p in story.propose(campaign, "alloys", n=5)]
    assert len(seen) == len(set(seen)) == 40
    last = story.propose(campaign, "alloys")
    assert len(last) == 0
    assert "exhausted" in last.note
    assert "exhausted" in run("propose", "alloys").stdout


def test_conditions_and_leases_are_part_of_a_campaign(settings, screen):
    done = run(
        "new", "warm", "--pool", screen, "--maximize", "score",
        "--conditions", "temperature_k=298,pressure_bar=10",
        "--lease-days", "7", "--strategy", "random",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    config = story.status(settings, "warm").config
    assert dict(config.conditions) == {"temperature_k": 298.0, "pressure_bar": 10.0}
    assert config.lease_s == 7 * 86_400
    assert config.strategy == "random"
    (verdict,) = story.observe(
        settings, "warm", [{"material_id": "a001", "value": 1, "temperature_c": 100}]
    ).verdicts
    assert verdict.verdict == "rejected"
    assert "compares at 298" in verdict.cause


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["new", "alloys", "--pool", "SCREEN", "--maximize", CAPACITY], "already"),
        (["new", "a/b", "--pool", "SCREEN", "--maximize", CAPACITY], "campaign name"),
        (["new", "b", "--pool", "SCREEN", "--maximize", "h2_capacity"], f"did you mean '{CAPACITY}'"),
        (["new", "b", "--pool", "SCREEN"], "give --maximize COLUMN or --minimize COLUMN"),
        (["new", "b", "--pool", "SCREEN", "--maximize", "score", "--minimize", "score"], "one goal only"),
        (["new", "b", "--pool", "SCREEN", "--maximize", "score", "--window", "x:2:1"], "LOW below HIGH"),
        (["new", "b", "--pool", "SCREEN", "--maximize", "score", "--window", "x:2"], "COLUMN:LOW:HIGH"),
        (["new", "b", "--pool", "SCREEN", "--maximize", "score", "--conditions", "warm"], "NAME=NUMBER"),
        (["new", "b", "--pool", "SCREEN", "--maximize", "score", "--conditions", "temp=3"], "unknown condition"),
        (["new", "b", "--pool", "SCREEN", "--maximize", "score", "--strategy", "hstor"], "did you mean 'hstore'"),
        (["new", "b", "--pool", "SCREEN", "--maximize", "score", "--features", "size"], "column of features"),
        (["propose", "alloy"], "did you mean 'alloys'"),
        (["propose", "alloys", "--strategy", "hstor"], "did you mean 'hstore'"),
        (["propose", "alloys", "--lab", "a/b"], "lab name"),
        (["status", "../../etc"], "unknown campaign"),
        (["observe", "nothing", "--results", "SCREEN"], "not a file"),
    ],
)  # fmt: skip
def test_bad_usage_is_explained(campaign, screen, tmp_path, arguments, message):
    result = run(*[screen if a == "SCREEN" else a for a in arguments])
    assert result.exit_code == 2
    assert message in result.output
    assert sorted(path.name for path in (campaign.home / "campaigns").iterdir() if path.is_dir()) == ["alloys"]


def test_a_pool_changed_after_the_start_is_refused(campaign):
    path = campaign.home / "campaigns" / "alloys" / "pool.parquet"
    pd.read_parquet(path).head(5).to_parquet(path)
    result = run("propose", "alloys")
    assert result.exit_code == 1
    assert "checksum" in result.output


def test_reasons_name_neighbours_and_warn(campaign):
    everything = {p.material_id: p for _ in range(8) for p in story.propose(campaign, "alloys")}
    assert "nearest in the literature" in everything["a000"].reason
    (near, *_) = everything["a000"].reasons.nearest_known
    assert near.values[CAPACITY] > 0
    assert near.source.startswith("hydrides")
    assert "reported in the literature already" in everything["a003"].reason
    assert "outside its domain here: cobalt-rich" in everything["a005"].reason
    assert "the pool's mean effort" in everything["a000"].reason


def test_reasons_name_the_nearest_result(campaign):
    story.observe(campaign, "alloys", [{"material_id": "a001", "value": 1.23}])
    (proposal,) = story.propose(campaign, "alloys", n=1)
    assert proposal.reasons.nearest_result.material_id == "a001"
    assert f"({CAPACITY} 1.23) at distance" in proposal.reason
    assert proposal.n_results == 1


def test_proposals_repeat_exactly(tmp_path, screen):
    told = []
    for home in ("one", "two"):
        settings = Settings(home=tmp_path / home, database_url=None, data_mirror=None)
        story.begin(settings, "alloys", screen, COMMON)
        ids = [p.material_id for p in story.propose(settings, "alloys", n=6)]
        rows = [{"material_id": material, "value": 1 + k / 10} for k, material in enumerate(ids[:5])]
        story.observe(settings, "alloys", rows)
        told.append([(p.number, p.material_id, p.reason) for p in story.propose(settings, "alloys", n=5)])
    assert told[0] == told[1]


def test_a_plain_table_and_its_rejects(settings, tmp_path):
    source = tmp_path / "pool.csv"
    formulas = ["LaNi5", "LaNi4.9Al0.1", "LaNi4.8Al0.2", "MgH2", "TiFe", "LaNi4.7Al0.3", "notaformula", "LaNi5"]
    source.write_text("formula\n" + "\n".join(formulas) + "\n")
    pool = story.begin(settings, "plain", source, Objective.maximizing("my_figure_of_merit"))
    assert len(pool) == 6
    assert {reject.row for reject in pool.rejects} == {7, 8}
    first = story.propose(settings, "plain", n=3)
    assert len(first) == 3
    assert all("my_figure_of_merit" not in p.reasons.predictions for p in first)


def test_a_pool_may_be_described_by_columns_alone(settings, tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({
        "name": [f"MOF-{k}" for k in range(30)], "density_g_cm3": rng.uniform(0.3, 1.2, 30),
        "void_fraction": rng.uniform(0.3, 0.9, 30), "size": rng.uniform(1, 9, 30), "work": rng.uniform(1, 3, 30),
    })  # fmt: skip
    table.loc[3, "void_fraction"] = np.nan
    table.to_csv(tmp_path / "mofs.csv", index=False)
    goal = Objective.maximizing("usable_capacity_g_per_l")
    pool = story.begin(settings, "mofs", tmp_path / "mofs.csv", goal, effort_column="work")
    assert not pool.has_formulas
    config = story.status(settings, "mofs").config
    ground = make_ground(open_pool(settings, "mofs", config), config, campaign_folder(settings, "mofs"))
    assert list(ground.landscape.blocks) == ["columns"]
    assert ground.landscape.features.shape == (30, 2)
    assert np.isfinite(ground.landscape.features).all()
    assert ground.landscape.effort.mean() == pytest.approx(1.0)
    (proposal,) = story.propose(settings, "mofs", n=1, lab="north")
    assert proposal.material_id.startswith("MOF-")
    chosen = read_pool(tmp_path / "mofs.csv", goal, features=("size",))
    assert [name for name in chosen.frame if name.startswith("feature:")] == ["feature:size"]
    with pytest.raises(InputError, match="no formula column, which magpie needs"):
        read_pool(tmp_path / "mofs.csv", goal, features=("magpie",))
    table.drop(columns=["density_g_cm3", "void_fraction"]).to_csv(tmp_path / "bare.csv", index=False)
    with pytest.raises(InputError, match="name the columns that describe candidates with --features"):
        read_pool(tmp_path / "bare.csv", goal)
    with pytest.raises(UnknownNameError, match="effort column"):
        read_pool(tmp_path / "mofs.csv", goal, effort_column="wrok")


def test_large_pools_keep_what_was_read_from_formulas(settings, screen, monkeypatch):
    monkeypatch.setattr("hstore_workflows.campaign.ground.KEPT", 10)
    monkeypatch.setattr("hstore_workflows.campaign.descriptors.LARGE", 10)
    story.begin(settings, "alloys", screen, COMMON)
    config = story.status(settings, "alloys").config
    folder = campaign_folder(settings, "alloys")
    pool = open_pool(settings, "alloys", config)
    first = make_ground(pool, config, folder).landscape.features
    assert list(folder.glob("compositions-*.npz"))
    again = make_ground(pool, config, folder).landscape.features
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32
    monkeypatch.undo()
    whole = make_ground(pool, config, folder).landscape.blocks["magpie"]
    np.testing.assert_allclose(whole, first, atol=1e-4)


def test_candidates_outside_the_domain_are_left_out_unless_asked_for(screen):
    assert (len(read_pool(screen, COMMON)), read_pool(screen, COMMON).outside) == (39, 1)
    assert len(read_pool(screen, COMMON, keep_outside=True)) == 40


def test_the_objective_is_read_as_it_is_written():
    goals = (Goal("a"), Goal("b", minimize=True))
    assert tuple(Goal.parse(str(goal)) for goal in goals) == goals
    for window in (Window("a", 1, 2), Window("b", -np.inf, 3), Window("c", 0.5, np.inf)):
        assert Window.parse(str(window)) == window


def test_a_screens_goal_must_have_been_predicted(settings, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    alloys().drop(columns=[f"{ENTHALPY}_mean"]).to_parquet(folder / "candidates.parquet")
    with pytest.raises(UnknownNameError, match="column to minimise"):
        read_pool(folder, Objective((Goal(CAPACITY), Goal(ENTHALPY, minimize=True))))
