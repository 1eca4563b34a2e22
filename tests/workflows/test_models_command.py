"""``hstore models``: compare, release, take back and check, from the terminal."""

import json

import numpy as np
import pytest

from hstore.records import Scope
from hstore.settings import Settings
from hstore_models.golden import golden_predictions
from hstore_models.registry import Registry

NAME = "sorbent_uptake"
OLD, NEW = f"{NAME}-old", f"{NAME}-new"


@pytest.fixture
def add(loaded, tmp_path, monkeypatch, hstore):
    """Save versions of the sorbent model, with errors scaled, in a home of their own."""
    home = tmp_path / "home"
    monkeypatch.setenv("HSTORE_HOME", str(home))
    registry = Registry(Settings(home=home).models_dir)
    model = loaded(NAME)

    def save(name, scale=1.0, golden=None, **fields):
        rows = model.held_out.copy()
        change = (scale - 1.0) * (rows["predicted"] - rows["measured"])
        rows[["predicted", "lower", "upper"]] = rows[["predicted", "lower", "upper"]].add(change, axis=0)
        card = model.card.model_copy(update={"model_id": f"{NAME}-{name}", "created": None, **fields})
        return registry.save(model.model, card, rows, golden)

    save.registry = registry
    return save


@pytest.fixture
def two(add):
    """An old version in use and a new one with seven tenths of its errors."""
    add("old")
    add("new", 0.7)
    return add.registry


def done(result, code=0):
    assert result.exit_code == code, result.output
    return result.stdout


def test_versions_are_listed_in_aligned_columns_with_a_star_for_the_one_in_use(hstore, two):
    head, new, old = done(hstore("models", "list")).splitlines()
    assert head.split()[:2] == ["version", "saved"]
    assert new.startswith(f"  {NEW} ")
    assert old.startswith(f"* {OLD} ")
    assert old.endswith("everybody")
    assert head.index("property") == new.index("h2_uptake") == old.index("h2_uptake")
    rows = json.loads(done(hstore("models", "list", "--json")))
    assert [(row["model_id"], row["current"]) for row in rows] == [(NEW, False), (OLD, True)]


def test_a_refused_version_is_listed_with_the_reason(hstore, two):
    (two.folder / NAME / NEW / "model.zip").write_bytes(b"x")
    last = done(hstore("models", "list")).splitlines()[-1]
    assert last.startswith(f"! {NEW} is refused: ")
    assert "is truncated" in last
    refused = [row for row in json.loads(done(hstore("models", "list", "--json"))) if "refused" in row]
    assert [row["model_id"] for row in refused] == [NEW]


def test_a_better_version_is_compared_promoted_and_rolled_back(hstore, two):
    told = done(hstore("models", "compare", NAME))
    assert told.startswith(f"{NEW} against {OLD}")
    assert "\nbetter:\n" in told
    promoted = done(hstore("models", "promote", NAME))
    assert f"promoted {NEW} in place of {OLD}: h2_uptake_wt_pct: better" in promoted
    assert two.current_id(NAME) == NEW
    back = done(hstore("models", "rollback", NAME, "--why", "looks odd"))
    assert f"rolled back to {OLD} in place of {NEW}: looks odd" in back
    assert two.current_id(NAME) == OLD
    shown = done(hstore("models", "show", NAME))
    assert shown.count("history:") == 3


def test_ids_can_be_given_in_place_of_names(hstore, two):
    by_name, by_id = hstore("models", "compare", NAME), hstore("models", "compare", NEW, OLD)
    assert done(by_name) == done(by_id)
    record = json.loads(done(hstore("models", "compare", OLD, NEW, "--metric", "rmse", "--json")))
    assert (record["champion_id"], record["metric"], record["better"]) == (NEW, "rmse", False)


def test_a_version_that_is_not_better_stays_out_unless_forced(hstore, add):
    add("old")
    add("new", 1.3)
    result = hstore("models", "promote", NEW)
    assert done(result, 1) == ""
    assert f"{NEW} is not better than {OLD}, which stays in use" in result.stderr
    assert "h2_uptake_wt_pct: worse" in result.stderr
    assert '--force "REASON"' in result.stderr
    assert add.registry.current_id(NAME) == OLD
    done(hstore("models", "promote", NEW, "--force", "old data withdrawn"))
    entry = add.registry.history(NAME)[-1]
    assert (entry.model_id, entry.forced, entry.reason) == (NEW, True, "old data withdrawn")


def test_a_better_version_is_not_noted_as_forced(hstore, two):
    record = json.loads(done(hstore("models", "promote", NEW, "--force", "in a hurry", "--json")))
    assert record["promotion"]["forced"] is False
    assert record["verdict"]["better"] is True


def test_a_refused_champion_does_not_stand_in_the_way(hstore, add):
    add("old")
    add("new", 1.3)
    (add.registry.folder / NAME / OLD / "card.json").write_text("{}")
    assert json.loads(done(hstore("models", "promote", NEW, "--json")))["verdict"] is None


def test_the_spec_says_what_versions_are_compared_by(hstore, add):
    add("old")
    add("new", 0.7, spec={"metric": "median_error"})
    assert "; median_error on held-out rows" in done(hstore("models", "compare", NAME))


def test_a_labs_version_becomes_its_own_champion(hstore, two, add, build):
    add("north", 0.5, access=build.of("north"), labs=("north",))
    done(hstore("models", "promote", f"{NAME}-north"))
    assert two.pointers(NAME) == {None: OLD, "north": f"{NAME}-north"}
    assert two.serving(NAME, Scope(lab_id="north")).card.model_id == f"{NAME}-north"
    assert "lab north" in done(hstore("models", "list"))
    assert "visible to  lab north alone" in done(hstore("models", "show", NAME, "--lab", "north"))
    assert done(hstore("models", "compare", NAME)).startswith(NEW), (
        "a lab's version is no challenger for the public"
    )
    assert "history: " in done(hstore("models", "show", f"{NAME}-north"))


def test_check_finds_the_answers_unchanged(hstore, two):
    assert done(hstore("models", "check")).startswith(f"{OLD}: 18 answers are what they were; all libraries")
    assert list(json.loads(done(hstore("models", "check", NEW, "--json")))) == [NEW]


def test_check_names_what_moved_and_exits_1(hstore, add, loaded):
    golden = golden_predictions(loaded(NAME).model)
    mean, std = golden.probes[0].answers["h2_uptake_wt_pct"]
    answers = {**golden.probes[0].answers, "h2_uptake_wt_pct": (mean * 1.5, std)}
    moved = golden.probes[0].model_copy(update={"answers": answers})
    versions = {**golden.versions, "numpy": "1.0"}
    add("old", golden=golden.model_copy(update={"probes": (moved, *golden.probes[1:]), "versions": versions}))
    told = done(hstore("models", "check"), 1)
    assert f"1 of 18 answers moved; libraries that differ: numpy 1.0 -> {np.__version__}" in told
    assert "mean of h2_uptake_wt_pct for pores of MOF-5" in told
    record = json.loads(done(hstore("models", "check", "--json"), 1))
    assert record[OLD]["moved"][0]["relative"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["compare", "nonsense"], 2, "unknown trained model 'nonsense'"),
        (["compare", NEW, "--metric", "mea"], 2, "did you mean 'mae'"),
        (["compare", OLD], 2, "is in use itself"),
        (["compare"], 2, "Missing argument"),
        (["promote", OLD], 2, "is in use already"),
        (["promote", NEW, "--force", " "], 2, "needs a reason"),
        (["promote", f"{NAME}-ne"], 2, f"did you mean '{NEW}'"),
        (["rollback", NAME], 1, "no earlier champion to roll back to"),
        (["rollback", "nonsense"], 2, "unknown model 'nonsense'"),
        (["rollback", NAME, "--lab", "north"], 1, "for lab 'north'"),
        (["check", "nonsense"], 2, "unknown trained model"),
        (["show", "../.."], 2, "unknown trained model"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_told_with_an_exit_code(hstore, two, arguments, code, told):
    result = hstore("models", *arguments)
    assert result.exit_code == code, result.output
    assert told in result.stderr


def test_an_empty_home_says_how_to_begin(hstore, add):
    assert "hstore train --all" in done(hstore("models", "list"))
    assert "hstore train --all" in hstore("models", "check").stderr
    assert not add.registry.folder.exists()


def test_a_name_without_another_version_is_told(hstore, add):
    add("old")
    result = hstore("models", "compare", NAME)
    assert done(result, 1) == ""
    assert "make one with: hstore train sorbent_uptake" in result.stderr


def test_a_card_tells_where_its_rows_come_from(hstore, add):
    note = {"count": 50, "suspects": ("row 3 (LaNi5): negative capacity; left out",)}
    from hstore_models.card import AddedRowsNote

    add(
        "old",
        added_rows=AddedRowsNote(**note),
        formulas_unread={"hystor": 12},
        peak_memory_mib=512.0,
        parent="x-1",
    )
    told = done(hstore("models", "show", NAME))
    assert "not read    formulas of hystor 12" in told
    assert "added rows  50; doubted 1" in told
    assert "doubted: row 3 (LaNi5)" in told
    assert "512 MiB" in told
    assert "compared with x-1" in told
