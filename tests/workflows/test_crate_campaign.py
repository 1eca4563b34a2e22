"""Campaigns as crates: exported, the home deleted, imported: the same state, and the same next proposals."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest
from click.testing import CliRunner

from hstore.errors import InputError, StoreError
from hstore.licences import NOT_STATED
from hstore.settings import Settings
from hstore_workflows.campaign import story
from hstore_workflows.campaign.access import visible_names
from hstore_workflows.campaign.labs import Lab
from hstore_workflows.campaign.places import campaign_folder, open_pool
from hstore_workflows.campaign.proposing import propose
from hstore_workflows.campaign.records import history_record, status_record
from hstore_workflows.campaign.storage import open_storage
from hstore_workflows.campaign.story import status
from hstore_workflows.cli import main
from hstore_workflows.crate import study
from hstore_workflows.crate.campaign import campaign_content
from hstore_workflows.crate.importing import import_crate
from hstore_workflows.crate.study import read_study
from hstore_workflows.crate.writing import write_crate
from tests.workflows.campaign_bench import CAPACITY, COMMON, ENTHALPY, first_schema_home
from tests.workflows.crate_files import entities_of, members_of, pack, resealed, tree


def run(home, *arguments):
    environment = {"HSTORE_HOME": str(home)}
    return CliRunner().invoke(main, ["crate", *map(str, arguments)], env=environment)


@pytest.fixture
def lived(campaign):
    """A campaign with proposals, results, a failure, a correction, a held row, a rejected row and a lab."""
    story.describe_lab(campaign, "alloys", Lab("north", without=("Cd",), per_week=20))
    made = propose(campaign, "alloys", n=3, lab="north")
    ids = [proposal.material_id for proposal in made]
    rows = [
        {"material_id": ids[0], CAPACITY: 1.2, ENTHALPY: 30.0, "note": "ΔH „gemessen“"},
        {"material_id": ids[1], "value": "failed"},
        {"material_id": "a007", "value": 1.1},
        {"material_id": "a008", "value": 12.0},
        {"material_id": "nobody", "value": 1.0},
    ]
    story.observe(campaign, "alloys", rows, lab="north")
    number = next(
        e.entry.number for e in status(campaign, "alloys").standing.experiments if e.entry.material_id == ids[0]
    )
    story.correct(campaign, "alloys", number, {CAPACITY: 1.25}, why="typed wrongly")
    return campaign


@pytest.fixture
def elsewhere(tmp_path):
    return Settings(home=tmp_path / "elsewhere", data_mirror=None, database_url=None)


@pytest.fixture
def crate(lived, tmp_path):
    done = run(lived.home, "campaign", "alloys", "--out", tmp_path / "c.zip", "--author", "A. N. Other")
    assert done.exit_code == 0, done.output
    return tmp_path / "c.zip"


def studies(settings, name="alloys"):
    with open_storage(settings) as storage:
        return read_study(storage, name)


def said(proposals):
    """Proposals without the moment at which their lease ends."""
    return [{k: v for k, v in p.as_json().items() if k != "lease_until"} for p in proposals]


def test_a_campaign_comes_back_as_it_was_and_goes_on_alike(lived, elsewhere, crate, tmp_path):
    before, ledger = status_record(status(lived, "alloys")), studies(lived)
    pool = open_pool(lived, "alloys", status(lived, "alloys").config).frame
    shutil.copytree(lived.home, tmp_path / "kept")
    shutil.rmtree(lived.home)
    done = run(elsewhere.home, "import", crate)
    assert done.exit_code == 0, done.output
    found = status(elsewhere, "alloys")
    assert status_record(found) == before
    assert studies(elsewhere) == ledger
    pd.testing.assert_frame_equal(open_pool(elsewhere, "alloys", found.config).frame, pool)
    kept = lived.model_copy(update={"home": tmp_path / "kept"})
    for material in status(kept, "alloys").standing.materials:
        assert history_record(found, material) == history_record(status(kept, "alloys"), material)
    for n, lab in ((3, "north"), (4, "south"), (2, None)):
        assert said(propose(elsewhere, "alloys", n=n, lab=lab)) == said(propose(kept, "alloys", n=n, lab=lab))


def test_it_goes_on_with_results_after_the_import(elsewhere, crate):
    import_crate(crate, elsewhere)
    open_before = status(elsewhere, "alloys").counts["pending"]
    (entry,) = [e.entry for e in status(elsewhere, "alloys").standing.experiments if e.entry.in_flight][:1]
    story.observe(elsewhere, "alloys", [{"material_id": entry.material_id, "value": 1.3}], lab="north")
    assert status(elsewhere, "alloys").counts["pending"] == open_before - 1
    held = next(iter(status(elsewhere, "alloys").held_rows))
    assert story.confirm(elsewhere, "alloys", held).verdict == "taken"
    assert held not in status(elsewhere, "alloys").held_rows


def test_importing_twice_says_that_it_is_here(elsewhere, crate):
    assert run(elsewhere.home, "import", crate).exit_code == 0
    before = studies(elsewhere)
    again = run(elsewhere.home, "import", crate)
    assert again.exit_code == 0
    assert "all of it is here already; nothing was changed" in again.stdout
    assert studies(elsewhere) == before


def test_a_campaign_that_went_on_is_not_overwritten(elsewhere, crate):
    import_crate(crate, elsewhere)
    propose(elsewhere, "alloys", n=1)
    before, files = studies(elsewhere), tree(campaign_folder(elsewhere, "alloys"))
    done = run(elsewhere.home, "import", crate)
    assert done.exit_code == 2
    assert f"is here already, with {len(before['trials'])} entries, and the crate's has" in done.stderr
    assert studies(elsewhere) == before
    assert {k: v for k, v in tree(campaign_folder(elsewhere, "alloys")).items() if "lock" not in k} == {
        k: v for k, v in files.items() if "lock" not in k
    }


def test_what_is_in_the_crate_can_be_read_without_hstore(lived, crate):
    members = members_of(crate)
    table = pd.read_csv(pd.io.common.BytesIO(members["campaign/experiments.csv"]))
    record = status_record(status(lived, "alloys"))
    assert list(table["material_id"]) == [e["material_id"] for e in record["experiments"]]
    assert set(table["licence"]) == {NOT_STATED}
    assert json.loads(table["values"].iloc[0])[CAPACITY] == 1.25
    assert json.loads(members["campaign/status.json"]) == json.loads(json.dumps(record))
    root = entities_of(crate)["./"]
    assert "40 candidates" in root["description"]
    assert "not stated" in root["description"]


def test_licences_of_candidates_and_results_are_counted(settings, tmp_path):
    table = tmp_path / "pool.csv"
    table.write_text(
        "formula,h2_capacity_wt_pct_mean,h2_capacity_wt_pct_std,licence\n"
        "TiFe,1.5,0.1,CC-BY-SA-4.0\nLaNi5,1.4,0.1,CC-BY-SA-4.0\nMg2Ni,3.4,0.2,\n"
    )
    story.begin(settings, "c", table, COMMON)
    story.observe(settings, "c", [{"formula": "TiFe", "value": 1.6}], lab="north")
    content = campaign_content("c", settings)
    assert content.rows.rows == {"CC-BY-SA-4.0": 2, NOT_STATED: 2}
    assert "CC-BY-SA-4.0 (2 of 4 rows)" in content.rows.words()
    assert "passed on under the same licence" in content.rows.words()
    with pytest.raises(
        InputError, match=r"CC-BY-SA-4.0 \(.*\) asks that what is made of it keeps the same licence"
    ):
        write_crate(content, tmp_path / "c.zip", licence="CC-BY-4.0")
    assert "element_supply" in content.datasets, "the effort of candidates comes from its prices"
    assert open_pool(settings, "c", status(settings, "c").config).frame["licence"].tolist() == [
        "CC-BY-SA-4.0", "CC-BY-SA-4.0", NOT_STATED,
    ]  # fmt: skip


def test_a_campaign_without_results_has_the_licences_of_its_candidates(settings, elsewhere, tmp_path):
    table = tmp_path / "pool.csv"
    table.write_text("formula,h2_capacity_wt_pct_mean,h2_capacity_wt_pct_std,licence\nTiFe,1.5,0.1,CC0-1.0\n")
    story.begin(settings, "c", table, COMMON)
    content = campaign_content("c", settings)
    assert (content.rows.rows, content.rows.is_mixed) == ({"CC0-1.0": 1}, False)
    write_crate(content, tmp_path / "c.zip")
    assert all(
        entity["license"] for entity in entities_of(tmp_path / "c.zip").values() if entity["@type"] == "File"
    )
    assert import_crate(tmp_path / "c.zip", elsewhere).new
    assert studies(elsewhere, "c") == studies(settings, "c")


def test_a_pool_of_an_earlier_version_states_no_licence(tmp_path):
    settings = Settings(home=first_schema_home(tmp_path / "old"), data_mirror=None, database_url=None)
    content = campaign_content("old", settings)
    assert set(content.rows.rows) == {NOT_STATED}


def test_a_campaign_of_the_first_schema_comes_back(tmp_path, elsewhere):
    settings = Settings(home=first_schema_home(tmp_path / "old"), data_mirror=None, database_url=None)
    write_crate(campaign_content("old", settings), tmp_path / "c.zip")
    import_crate(tmp_path / "c.zip", elsewhere)
    assert studies(elsewhere, "old") == studies(settings, "old")
    assert status_record(status(elsewhere, "old")) == status_record(status(settings, "old"))


def test_a_lab_s_campaign_goes_out_only_when_that_is_asked_for_and_stays_the_lab_s(
    settings, screen, elsewhere, build, tmp_path
):
    from hstore.records import Scope

    story.begin(settings, "own", screen, COMMON, access=build.of("north"), members=("south",))
    refused = run(settings.home, "campaign", "north:own", "--out", tmp_path / "c.zip")
    assert refused.exit_code == 2
    assert "belongs to lab north; --private exports it all the same" in refused.stderr
    done = run(settings.home, "campaign", "north:own", "--out", tmp_path / "c.zip", "--private")
    assert done.exit_code == 0, done.output
    assert "private    to lab north; the crate says so" in done.stdout
    assert "It is private to lab north." in entities_of(tmp_path / "c.zip")["./"]["description"]
    import_crate(tmp_path / "c.zip", elsewhere)
    for lab, names in (("north", ["north:own"]), ("south", ["north:own"]), ("east", []), (None, [])):
        assert visible_names(elsewhere, Scope(lab_id=lab)) == names


def test_an_import_that_is_killed_leaves_no_campaign_and_can_be_done_again(elsewhere, crate, monkeypatch):
    import optuna

    real, calls = optuna.storages.RDBStorage.create_new_trial, []

    def dying(self, *arguments, **keywords):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(self, *arguments, **keywords)

    monkeypatch.setattr(optuna.storages.RDBStorage, "create_new_trial", dying)
    with pytest.raises(KeyboardInterrupt):
        import_crate(crate, elsewhere)
    monkeypatch.setattr(optuna.storages.RDBStorage, "create_new_trial", real)
    with open_storage(elsewhere) as storage:
        assert storage.get_all_studies() == []
    # a process killed outright leaves half a study, which is no campaign and is written anew
    monkeypatch.setattr(optuna.storages.RDBStorage, "delete_study", lambda *_: None)
    monkeypatch.setattr(optuna.storages.RDBStorage, "create_new_trial", dying)
    calls.clear()
    with pytest.raises(KeyboardInterrupt):
        import_crate(crate, elsewhere)
    monkeypatch.undo()
    monkeypatch.setenv("HSTORE_HOME", str(elsewhere.home))
    with open_storage(elsewhere) as storage:
        assert len(storage.get_all_studies()) == 1
    from hstore_workflows.campaign.ledger import campaign_names

    assert campaign_names(elsewhere) == []
    assert import_crate(crate, elsewhere).new
    assert campaign_names(elsewhere) == ["alloys"]
    assert len(studies(elsewhere)["trials"]) == len(
        json.loads(members_of(crate)["campaign/ledger.json"])["trials"]
    )


def changed_ledger(crate, path, change):
    members = members_of(crate)
    held = json.loads(members["campaign/ledger.json"])
    change(held)
    return pack(path, resealed(members, **{"campaign/ledger.json": json.dumps(held).encode()}))


@pytest.mark.parametrize(
    ("change", "match", "error"),
    [
        (
            lambda h: h.update(name="other"),
            "names the campaign 'alloys', its ledger is that of 'other'",
            InputError,
        ),
        (lambda h: h["attributes"].clear(), "the ledger in .* cannot be read", InputError),
        (
            lambda h: h["attributes"]["hstore_campaign"].update(schema=99),
            "was written by a newer hstore",
            StoreError,
        ),
        (
            lambda h: h["attributes"]["hstore_campaign"].update(pool_sha256="0" * 64),
            "does not hold the candidates its campaign began with",
            InputError,
        ),
        (
            lambda h: h["attributes"]["hstore_campaign"]["access"].update(lab_id="x", visibility="lab"),
            "says otherwise than its ledger who may see the campaign",
            InputError,
        ),
        (lambda h: h["trials"][0].update(state="ODD"), "the ledger cannot be read", InputError),
        (lambda h: h["trials"][0].pop("attributes"), "the ledger cannot be read", InputError),
    ],
)
def test_a_ledger_that_does_not_fit_is_refused(elsewhere, crate, tmp_path, change, match, error):
    path = changed_ledger(crate, tmp_path / "x.zip", change)
    with pytest.raises(error, match=match):
        import_crate(path, elsewhere)
    with open_storage(elsewhere) as storage:
        assert storage.get_all_studies() == []


@pytest.mark.parametrize("name", ["../out", "a/b", "", "a\0b", "x" * 150])
def test_a_campaign_of_a_strange_name_is_refused(elsewhere, crate, tmp_path, name):
    members = members_of(crate)
    about = json.loads(members["hstore-crate.json"]) | {"name": name}
    path = pack(tmp_path / "x.zip", resealed(members, **{"hstore-crate.json": json.dumps(about).encode()}))
    with pytest.raises(InputError, match=r"strange name|cannot be read"):
        import_crate(path, elsewhere)
    assert not elsewhere.home.exists()


def test_a_campaign_with_a_changed_pool_is_not_exported(lived, tmp_path):
    pool = campaign_folder(lived, "alloys") / "pool.parquet"
    pool.write_bytes(pool.read_bytes() + b" ")
    done = run(lived.home, "campaign", "alloys", "--out", tmp_path / "c.zip")
    assert done.exit_code == 1
    assert "was changed since the start" in done.stderr
    assert not (tmp_path / "c.zip").exists()


def test_numbers_without_end_come_back(settings, elsewhere):
    import optuna
    from optuna.trial import TrialState, create_trial

    with open_storage(settings) as storage:
        made = optuna.create_study(storage=storage, study_name="c", directions=["maximize", "minimize"])
        made.set_user_attr(study.CONFIG, {"schema": 1})
        made.add_trial(create_trial(state=TrialState.COMPLETE, values=[1 / 3, float("-inf")]))
        made.add_trial(create_trial(state=TrialState.RUNNING, user_attrs={"a": "å"}, constraints={"w": 0.1}))
        made.add_trial(create_trial(state=TrialState.FAIL))
        held = json.loads(json.dumps(read_study(storage, "c"), allow_nan=False))
        before = storage.get_all_trials(storage.get_study_id_from_name("c"))
    with open_storage(elsewhere) as storage:
        study.write_study(storage, held)
        after = storage.get_all_trials(storage.get_study_id_from_name("c"))
    for old, new in zip(before, after, strict=True):
        for name in (
            "number",
            "state",
            "values",
            "datetime_start",
            "datetime_complete",
            "user_attrs",
            "constraints",
        ):
            assert getattr(old, name) == getattr(new, name), name


def test_a_campaign_moves_between_databases(crate, tmp_path, database_url):
    there = Settings(home=tmp_path / "there", data_mirror=None, database_url=database_url)
    assert import_crate(crate, there).new
    assert not import_crate(crate, there).new
    held = json.loads(members_of(crate)["campaign/ledger.json"])
    assert json.loads(json.dumps(studies(there))) == held
    assert propose(there, "alloys", n=1)
