"""Labs: what each has decides what it is proposed, and how much it does in a week how many."""

from __future__ import annotations

import json

import pytest

from hstore.errors import InputError, UnknownNameError
from hstore.formula import parse_amounts
from hstore_models.features.composition import CompositionBatch
from hstore_workflows.campaign import story
from hstore_workflows.campaign.labs import Lab, element_symbols, read_precursors
from hstore_workflows.campaign.objective import Objective
from tests.workflows.campaign_bench import CAPACITY, run

FORMULAS = ["LaNi5", "TiFe", "MgH2", "Mg2Ni", "LaNi4.5Mn0.5", "ZrBe2", "TiMn2", "CaNi5", "Ti0.9Zr0.1Fe", "VH2"]


@pytest.fixture
def settings(settings, tmp_path):
    source = tmp_path / "pool.csv"
    source.write_text("formula\n" + "\n".join(FORMULAS) + "\n")
    story.begin(settings, "alloys", source, Objective.maximizing(CAPACITY), batch=4)
    return settings


def elements_of(proposals):
    return {element for p in proposals for element in parse_amounts(p.formula)}


def test_a_lab_is_proposed_what_it_can_make(settings):
    done = run("lab", "alloys", "--lab", "north", "--elements", "Ti,Fe,Mn,Ni,La", "--without", "Be", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["makeable"] == 4
    proposals = story.propose(settings, "alloys", n=10, lab="north")
    assert len(proposals) == 4
    assert elements_of(proposals) <= {"Ti", "Fe", "Mn", "Ni", "La"}
    assert "every candidate that the lab can make" in proposals.note
    rest = story.propose(settings, "alloys", n=10)
    assert len(rest) == 6, "anybody else gets the others"


def test_hydrogen_is_always_at_hand_and_what_is_not_handled_never(settings):
    lab = Lab("south", elements=("Mg", "Ni", "Be", "Zr"), without=("Be",))
    assert story.describe_lab(settings, "alloys", lab) == 2
    assert {p.formula for p in story.propose(settings, "alloys", n=9, lab="south")} == {"MgH2", "Mg2Ni"}


def test_precursors_say_which_elements_are_at_hand(settings, tmp_path):
    (tmp_path / "stock.csv").write_text("precursor,grams\nTiH2,100\nFe,500\nMgH2,20\n")
    done = run("lab", "alloys", "--lab", "east", "--precursors", tmp_path / "stock.csv", "--json")
    assert json.loads(done.stdout)["makeable"] == 2
    assert {p.formula for p in story.propose(settings, "alloys", n=9, lab="east")} == {"TiFe", "MgH2"}


def test_no_more_are_under_way_than_the_lab_does_in_a_week(settings):
    story.describe_lab(settings, "alloys", Lab("north", per_week=3))
    first = story.propose(settings, "alloys", n=2, lab="north")
    assert (len(first), first.note) == (2, "")
    second = story.propose(settings, "alloys", n=2, lab="north")
    assert len(second) == 1
    assert second.note == "lab north then has all 3 experiments of a week under way"
    full = run("propose", "alloys", "--lab", "north")
    assert full.exit_code == 2
    assert "lab north has 3 experiments under way and does 3 a week" in full.output
    assert len(story.propose(settings, "alloys", n=1, lab="south")) == 1, "another lab has room"
    material = first.items[0].material_id
    story.observe(settings, "alloys", [{"material_id": material, "value": 1.2}], lab="north")
    assert len(story.propose(settings, "alloys", n=2, lab="north")) == 1


def test_a_lab_described_anew_replaces_what_was_noted(settings):
    story.describe_lab(settings, "alloys", Lab("north", elements=("Ti",), per_week=1))
    story.describe_lab(settings, "alloys", Lab("north", elements=("Ti", "Fe")))
    (lab,) = story.status(settings, "alloys").labs.values()
    assert (lab.elements, lab.per_week) == (("Ti", "Fe"), None)
    status = json.loads(run("status", "alloys", "--json").stdout)
    assert status["labs"]["north"]["in_flight"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--elements", "Ti,Xx"], "unknown element 'Xx'"),
        (["--without", "Bee"], "unknown element 'Bee'"),
        (["--per-week", "0"], "per-week"),
    ],
)
def test_bad_descriptions_are_explained(settings, arguments, message):
    done = run("lab", "alloys", "--lab", "north", *arguments)
    assert done.exit_code == 2
    assert message in done.output


def test_names_and_stocks_are_checked(tmp_path):
    with pytest.raises(InputError, match=r"lab name 'a/b' must be"):
        Lab("a/b")
    with pytest.raises(UnknownNameError, match="unknown element"):
        Lab("a", elements=("Q",))
    (tmp_path / "stock.csv").write_text("thing\nFe\n")
    with pytest.raises(InputError, match="no column precursor, element or formula, got thing"):
        read_precursors(tmp_path / "stock.csv")
    (tmp_path / "stock.csv").write_text("element\nIron\n")
    with pytest.raises(InputError, match="Iron"):
        read_precursors(tmp_path / "stock.csv")
    assert element_symbols(" La, Ni ,") == ("La", "Ni")


def test_what_is_written_is_read_back():
    for lab in (Lab("a"), Lab("b", ("Ti",), ("Be",), 4, ("TiH2",)), Lab("c", ())):
        assert Lab.read(lab.name, lab.as_json()) == lab
    batch = CompositionBatch.from_formulas(["LaNi5", "MgH2"])[0]
    assert Lab("a").makeable(batch).tolist() == [True, True]
    assert Lab("c", ()).makeable(batch).tolist() == [False, False]
