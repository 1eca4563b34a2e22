"""Screens as crates: exported, the home deleted, imported: the same bytes, identifiers and numbers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from hstore.errors import InputError
from hstore.licences import NOT_STATED
from hstore.records import Scope
from hstore.settings import Settings
from hstore.store import open_store
from hstore_models.prediction import Query
from hstore_models.registry import Registry
from hstore_workflows.cli import main
from hstore_workflows.crate.importing import import_crate
from hstore_workflows.crate.reading import open_crate
from hstore_workflows.crate.screen import screen_content
from hstore_workflows.crate.showing import crate_record, crate_words
from hstore_workflows.crate.writing import write_crate
from hstore_workflows.pool import shipped_pool, table_pool
from hstore_workflows.publish import publish_screen
from hstore_workflows.screen import OUTPUT_FILES, run_screen, write_screen
from hstore_workflows.target import load_target
from tests.workflows.crate_files import entities_of, members_of, tree

TABLE = """name,gsa_m2_g,density_g_cm3,void_fraction,pore_volume_cm3_g,vsa_m2_cm3,lcd_A,pld_A,licence
one,3700,0.59,0.8,1.36,2200,15,8,CC0-1.0
two,3000,0.69,0.7,1.1,2000,12,7,CC-BY-NC-4.0
three,2000,0.9,0.6,0.8,1800,10,6,
"""


def run(home, *arguments):
    environment = {"HSTORE_HOME": str(home)}
    return CliRunner().invoke(main, ["crate", *map(str, arguments)], env=environment)


@pytest.fixture(scope="module")
def origin(tmp_path_factory, loaded, trained):
    """Settings of a home with one model, and in the folder beside it a finished screen that is published."""
    folder = tmp_path_factory.mktemp("origin")
    settings = Settings(home=folder / "home", data_mirror=None, database_url=None, seed=0)
    card = loaded("sorbent_uptake").card
    source = Registry(trained.models_dir)
    made = Registry(settings.models_dir)
    model = source.load(card.model, card.model_id)
    made.save(model.model, card.model_copy(update={"created": card.created}), model.held_out)
    target = load_target("cryo-sorbent")
    result = run_screen(
        target, shipped_pool(target, seed=0), settings, command="hstore screen cryo-sorbent --out run"
    )
    write_screen(result, folder / "run")
    (folder / "id").write_text(publish_screen(result, settings))
    return settings, folder


@pytest.fixture(scope="module")
def crate(origin):
    """A crate of that screen with its model, written by the command."""
    settings, folder = origin
    written = run(
        settings.home, "screen", folder / "run", "--out", folder / "s.zip", "--with-models",
        "--author", "Josiah Carberry <0000-0002-1825-0097>", "--author", "A. N. Other",
    )  # fmt: skip
    assert written.exit_code == 0, written.output
    assert "CC-BY-4.0 (" in written.stdout
    return folder / "s.zip"


@pytest.fixture
def elsewhere(tmp_path):
    """Settings of an empty home on another machine."""
    return Settings(home=tmp_path / "elsewhere", data_mirror=None, database_url=None, seed=0)


def test_a_screen_comes_back_byte_for_byte_with_its_identifier_and_numbers(origin, crate, elsewhere, tmp_path):
    settings, folder = origin
    shutil.copytree(settings.home, tmp_path / "kept")
    kept = Settings(home=tmp_path / "kept", data_mirror=None, database_url=None, seed=0)
    out = tmp_path / "again"
    done = run(elsewhere.home, "import", crate, "--out", out, "--publish")
    assert done.exit_code == 0, done.output
    assert "answers are what they were" in done.stdout
    assert tree(out) == tree(folder / "run")
    screen_id = (folder / "id").read_text()
    everything = Scope(everything=True)
    with open_store(kept.store_url) as before, open_store(elsewhere.store_url) as after:
        assert after.screen(screen_id, scope=everything) == before.screen(screen_id, scope=everything)
        assert after.screen(screen_id, scope=Scope()) is not None


def test_the_imported_model_runs_the_same_screen_to_the_same_bytes(origin, crate, elsewhere, tmp_path):
    _, folder = origin
    import_crate(crate, elsewhere, out=tmp_path / "again")
    before = Registry(elsewhere.models_dir).pointers("sorbent_uptake")
    (tmp_path / "target.toml").write_bytes(members_of(crate)["input/target.toml"])
    target = load_target(str(tmp_path / "target.toml"))
    result = run_screen(target, shipped_pool(target, seed=0), elsewhere)
    write_screen(result, tmp_path / "third")
    for name in ("candidates.csv", "candidates.parquet", "rejected.csv"):
        assert (tmp_path / "third" / name).read_bytes() == (folder / "run" / name).read_bytes()
    assert Registry(elsewhere.models_dir).pointers("sorbent_uptake") == before, "nothing was trained anew"


def test_importing_twice_changes_nothing_and_says_so(crate, elsewhere, tmp_path):
    arguments = (elsewhere.home, "import", crate, "--out", tmp_path / "again", "--publish")
    assert run(*arguments).exit_code == 0
    before = tree(elsewhere.models_dir)
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    assert "all of it is here already; nothing was changed" in done.stdout
    assert tree(elsewhere.models_dir) == before
    again = json.loads(run(*arguments, "--json").stdout)
    assert again["new"] is False
    assert set(again["models"].values()) == {False}
    assert again["golden_predictions"][next(iter(again["models"]))]["moved"] == []


def test_a_place_that_holds_something_else_is_left_alone(crate, elsewhere, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    done = run(elsewhere.home, "import", crate, "--out", out)
    assert done.exit_code == 2
    assert "holds something else than this screen" in done.stderr
    assert tree(out).keys() == {"notes.txt"}
    assert not elsewhere.models_dir.exists()


def test_a_screen_asks_where_it_goes(crate, elsewhere):
    done = run(elsewhere.home, "import", crate)
    assert done.exit_code == 2
    assert "--out" in done.stderr
    assert not elsewhere.home.exists()


def test_the_metadata_say_what_ro_crate_asks_for(origin, crate):
    _, folder = origin
    entities, members = entities_of(crate), members_of(crate)
    descriptor, root = entities["ro-crate-metadata.json"], entities["./"]
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert descriptor["about"] == {"@id": "./"}
    assert root["@type"] == "Dataset"
    for name in ("name", "description", "datePublished", "license", "citation", "identifier"):
        assert root[name], name
    parts = {part["@id"] for part in root["hasPart"]}
    assert parts == members.keys() - {"ro-crate-metadata.json", "ro-crate-preview.html", "checksums.sha256"}
    for name in parts:
        entity = entities[name]
        assert entity["contentSize"] == str(len(members[name]))
        for key in ("name", "description", "encodingFormat", "sha256", "license"):
            assert entity[key], (name, key)
    assert {f"run/{name}" for name in OUTPUT_FILES} <= parts
    authors = [entities[one["@id"]] for one in root["author"]]
    assert [one["name"] for one in authors] == ["Josiah Carberry", "A. N. Other"]
    assert authors[0]["@id"] == "https://orcid.org/0000-0002-1825-0097"
    references = [
        value["@id"] for entity in entities.values() for value in flat(entity) if value.keys() == {"@id"}
    ]
    known = entities.keys() | {"https://w3id.org/ro/crate/1.1"}
    assert set(references) <= known, "every reference leads to an entity of the crate"
    licence = entities[root["license"]["@id"]]
    assert (licence["@type"], licence["name"]) == ("CreativeWork", "CC-BY-4.0")
    assert str(folder) not in json.dumps(entities), "no path of this machine goes out"


def flat(entity):
    for value in entity.values():
        yield from (v for v in (value if isinstance(value, list) else [value]) if isinstance(v, dict))


def test_the_metadata_tell_how_the_screen_was_made(crate):
    entities = entities_of(crate)
    assert entities["./"]["conformsTo"] == {"@id": "https://w3id.org/ro/wfrun/process/0.5"}
    action = entities[entities["./"]["mentions"]["@id"]]
    assert action["@type"] == "CreateAction"
    assert action["description"] == "hstore screen cryo-sorbent --out run"
    assert action["endTime"].startswith("20")
    software = entities[action["instrument"]["@id"]]
    assert (software["name"], software["softwareVersion"]) == ("hstore", "0.1.0")
    libraries = {entities[one["@id"]]["name"] for one in software["softwareRequirements"]}
    assert {"numpy", "scikit-learn", "python"} <= libraries
    assert {one["@id"] for one in action["result"]} == {f"run/{name}" for name in OUTPUT_FILES}
    used = {one["@id"] for one in action["object"]}
    assert {"input/target.toml", "#data-sorbents"} <= used
    assert any(name.startswith("models/sorbent_uptake/") for name in used)


def test_the_data_sets_bring_their_citations(crate):
    entities = entities_of(crate)
    data = entities["#data-sorbents"]
    cited = [entities[one["@id"]] for one in data["citation"]]
    assert len(cited) > 100
    assert all(one["@id"].startswith("https://doi.org/10.") for one in cited)
    assert {one["@id"] for one in data["citation"]} <= {one["@id"] for one in entities["./"]["citation"]}
    assert json.loads(members_of(crate)["data/sorbents.json"])["licence"] == "CC-BY-4.0"


def test_the_validator_of_ro_crate_finds_nothing_that_is_required_missing(crate, tmp_path):
    """Its package wants another rich than ours, so it lives in an environment of its own."""
    python = os.environ.get("HSTORE_TEST_ROC_VALIDATOR")
    if not python:
        pytest.skip("HSTORE_TEST_ROC_VALIDATOR is unset; point it at a Python that has roc-validator and rocrate")
    script = str(Path(__file__).with_name("validate_crate.py"))
    for profile in ("ro-crate-1.1", "process-run-crate-0.5"):
        done = subprocess.run([python, script, str(crate), profile], capture_output=True, text=True, check=False)
        assert done.stdout.strip() == "passed", done.stdout + done.stderr


def test_show_says_what_is_inside_after_comparing_all_checksums(crate, elsewhere):
    done = run(elsewhere.home, "show", crate)
    assert done.exit_code == 0, done.output
    for words in (
        "files, every one as its SHA-256 says", "authors    Josiah Carberry (https://orcid.org/0000-0002-1825-0097)",
        "run/candidates.parquet", "Curated porous sorbents", "cites      hstore", "CC-BY-4.0",
    ):  # fmt: skip
        assert words in done.stdout, words
    record = json.loads(run(elsewhere.home, "show", crate, "--json").stdout)
    assert record["checksums"] == {"algorithm": "SHA-256", "files": len(record["files"]), "as_stated": True}
    assert record["software"]["hstore"] == "0.1.0"
    assert {file["name"] for file in record["files"]} == members_of(crate).keys() - {"checksums.sha256"}
    assert record["licence"] == ["CC-BY-4.0"]
    assert not elsewhere.home.exists(), "looking changes nothing"


def test_the_list_of_checksums_is_one_that_other_tools_read(crate, tmp_path):
    shutil.unpack_archive(crate, tmp_path / "x")
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "checksums.sha256"],
        cwd=tmp_path / "x", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(": OK") == len(members_of(crate)) - 1


def test_a_folder_is_a_crate_as_well(origin, elsewhere, tmp_path):
    settings, folder = origin
    written = run(settings.home, "screen", folder / "run", "--out", tmp_path / "crate", "--json")
    assert written.exit_code == 0, written.output
    record = json.loads(written.stdout)
    assert record["bytes"] == sum(
        path.stat().st_size for path in (tmp_path / "crate").rglob("*") if path.is_file()
    )
    assert record["models"] == []
    assert "The files of the models are not in it, their cards are." in record["notes"]
    assert import_crate(tmp_path / "crate", elsewhere, out=tmp_path / "again").new
    assert tree(tmp_path / "again") == tree(folder / "run")
    assert not elsewhere.models_dir.exists()
    again = run(settings.home, "screen", folder / "run", "--out", tmp_path / "crate")
    assert again.exit_code == 2
    assert "is there already" in again.stderr


@pytest.fixture
def mixed(origin, tmp_path):
    """A screen of a user's table whose rows have several licences, and its crate."""
    settings, _ = origin
    table = tmp_path / "mine.csv"
    table.write_text(TABLE, encoding="utf-8")
    target = load_target("cryo-sorbent")
    write_screen(run_screen(target, table_pool(table, target), settings), tmp_path / "mixed")
    return settings, table, tmp_path / "mixed"


def test_mixed_licences_are_named_with_their_rows(mixed, tmp_path):
    settings, table, folder = mixed
    done = run(settings.home, "screen", folder, "--out", tmp_path / "m.zip", "--table", table)
    assert done.exit_code == 0, done.output
    words = (
        "Licences are mixed: CC-BY-4.0 (3 of 3 rows), CC-BY-NC-4.0 (1 of 3 rows), CC0-1.0 (1 of 3 rows), "
        "not stated (1 of 3 rows)."
    )
    assert words in done.stdout
    assert "The rows under CC-BY-NC-4.0 are not for commercial use." in done.stdout
    with open_crate(tmp_path / "m.zip") as crate:
        record = crate_record(crate)
    assert record["mixed"] is True
    assert record["row_licences"] == {"CC-BY-4.0": 3, "CC-BY-NC-4.0": 1, "CC0-1.0": 1, NOT_STATED: 1}
    assert words in record["description"]
    assert sorted(record["licence"]) == ["CC-BY-4.0", "CC-BY-NC-4.0", "CC0-1.0", NOT_STATED]
    by_file = {file["name"]: sorted(file["licences"]) for file in record["files"]}
    assert by_file["run/candidates.csv"] == ["CC-BY-4.0", "CC-BY-NC-4.0", "CC0-1.0", NOT_STATED]
    assert by_file["input/table.csv"] == ["CC-BY-NC-4.0", "CC0-1.0", NOT_STATED]
    assert by_file["data/sorbents.json"] == ["CC-BY-4.0"]
    header = members_of(tmp_path / "m.zip")["run/candidates.csv"].decode().splitlines()[0]
    assert "licence" in header.split(","), "the licence of each row stays with it"
    assert members_of(tmp_path / "m.zip")["input/table.csv"] == table.read_bytes()
    assert words in members_of(tmp_path / "m.zip")["ro-crate-preview.html"].decode()
    assert "not stated" in crate_words(record)


def test_a_licence_of_the_whole_may_not_let_go_what_a_part_asks_for(mixed, origin, tmp_path):
    settings, _, folder = mixed
    done = run(settings.home, "screen", folder, "--out", tmp_path / "m.zip", "--licence", "CC-BY-4.0")
    assert done.exit_code == 2
    assert "CC-BY-NC-4.0" in done.stderr
    assert "excludes commercial use" in done.stderr
    assert not (tmp_path / "m.zip").exists()
    done = run(settings.home, "screen", origin[1] / "run", "--out", tmp_path / "n.zip", "--licence", "CC0-1.0")
    assert done.exit_code == 2
    assert "asks for attribution" in done.stderr
    kept = run(settings.home, "screen", folder, "--out", tmp_path / "m.zip", "--licence", "cc-by-nc-4.0")
    assert kept.exit_code == 0, kept.output
    assert entities_of(tmp_path / "m.zip")["./"]["license"]["@id"].endswith("/by-nc/4.0/")
    assert "The collection as such is under CC-BY-NC-4.0" in entities_of(tmp_path / "m.zip")["./"]["description"]


def test_another_table_than_the_one_screened_is_refused(mixed, origin, tmp_path):
    settings, table, folder = mixed
    other = tmp_path / "other.csv"
    other.write_text(TABLE + "four,1,1,0.5,1,1,1,1,\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"other.csv is not the table of this screen \(mine.csv\)"):
        screen_content(folder, settings, table=other)
    with pytest.raises(InputError, match="the shipped pool, which is no file"):
        screen_content(origin[1] / "run", settings, table=table)
    content = screen_content(folder, settings)
    assert any("The table that was screened is not in it: mine.csv (SHA-256 " in note for note in content.notes)


@pytest.mark.parametrize("lost", sorted(OUTPUT_FILES))
def test_what_is_no_whole_screen_is_no_crate(origin, tmp_path, lost):
    settings, folder = origin
    shutil.copytree(folder / "run", tmp_path / "part")
    (tmp_path / "part" / lost).unlink()
    with pytest.raises(InputError, match=f"no finished screen: {lost} is missing"):
        screen_content(tmp_path / "part", settings)


def test_a_manifest_that_cannot_be_read_is_named(origin, tmp_path):
    settings, folder = origin
    shutil.copytree(folder / "run", tmp_path / "part")
    (tmp_path / "part/manifest.json").write_text('{"target": {}}')
    with pytest.raises(InputError, match=r"part cannot be read as a screen \(KeyError"):
        screen_content(tmp_path / "part", settings)


def test_models_that_are_gone_are_named(origin, elsewhere, tmp_path):
    _, folder = origin
    with pytest.raises(InputError, match=r"sorbent_uptake-.* are not here any more; export without --with-models"):
        screen_content(folder / "run", elsewhere, with_models=True)
    content = screen_content(folder / "run", elsewhere)
    assert any("these models were gone when it was written" in note for note in content.notes)
    about = write_crate(content, tmp_path / "s.zip")
    assert about.licences == {"CC-BY-4.0": sum(about.licences.values())}


def test_without_the_extra_the_command_says_what_to_install(origin, crate, elsewhere, monkeypatch, tmp_path):
    settings, folder = origin
    for name in ("rocrate", "rocrate.metadata", "rocrate.rocrate"):
        monkeypatch.setitem(sys.modules, name, None)
    for arguments in (
        ("screen", folder / "run", "--out", tmp_path / "s.zip"),
        ("model", "sorbent_uptake", "--out", tmp_path / "m.zip"),
        ("show", crate),
        ("import", crate, "--out", tmp_path / "again"),
    ):
        done = run(settings.home, *arguments)
        assert done.exit_code == 1, arguments
        assert "pip install 'hstore[crate]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_answers_are_those_of_the_origin(origin, crate, elsewhere, tmp_path):
    settings, _ = origin
    import_crate(crate, elsewhere, out=tmp_path / "again")
    import pandas as pd

    frame = pd.DataFrame(
        {"gsa_m2_g": [3000.0], "pore_volume_cm3_g": [1.1], "temperature_k": 77.0, "pressure_bar": 50.0}
    )
    answers = [
        Registry(where.models_dir)
        .serving("sorbent_uptake")
        .model.predict("h2_uptake_wt_pct", Query.of([{}], frame))
        for where in (settings, elsewhere)
    ]
    assert answers[0].mean.tobytes() == answers[1].mean.tobytes()
    assert answers[0].std.tobytes() == answers[1].std.tobytes()
