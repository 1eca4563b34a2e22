"""The ledger: an Optuna study to which is only added, in every version of its schema, on both databases."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from hstore.errors import InputError, StoreError
from hstore.records import Scope
from hstore.settings import Settings
from hstore.store import open_store
from hstore_workflows.campaign import story
from hstore_workflows.campaign.config import SCHEMA
from hstore_workflows.campaign.ledger import open_ledger
from hstore_workflows.campaign.objective import Goal, Objective, Window
from hstore_workflows.campaign.storage import open_storage
from tests.workflows.campaign_bench import CAPACITY, COMMON, ENTHALPY, first_schema_home

TWO_GOALS = Objective((Goal(CAPACITY), Goal(ENTHALPY, minimize=True)))


def study_of(settings, name="alloys"):
    import optuna

    return optuna.load_study(study_name=name, storage=f"sqlite:///{settings.home / 'campaigns.sqlite'}")


def tell(settings, *rows, lab="", name="alloys"):
    return [verdict.verdict for verdict in story.observe(settings, name, rows, lab=lab).verdicts]


def test_the_ledger_is_an_optuna_study_that_others_can_read(campaign):
    first = [p.material_id for p in story.propose(campaign, "alloys", n=3, lab="north")]
    tell(
        campaign, {"material_id": first[0], "value": 1.2, ENTHALPY: 50}, {"material_id": first[1], "failed": "yes"}
    )
    study = study_of(campaign)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "FAIL", "RUNNING"]
    assert study.trials[0].value == 1.2
    assert study.trials[0].constraints == {f"{ENTHALPY}:25:45": 5.0}
    assert study.trials[2].user_attrs["material_id"] == first[2]
    assert study.trials[2].user_attrs["lab"] == "north"
    assert study.trials[0].user_attrs["told"][0]["values"] == {CAPACITY: 1.2, ENTHALPY: 50.0}


def test_two_goals_are_two_directions_and_complete_only_with_both(settings, screen):
    story.begin(settings, "two", screen, TWO_GOALS)
    ids = [p.material_id for p in story.propose(settings, "two", n=2)]
    assert tell(settings, {"material_id": ids[0], CAPACITY: 1.2}, name="two") == ["partial"]
    study = study_of(settings, "two")
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.trials[0].state.name == "RUNNING"
    history = story.status(settings, "two").standing.history({ids[0]: 0, ids[1]: 1})
    assert history.results == {0: {CAPACITY: 1.2}}
    assert history.pending == [1]
    assert tell(settings, {"material_id": ids[0], ENTHALPY: 33.0}, name="two") == ["taken"]
    trial = study_of(settings, "two").trials[0]
    assert trial.state.name == "COMPLETE"
    assert trial.values == [1.2, 33.0]


def test_a_window_measured_later_stands_beside_the_finished_trial(campaign):
    material = story.propose(campaign, "alloys", n=1).items[0].material_id
    tell(campaign, {"material_id": material, "value": 1.2}, lab="north")
    assert tell(campaign, {"material_id": material, ENTHALPY: 33.0}, lab="north") == ["taken"]
    status = story.status(campaign, "alloys")
    assert status.standing.values(material) == {CAPACITY: 1.2, ENTHALPY: 33.0}
    assert [trial.state.name for trial in study_of(campaign).trials] == ["COMPLETE", "PRUNED"]
    assert status.standing.entries_of(material)[1].attributes["completes"] == 0


def test_a_passed_lease_frees_the_material_and_a_late_result_is_taken_all_the_same(settings, screen):
    story.begin(settings, "alloys", screen, COMMON, lease_s=0.4)
    first = story.propose(settings, "alloys", n=2, lab="north")
    tell(settings, {"material_id": first.items[1].material_id, ENTHALPY: 33.0}, lab="north")
    time.sleep(0.5)
    again = story.propose(settings, "alloys", n=40, lab="south")
    assert again.released == (0,)
    proposed = {p.material_id for p in again}
    assert first.items[0].material_id in proposed
    assert first.items[1].material_id not in proposed, "measured in part, so not free"
    trial = study_of(settings).trials[0]
    assert trial.state.name == "FAIL"
    assert "released" in trial.user_attrs
    assert tell(settings, {"material_id": first.items[0].material_id, "value": 1.1}, lab="north") == ["taken"]
    status = story.status(settings, "alloys")
    assert status.counts == {
        "pending": len(again),
        "partial": 1,
        "measured": 1,
        "failed": 0,
        "released": 1,
        "retracted": 0,
    }
    late = status.standing.entries_of(first.items[0].material_id)[-1]
    assert late.attributes["late_for"] == 0


def test_a_lease_lasts_as_long_as_the_campaign_says(campaign):
    (proposal,) = story.propose(campaign, "alloys", n=1)
    left = datetime.fromisoformat(proposal.lease_until) - datetime.now(UTC)
    assert timedelta(days=29.9) < left < timedelta(days=30)


def test_corrections_and_retractions_keep_the_history(campaign):
    material = story.propose(campaign, "alloys", n=1).items[0].material_id
    tell(campaign, {"material_id": material, "value": 1.2, ENTHALPY: 33}, lab="north")
    verdict = story.correct(campaign, "alloys", 0, {CAPACITY: 1.4}, why="balance recalibrated", lab="north")
    assert (verdict.verdict, verdict.experiment) == ("correction", 0)
    assert "said h2_capacity_wt_pct 1.2" in verdict.cause
    standing = story.status(campaign, "alloys").standing
    assert standing.values(material) == {CAPACITY: 1.4, ENTHALPY: 33.0}
    assert len(standing.experiments) == 1
    correction = standing.entries_of(material)[1]
    assert (correction.corrects, correction.lab, correction.attributes["why"]) == (
        0,
        "north",
        "balance recalibrated",
    )
    assert correction.told[0].at
    assert story.retract(campaign, "alloys", 1, why="it was right").verdict == "retraction"
    assert story.status(campaign, "alloys").standing.values(material)[CAPACITY] == 1.2
    assert story.retract(campaign, "alloys", 0, why="wrong sample").verdict == "retraction"
    standing = story.status(campaign, "alloys").standing
    assert standing.values(material) == {}
    assert standing.history({material: 0}).taken == [], "free again"
    assert len(standing.entries_of(material)) == 4, "nothing is lost"
    assert story.retract(campaign, "alloys", 0, why="again").verdict == "duplicate"
    with pytest.raises(InputError, match="experiment 0 is retracted; tell the right result"):
        story.correct(campaign, "alloys", 0, {CAPACITY: 1.3}, why="it was fine")
    assert study_of(campaign).trials[0].value == 1.2, "a finished trial never changes"


def test_a_success_may_be_corrected_to_a_failure_and_back(campaign):
    material = story.propose(campaign, "alloys", n=1).items[0].material_id
    tell(campaign, {"material_id": material, "value": 1.2})
    story.correct(campaign, "alloys", 0, {"failed": "oxidised"}, why="X-rays show oxide")
    standing = story.status(campaign, "alloys").standing
    assert standing.history({material: 7}).failed == [7]
    assert standing.experiments[0].failed == "oxidised"
    story.correct(campaign, "alloys", 0, {"value": 1.25}, why="other sample")
    assert story.status(campaign, "alloys").standing.values(material) == {CAPACITY: 1.25}


def test_retracting_what_is_under_way_gives_it_back(campaign):
    material = story.propose(campaign, "alloys", n=1).items[0].material_id
    assert "given back" in story.retract(campaign, "alloys", 0, why="furnace broken", lab="north").cause
    noted = study_of(campaign).trials[0].user_attrs
    assert (noted["why"], noted["released_by"]) == ("furnace broken", "north")
    assert material in {p.material_id for p in story.propose(campaign, "alloys", n=40)}


def test_replicates_are_averaged_by_their_uncertainty_and_give_the_noise(campaign):
    ids = [p.material_id for p in story.propose(campaign, "alloys", n=2)]
    tell(campaign, {"material_id": ids[0], "value": 1.20, "value_std": 0.01}, lab="north")
    assert tell(campaign, {"material_id": ids[0], "value": 1.23, "value_std": 0.02}, lab="south") == ["replicate"]
    tell(campaign, {"material_id": ids[1], "value": 1.0}, lab="north")
    tell(campaign, {"material_id": ids[1], "value": 1.02}, lab="south")
    standing = story.status(campaign, "alloys").standing
    assert standing.values(ids[0])[CAPACITY] == pytest.approx((1.20 * 4 + 1.23) / 5)
    assert standing.values(ids[1])[CAPACITY] == pytest.approx(1.01)
    noise = standing.noise()[CAPACITY]
    assert noise.std == pytest.approx(((0.03**2 / 2 + 0.02**2 / 2) / 2) ** 0.5)
    assert (noise.materials, noise.values) == (2, 4)
    assert standing.conflicts() == []


def test_strategies_see_results_in_their_order_and_how_each_was_chosen(campaign):
    proposals = story.propose(campaign, "alloys", n=3)
    ids = [p.material_id for p in proposals]
    tell(campaign, {"material_id": ids[2], "value": 1.2})
    tell(campaign, {"material_id": ids[0], "value": 1.1}, {"material_id": ids[1], "failed": "yes"})
    rows = {material: place for place, material in enumerate(ids)}
    history = story.status(campaign, "alloys").standing.history(rows)
    assert list(history.results) == [2, 0]
    assert history.failed == [1]
    assert history.chosen == {rows[p.material_id]: p.reasons.aim for p in proposals}


def test_a_campaign_of_the_first_schema_opens_and_goes_on(tmp_path):
    settings = Settings(home=first_schema_home(tmp_path / "home"), database_url=None, data_mirror=None)
    before = story.status(settings, "old")
    assert before.objective == Objective((Goal(CAPACITY),), (Window(ENTHALPY, 25.0, 45.0),))
    assert before.counts == {"pending": 2, "partial": 0, "measured": 3, "failed": 1, "released": 0, "retracted": 0}
    assert before.standing.values("m00") == {CAPACITY: 1.38, ENTHALPY: 31.5}
    assert before.standing.best() == ("m08", 1.9)
    assert [row["material"] for row in before.rejected_rows.values()] == ["nobody", "m06"]
    (entry,) = before.standing.in_flight("north")[:1]
    assert entry.attributes["reason"].startswith("promises most")
    known = {entry.material_id for entry in before.standing.all_entries()}
    proposed = story.propose(settings, "old", n=3)
    assert len(proposed) == 3
    assert proposed.released == (), "experiments without a lease have theirs from now"
    assert not known & {p.material_id for p in proposed}
    leases = [entry.lease_until for entry in story.status(settings, "old").standing.in_flight("north")]
    assert all(timedelta(days=29) < lease - datetime.now(UTC) < timedelta(days=30) for lease in leases)
    assert tell(settings, {"material_id": "m06", "value": 1.7}, lab="north", name="old") == ["taken"]
    assert tell(settings, {"material_id": "m00", "value": 1.40}, lab="south", name="old") == ["replicate"]
    study = study_of(settings, "old")
    assert study.user_attrs["hstore_campaign"]["schema"] == SCHEMA
    assert study.user_attrs["hstore_campaign"]["migrated_from"] == 1
    assert story.status(settings, "old").config.batch == 4


def test_a_campaign_of_a_newer_schema_is_refused(campaign):
    study = study_of(campaign)
    study.set_user_attr("hstore_campaign", {"schema": SCHEMA + 1, "anything": "else"})
    with pytest.raises(StoreError, match=f"schema {SCHEMA + 1}, this one knows up to {SCHEMA}.*update hstore"):
        story.propose(campaign, "alloys")


def test_tables_of_an_older_optuna_are_upgraded_and_of_a_newer_refused(campaign):
    with closing(sqlite3.connect(campaign.home / "campaigns.sqlite")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'v3.0.0.d'")
    assert len(story.propose(campaign, "alloys", n=1)) == 1
    with closing(sqlite3.connect(campaign.home / "campaigns.sqlite")) as database, database:
        (version,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
        assert version != "v3.0.0.d"
        database.execute("UPDATE alembic_version SET version_num = 'v99.0.0.a'")
    with pytest.raises(StoreError, match=r"newer Optuna.*v99\.0\.0\.a.*update optuna"):
        story.status(campaign, "alloys")


def test_both_databases_keep_campaigns_beside_the_result_store(database_url, screen, tmp_path, build):
    settings = Settings(home=tmp_path / "home", database_url=database_url, data_mirror=None)
    with open_store(database_url) as store:
        store.add_materials([build.material()])
    story.begin(settings, "alloys", screen, COMMON)
    ids = [p.material_id for _ in range(2) for p in story.propose(settings, "alloys", n=2)]
    assert len(set(ids)) == 4
    tell(settings, {"material_id": ids[0], "value": 1.5}, {"material_id": ids[1], "value": "failed"})
    counts = story.status(settings, "alloys").counts
    assert (counts["pending"], counts["measured"], counts["failed"]) == (2, 1, 1)
    with open_store(database_url) as store:
        assert store.material("m1", scope=Scope()).material_id == "m1"
    with open_storage(settings) as storage:
        assert storage.get_current_version() == storage.get_head_version()


FOUR_AT_ONCE = """
import json, multiprocessing
import optuna, pandas
from hstore.records import Scope
from hstore.settings import Settings
from hstore_workflows.campaign import story
from hstore_models.features import magpie

def work(_):
    return [p.material_id for p in story.propose(Settings(data_mirror=None), "alloys", n=3)]

with multiprocessing.get_context("fork").Pool(4) as pool:
    print(json.dumps(pool.map(work, range(6), chunksize=1)))
"""


@pytest.mark.long
def test_processes_at_once_never_propose_the_same(settings, screen):
    """The strategy is a quick one, for what keeps processes apart is around all of them."""
    story.begin(settings, "alloys", screen, COMMON, keep_outside=True, strategy="random")
    done = subprocess.run(
        [sys.executable, "-c", FOUR_AT_ONCE], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = [material for batch in json.loads(done.stdout) for material in batch]
    assert len(seen) == len(set(seen)) == 18
    with open_ledger(settings, "alloys") as ledger:
        entries = ledger.entries()
    assert sorted(e.material_id for e in entries) == sorted(seen)
    assert [e.number for e in entries] == list(range(18))


HOLDER = """
import time; from hstore.settings import Settings; from hstore_workflows.campaign.lock import deciding
settings = Settings()
with deciding(settings, 'alloys', about='proposals'), deciding(settings, 'alloys'):
    print('held', flush=True); time.sleep(60)
"""


def test_a_killed_proposer_leaves_no_lock_behind(campaign):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline().strip() == "held"
    holder.kill()
    holder.communicate()
    start = time.monotonic()
    assert len(story.propose(campaign, "alloys", n=1)) == 1
    assert time.monotonic() - start < 30


THINKER = """
import time; from hstore.settings import Settings; from hstore_workflows.campaign.lock import deciding
with deciding(Settings(), 'alloys', about='proposals'):
    print('thinking', flush=True); time.sleep(60)
"""


def test_results_come_in_while_another_process_thinks_of_proposals(campaign):
    thinker = subprocess.Popen([sys.executable, "-c", THINKER], stdout=subprocess.PIPE, text=True)
    try:
        assert thinker.stdout.readline().strip() == "thinking"
        assert tell(campaign, {"material_id": "a001", "value": 1.2}) == ["taken"]
    finally:
        thinker.kill()
        thinker.communicate()


def test_a_told_row_whose_process_died_before_the_state_was_written_is_mended(campaign, monkeypatch):
    material = story.propose(campaign, "alloys", n=1).items[0].material_id

    class DiedError(Exception):
        pass

    def die(*_):
        raise DiedError

    monkeypatch.setattr("hstore_workflows.campaign.ledger.Ledger._finish", die)
    with pytest.raises(DiedError):
        tell(campaign, {"material_id": material, "value": 1.2, ENTHALPY: 30})
    monkeypatch.undo()
    assert study_of(campaign).trials[0].state.name == "RUNNING"
    assert story.status(campaign, "alloys").standing.values(material)[CAPACITY] == 1.2
    story.propose(campaign, "alloys", n=1)
    trial = study_of(campaign).trials[0]
    assert (trial.state.name, trial.value, trial.constraints) == ("COMPLETE", 1.2, {f"{ENTHALPY}:25:45": -5.0})
