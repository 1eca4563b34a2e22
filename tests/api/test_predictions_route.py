"""Predictions: agreement with the library, physics, bad rows, bad requests, one training at a time."""

from __future__ import annotations

import csv
import io
import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hstore.errors import ModelError
from hstore.formula import parse_amounts
from hstore.keys import permissions_of
from hstore.settings import Settings
from hstore_api.batching import Batches
from hstore_api.errors import BusyError
from hstore_api.prediction_schemas import StructureInput
from hstore_api.predictor import Predictor
from hstore_api.subjects import StructureReader
from hstore_api.training import Training
from hstore_workflows.predict import predict_formulas, predict_table

CAPACITY = "h2_capacity_wt_pct"
PRESSURE = "plateau_pressure_bar"


def ask(client, property_name, formulas, **fields):
    response = client.post("/v1/predictions", json={"property": property_name, "formulas": formulas, **fields})
    assert response.status_code == 200, response.text
    return response.json()


def same(number):
    """Return what equals a number but for its last digits, which depend on the rows computed beside it."""
    return pytest.approx(number, rel=1e-9)


def test_answers_are_those_of_the_library_with_unit_and_model(client, settings):
    formulas = ["LaNi5", "TiFe", "MgH2", "LiBH4"]
    answer = ask(client, CAPACITY, formulas)
    expected = predict_formulas(CAPACITY, formulas, settings)
    assert (answer["property"], answer["unit"], answer["interval"]) == (CAPACITY, "wt%", 0.9)
    assert answer["model_id"] == expected.model_id
    assert [row["formula"] for row in answer["rows"]] == formulas
    for name in ("mean", "std", "lower", "upper"):
        given = [row[name] for row in answer["rows"]]
        np.testing.assert_allclose(given, expected.frame[name].to_numpy(dtype=float), rtol=1e-12)
    assert [row["in_domain"] for row in answer["rows"]] == expected.frame["in_domain"].tolist()
    assert all(row["lower"] <= row["mean"] <= row["upper"] for row in answer["rows"])
    assert abs(answer["rows"][2]["mean"] - 7.6) < 1.5  # MgH2 holds 7.66 wt%


def test_bad_formulas_get_their_cause_and_the_others_their_answer(client):
    bad = ["", "   ", "LaNix", "H2", "Xx2", "Ca(BH4", "A" * 5000, "水素"]
    answer = ask(client, CAPACITY, ["LaNi5", *bad, "TiFe"])
    assert [row["formula"] for row in answer["rows"]] == ["LaNi5", *bad, "TiFe"]
    assert answer["n_errors"] == len(bad)
    for row in answer["rows"][1:-1]:
        assert row["error"]
        assert not row["in_domain"]
        assert [row[name] for name in ("mean", "std", "lower", "upper")] == [None] * 4
    alone = ask(client, CAPACITY, ["LaNi5", "TiFe"])["rows"]
    assert [answer["rows"][0], answer["rows"][-1]] == alone


def test_only_bad_formulas_are_an_answer_too(client):
    answer = ask(client, CAPACITY, ["?"])
    assert (answer["n_errors"], answer["rows"][0]["mean"]) == (1, None)


def test_what_is_outside_the_domain_says_why(client):
    row = ask(client, CAPACITY, ["UPu3Xe"])["rows"][0]
    assert not row["in_domain"]
    assert row["reason"]


def test_rows_outside_the_domain_can_be_refused_and_the_rest_goes_on(client):
    formulas = ["LaNi5", "UPu3Xe", "Xx2", "TiFe"]
    flagged = ask(client, CAPACITY, formulas)
    refused = ask(client, CAPACITY, formulas, out_of_domain="refuse")
    assert (flagged["out_of_domain"], refused["out_of_domain"]) == ("flag", "refuse")
    assert flagged == ask(client, CAPACITY, formulas, out_of_domain="flag"), "flagging is the default"
    assert [flagged["rows"][i] for i in (0, 2, 3)] == [refused["rows"][i] for i in (0, 2, 3)]
    before, after = flagged["rows"][1], refused["rows"][1]
    assert before["mean"] is not None
    assert before["error"] is None
    assert [after[name] for name in ("mean", "std", "lower", "upper")] == [None] * 4
    assert after["reason"] == before["reason"]
    assert "Xe" in after["reason"]
    assert "out_of_domain is 'refuse'" in after["error"]
    assert not after["in_domain"]
    assert [(answer["n_out_of_domain"], answer["n_errors"]) for answer in (flagged, refused)] == [(1, 1), (1, 2)]


def test_a_condition_outside_what_was_measured_is_refused_too(client):
    answer = ask(client, "log10_conductivity_s_per_cm", ["Li7P3S11"], temperature_k=2500, out_of_domain="refuse")
    row = answer["rows"][0]
    assert row["mean"] is None
    assert "temperature_k 2500 outside" in row["reason"]


def test_plateau_pressures_rise_with_temperature_as_van_t_hoff_says(client):
    temperatures = np.array([280.0, 320.0, 400.0])
    means = [ask(client, PRESSURE, ["LaNi5"], temperature_k=t)["rows"][0]["mean"] for t in temperatures]
    slopes = np.diff(np.log(means)) / np.diff(1 / temperatures)
    enthalpy = ask(client, "desorption_enthalpy_kj_per_mol_h2", ["LaNi5"])["rows"][0]["mean"]
    np.testing.assert_allclose(-8.314462618e-3 * slopes, enthalpy, rtol=0.01)
    assert 25 < enthalpy < 36  # calorimetry: 30 to 32 kJ/mol H2


def test_a_missing_temperature_is_filled_in_and_shown(client):
    silent = ask(client, PRESSURE, ["LaNi5"])
    assert silent["conditions"]["temperature_k"] == 298.15
    assert silent == ask(client, PRESSURE, ["LaNi5"], temperature_k=298.15)
    assert ask(client, CAPACITY, ["LaNi5"])["conditions"]["temperature_k"] is None


GOOD = {"property": CAPACITY, "formulas": ["LaNi5"]}


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"property": "h2_capacity"}, "unknown_name", "did you mean 'h2_capacity_wt_pct'"),
        ({"property": "formation_energy_ev_per_atom"}, "unknown_name", "unknown predicted property"),
        ({"property": "energy_above_hull"}, "unknown_name", "unknown predicted property"),
        ({"property": "usable_capacity_wt_pct"}, "invalid_input", "hstore predict usable_capacity_wt_pct"),
        ({"pressure_bar": 10}, "invalid_input", "does not depend on pressure_bar"),
        ({"temperature_k": 0}, "invalid_request", "body.temperature_k"),
        ({"temperature_k": -5}, "invalid_request", "body.temperature_k"),
        ({"temperature_k": 1e9}, "invalid_request", "body.temperature_k"),
        ({"temperature_k": "warm"}, "invalid_request", "body.temperature_k"),
        ({"temperature": 300}, "invalid_request", "body.temperature"),
        ({"out_of_domain": "hide"}, "invalid_request", "body.out_of_domain"),
        ({"formulas": []}, "invalid_request", "body.formulas"),
        ({"formulas": ["LaNi5"] * 1001}, "invalid_request", "body.formulas"),
        ({"formulas": "LaNi5"}, "invalid_request", "body.formulas"),
        ({"formulas": ["LaNi5", 5]}, "invalid_request", "body.formulas.1"),
    ],
)
def test_requests_outside_the_contract_are_refused_whole(client, problem, change, code, words):
    found = problem(client.post("/v1/predictions", json=GOOD | change), 422, code)
    assert words in found["detail"] + " ".join(part["location"] for part in found["errors"])


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "invalid_request"),
        (b"{", 422, "invalid_request"),
        (b"[]", 422, "invalid_request"),
        (
            b'{"property": "h2_capacity_wt_pct", "formulas": ["LaNi5"], "temperature_k": NaN}',
            422,
            "invalid_request",
        ),
        (b'{"property": "h2_capacity_wt_pct", "formulas": ["\\ud800"]}', 422, "invalid_request"),
        (b'{"property": "\xff"}', 400, "bad_request"),
        (b"[" * 100_000, 422, "invalid_input"),
        (b" " * 1_000_001, 413, "too_large"),
    ],
    ids=["empty", "cut", "list", "nan", "surrogate", "not-utf8", "deep", "large"],
)
def test_bodies_that_are_not_a_request(client, problem, body, status, code):
    response = client.post("/v1/predictions", content=body, headers={"content-type": "application/json"})
    problem(response, status, code)


def test_a_large_body_is_refused_without_a_content_length(client, problem):
    def pieces():
        for _ in range(11):
            yield b" " * 100_000

    response = client.post("/v1/predictions", content=pieces(), headers={"content-type": "application/json"})
    assert "content-length" not in response.request.headers
    problem(response, 413, "too_large")


def test_the_largest_request_fits(client):
    answer = ask(client, CAPACITY, [f"LaNi{5 + i / 1000:.3f}" for i in range(1000)])
    assert len(answer["rows"]) == 1000
    assert answer["n_errors"] == 0


MOF = {
    "name": "a MOF", "density_g_cm3": 0.59, "gsa_m2_g": 3700, "void_fraction": 0.8, "pore_volume_cm3_g": 1.36,
    "lcd_A": 15.0,
}  # fmt: skip
SWING = {
    "charge_pressure_bar": 100.0, "charge_temperature_k": 77.0,
    "discharge_pressure_bar": 5.0, "discharge_temperature_k": 77.0,
}  # fmt: skip


def test_sorbents_are_predicted_from_rows_as_the_library_does(client, settings):
    rows = [MOF, MOF | {"name": "heavier", "density_g_cm3": "0.7"}]
    answer = ask(client, "usable_capacity_g_per_l", None, rows=rows)
    expected = predict_table("usable_capacity_g_per_l", pd.DataFrame(rows).assign(**SWING), settings)
    assert {k: answer["conditions"][k] for k in SWING} == SWING, "the customary swing is filled in and shown"
    assert [row["name"] for row in answer["rows"]] == ["a MOF", "heavier"]
    for name in ("mean", "lower", "upper"):
        np.testing.assert_allclose([row[name] for row in answer["rows"]], expected.frame[name], rtol=1e-12)
    other = ask(client, "usable_capacity_g_per_l", None, rows=rows, charge_pressure_bar=60)
    assert other["rows"][0]["mean"] < answer["rows"][0]["mean"], "less pressure, less hydrogen"


def test_the_state_of_an_uptake_has_to_be_stated(client, problem):
    body = {"property": "h2_uptake_wt_pct", "rows": [MOF]}
    found = problem(client.post("/v1/predictions", json=body), 422, "invalid_input")
    assert "means nothing without temperature_k and pressure_bar" in found["detail"]
    rows = [MOF | {"temperature_k": 77}, MOF | {"temperature_k": 298}, MOF]
    answer = ask(client, "h2_uptake_wt_pct", None, rows=rows, pressure_bar=50)
    cold, warm, unknown = answer["rows"]
    assert cold["mean"] > 3 * warm["mean"] > 0
    assert unknown["error"] == "temperature_k is not stated; give it in the row or in the request"
    assert unknown["mean"] is None


def test_rows_state_their_own_conditions_and_bad_cells_have_their_cause(client):
    rows = [
        {"formula": "LaNi5", "temperature_k": 320},
        {"formula": "LaNi5"},
        {"formula": "LaNi5", "temperature_k": "x"},
    ]
    answer = ask(client, PRESSURE, None, rows=rows)
    warm, standard, bad = answer["rows"]
    assert warm["mean"] == same(ask(client, PRESSURE, ["LaNi5"], temperature_k=320)["rows"][0]["mean"])
    assert standard["mean"] == same(ask(client, PRESSURE, ["LaNi5"])["rows"][0]["mean"])
    assert "temperature_k must be a number above 0 to 5000, got x" in bad["error"]


CELL = {
    "lattice": {"matrix": [[2.98, 0, 0], [0, 2.98, 0], [0, 0, 2.98]]},
    "sites": [
        {"species": [{"element": "Ti", "occu": 1}], "abc": [0, 0, 0]},
        {"species": [{"element": "Fe", "occu": 1}], "abc": [0.5, 0.5, 0.5]},
    ],
}
CIF = """data_tife
_cell_length_a 2.98
_cell_length_b 2.98
_cell_length_c 2.98
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Ti1 0 0 0
Fe1 0.5 0.5 0.5
"""


def test_structures_are_predicted_by_composition_with_a_note_where_no_model_looks_at_them(client):
    given = [{"cif": CIF, "name": "from CIF"}, {"structure": CELL}, {"cif": "no CIF"}, {"structure": {"a": 1}}]
    rows = ask(client, CAPACITY, ["TiFe"], structures=given)["rows"]
    formula, cif, cell, *bad = rows
    assert (cif["name"], cif["formula"], cell["formula"]) == ("from CIF", "FeTi", "FeTi")
    assert cif["mean"] == same(formula["mean"])
    assert cell["mean"] == same(formula["mean"])
    assert "from the composition alone" in cif["note"]
    assert [row["mean"] for row in bad] == [None, None]
    assert "holds no structure" in bad[0]["error"]
    assert bad[1]["error"]


def test_the_conventional_cell_of_a_structure_reaches_the_models():
    """A primitive cell is told as the conventional one, which the training tables give."""
    half = 4.0
    fcc = {
        "lattice": {"matrix": [[0, half, half], [half, 0, half], [half, half, 0]]},
        "sites": [{"species": [{"element": "Li", "occu": 1}], "abc": [0, 0, 0]},
                  {"species": [{"element": "Cl", "occu": 1}], "abc": [0.5, 0.5, 0.5]}],
    }  # fmt: skip
    reader = StructureReader()
    try:
        (subject,) = reader.read([StructureInput(structure=fcc)])
    finally:
        reader.close()
    assert subject.formula == "ClLi"
    lengths = [subject.columns[name] for name in ("a", "b", "c")]
    assert lengths == pytest.approx([2 * half] * 3)
    assert [subject.columns[name] for name in ("alpha", "beta", "gamma")] == pytest.approx([90] * 3)
    assert subject.columns["space_group_number"] == 225
    assert parse_amounts(str(subject.columns["true_composition"])) == {"Li": 4, "Cl": 4}


def test_several_properties_come_in_one_answer_each_with_the_conditions_it_depends_on(client, problem):
    names = [CAPACITY, PRESSURE, "log10_conductivity_s_per_cm"]
    body = {"properties": names, "formulas": ["LaNi5", "?"], "temperature_k": 320}
    response = client.post("/v1/predictions", json=body)
    assert response.status_code == 200, response.text
    items = response.json()["items"]
    assert [item["property"] for item in items] == names
    for item in items:
        assert item == ask(client, item["property"], ["LaNi5", "?"], temperature_k=320)
    wrong = client.post("/v1/predictions", json=body | {"pressure_bar": 3})
    assert "none of these properties depends on pressure_bar" in problem(wrong, 422, "invalid_input")["detail"]


@pytest.mark.parametrize(
    "change",
    [
        {"properties": [CAPACITY]},
        {"property": None, "properties": [CAPACITY, CAPACITY]},
        {"property": None, "properties": []},
        {"property": None},
        {"formulas": None},
        {"rows": [{}]},
        {"rows": [{"x" * 65: 1}]},
        {"rows": [{"formula": [1]}]},
        {"formulas": ["LaNi5"] * 600, "rows": [{"formula": "LaNi5"}] * 600},
        {"structures": [{}]},
        {"structures": [{"cif": "", "structure": {}}]},
        {"structures": [{"cif": "x" * 200_001}]},
        {"structures": [{"cif": "x"}] * 21},
        {"property": None, "properties": [CAPACITY, PRESSURE], "model_id": "a"},
    ],
)
def test_requests_that_contradict_themselves_are_refused(client, problem, change):
    problem(client.post("/v1/predictions", json=GOOD | change), 422, "invalid_request")


def test_a_table_comes_and_goes_as_csv(client):
    table = "formula,temperature_k,remark\nLaNi5,320,=1+1\nTiFe,,ok\nXx,300,\n\n"
    headers = {"content-type": "text/csv; charset=utf-8", "accept": "text/csv"}
    response = client.post(f"/v1/predictions?property={PRESSURE}", content=table, headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert [row["formula"] for row in rows] == ["LaNi5", "TiFe", "Xx"]
    assert rows[0]["remark"] == "'=1+1", "no spreadsheet runs it"
    warm = ask(client, PRESSURE, ["LaNi5"], temperature_k=320)
    assert float(rows[0]["mean"]) == same(warm["rows"][0]["mean"])
    assert (rows[0]["unit"], rows[0]["model_id"], rows[0]["in_domain"]) == ("bar", warm["model_id"], "true")
    assert rows[2]["mean"] == ""
    assert "unknown element 'Xx'" in rows[2]["error"]
    assert client.post("/v1/predictions", json=GOOD, headers={"accept": "image/png"}).status_code == 406
    both = client.post(
        f"/v1/predictions?property={PRESSURE}&property={CAPACITY}&out_of_domain=refuse",
        content=table, headers={"content-type": "text/csv"},
    ).json()  # fmt: skip
    assert [item["property"] for item in both["items"]] == [PRESSURE, CAPACITY]
    assert both["items"][0]["out_of_domain"] == "refuse"


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"", "invalid_input", "no column names"),
        (b"formula\n", "invalid_input", "no data rows"),
        (b"formula,formula\nLaNi5,TiFe\n", "invalid_input", "stands twice"),
        (b"formula\n\xff\xfe\n", "invalid_input", "not UTF-8"),
        (b"name\nLaNi5\n", "invalid_input", "no formula column"),
        (b"formula\n" + b"LaNi5\n" * 1001, "invalid_request", "body.rows"),
        (b"formula\n" + b"A" * 100_000 + b"\n", "invalid_request", "body.rows.0"),
    ],
)
def test_bad_tables_are_refused(client, problem, content, code, words):
    response = client.post(
        f"/v1/predictions?property={CAPACITY}", content=content, headers={"content-type": "text/csv"}
    )
    found = problem(response, 422, code)
    assert words in found["detail"] + " ".join(part["location"] for part in found["errors"])


def test_one_formula_by_get_is_answered_once(client, problem):
    asked = {"property": PRESSURE, "formula": "LaNi5", "temperature_k": 320}
    first = client.get("/v1/predictions", params=asked)
    assert first.json() == ask(client, PRESSURE, ["LaNi5"], temperature_k=320)
    tag = first.headers["etag"]
    again = client.get("/v1/predictions", params=asked, headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    for change in ({"formula": "TiFe"}, {"temperature_k": 321}, {"out_of_domain": "refuse"}):
        other = client.get("/v1/predictions", params=asked | change, headers={"If-None-Match": tag})
        assert (other.status_code, other.headers["etag"] != tag) == (200, True)
    problem(client.get("/v1/predictions", params=asked | {"formula": ""}), 422, "invalid_request")
    problem(client.get("/v1/predictions", params=asked | {"other": 1}), 422, "invalid_request")
    texture = {"property": "usable_capacity_wt_pct", "formula": "LaNi5"}
    problem(client.get("/v1/predictions", params=texture), 422, "invalid_input")


def test_a_quota_of_predictions_is_kept(client, records, problem):
    _, secret = records.keys.create("few", permissions_of("read"), lab_id="north", predictions_per_day=5)
    headers, asked = {"X-API-Key": secret}, {"property": CAPACITY, "formula": "LaNi5"}
    body = {"properties": [CAPACITY, PRESSURE], "formulas": ["LaNi5", "TiFe"]}
    assert client.post("/v1/predictions", json=body, headers=headers).status_code == 200
    tag = client.get("/v1/predictions", params=asked, headers=headers).headers["etag"]
    known = client.get("/v1/predictions", params=asked, headers=headers | {"If-None-Match": tag})
    assert known.status_code == 304, "nothing was predicted, so nothing is taken"
    problem(client.get("/v1/predictions", params=asked, headers=headers), 429, "limit_reached")
    problem(client.post("/v1/predictions", json=body, headers=headers), 429, "limit_reached")


def test_requests_of_one_moment_are_asked_together_and_answered_apart(loaded):
    model, batches, formulas = loaded("hydride_capacity"), Batches(), [f"LaNi{4 + i / 20:g}" for i in range(12)]
    alone = {f: Batches().ask(model, [CAPACITY], [parse_amounts(f)], [{}])[CAPACITY].mean[0] for f in formulas}
    asked, started, go = [], threading.Event(), threading.Event()

    class Slow:
        def predict(self, name, query):
            asked.append(len(query))
            started.set()
            go.wait(10)
            if any("Xe" in amounts for amounts in query.amounts):
                raise ModelError("xenon")
            return model.model.predict(name, query)

    slow, found = replace(model, model=Slow()), {}

    def ask_one(formula):
        try:
            found[formula] = batches.ask(slow, [CAPACITY], [parse_amounts(formula)], [{}])[CAPACITY].mean[0]
        except ModelError as error:
            found[formula] = str(error)

    threads = [threading.Thread(target=ask_one, args=(f,)) for f in [*formulas, "Xe"]]
    threads[0].start()
    started.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(batches._waiting) < len(formulas):
        time.sleep(0.01)
    go.set()
    for thread in threads:
        thread.join()
    assert asked[:2] == [1, len(formulas)], "those who came meanwhile, together"
    assert found.pop("Xe") == "xenon", "the error is that of the one whose row it was"
    for formula in formulas:
        assert found[formula] == same(alone[formula])


def test_one_training_at_a_time_and_who_comes_second_is_told_so(settings):
    going, most, trained, release = 0, 0, [], threading.Event()

    def slow(name, _settings):
        nonlocal going, most
        going += 1
        most = max(most, going)
        release.wait(10)
        going -= 1
        trained.append(name)

    training = Training(settings, slow)
    first = [threading.Thread(target=training.wait_for, args=(name,)) for name in ("a", "b")]
    for thread in first:
        thread.start()
    started = time.monotonic()
    for name in ("a", "b", "a"):
        with pytest.raises(BusyError, match=f"{name} is being trained"):
            training.wait_for(name)
    assert time.monotonic() - started < 1, "nobody else waits"
    release.set()
    for thread in first:
        thread.join()
    assert (most, sorted(trained)) == (1, ["a", "b"])


def test_nobody_waits_for_a_training_in_production(tmp_path, problem, app, client):
    release = threading.Event()
    elsewhere = Settings(home=tmp_path / "empty", environment="production", data_mirror=None)
    training = Training(elsewhere, lambda *_: release.wait(10))
    app.state.service = replace(app.state.service, predictor=Predictor(elsewhere, training=training))
    try:
        response = client.post("/v1/predictions", json=GOOD)
        assert "is being trained" in problem(response, 503, "busy")["detail"]
        assert int(response.headers["retry-after"]) > 0
    finally:
        release.set()


def test_a_failed_training_is_tried_again(settings):
    answers = iter([ModelError("damaged"), None])

    def sometimes(_name, _settings):
        answer = next(answers)
        if answer is not None:
            raise answer

    training = Training(settings, sometimes)
    with pytest.raises(ModelError, match="damaged"):
        training.wait_for("a")
    training.wait_for("a")
    assert next(answers, "asked twice") == "asked twice"


def test_a_model_that_is_being_loaded_is_waited_for_and_the_others_are_left(settings, monkeypatch):
    predictor, began, loaded = Predictor(settings), threading.Event(), []

    def slow(name, _scope):
        began.set()
        time.sleep(0.3)
        loaded.append(name)

    monkeypatch.setattr("hstore_api.predictor.HEAD_START_S", 0.0)
    monkeypatch.setattr(predictor.cards, "in_use", lambda *_: "some version")
    monkeypatch.setattr(predictor.models, "serving", slow)
    predictor.start()
    assert began.wait(30)
    predictor.stop()
    assert len(loaded) == 1
