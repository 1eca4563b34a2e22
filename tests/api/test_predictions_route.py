"""Predictions: agreement with the library, physics, bad rows, bad requests, one training at a time."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from hstore.errors import ModelError
from hstore.settings import Settings
from hstore_api.errors import BusyError
from hstore_api.predictor import Predictor
from hstore_api.training import Training
from hstore_workflows.predict import predict_formulas

CAPACITY = "h2_capacity_wt_pct"
PRESSURE = "plateau_pressure_bar"


def ask(client, property_name, formulas, **conditions):
    response = client.post("/v1/predictions", json={"property": property_name, "formulas": formulas, **conditions})
    assert response.status_code == 200, response.text
    return response.json()


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
        found = problem(response, 503, "model_unavailable")
        assert "hydride_capacity is being trained" in found["detail"]
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
