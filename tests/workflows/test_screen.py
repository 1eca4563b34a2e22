"""Running, ranking and writing a screen: order, chunks, own columns, and folders that are whole or not there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hstore.errors import InputError
from hstore_workflows import pool as pool_module
from hstore_workflows import screen as screen_module
from hstore_workflows.pool import shipped_pool, table_pool
from hstore_workflows.screen import OUTPUT_FILES, rank, refuse_foreign_folder, run_screen, write_screen
from hstore_workflows.target import load_target
from tests.workflows.report_result import electrolyte_result, hydride_result, sorbent_result

ALLOYS = ["LaNi5", "TiFe", "Mg2Ni", "MgH2", "Ti0.5Zr0.5Mn2", "NaAlH4", "LaNi4.5Al0.5", "TiFe", "ZrV2", "PuNi5"]


@pytest.fixture
def run(trained, loaded, tmp_path, monkeypatch):
    """Screen a table of ours with the shared models."""
    monkeypatch.setattr(screen_module, "ensure", lambda name, *_, **__: loaded(name))

    def screen(frame, target="stationary", **options):
        path = tmp_path / "mine.csv"
        frame.to_csv(path, index=False)
        target = load_target(target)
        return run_screen(target, table_pool(path, target), trained, **options)

    return screen


@pytest.fixture
def folder(tmp_path):
    """A folder with a finished screen in it."""
    write_screen(hydride_result(), tmp_path / "out")
    return tmp_path / "out"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_candidates_are_ranked_by_score_and_nothing_is_lost(run):
    said = []
    result = run(pd.DataFrame({"formula": [*ALLOYS, "Xx", "H2"]}), say=said.append)
    frame = result.candidates
    assert frame["rank"].tolist() == list(range(1, len(ALLOYS) + 1))
    assert frame["score"].is_monotonic_decreasing
    assert sorted(frame["row"]) == list(range(1, len(ALLOYS) + 1))
    assert sorted(frame["formula"]) == sorted(ALLOYS)
    assert [(reject.row, reject.formula) for reject in result.rejects] == [(11, "Xx"), (12, "H2")]
    assert result.manifest["counts"] == {"candidates": 10, "rejected": 2}
    assert said == ["scored 10 candidates"]
    assert frame.columns.is_unique


@pytest.mark.parametrize("rows", [1, 3, 10])
def test_the_size_of_the_chunks_changes_nothing(run, monkeypatch, rows):
    whole = run(pd.DataFrame({"formula": ALLOYS})).candidates
    monkeypatch.setattr(pool_module, "CHUNK_ROWS", rows)
    pd.testing.assert_frame_equal(run(pd.DataFrame({"formula": ALLOYS})).candidates, whole, rtol=1e-12)


def test_families_of_a_users_rows_are_told_apart(run):
    family = run(pd.DataFrame({"formula": ALLOYS})).candidates.set_index("formula")["family"]
    assert family["NaAlH4"] == "complex"
    assert family["LaNi5"] == "interstitial"


def test_known_materials_are_marked_however_they_are_written(run):
    formulas = ["LaNi5", "La2Ni10", "LaNi5H6", "NaAlH4", "NaAl", "Ti0.37V0.41Cr1.93"]
    known = run(pd.DataFrame({"formula": formulas})).candidates.set_index("formula")["known"]
    assert known[formulas].tolist() == [True, True, True, True, False, False]


def test_own_columns_pass_through_beside_the_results(run):
    own = pd.DataFrame(
        {
            "sample": [f"00{i}" for i in range(len(ALLOYS))],
            "formula": ALLOYS,
            "score": "best",
            "rank": "mine",
            "material_id": [f"lab-{i}" for i in range(len(ALLOYS))],
            "temperature_k": "300",
            "note": ["", "a,b", *[""] * (len(ALLOYS) - 2)],
        }
    )
    bad = own.iloc[:1].assign(formula="Xx", sample="rejected", note="rejected")
    frame = run(pd.concat([bad, own])).candidates.sort_values("row").fillna("")
    assert frame["sample"].tolist() == own["sample"].tolist()
    assert frame["given_material_id"].tolist() == own["material_id"].tolist()
    assert set(frame["given_score"]) == {"best"}
    assert set(frame["given_rank"]) == {"mine"}
    assert set(frame["temperature_k"]) == {"300"}
    assert frame["note"].tolist() == own["note"].tolist()
    plain = run(own[["formula"]]).candidates.sort_values("row")
    np.testing.assert_array_equal(frame["score"], plain["score"])


def test_the_result_of_a_screen_can_be_screened_again(run):
    first = run(pd.DataFrame({"formula": ALLOYS})).candidates
    second = run(first).candidates
    third = run(second).candidates
    assert third["formula"].tolist() == first["formula"].tolist()
    assert {"given_score", "given_given_score"} <= set(third)
    np.testing.assert_allclose(third["score"], first["score"], rtol=1e-12)


def test_manifest_says_what_was_run(run, trained, tmp_path):
    import hashlib

    manifest = run(pd.DataFrame({"formula": ALLOYS}), command="hstore screen mine.csv").manifest
    assert manifest["command"] == "hstore screen mine.csv"
    assert manifest["pool_checksums"] == {
        "mine.csv": hashlib.sha256((tmp_path / "mine.csv").read_bytes()).hexdigest()
    }
    assert manifest["seed"] == trained.seed
    assert set(manifest["models"]) == {"hydride_capacity", "hydride_thermodynamics"}
    for name, model_id in manifest["models"].items():
        assert (trained.models_dir / name / model_id / "card.json").is_file()
    assert any(file.startswith("hydrides/") for file in manifest["data_checksums"])
    assert set(manifest["absent_public_sets"]["hydride_capacity"]) == {"hystor", "doe_hydride", "ml_hydpark"}
    assert manifest["time_s"]["screening"] >= 0
    assert manifest["peak_memory_mib"] > 10
    assert json.loads(json.dumps(manifest, allow_nan=False)) == manifest


def test_known_materials_stand_beside_their_held_out_predictions(run):
    sanity = run(pd.DataFrame({"formula": ALLOYS})).sanity
    assert set(sanity["source"]) == {"hydrides"}
    enthalpy = sanity[sanity["property"] == "desorption_enthalpy_kj_per_mol_h2"]
    lani5 = enthalpy[enthalpy["label"].str.startswith("LaNi5")]
    assert lani5["measured"].between(25, 35).all()  # 29 to 32 kJ/mol H2 in the literature
    assert len(lani5)


def test_a_table_without_one_usable_row_is_refused(run):
    with pytest.raises(InputError, match=r"no usable candidate in mine\.csv; 2 rows were rejected"):
        run(pd.DataFrame({"formula": ["Xx", "H2"]}))


def test_a_sorbent_table_needs_no_formula(run):
    frame = pd.DataFrame({"name": ["A", "B"], "gsa_m2_g": [3000, 500], "pore_volume_cm3_g": [1.4, 0.2]})
    candidates = run(frame.assign(density_g_cm3=[0.6, 1.4]), "cryo-sorbent").candidates
    assert candidates["name"].tolist() == ["A", "B"]
    assert candidates["family"].tolist() == ["sorbent", "sorbent"]
    assert candidates["gsa_m2_g"].tolist() == ["3000", "500"]


@pytest.mark.parametrize("name", ["cryo-sorbent", "electrolyte"])
def test_shipped_pool_is_screened_without_a_reject(trained, run, monkeypatch, name):
    target = load_target(name)
    every = pool_module.enumerate_pool
    monkeypatch.setattr(pool_module, "enumerate_pool", lambda *a, **k: list(every(*a, **k))[:60].__iter__())
    result = run_screen(target, shipped_pool(target, seed=0), trained)
    assert len(result.candidates) == 60
    assert result.rejects == []
    assert set(result.candidates["family"]) == {target.families[0].value}
    assert result.candidates["material_id"].is_unique
    assert "row" not in result.candidates


@pytest.mark.parametrize("kind", [hydride_result, sorbent_result, electrolyte_result])
def test_ties_are_settled_by_identifier_and_only_believed_candidates_are_on_the_front(kind):
    made = kind()
    frame = made.candidates.drop(columns=["rank", "pareto"], errors="ignore").assign(score=0.5)
    believed = np.arange(len(frame)) % 2 == 0
    frame["in_domain"] = believed
    shuffled = frame.sample(frac=1, random_state=1).reset_index(drop=True)
    ordered = rank(shuffled, made.target)
    assert ordered["material_id"].tolist() == sorted(frame["material_id"])
    assert ordered["pareto"].any()
    assert ordered.loc[ordered["pareto"], "in_domain"].all()


def test_the_folder_is_complete_and_its_tables_agree(folder):
    assert {path.name for path in folder.iterdir()} == OUTPUT_FILES
    assert list(folder.parent.iterdir()) == [folder]
    as_csv, parquet = pd.read_csv(folder / "candidates.csv"), pd.read_parquet(folder / "candidates.parquet")
    assert list(as_csv) == list(parquet)
    assert as_csv["formula"].tolist() == parquet["formula"].tolist()
    np.testing.assert_allclose(as_csv["score"], parquet["score"], rtol=1e-5)
    assert json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert (folder / "report.html").read_text(encoding="utf-8").startswith("<!")


def test_a_later_screen_replaces_an_earlier_one(folder):
    before = contents(folder)
    write_screen(sorbent_result(), folder)
    after = contents(folder)
    assert after.keys() == before.keys()
    assert after["candidates.csv"] != before["candidates.csv"]
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_old_folder_as_it_was(folder, monkeypatch, error):
    before = contents(folder)

    def interrupted(_):
        raise error

    monkeypatch.setattr("hstore_workflows.report.render_report", interrupted)
    for place in (folder, folder.with_name("new")):
        with pytest.raises(error):
            write_screen(sorbent_result(), place)
    assert contents(folder) == before
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_that_cannot_be_moved_in_leaves_the_old_one(folder, monkeypatch):
    before, rename = contents(folder), Path.rename

    def refuses(self, to):
        if to == folder and not self.name.endswith("-old"):
            raise OSError("device is gone")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", refuses)
    with pytest.raises(OSError, match="device is gone"):
        write_screen(sorbent_result(), folder)
    assert contents(folder) == before
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("place", [".", "link", "a/b/c"])
def test_places_with_other_names_for_themselves(tmp_path, monkeypatch, place):
    here = tmp_path / "here"
    here.mkdir()
    (tmp_path / "real").mkdir()
    (here / "link").symlink_to(tmp_path / "real") if place == "link" else None
    monkeypatch.chdir(here)
    write_screen(hydride_result(), Path(place))
    monkeypatch.chdir(tmp_path)
    written = {".": here, "link": tmp_path / "real", "a/b/c": here / "a/b/c"}[place]
    assert {path.name for path in written.iterdir()} == OUTPUT_FILES
    assert {path.name for path in tmp_path.iterdir()} == {"here", "real"}


@pytest.mark.parametrize(
    "files",
    [["notes.txt"], ["manifest.json"], ["manifest.json", "index.js"], [*OUTPUT_FILES, "my_notes.md"], [".git"]],
    ids=["foreign", "a manifest of something else", "a web page", "own notes beside a screen", "hidden"],
)
def test_what_a_screen_did_not_write_is_never_replaced(tmp_path, files):
    for name in files:
        (tmp_path / name).write_text("precious")
    with pytest.raises(InputError, match="give another folder for --out"):
        write_screen(hydride_result(), tmp_path)
    assert contents(tmp_path) == dict.fromkeys(files, b"precious")


def test_what_may_be_written(tmp_path, folder):
    for place in (folder, tmp_path / "none", tmp_path / "none/deeper"):
        refuse_foreign_folder(place)
    assert not (tmp_path / "none").exists()
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="file is a file; give a folder"):
            refuse_foreign_folder(place)
