"""The shipped kinds of jobs, done by a worker on a real store with trained models."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from hstore.errors import InputError, StoreError, UnknownNameError
from hstore.jobs import JobState
from hstore.records import PUBLIC_SCOPE, Access, Family, Scope
from hstore.settings import Settings
from hstore.store import open_store
from hstore.store.jobs import Jobs
from hstore_workflows.jobs import attempt
from hstore_workflows.jobs.kinds import SHIPPED, predict
from hstore_workflows.jobs.rows import write_rows
from hstore_workflows.jobs.seed import PROPERTIES, seed_predictions
from hstore_workflows.jobs.start import start_job
from hstore_workflows.jobs.worker import Worker
from hstore_workflows.sources import materials_project
from tests.workflows.mp_server import KEY, MPServer, many
from tests.workflows.optimade_server import OptimadeServer, entry, formula

EVERYTHING = Scope(everything=True)
NORTH = Access(lab_id="north", visibility="lab")
RUTILE = """MgH2
1.0
4.5 0 0
0 4.5 0
0 0 3.0
Mg H
2 4
Direct
0 0 0
.5 .5 .5
.3 .3 0
.7 .7 0
.2 .8 .5
.8 .2 .5
"""


@pytest.fixture
def settings(trained, tmp_path):
    """Settings with shared models, and a store and files of the test's own."""

    class Own(Settings):
        @property
        def jobs_dir(self):
            return tmp_path / "jobs"

    return Own(home=trained.home, database_url=f"sqlite:///{tmp_path / 'jobs.sqlite'}", data_mirror=None)


@pytest.fixture
def store(settings):
    with open_store(settings.store_url) as opened:
        yield opened


@pytest.fixture
def do(store, settings):
    """Have a job done, and return it."""

    own = settings

    def run(kind, access=Access(), *, settings=own, **parameters):  # noqa: B008 - frozen, so one for all calls is safe
        job_id = start_job(store, settings, SHIPPED, kind, parameters, access=access).job_id
        worker = Worker(settings, SHIPPED, "w1")
        try:
            worker.run(once=True)
        finally:
            assert worker.close()
        return store.jobs.get(job_id, scope=EVERYTHING)

    return run


@pytest.fixture
def model(loaded, monkeypatch):
    """Serve the models that all tests share, without looking whether data have changed."""
    for place in ("hstore_models.training", "hstore_workflows.screen", "hstore_workflows.predict"):
        monkeypatch.setattr(f"{place}.ensure", lambda name, *_, **__: loaded(name))
    return loaded


def test_a_screen_of_ones_own_rows_is_published_for_the_lab_alone(do, store, settings, model):
    rows = [{"formula": "LaNi5", "batch": "A7"}, {"formula": "no formula"}, {"formula": "TiFe", "batch": "B"}]
    job = do("screen", NORTH, target="stationary", rows=rows)
    assert job.state is JobState.DONE, job.error
    assert (job.result["n_candidates"], job.result["n_rejected"]) == (2, 1)
    assert set(job.result["models"]) == {"hydride_capacity", "hydride_thermodynamics"}
    screen = store.screen(job.result["screen_id"], scope=Scope(lab_id="north"))
    assert {row["formula"] for row in screen.top} == {"LaNi5", "TiFe"}
    assert store.screen(screen.screen_id, scope=PUBLIC_SCOPE) is None
    left = {path.name for path in (settings.jobs_dir / job.job_id / "files").iterdir()}
    assert left == set(SHIPPED["screen"].files)


def test_a_screen_that_is_not_published_is_not_listed(do, store, model):
    job = do("screen", target="stationary", formulas=["LaNi5"], publish=False)
    assert (job.state, job.result["screen_id"]) == (JobState.DONE, None)
    assert store.screens(scope=EVERYTHING) == []


def test_a_job_publishes_one_screen_however_often_it_is_begun(do, store, settings, model, monkeypatch):
    """Its end is not heard of, so it is done again from its first step as a new attempt."""
    finish, deaf = Jobs.finish, [1, 2]

    def finishing(*arguments, **fields):
        if deaf:
            deaf.pop()
            raise StoreError("the server is restarted")
        return finish(*arguments, **fields)

    monkeypatch.setattr(Jobs, "finish", finishing)
    monkeypatch.setattr(attempt, "_STORE_TRIES", 1)
    job = do("screen", NORTH, target="stationary", formulas=["LaNi5"])
    assert (job.state, job.attempts) == (JobState.DONE, 2), job.error
    (screen,) = store.screens(scope=EVERYTHING)
    assert (screen.screen_id, screen.access) == (job.result["screen_id"], NORTH)


def test_predictions_stand_with_the_materials(do, store, build, model, monkeypatch):
    monkeypatch.setattr(predict, "PIECE", 2)
    formulas = ["LaNi5", "TiFe", "Mg2Ni", "ZrV2"]
    store.add_materials(build.material(f"m{i}", formula) for i, formula in enumerate(formulas))
    store.add_materials(
        [build.material("n1", "LaNi4Al", access=NORTH), build.material("e1", "Li2S", family=Family.ELECTROLYTE)]
    )
    job = do("predict", property="plateau_pressure_bar")
    assert job.state is JobState.DONE, job.error
    counts = {name: job.result[name] for name in ("n_predicted", "n_not_asked", "n_unusable")}
    assert counts == {
        "n_predicted": 4,
        "n_not_asked": 1,
        "n_unusable": 0,
    }  # north's material is not the operator's
    found = list(store.predictions(scope=PUBLIC_SCOPE))
    assert sorted(p.material_id for p in found) == ["m0", "m1", "m2", "m3"]
    assert {p.value.conditions.temperature_k for p in found} == {298.15}
    assert {p.model_id for p in found} == {job.result["model_id"]}
    assert {p.value.provenance.licence for p in found} == {model("hydride_thermodynamics").card.licence}
    assert all(p.value.lower < p.value.value < p.value.upper for p in found)
    direct = model("hydride_thermodynamics").model
    from hstore.formula import parse_amounts
    from hstore_models.prediction import Query

    answer = direct.predict("plateau_pressure_bar", Query.of([parse_amounts("LaNi5")]))
    assert found[0].value.value == pytest.approx(float(answer.mean[0]))


def test_predictions_of_a_lab_are_the_labs(do, store, build, model):
    store.add_materials([build.material("m1", "LaNi5"), build.material("n1", "LaNi4Al", access=NORTH)])
    job = do("predict", NORTH, property="h2_capacity_wt_pct", material_ids=["n1", "m1", "absent"])
    assert job.result["n_predicted"] == 2
    assert {p.material_id for p in store.predictions(scope=Scope(lab_id="north"))} == {"m1", "n1"}
    assert list(store.predictions(scope=PUBLIC_SCOPE)) == []


def test_new_stores_get_predictions_once(store, settings, build):
    assert seed_predictions(store, settings, SHIPPED) is None
    store.add_materials([build.material("m1", "LaNi5")])
    queued = seed_predictions(store, settings, SHIPPED)
    assert [job_id.split("-")[2] for job_id in queued] == list(PROPERTIES)
    assert seed_predictions(store, settings, SHIPPED) == queued
    assert len(store.jobs.list(scope=EVERYTHING)) == len(PROPERTIES)


def test_structure_types_are_fetched_as_the_labs_own(do, store):
    job = do("fetch", NORTH, source="prototypes", types=["rutile"], elements=["Mg"], limit=5)
    assert job.state is JobState.DONE, job.error
    assert job.result["n_stored"] >= 1
    found = list(store.materials(scope=Scope(lab_id="north")))
    assert all(m.material_id.startswith("north:") and m.access == NORTH for m in found)
    assert list(store.materials(scope=PUBLIC_SCOPE)) == []


def test_an_optimade_provider_that_the_operator_allows_is_asked(do, store, settings, monkeypatch):
    with OptimadeServer([entry(n, formula(n)) for n in range(40)]) as server:
        allowed = settings.model_copy(update={"fetch_endpoints": (server.url,)})
        asked = {"source": "optimade", "providers": [server.url], "elements": ["Mg", "H"], "limit": 5}
        with pytest.raises(UnknownNameError, match="provider"):
            start_job(store, settings, SHIPPED, "fetch", asked, access=Access())
        job = do("fetch", settings=allowed, **asked)
    assert job.state is JobState.DONE, job.error
    assert (job.result["n_received"], job.result["n_rejected"]) == (5, 0)
    assert len(list(store.materials(scope=PUBLIC_SCOPE))) == job.result["n_stored"]


def test_a_provider_that_delivers_nothing_fails_the_job_and_says_so(do, settings):
    with OptimadeServer([]) as server:
        elsewhere = f"{server.url}/elsewhere"
        allowed = settings.model_copy(update={"fetch_endpoints": (elsewhere,)})
        job = do("fetch", settings=allowed, source="optimade", providers=[elsewhere], elements=["Mg"])
    assert job.state is JobState.FAILED
    assert "no provider delivered anything" in job.error


def test_the_materials_project_is_asked_with_the_operators_key(do, store, monkeypatch):
    monkeypatch.setenv("MP_API_KEY", KEY)
    access = materials_project.MPAccess
    with MPServer(many()) as server:
        monkeypatch.setattr(materials_project, "MPAccess", lambda *own: access(*own, endpoint=server.url))
        job = do("fetch", NORTH, source="mp", elements=["La", "Ni"], limit=100)
    assert job.state is JobState.DONE, job.error
    assert (job.result["n_received"], job.result["n_rejected"]) == (39, 0)
    found = list(store.materials(scope=Scope(lab_id="north")))
    assert len(found) == job.result["n_stored"] > 0
    assert all(m.material_id.startswith("north:mp:") for m in found)
    told = " ".join(event.message for event in store.jobs.events(job.job_id, scope=EVERYTHING))
    assert "39 materials announced" in told
    assert KEY not in told + job.model_dump_json()


def test_structures_sent_along_are_stored_and_bad_ones_named(do, store):
    structures = [{"format": "poscar", "text": RUTILE}, {"format": "cif", "text": "no structure"}]
    job = do("fetch", source="structures", structures=structures)
    assert job.state is JobState.DONE, job.error
    assert (job.result["n_stored"], job.result["n_rejected"]) == (1, 1)
    (material,) = store.materials(scope=PUBLIC_SCOPE)
    assert material.composition == "H2Mg"
    told = " ".join(event.message for event in store.jobs.events(job.job_id, scope=EVERYTHING))
    assert "rejected" in told


def test_a_table_is_scored(do, settings, model, monkeypatch):
    monkeypatch.setattr(
        "hstore_workflows.evaluate.table.ensure", lambda name, *_, **__: model(name), raising=False
    )
    rows = [{"formula": f, "known": v} for f, v in [("LaNi5", 1.4), ("TiFe", 1.8), ("Mg2Ni", 3.6), ("ZrV2", 2.6)]]
    job = do("evaluate", property="h2_capacity_wt_pct", rows=rows, target="known")
    assert job.state is JobState.DONE, job.error
    assert job.result["mae"] < 1
    files = settings.jobs_dir / job.job_id / "files"
    assert json.loads((files / "report.json").read_text())["mae"] == job.result["mae"]
    answers = pd.read_csv(files / "answers.csv")
    assert answers["material"].tolist() == [row["formula"] for row in rows]
    assert answers["known"].tolist() == [row["known"] for row in rows]
    assert answers["error"].mean() == pytest.approx(job.result["mae"])


@pytest.mark.parametrize(
    ("kind", "parameters", "error", "said"),
    [
        ("screen", {"formulas": ["LaNi5"], "rows": [{"formula": "LaNi5"}]}, InputError, "not both"),
        ("screen", {"rows": [{"formula": "LaNi5", "note": "@SUM(A1)"}]}, InputError, "spreadsheets"),
        ("train", {"model": "../secrets.toml"}, UnknownNameError, "unknown"),
        ("train", {"model": "conductivity", "own_measurements": True}, InputError, "a key of a lab"),
        ("train", {"model": "conductivity", "promote": True}, InputError, "own_measurements"),
        ("evaluate", {"property": "h2_capacity_wt_pct"}, InputError, "rows with target"),
        ("fetch", {"source": "mp", "elements": ["H"]}, Exception, "Materials Project key"),
        ("fetch", {"source": "optimade", "providers": ["http://169.254.169.254"]}, UnknownNameError, "provider"),
        ("fetch", {"source": "prototypes", "types": ["no-such-type"]}, UnknownNameError, "no-such-type"),
    ],
)
def test_what_could_only_fail_is_not_queued(store, settings, kind, parameters, error, said, monkeypatch):
    monkeypatch.delenv("MP_API_KEY", raising=False)
    with pytest.raises(error, match=said):
        start_job(store, settings, SHIPPED, kind, parameters, access=Access())
    assert store.jobs.list(scope=EVERYTHING) == []


def test_rows_are_written_with_all_their_columns(tmp_path):
    write_rows([{"formula": "LaNi5"}, {"formula": "TiFe", "note": "b", "x": 1.5}], tmp_path / "rows.csv")
    assert (tmp_path / "rows.csv").read_text() == "formula,note,x\nLaNi5,,\nTiFe,b,1.5\n"
