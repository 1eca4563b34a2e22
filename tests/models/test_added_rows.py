"""Rows users bring to training: units, checks, derived values, lineage, and that nothing is ever asked."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hstore.errors import InputError, ModelError
from hstore.settings import Settings
from hstore_models.added_columns import known_columns, normalised
from hstore_models.added_rows import TARGET_COLUMNS, read_added_rows
from hstore_models.spec import Spec
from hstore_models.training_data import load_training_data

ENTHALPY, ENTROPY = "desorption_enthalpy_kj_per_mol_h2", "desorption_entropy_j_per_mol_h2_k"
LN_PRESSURE, CAPACITY = "ln_plateau_pressure_25c", "h2_capacity_wt_pct"
CONDUCTIVITY, UPTAKE = "log10_conductivity_s_per_cm", "h2_uptake_wt_pct"
R = 8.31446261815324e-3
DOCUMENT = Path(__file__).parents[2] / "docs" / "how-to" / "training-data.md"


@pytest.fixture
def known(tmp_path):
    """Training rows of a model from the curated tables alone."""
    return lambda model: load_training_data(model, Settings(home=tmp_path, data_mirror=None)).rows


@pytest.fixture
def nothing(known):
    """Training rows of a model with the right columns and no row."""
    return lambda model: known(model).iloc[:0]


def table(**columns):
    return pd.DataFrame(columns)


def one(rows, column):
    assert len(rows) == 1
    return rows[column].iloc[0]


def curated_table(rows, column, n=45, seed=3):
    """A table of known materials, each altered by at most 2 %, and no two of one composition."""
    rng = np.random.default_rng(seed)
    pool = rows[rows[column].notna() & (rows[column] > 0.5)].drop_duplicates("composition")
    pick = pool.iloc[rng.permutation(len(pool))[:n]].reset_index(drop=True)
    altered = pick[column] * (1 + rng.choice([-1, 1], n) * rng.uniform(0.005, 0.02, n))
    columns = ["formula", *[c for c in ("temperature_k", "capacity_definition") if column == CAPACITY]]
    return pick[columns].assign(**{column: altered})


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("model", "column"), [("hydride_thermodynamics", ENTHALPY), ("hydride_capacity", CAPACITY)]
)
def test_of_fifty_rows_exactly_the_five_absurd_ones_are_named(known, model, column, seed):
    rows = known(model)
    good = curated_table(rows, column, seed=seed)
    high = good[good[column] > good[column].median()].reset_index(drop=True)
    absurd = high.iloc[:5].copy()
    values = absurd[column].to_numpy()
    out_of_range = 5000.0 if column == ENTHALPY else -1.5
    absurd[column] = [-values[0] if column == CAPACITY else 5000.0, out_of_range, values[2] * 1.9,
                      values[3] / 4.184, values[4] / 1000]  # fmt: skip
    good = good[~good["formula"].isin(absurd["formula"].iloc[[3, 4]])]
    frame = pd.concat([good, absurd], ignore_index=True)
    frame[column] = frame[column].map("{:.5g}".format)
    added = read_added_rows(frame, model, known=rows, name="mine")
    bad = set(range(len(good) + 1, len(good) + 6))
    assert {r.row for r in added.rejects} | {s.row for s in added.suspects} == bad
    assert len(added.lines()) == 5
    assert len(added.rows) == len(good)
    assert not any(s.trained for s in added.suspects)
    assert all(frame["formula"][r.row - 1] in line for r, line in zip(added.rejects, added.lines(), strict=False))


@pytest.mark.parametrize(
    ("column", "factor", "words"),
    [
        (ENTHALPY, 1 / 4.184, "kcal/mol instead of kJ/mol"),
        (ENTHALPY, 4.184, "converted from kcal/mol once too often"),
        (ENTHALPY, 0.001, "MJ/mol instead of kJ/mol"),
        (ENTHALPY, -1.0, "other sign"),
        (CAPACITY, 0.01, "a mass fraction instead of wt%"),
        (CAPACITY, 0.001, "1000 times larger"),
        (CAPACITY, 4.184, "kJ per kcal"),
    ],
)
def test_mixed_up_units_are_named_with_what_was_expected(known, column, factor, words):
    model = "hydride_thermodynamics" if column == ENTHALPY else "hydride_capacity"
    value = {ENTHALPY: 30.8, CAPACITY: 1.49}[column]
    frame = table(
        formula=["LaNi5", "TiFe"], **{column: [value * factor, {ENTHALPY: 28.3, CAPACITY: 1.85}[column]]}
    )
    rows = known(model)
    added = read_added_rows(frame, model, known=rows)
    assert [s.row for s in added.suspects] == [1]
    assert words in added.suspects[0].cause
    assert "known value" in added.suspects[0].cause
    assert added.suspects[0].action == "kept out of training"
    assert added.record["trained"].tolist() == [False, True]


def test_new_materials_are_compared_with_the_model_in_use(known):
    rows = known("hydride_thermodynamics")

    def predict(name, query):
        assert name == ENTHALPY
        n = len(query)
        half = np.full(n, 4.0)
        return SimpleNamespace(
            mean=np.full(n, 30.0), lower=30 - half, upper=30 + half, in_domain=np.array([True] * (n - 1) + [False])
        )

    frame = table(
        formula=["LaNi4.1Cu0.9", "LaNi4.2Cu0.8", "LaNi4.3Cu0.7", "Be17Nb2"], dH_kJ_per_mol=[29, 7.3, 60, 45]
    )
    added = read_added_rows(frame, "hydride_thermodynamics", known=rows, champion=SimpleNamespace(predict=predict))
    assert [s.row for s in added.suspects] == [2]
    assert "expected from the model in use" in added.suspects[0].cause


def test_a_model_that_cannot_answer_leaves_the_neighbours(known):
    def predict(name, query):
        raise ModelError(f"no {name} for {len(query)} rows; train it")

    frame = table(formula=["LaNi4.15Cu0.85", "LaNi4.2Cu0.8"], dH_kJ_per_mol=[32, 32 / 4.184])
    added = read_added_rows(
        frame, "hydride_thermodynamics", known=known("hydride_thermodynamics"),
        champion=SimpleNamespace(predict=predict),
    )  # fmt: skip
    assert [s.row for s in added.suspects] == [2]
    assert "nearest known compositions" in added.suspects[0].cause


def test_conflicts_are_kept_with_a_note_or_kept_out_when_gross(nothing):
    frame = table(
        formula=["ZrMn2", "ZrMn2", "TiFe", "TiFe", "LaNi5", "LaNi5"], dH_kJ_per_mol=[40, 52, 28, 60, 31, 33]
    )
    added = read_added_rows(frame, "hydride_thermodynamics", known=nothing("hydride_thermodynamics"))
    assert [(s.row, s.trained) for s in added.suspects] == [(2, True), (4, False)]
    assert "conflicts with 40" in added.suspects[0].cause
    assert added.suspects[0].action == "kept with this note"
    assert added.rows["row"].tolist() == [1, 2, 3, 5, 6]
    assert len(added.record) == 6


def test_capacities_at_other_temperatures_or_of_other_definitions_do_not_conflict(nothing):
    frame = table(
        formula=["LaNi5"] * 4, h2_wt_pct=[1.4, 0.6, 0.7, 0.75], temperature_k=[298, 400, 298, 299],
        capacity_definition=["maximum", "maximum", "reversible", "Maximum"],
    )  # fmt: skip
    added = read_added_rows(frame, "hydride_capacity", known=nothing("hydride_capacity"))
    assert [s.row for s in added.suspects] == [4]
    assert added.record["reversible"].tolist() == [0, 0, 1, 0]


def test_a_value_that_stands_elsewhere_counts_once_and_is_no_suspect(known):
    rows = known("hydride_thermodynamics")
    first = rows[rows[ENTHALPY].notna()].iloc[0]
    frame = table(
        formula=[first["formula"], "LaNi4.9Cu0.1", "La10Ni49Cu1"], dH_kJ_per_mol=[first[ENTHALPY], 32, 32]
    )
    added = read_added_rows(frame, "hydride_thermodynamics", known=rows)
    assert [s.row for s in added.repeats] == [1, 3]
    assert "of hydrides" in added.repeats[0].cause
    assert added.suspects == ()
    assert added.rows["row"].tolist() == [2]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"enthalpy_kcal_mol_h2": 7.0}, {ENTHALPY: 7 * 4.184}),
        ({"Enthalpy (kJ/mol H)": 15.0}, {ENTHALPY: 30.0}),
        ({"ΔH (kJ/mol H2)": 30, "ΔS (J/mol K)": 110},
         {ENTHALPY: 30, ENTROPY: 110, LN_PRESSURE: 0.110 / R - 30 / R / 298.15}),
        ({"enthalpy_kj_mol": 30, "plateau_pressure_atm": 2, "temp_C": 25}, {LN_PRESSURE: np.log(2.0265)}),
        ({"enthalpy_kj_mol": 30, "pressure_MPa": 0.5, "T (K)": 350},
         {ENTROPY: 3e4 / 350 + 1000 * R * np.log(5.0)}),
        ({"entropy_j_mol_k": 110, "plateau_pressure_kpa": 200, "temperature_k": 300},
         {ENTHALPY: 300 * (0.110 - R * np.log(2.0))}),
        ({"plateau_pressure_bar": 2, "temperature_k": 298.15}, {LN_PRESSURE: np.log(2.0), ENTHALPY: np.nan}),
        ({"ln_peq_25C_atm": 0.0}, {LN_PRESSURE: np.log(1.01325)}),
    ],
)  # fmt: skip
def test_thermodynamic_rows_are_converted_and_completed(nothing, columns, expected):
    frame = table(formula=["LaNi4.1Cu0.9"], weight=[0.4], **{name: [value] for name, value in columns.items()})
    rows = read_added_rows(frame, "hydride_thermodynamics", known=nothing("hydride_thermodynamics")).rows
    for column, value in expected.items():
        assert one(rows, column) == pytest.approx(value, rel=1e-4, nan_ok=True)
    assert one(rows, "pressure_weight") == one(rows, "weight") == 0.4


def test_conversions_are_noted(nothing):
    frame = table(formula=["TiFe (M)"], enthalpy_kcal_mol_h2=["7"], note=["from my notebook"])
    rows = read_added_rows(frame, "hydride_thermodynamics", known=nothing("hydride_thermodynamics")).rows
    note = one(rows, "note")
    assert "from my notebook" in note
    assert f"{ENTHALPY} 29.288 from enthalpy_kcal_mol_h2 7" in note
    assert "phase note (M) dropped" in note


@pytest.mark.parametrize(
    ("header", "value", "canonical"),
    [("capacity_g_per_kg", 14, 1.4), ("H2 capacity (kg/kg)", 0.014, 1.4), ("H2 content [wt.%]", 1.4, 1.4)],
)
def test_capacities_in_other_units(nothing, header, value, canonical):
    rows = read_added_rows(
        table(formula=["LaNi5"], **{header: [value]}), "hydride_capacity", known=nothing("hydride_capacity")
    ).rows
    assert one(rows, CAPACITY) == pytest.approx(canonical)
    assert one(rows, "capacity_definition") == "maximum"
    assert one(rows, "weight") == 1


def test_capacities_per_mass_of_host_are_converted(nothing):
    frame = table(formula=["MgTi"], h2_wt_pct=[7.66], mass_basis=["host"])
    rows = read_added_rows(frame, "hydride_capacity", known=nothing("hydride_capacity")).rows
    assert one(rows, CAPACITY) == pytest.approx(7.66 / 1.0766)
    assert "wt% of the host" in one(rows, "note")


def test_conductivities_are_logarithms_with_their_bounds(nothing):
    frame = table(
        formula=["Li3PS4", "LiCl", "LiBr", "LiI"], **{"conductivity (mS/cm)": ["0.1", "<1e-7", "0", "5"]},
        temperature_c=["25", "25", "25", ""], activation_energy_kj_per_mol=["38.594", "", "", ""],
    )  # fmt: skip
    added = read_added_rows(frame, "conductivity", known=nothing("conductivity"))
    assert added.rows[CONDUCTIVITY].tolist() == pytest.approx([-4, -10])
    assert added.rows["censored"].tolist() == [False, True]
    assert added.rows["activation_energy_ev"].iloc[0] == pytest.approx(0.4, rel=1e-3)
    assert added.rows["temperature_k"].tolist() == [298.15, 298.15]
    assert "must lie in [-25, 2]" in added.rejects[0].cause
    assert "temperature_k is missing" in added.rejects[1].cause


def test_conductivities_off_by_a_thousand(known):
    rows = known("conductivity")
    first = rows[rows["composition"].map(rows["composition"].value_counts()) == 1].iloc[0]
    frame = table(
        formula=[first["formula"], "Li3N"], temperature_k=[first["temperature_k"], 300.0],
        log10_conductivity_s_per_cm=[first[CONDUCTIVITY] - 3, -3.0],
    )  # fmt: skip
    added = read_added_rows(frame, "conductivity", known=rows)
    assert [s.row for s in added.suspects] == [1]
    assert "kS/cm instead of S/cm" in added.suspects[0].cause


def test_uptakes_of_sorbents_need_their_texture_and_state(known):
    rows = known("sorbent_uptake")
    frame = table(
        name=["mine", "mine", "MOF-5"], bet_area_m2_g=[2000, 2000, 3669], pore_volume_cm3_g=[0.9, None, 1.321],
        temperature_k=[77, 77, 77], pressure_bar=[1, 1, 1], uptake_mmol_g=[7, 7, 6.54 * 1000],
        uptake_kind=["excess", "excess", ""],
    )  # fmt: skip
    added = read_added_rows(frame, "sorbent_uptake", known=rows, name="mine")
    assert one(added.rows, UPTAKE) == pytest.approx(7 * 0.201588)
    assert one(added.rows, "mass_basis") == "sorbent"
    assert set(rows.columns) <= set(added.rows.columns)
    assert [r.row for r in added.rejects] == [2, 3]


def test_a_table_for_a_target_of_ones_own(nothing):
    spec = Spec.model_validate({
        "name": "hardness", "kind": "property", "summary": "x", "unit": "GPa",
        "targets": {"hardness_gpa": {
            "features": ["magpie"], "columns": ["load_n"], "learners": [{"kind": "extra_trees"}],
        }},
    })  # fmt: skip
    frame = table(
        Formula=["TiFe", "TiC", "?", "TiN"], hardness_gpa=["5.1", "28", "3", "hard"], load_n=[1, 2, 3, 4]
    )
    empty = nothing("hydride_capacity")[["formula", "amounts", "composition", "chemical_system", "row"]]
    added = read_added_rows(frame, spec, known=empty, name="hardness")
    assert added.rows["hardness_gpa"].tolist() == [5.1, 28]
    assert added.rows["load_n"].tolist() == [1, 2]
    assert added.rows["source"].tolist() == ["added:hardness"] * 2
    assert [r.row for r in added.rejects] == [3, 4]
    assert "'hard', not a number" in added.rejects[1].cause


@pytest.mark.parametrize(
    ("columns", "cause"),
    [
        ({"formula": "LaNi5-x", "h2_wt_pct": 1}, "unexpected '-'"),
        ({"formula": "", "h2_wt_pct": 1}, "formula is empty"),
        ({"formula": "LaNi5", "h2_wt_pct": "a lot"}, "'a lot', not a number"),
        ({"formula": "LaNi5", "h2_wt_pct": -0.1}, r"must lie in \[0, 25\] wt%, got -0.1"),
        (
            {"formula": "LaNi5", "h2_wt_pct": 1.4, "temperature_k": -3},
            r"temperature_k must lie in \[1, 5000\], got -3",
        ),
        ({"formula": "LaNi5", "h2_wt_pct": None}, "no value to learn from"),
        ({"formula": "LaNi5", "h2_wt_pct": 1.4, "weight": 2}, "weight must lie in"),
        ({"formula": "LaNi5", "h2_wt_pct": 1.4, "capacity_definition": "big"}, "allowed are maximum"),
        ({"formula": "LaNi5", "h2_wt_pct": "inf"}, "not a number"),
    ],
)
def test_rows_that_cannot_be_used_are_rejected_with_the_cause(nothing, columns, cause):
    good = {"formula": "TiFe", "h2_wt_pct": 1.8}
    frame = pd.DataFrame([good, columns])
    added = read_added_rows(frame, "hydride_capacity", known=nothing("hydride_capacity"))
    assert [r.row for r in added.rejects] == [2]
    assert added.rows["formula"].tolist() == ["TiFe"]
    with pytest.raises(InputError, match=cause):
        read_added_rows(pd.DataFrame([columns]), "hydride_capacity", known=nothing("hydride_capacity"))


def test_a_table_without_anything_to_learn_from_is_refused_with_its_headers(nothing):
    with pytest.raises(InputError, match=r"not read: capacity\).*h2_capacity_wt_pct"):
        read_added_rows(
            table(formula=["LaNi5"], capacity=[1.4]), "hydride_capacity", known=nothing("hydride_capacity")
        )
    with pytest.raises(InputError, match="no formula column among alloy"):
        read_added_rows(
            table(alloy=["LaNi5"], h2_wt_pct=[1]), "hydride_capacity", known=nothing("hydride_capacity")
        )
    with pytest.raises(InputError, match="no rows"):
        read_added_rows(table(formula=[], h2_wt_pct=[]), "hydride_capacity", known=nothing("hydride_capacity"))


def test_labs_and_weights_travel_into_the_training_data(tmp_path):
    data = load_training_data("hydride_capacity", Settings(home=tmp_path, data_mirror=None))
    frame = table(
        formula=["LaNi4.1Cu0.9", "LaNi4.2Cu0.8", "LaNi4.3Cu0.7"], h2_wt_pct=[1.3, 1.31, 1.32],
        lab_id=["lab-b", "", "lab-a"], weight=[0.5, None, 1],
    )  # fmt: skip
    added = read_added_rows(frame, "hydride_capacity", known=data.rows, name="ours")
    assert added.labs == ("lab-a", "lab-b")
    joined = added.joined_to(data, sha256="f" * 64)
    assert joined.labs == ("lab-a", "lab-b")
    assert joined.checksums["added:ours"] == "f" * 64
    assert joined.rows_by_source()["added:ours"] == 3
    assert joined.rows["weight"].tolist()[-3:] == [0.5, 1, 1]
    assert (joined.rows.loc[~joined.rows["weak"], "weight"].iloc[:-3] == 1).all()
    assert not joined.rows["weak"].iloc[-3:].any()
    assert joined.rows["lab_id"].tolist()[-3:] == ["lab-b", "", "lab-a"]
    assert joined.rows["reversible"].notna().all()


def test_what_a_hydride_holds_says_nothing_against_the_alloy(tmp_path):
    known = load_training_data("hydride_capacity", Settings(home=tmp_path, data_mirror=None)).rows
    assert known.loc[known["as_alloy"], "composition"].isin(["Mg", "Mg2Ni"]).sum() == 2
    frame = table(formula=["Mg2Ni", "Mg2NiH4", "Mg"], h2_wt_pct=[3.6, 3.6, 4.1])
    added = read_added_rows(frame, "hydride_capacity", known=known, name="ours")
    assert added.rows["formula"].tolist() == ["Mg2Ni", "Mg"]  # the hydride itself repeats a row


CELLS = st.sampled_from(
    ["", "LaNi5", "TiFe", "MgH2", "LaNi5-x", "Mg + 5 wt% Ni", "nan", "-1", "0", "1.4", "30", "298", "1e400",
     "<1e-9", "?", "maximum", "host", "-", "5000", "0.03", "∞", "1,5"]
)  # fmt: skip
HEADERS = (
    "formula", "h2_wt_pct", "dH_kJ_per_mol", "temperature_k", "pressure_bar", "sigma_s_cm", "capacity_definition",
    "mass_basis", "weight", "lab_id", "bet_area_m2_g", "pore_volume_cm3_g", "uptake_wt_pct", "entropy_j_mol_k",
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cells=st.lists(st.lists(CELLS, min_size=len(HEADERS), max_size=len(HEADERS)), min_size=1, max_size=6),
    model=st.sampled_from(sorted(TARGET_COLUMNS)),
)
def test_whatever_the_cells_hold_rows_are_used_or_named_and_nothing_else_is_raised(known, cells, model):
    rows = known(model)
    try:
        added = read_added_rows(pd.DataFrame(cells, columns=list(HEADERS)), model, known=rows)
    except InputError:
        return
    kept_out = {s.row for s in (*added.suspects, *added.repeats) if not s.trained}
    parts = [set(added.rows["row"]), {r.row for r in added.rejects}, kept_out]
    assert set.union(*parts) == set(range(1, len(cells) + 1))
    assert sum(map(len, parts)) == len(cells)


def test_absurd_values_of_other_properties_are_named_too(nothing):
    frame = table(formula=["TiFe", "TiCo", "TiNi"], h2_wt_pct=[1.8, -1, 1.2], dH_kJ_per_mol=[28, 40, 5000])
    for model in ("hydride_capacity", "hydride_thermodynamics"):
        assert [r.row for r in read_added_rows(frame, model, known=nothing(model)).rejects] == [2, 3]


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("model", "column"), [("hydride_thermodynamics", ENTHALPY), ("hydride_capacity", CAPACITY)]
)
def test_few_measured_values_of_new_systems_are_suspected_and_most_mixed_up_ones_are(mirror, model, column):
    rows = load_training_data(model, mirror).rows
    rows = rows[rows[column].notna()]
    held_out = rows["chemical_system"].map(lambda s: sum(map(ord, s)) % 5 == 0)
    test = rows[held_out].drop_duplicates("composition")
    counts = {}
    for factor in (1.0, 4.184, 0.001):
        frame = test[["formula", column]].assign(**{column: test[column] * factor})
        added = read_added_rows(frame, model, known=rows[~held_out])
        counts[factor] = (len(added.rejects) + sum(not s.trained for s in added.suspects)) / len(frame)
    assert counts[1.0] < 0.04
    assert counts[4.184] > 0.5
    assert counts[0.001] > 0.8


@pytest.mark.parametrize("model", ["hydride_thermodynamics", "hydride_capacity", "conductivity"])
def test_added_rows_have_the_columns_and_types_of_the_training_rows(known, model):
    rows = known(model)
    column = {"hydride_thermodynamics": ENTHALPY, "hydride_capacity": CAPACITY}.get(model, CONDUCTIVITY)
    value = -4.0 if column == CONDUCTIVITY else 2.0
    frame = table(formula=["Li3YbCl5Er"], **{column: [value]}, temperature_k=[300.0])
    added = read_added_rows(frame, model, known=rows).rows
    assert list(added.columns[: len(rows.columns)]) == list(rows.columns)
    joined = pd.concat([rows, added], ignore_index=True)
    assert {c: str(joined[c].dtype) for c in rows} == {c: str(rows[c].dtype) for c in rows}


def test_every_name_is_its_own_normal_form():
    assert all(normalised(name) == name for name in known_columns() if "_per_" not in name)
    assert normalised("Temperature (°C)") in known_columns()


def test_two_columns_for_one_quantity(nothing):
    frame = table(formula=["TiFe", "TiCo"], enthalpy_kj_mol=[28, None], enthalpy_kcal_mol=[7, 13])
    rows = read_added_rows(frame, "hydride_thermodynamics", known=nothing("hydride_thermodynamics")).rows
    assert rows[ENTHALPY].tolist() == pytest.approx([28, 13 * 4.184])
    assert "enthalpy_kcal_mol not used" in rows["note"].iloc[0]


def test_every_name_and_unit_of_the_documentation_is_read():
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text.split("| column | names | units |")[1].split("What a row needs")[0]
    cells = [
        [re.findall(r"`([^`]+)`", cell) for cell in line.split("|")[2:4]] for line in section.splitlines()[2:]
    ]
    pairs = [(name, unit) for names, units in filter(None, cells) for name in names for unit in units]
    of_units = [pair for pair in pairs if normalised("_".join(pair)) in known_columns()]
    assert len(of_units) > 90
    assert {name for name, _ in of_units} >= {"dH", "h2", "sigma", "ea", "t", "peq"}


def test_the_example_of_the_documentation_names_its_second_row(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path))
    monkeypatch.delenv("HSTORE_DATA_MIRROR", raising=False)
    example = DOCUMENT.read_text(encoding="utf-8").split("```python")[1].split("```")[0]
    scope = {}
    exec(compile(example, str(DOCUMENT), "exec"), scope)
    assert "row 2 (TiFe)" in capsys.readouterr().out
    assert scope["data"].rows_by_source()["added:mine"] == 1
