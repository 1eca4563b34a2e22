"""Models as crates: the same version with the same bytes and answers elsewhere; a lab's stays the lab's."""

from __future__ import annotations

import functools
import hashlib
import json
import os

import pytest
import skops.io
from click.testing import CliRunner

from hstore.errors import InputError, ModelError
from hstore.records import PUBLIC_SCOPE, Scope
from hstore.settings import Settings
from hstore_models.golden import check_golden
from hstore_models.registry import Registry
from hstore_workflows.cli import main
from hstore_workflows.crate.importing import import_crate
from tests.workflows.crate_files import entities_of, members_of, pack, resealed, tree

NAME = "sorbent_uptake"
NORTH, SOUTH, OPERATOR = Scope(lab_id="north"), Scope(lab_id="south"), Scope(everything=True)


def run(home, *arguments):
    return CliRunner().invoke(main, ["crate", *map(str, arguments)], env={"HSTORE_HOME": str(home)})


@pytest.fixture
def here(tmp_path):
    return Settings(home=tmp_path / "here", data_mirror=None, database_url=None, seed=0)


@pytest.fixture
def elsewhere(tmp_path):
    return Settings(home=tmp_path / "elsewhere", data_mirror=None, database_url=None, seed=0)


@pytest.fixture
def add(here, loaded):
    """Save the sorbent model of the shared home here, as it is or with another card."""
    model = loaded(NAME)

    def save(suffix="one", **fields):
        card = model.card.model_copy(update={"model_id": f"{NAME}-{suffix}", **fields})
        return Registry(here.models_dir).save(model.model, card, model.held_out)

    return save


@pytest.fixture
def crate(here, add, tmp_path):
    """A crate of a version."""
    card = add()
    done = run(here.home, "model", card.model_id, "--out", tmp_path / "m.zip")
    assert done.exit_code == 0, done.output
    return tmp_path / "m.zip"


def version(settings, suffix="one"):
    return settings.models_dir / NAME / f"{NAME}-{suffix}"


def recarded(crate, path, file, content):
    """The crate with another file of the version, and a card and checksums that fit it."""
    members, folder = members_of(crate), f"models/{NAME}/{NAME}-one"
    card = json.loads(members[f"{folder}/card.json"])
    card["files"][file] = {"sha256": hashlib.sha256(content).hexdigest(), "n_bytes": len(content)}
    changed = {f"{folder}/{file}": content, f"{folder}/card.json": json.dumps(card).encode()}
    return pack(path, resealed(members, **changed))


def test_a_version_comes_back_with_its_id_bytes_and_answers(here, elsewhere, crate):
    before = Registry(here.models_dir)
    done = run(elsewhere.home, "import", crate, "--json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert (answer["kind"], answer["name"], answer["new"]) == ("model", f"{NAME}-one", True)
    after = Registry(elsewhere.models_dir)
    for file in ("model.zip", "held_out.parquet", "golden.json"):
        assert (version(elsewhere) / file).read_bytes() == (version(here) / file).read_bytes()
    old, new = before.load(NAME, f"{NAME}-one"), after.load(NAME, f"{NAME}-one")
    assert new.card.model_copy(update={"signature": ""}) == old.card.model_copy(update={"signature": ""})
    assert new.card.signature != old.card.signature, "each registry signs with a key of its own"
    assert new.held_out.equals(old.held_out)
    assert check_golden(new.model, before.golden(NAME, f"{NAME}-one")).moved == ()
    assert after.serving(NAME).card.model_id == f"{NAME}-one", "nothing else is in use there"
    shown = CliRunner().invoke(main, ["models", "check", "--json"], env={"HSTORE_HOME": str(elsewhere.home)})
    assert json.loads(shown.stdout)[f"{NAME}-one"]["moved"] == []


def test_importing_twice_says_that_it_is_here(elsewhere, crate):
    assert import_crate(crate, elsewhere).new
    before = tree(elsewhere.home)
    done = run(elsewhere.home, "import", crate)
    assert done.exit_code == 0
    assert "all of it is here already; nothing was changed" in done.stdout
    assert {k: v for k, v in tree(elsewhere.home).items() if not k.endswith("lock")} == {
        k: v for k, v in before.items() if not k.endswith("lock")
    }


def test_an_imported_version_does_not_replace_the_one_in_use(here, elsewhere, crate, loaded):
    model = loaded(NAME)
    own = Registry(elsewhere.models_dir).save(
        model.model, model.card.model_copy(update={"model_id": f"{NAME}-own"}), model.held_out
    )
    import_crate(crate, elsewhere)
    registry = Registry(elsewhere.models_dir)
    assert registry.current_id(NAME) == own.model_id
    assert {card.model_id for card in registry.cards()} == {own.model_id, f"{NAME}-one"}
    assert registry.promote(NAME, f"{NAME}-one", "ours").model_id == f"{NAME}-one"


def test_the_crate_names_rows_data_sets_and_scores(crate, loaded):
    entities = entities_of(crate)
    root, card = entities["./"], loaded(NAME).card
    for name, count in card.rows_by_source.items():
        assert f"{name} ({count:,})" in root["description"]
    assert "mean absolute error" in root["description"]
    assert entities[root["mentions"]["@id"]]["endTime"].startswith(str(card.created.date()))
    assert "conditionsOfAccess" not in root
    assert {part["@id"] for part in root["hasPart"]} >= {
        f"models/{NAME}/{NAME}-one/{file}"
        for file in ("model.zip", "held_out.parquet", "golden.json", "card.json")
    }


def test_a_lab_s_version_goes_out_only_when_that_is_asked_for_and_stays_the_lab_s(
    here, elsewhere, add, build, tmp_path
):
    add("public")
    card = add("north", access=build.of("north"), labs=("north",), rows_by_source={"hydrides": 3, "lab_rows": 2})
    arguments = (here.home, "model", card.model_id, "--out", tmp_path / "m.zip")
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert "belongs to lab north; --private exports it all the same" in refused.stderr
    assert not (tmp_path / "m.zip").exists()
    written = run(*arguments, "--private")
    assert written.exit_code == 0, written.output
    assert "private    to lab north; the crate says so" in written.stdout
    assert "No licence is stated for 2 rows" in written.stdout, "rows of the lab state none"
    root = entities_of(tmp_path / "m.zip")["./"]
    assert root["conditionsOfAccess"] == "private to lab north"
    assert "private to lab north: trained on unpublished rows of north" in root["description"]
    assert "Private to lab north" in members_of(tmp_path / "m.zip")["ro-crate-preview.html"].decode()
    assert "private    to lab north" in run(elsewhere.home, "show", tmp_path / "m.zip").stdout
    assert "visible to lab north alone" in run(elsewhere.home, "import", tmp_path / "m.zip").stdout
    registry = Registry(elsewhere.models_dir)
    assert [c.model_id for c in registry.cards(NORTH)] == [card.model_id]
    assert registry.serving(NAME, NORTH).card.model_id == card.model_id
    for scope in (PUBLIC_SCOPE, SOUTH):
        assert registry.cards(scope) == []
        with pytest.raises(ModelError, match="no version of sorbent_uptake is in use"):
            registry.serving(NAME, scope)


def test_a_lab_is_meant_by_a_name_only_where_it_is_named(here, add, build, tmp_path):
    add("public")
    own = add("north", access=build.of("north"), labs=("north",))
    Registry(here.models_dir).promote(NAME, own.model_id, "ours", lab_id="north")
    public = run(here.home, "model", NAME, "--out", tmp_path / "p.zip", "--json")
    own = run(here.home, "model", NAME, "--lab", "north", "--private", "--out", tmp_path / "n.zip", "--json")
    assert json.loads(public.stdout)["name"] == f"{NAME}-public"
    assert json.loads(own.stdout)["name"] == f"{NAME}-north"


def test_the_access_that_a_crate_states_beside_the_card_counts_for_nothing(here, elsewhere, add, build, tmp_path):
    """Somebody who makes the crate public cannot make the version public: its own card says whose it is."""
    card = add("north", access=build.of("north"), labs=("north",))
    run(here.home, "model", card.model_id, "--private", "--out", tmp_path / "m.zip")
    members = members_of(tmp_path / "m.zip")
    about = json.loads(members["hstore-crate.json"])
    about["access"] = {"lab_id": None, "visibility": "public", "embargo_until": None}
    changed = pack(tmp_path / "x.zip", resealed(members, **{"hstore-crate.json": json.dumps(about).encode()}))
    import_crate(changed, elsewhere)
    assert Registry(elsewhere.models_dir).cards(PUBLIC_SCOPE) == []


@pytest.mark.parametrize("file", ["model.zip", "held_out.parquet", "golden.json"])
def test_files_that_are_not_those_of_the_card_are_refused_even_under_new_checksums(
    elsewhere, crate, tmp_path, file
):
    members = members_of(crate)
    name = f"models/{NAME}/{NAME}-one/{file}"
    path = pack(tmp_path / "x.zip", resealed(members, **{name: members[name] + b" "}))
    with pytest.raises(InputError, match=f"{NAME}-one in .*x.zip cannot be taken: .*{file} was changed"):
        import_crate(path, elsewhere)
    assert not elsewhere.home.exists()


def test_a_version_that_answers_otherwise_is_refused_unless_that_is_allowed(here, elsewhere, crate, tmp_path):
    golden = json.loads(members_of(crate)[f"models/{NAME}/{NAME}-one/golden.json"])
    next(iter(golden["probes"][0]["answers"].values()))[0] *= 1.01
    path = recarded(crate, tmp_path / "x.zip", "golden.json", json.dumps(golden).encode())
    done = run(elsewhere.home, "import", path)
    assert done.exit_code == 2
    assert "does not answer here as on the day it was saved: 1 of" in done.stderr
    assert "--allow-moved" in done.stderr
    assert not elsewhere.home.exists()
    taken = run(elsewhere.home, "import", path, "--allow-moved")
    assert taken.exit_code == 0, taken.output
    assert "1 of" in taken.stdout


@pytest.mark.parametrize("place", ["../here", "sorbent_uptake/other", "a/b/c", ""])
def test_a_version_that_the_crate_names_and_does_not_hold_is_refused(elsewhere, crate, tmp_path, place):
    members = members_of(crate)
    about = json.loads(members["hstore-crate.json"]) | {"models": [place]}
    path = pack(tmp_path / "x.zip", resealed(members, **{"hstore-crate.json": json.dumps(about).encode()}))
    with pytest.raises(InputError, match=r"names the model .* and does not hold it"):
        import_crate(path, elsewhere)
    assert not elsewhere.home.exists()


def test_code_in_a_model_is_not_run(elsewhere, crate, tmp_path):
    """A model is read from a closed list of classes, whatever its card says of its checksum."""
    marker = tmp_path / "marker"
    call = skops.io.dumps(functools.partial(os.mkdir, str(marker)))
    structure = {"class": "SorbentUptake", "fields": {"isotherm": {"estimator": "0.skops"}}}
    pack(tmp_path / "evil.zip", {"model.json": json.dumps(structure), "0.skops": call})
    path = recarded(crate, tmp_path / "x.zip", "model.zip", (tmp_path / "evil.zip").read_bytes())
    with pytest.raises(InputError, match="cannot be taken"):
        import_crate(path, elsewhere)
    assert not elsewhere.home.exists()
    assert not marker.exists()


def test_out_and_publish_are_for_screens(elsewhere, crate, tmp_path):
    for extra in (["--out", tmp_path / "x"], ["--publish"]):
        done = run(elsewhere.home, "import", crate, *extra)
        assert done.exit_code == 2
        assert "are for screens" in done.stderr


def test_an_unknown_model_is_named(here, add, tmp_path):
    add()
    done = run(here.home, "model", "sorbent_uptak", "--out", tmp_path / "m.zip")
    assert done.exit_code == 2
    assert "did you mean 'sorbent_uptake'" in done.stderr
    assert list(tmp_path.glob("*.zip")) == []
