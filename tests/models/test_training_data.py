"""Which rows train which model: repeats between sets count once, test rows never."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hstore.errors import UnknownNameError
from hstore.formula import parse_amounts
from hstore.settings import Settings
from hstore_data.table import DataTable, RejectedRow
from hstore_models import training_data
from hstore_models.training_data import (
    CURATED_SETS,
    PUBLIC_SETS,
    load_scored_rows,
    load_training_data,
    training_checksums,
    unread_formulas,
)

CAPACITY, CONDUCTIVITY = "h2_capacity_wt_pct", "log10_conductivity_s_per_cm"


@pytest.fixture
def bare(tmp_path):
    """Settings of a machine without any public set."""
    return Settings(home=tmp_path, data_mirror=None)


@pytest.fixture
def assembled(bare, monkeypatch):
    """Training data of a model from curated and public rows of our own."""

    def assemble(model, curated, public):
        name = PUBLIC_SETS[model][0]
        tables = {CURATED_SETS[model]: pd.DataFrame(curated), name: pd.DataFrame(public)}
        tables = {
            key: DataTable(key, frame.assign(row=range(1, len(frame) + 1)), [], {f"{key}.csv": "0" * 64})
            for key, frame in tables.items()
        }
        monkeypatch.setattr(training_data, "present", lambda _: {name})
        monkeypatch.setattr(training_data, "read", lambda which, _: tables[which])
        monkeypatch.setattr(training_data, "curated_table", tables.__getitem__)
        return load_training_data(model, bare)

    return assemble


def capacities(*rows, **columns):
    formulas, values = zip(*rows, strict=True)
    common = {"alloy_class": "AB5", "citation": "x", "temperature_k": 298.15}
    return {"formula": formulas, CAPACITY: values, **common, **columns}


def ours(*rows):
    formulas, _ = zip(*rows, strict=True)
    return capacities(*rows, host_formula=formulas, family="interstitial", capacity_definition="maximum")


@pytest.mark.parametrize(
    ("theirs", "kept"),
    [
        ([("LaNi5", 1.4)], 1),
        ([("La2Ni10", 1.42)], 1),
        ([("LaNi5", 1.6)], 2),
        ([("LaNi4Al", 1.4)], 2),
        ([("LaNi5", 1.4), ("LaNi5", 1.4)], 1),
        ([("TiFe", 1.9), ("TiFe", 1.9)], 3),
    ],
    ids=["same", "scaled and rounded", "other value", "other alloy", "twice ours", "their own repeats"],
)
def test_a_value_in_two_sets_counts_once_and_the_curated_row_stays(assembled, theirs, kept):
    data = assembled("hydride_capacity", ours(("LaNi5", 1.4)), capacities(*theirs))
    assert len(data.rows) == kept
    assert data.duplicates == 1 + len(theirs) - kept
    assert data.rows["source"][0] == "hydrides"
    assert sum(data.rows_by_source().values()) == kept


def test_repeats_within_the_curated_table_are_its_own_measurements(assembled):
    data = assembled("hydride_capacity", ours(("LaNi5", 1.4), ("LaNi5", 1.4)), capacities(("TiFe", 1.9)))
    assert data.rows_by_source() == {"hydrides": 2, "hystor": 1}


def test_capacities_carry_their_definition(assembled):
    rows = ours(("LaNi5", 1.4), ("TiFe", 1.5), ("TiCo", 1.2)) | {
        "capacity_definition": ["maximum", "reversible", "usable"]
    }
    train = assembled("hydride_capacity", rows, capacities(("ZrV2", 2.0))).rows
    assert train["capacity_definition"].tolist() == ["maximum", "reversible", "usable", "maximum"]
    assert train["reversible"].tolist() == [0.0, 1.0, 1.0, 0.0]
    assert train["mass_basis"].tolist() == ["unspecified"] * 4


def test_capacities_per_mass_of_host_are_brought_to_the_hydrogenated_material(assembled):
    rows = ours(("LaNi5", 1.4), ("MgTi", 7.66)) | {"mass_basis": ["hydrogenated_material", "host"]}
    train = assembled("hydride_capacity", rows, capacities(("ZrV2", 2.0))).rows
    assert train[CAPACITY].tolist() == pytest.approx([1.4, 7.66 / 1.0766, 2.0])
    assert train["note"].tolist() == ["", "converted from 7.66 wt% of the host", ""]
    assert train["mass_basis"].tolist() == ["hydrogenated_material", "host", "unspecified"]


def test_formulas_that_could_not_be_read_are_counted_by_set():
    frame = pd.DataFrame()
    rejects = [RejectedRow(1, "LaNi5-yAly", "x"), RejectedRow(2, "LaNi5", "a bad number"), RejectedRow(3, "", "x")]
    tables = [DataTable("listing", frame, rejects, {}), DataTable("clean", frame, [], {})]
    assert unread_formulas(tables) == {"listing": 2}


def conductivities(*rows, **columns):
    formulas, values, temperatures = zip(*rows, strict=True)
    frame = {"formula": formulas, CONDUCTIVITY: values, "temperature_k": temperatures}
    return {**frame, "family": "garnet", "citation": "x", "activation_energy_ev": np.nan, **columns}


def test_conductivities_at_two_temperatures_are_two_values(assembled):
    curated = conductivities(("Li3PS4", -4.0, 298.15))
    theirs = conductivities(("Li3PS4", -4.0, 300), ("Li3PS4", -4.0, 400), split="train")
    data = assembled("conductivity", curated, theirs)
    assert data.rows["temperature_k"].tolist() == [298.15, 400]
    assert data.duplicates == 1


def test_test_rows_never_train(assembled):
    curated = conductivities(("Li3PS4", -4.0, 298.15))
    theirs = conductivities(("LiCl", -9.0, 298.15), ("LiBr", -8.0, 298.15), split=["train", "test"])
    assert "LiBr" not in set(assembled("conductivity", curated, theirs).rows["formula"])


@pytest.mark.parametrize("model", CURATED_SETS)
def test_embedded_data_alone_train_every_model(bare, model):
    data = load_training_data(model, bare)
    assert data.rows_by_source().keys() == {CURATED_SETS[model]}
    assert len(data.rows) > 100
    assert data.duplicates == 0
    assert data.checksums == training_checksums(model, bare)
    assert data.unread == {}
    assert data.labs == ()
    assert set(data.rows["lab_id"]) == {""}
    assert all(len(digest) == 64 for digest in data.checksums.values())


def test_thermodynamic_rows_agree_with_vant_hoff_where_the_pressure_is_derived(bare):
    rows = load_training_data("hydride_thermodynamics", bare).rows.dropna(
        subset=["desorption_entropy_j_per_mol_h2_k"]
    )
    expected = rows["desorption_entropy_j_per_mol_h2_k"] / 8.31446261815324 - 1000 * rows[
        "desorption_enthalpy_kj_per_mol_h2"
    ] / (8.31446261815324 * 298.15)
    np.testing.assert_allclose(rows["ln_plateau_pressure_25c"], expected, rtol=1e-9)


@pytest.mark.parametrize("model", ["hydride_thermodynamics", "hydride_capacity", "conductivity"])
def test_rows_are_what_their_formula_says(bare, model):
    for row in load_training_data(model, bare).rows.itertuples():
        assert row.amounts == parse_amounts(row.formula)
        assert row.chemical_system == "-".join(sorted(set(row.amounts) - {"H"}))


def test_unknown_names(bare):
    with pytest.raises(UnknownNameError, match="did you mean 'conductivity'"):
        load_training_data("conductivty", bare)
    with pytest.raises(UnknownNameError, match="hystor"):
        load_scored_rows("hydride_capacity", "obelix", bare)


@pytest.mark.mirror
def test_no_row_of_the_official_obelix_test_split_trains_in_any_disguise(mirror):
    rows = load_training_data("conductivity", mirror).rows
    test = load_scored_rows("conductivity", "obelix", mirror)
    assert len(test) == 121
    of_obelix = rows["source"] == "obelix"
    assert of_obelix.any()
    assert set(rows.loc[of_obelix, "row"]).isdisjoint(test["row"])
    assert set(rows.loc[~of_obelix, "composition"]).isdisjoint(test["composition"])


@pytest.mark.mirror
@pytest.mark.parametrize("model", ["hydride_thermodynamics", "hydride_capacity", "conductivity"])
def test_public_sets_add_rows_and_repeat_none_of_ours(mirror, bare, model):
    data, alone = load_training_data(model, mirror), load_training_data(model, bare)
    counts = data.rows_by_source()
    assert counts.keys() == {CURATED_SETS[model], *PUBLIC_SETS[model]}
    assert counts[CURATED_SETS[model]] == alone.rows_by_source()[CURATED_SETS[model]]
    assert data.duplicates > 0
    value = {"hydride_capacity": CAPACITY, "conductivity": CONDUCTIVITY}.get(
        model, "desorption_enthalpy_kj_per_mol_h2"
    )
    state = [data.rows["temperature_k"].round(-1)] if model == "conductivity" else []
    weak = (
        data.rows["weak"].eq(other=True) if "weak" in data.rows else pd.Series(data=False, index=data.rows.index)
    )
    keys = [data.rows["composition"], data.rows[value].round(1), *state]
    assert data.rows["source"].where(~weak).groupby(keys).nunique().max() == 1
