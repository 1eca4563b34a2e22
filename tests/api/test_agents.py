"""Tools for agents, through the public client of the protocol: in process, and over the pipes of `hstore mcp`."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

pytest.importorskip("mcp")

from mcp import Client as Agent
from mcp import StdioServerParameters

from hstore.keys import permissions_of
from hstore.settings import Settings
from hstore_api.agents.server import build
from hstore_api.agents.tools import READING, WRITING
from hstore_api.client import Client

CAPACITY = "h2_capacity_wt_pct"
PRESSURE = "plateau_pressure_bar"
CAMPAIGN = {
    "name": "alloys",
    "maximize": [CAPACITY],
    "candidates": [{"formula": f"LaNi{5 - x / 10:g}Al{x / 10:g}"} for x in range(1, 9)],
    "batch": 2,
}


def asked(agent, *calls):
    """Answers of tools, each as (whether it failed, its text)."""

    async def converse():
        async with Agent(agent) as session:
            answers = []
            for name, arguments in calls:
                answer = await session.call_tool(name, arguments)
                answers.append((bool(answer.is_error), "\n".join(part.text for part in answer.content)))
            return answers

    return asyncio.run(converse())


@pytest.fixture
def settings(tmp_path, trained, loaded):
    """A home of its own, for campaigns, with the models of all tests."""
    for model in ("hydride_capacity", "hydride_thermodynamics"):
        loaded(model)
    home = tmp_path / "home"
    home.mkdir()
    (home / trained.models_dir.name).symlink_to(trained.models_dir)
    return Settings(home=home, database_url=None, data_mirror=None)


@pytest.fixture
def agent(address, records):
    """The tools in the name of the lab north, which has a campaign."""
    _, secret = records.keys.create("north", permissions_of("read,measure,run"), lab_id="north")
    with Client(address, key=secret, retries=0) as client:
        client.campaigns.begin(**CAMPAIGN)
        yield build(client)


def test_tools_say_what_they_do_and_which_change_something(address):
    async def listed():
        with Client(address) as client:
            async with Agent(build(client)) as session:
                return (await session.list_tools()).tools

    tools = asyncio.run(listed())
    assert {tool.name for tool in tools} == {*READING, *WRITING}
    for tool in tools:
        assert tool.annotations.read_only_hint is (tool.name in READING), tool.name
        assert len(tool.description.splitlines()[0]) > 40, f"{tool.name}: say what it does"
        for argument in tool.input_schema["properties"]:
            assert f"{argument}:" in tool.description, f"{tool.name}: say what {argument} is"


def test_search_predict_explain_and_propose_round_trip(agent):
    answers = asked(
        agent,
        ("list_properties", {}),
        ("search_materials", {"elements": ["La", "Ni"], "known": True}),
        ("get_material", {"material_id": "a/LaNi5"}),
        ("predict", {"property_name": PRESSURE, "formulas": ["LaNi5", "La(Ni"], "temperature_k": 313.0}),
        ("explain", {"property_name": CAPACITY, "formula": "LaNi5"}),
        ("list_campaigns", {}),
        ("propose_experiments", {"campaign": "north:alloys", "n": 1}),
        ("list_jobs", {}),
    )
    assert not any(failed for failed, _ in answers), answers
    properties, found, material, predicted, explained, campaigns, proposed, _ = (text for _, text in answers)
    assert f"{PRESSURE}, in bar" in properties
    assert "LaNi5 (a/LaNi5); family interstitial; known to exist" in found
    assert "licence" in material
    good, bad = predicted.splitlines()
    assert "bar, 90 % interval" in good
    assert "at 313 K" in good
    assert "predicted, not measured, by model hydride_thermodynamics-" in good
    assert "within what the model was trained on" in good
    assert "no prediction" in bad
    assert "mean absolute error" in explained
    assert "learned from" in explained
    assert "north:alloys: goals" in campaigns
    assert "Experiment 0: make La" in proposed
    assert "wt_pct" in proposed


def test_measurements_are_sent_and_judged(agent):
    rows = [
        {"formula": "LaNi4.8Sn0.2", CAPACITY: 1.35, "measured_on": "2026-11-02", "row_id": "A-1"},
        {"formula": "LaNi4.8Sn0.2", CAPACITY: 135.0, "measured_on": "2026-11-02", "row_id": "A-2"},
    ]
    ((failed, text),) = asked(agent, ("submit_measurements", {"rows": rows}))
    assert not failed
    assert "1 stored" in text
    assert "1 rejected" in text
    assert "135" in text


def test_what_goes_wrong_is_told_to_a_person(agent, address):
    answers = asked(
        agent,
        ("predict", {"property_name": "h2_capacity", "formulas": ["LaNi5"]}),
        ("predict", {"property_name": CAPACITY, "formulas": ["XeNi5"]}),
        ("get_material", {"material_id": "nothing"}),
        ("search_materials", {"family": "metalic"}),
        ("propose_experiments", {"campaign": "unheard"}),
        ("get_job", {"job_id": "none"}),
    )
    unknown, outside, missing, wrong, campaign, job = answers
    assert unknown[0]
    assert "h2_capacity_wt_pct" in unknown[1]
    assert not outside[0]
    assert "OUTSIDE what the model was trained on, so trust it little" in outside[1]
    assert "Xe" in outside[1]
    assert all(failed for failed, _ in (missing, wrong, campaign, job))
    assert "interstitial" in wrong[1]
    with Client(address, retries=0) as nobody:
        ((failed, text),) = asked(build(nobody), ("submit_measurements", {"rows": [{"formula": "LaNi5"}]}))
    assert failed
    assert "HSTORE_KEY" in text
    assert "hstore keys create" in text


def test_the_command_speaks_over_pipes(address):
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "hstore_workflows.cli", "mcp"],
        env={**os.environ, "HSTORE_URL": address, "HSTORE_KEY": ""},
    )
    ((failed, text),) = asked(command, ("search_materials", {"formula": "MgH2"}))
    assert not failed
    assert "MgH2 (d/MgH2); family ionic; known to exist" in text
