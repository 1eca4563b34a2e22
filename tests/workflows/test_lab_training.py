"""Training for a lab: its own measurements, a version of its own, and nothing changed for anybody else."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hstore.errors import InputError, UnknownNameError
from hstore.formula import parse_amounts
from hstore.jobs import JobState
from hstore.records import PUBLIC_SCOPE, Access, Conditions, Scope
from hstore_models.prediction import Query
from hstore_models.registry import Registry
from hstore_models.spec import Spec
from hstore_models.training import train
from hstore_workflows import releases
from hstore_workflows.jobs.kinds import SHIPPED
from hstore_workflows.jobs.start import start_job
from hstore_workflows.jobs.worker import Worker
from hstore_workflows.lab_training import measurements_table, train_for_lab
from tests.workflows.tiny_jobs import drop_journal

ENERGY = "activation_energy_ev"
METALS = ("Li", "Na", "K", "Rb", "Mg", "Ca", "Sr", "Ba", "Al", "Sc", "Y", "La")
NORTH, SOUTH = Scope(lab_id="north"), Scope(lab_id="south")


def energies():
    """Energies of binary compounds."""
    rows = [
        (f"{metal}2{anion}", 0.2 + 0.02 * i + 0.05 * j)
        for i, metal in enumerate(METALS)
        for j, anion in enumerate(("O", "S", "Se"))
    ]
    return pd.DataFrame(rows, columns=["formula", ENERGY])


@pytest.fixture
def public(settings):
    """A public model of a property that labs measure, in use."""
    learner = {"kind": "extra_trees", "parameters": {"n_estimators": 15}}
    spec = Spec.model_validate(
        {"name": "hopping", "kind": "property", "summary": "Activation energies.", "unit": "eV",
         "split": {"n_folds": 3}, "targets": {ENERGY: {"features": ["hydride"], "learners": [learner]}}}
    )  # fmt: skip
    return train(spec, settings, tables={"energies": energies()}).loaded


@pytest.fixture
def measured(store, build):
    """Measurements of two labs, and one that north has published."""
    formulas = ["Li2Te", "Na2Te", "K2Te", "Rb2Te", "MgTe", "CaTe"]
    store.add_materials(build.material(f"m{i}", formula) for i, formula in enumerate(formulas))

    def told(name, place, number, access):
        value = build.value(number, property=ENERGY)
        return build.measurement(name, material_id=f"m{place}", value=value, access=access)

    published = Access(lab_id="north")
    store.add_measurements(
        [
            *(told(f"n{i}", i, 0.6 + 0.02 * i, build.of("north")) for i in range(4)),
            told("n4", 4, 0.7, published),
            told("s5", 5, 0.99, build.of("south")),
        ]
    )
    return store


def asked(settings, scope, formulas=("Cs2Te", "Li2Te", "Li2O")):
    """Return what a scope is answered, as bytes."""
    loaded = Registry(settings.models_dir).serving("hopping", scope)
    answer = loaded.model.predict(ENERGY, Query.of([parse_amounts(f) for f in formulas]))
    return loaded.card.model_id, answer.mean.tobytes(), answer.lower.tobytes(), answer.upper.tobytes()


def test_a_version_learns_from_the_labs_own_measurements_and_is_its_alone(settings, public, measured):
    before = {scope.lab_id: asked(settings, scope) for scope in (SOUTH, PUBLIC_SCOPE, NORTH)}
    said = []
    card = train_for_lab(settings, measured, "hopping", "north", say=said.append)
    registry = Registry(settings.models_dir)
    assert (card.access.lab_id, card.access.visibility, card.labs) == ("north", "lab", ("north",))
    assert card.added_rows.count == len(energies()) + 5, "five of north, none of south"
    assert card.parent == public.card.model_id
    assert any("training hopping with 5 rows" in line for line in said)
    assert any(f"{card.model_id} against {public.card.model_id}" in line for line in said), "the verdict"
    assert {scope.lab_id: asked(settings, scope) for scope in (SOUTH, PUBLIC_SCOPE, NORTH)} == before
    assert card.model_id in {c.model_id for c in registry.cards(NORTH)}
    for scope in (SOUTH, PUBLIC_SCOPE):
        assert {c.model_id for c in registry.cards(scope)} == {public.card.model_id}
    registry.promote("hopping", card.model_id, "ours", lab_id="north")
    served = asked(settings, NORTH)
    assert served[0] == card.model_id
    tellurides = np.frombuffer(served[1])[:2]
    assert (tellurides > np.frombuffer(before["north"][1])[:2] + 0.1).all(), "it has seen tellurides"
    assert {scope.lab_id: asked(settings, scope) for scope in (SOUTH, PUBLIC_SCOPE)} == {
        k: before[k] for k in ("south", None)
    }


def test_the_same_measurements_give_the_same_version(settings, public, measured):
    first = train_for_lab(settings, measured, "hopping", "north")
    assert train_for_lab(settings, measured, "hopping", "north").model_id == first.model_id


@pytest.mark.parametrize("better", [True, False])
def test_promotion_is_up_to_the_gate(settings, public, measured, monkeypatch, better):
    compare = releases.compare
    monkeypatch.setattr(releases, "compare", lambda *args, **how: replace(compare(*args, **how), better=better))
    card = train_for_lab(settings, measured, "hopping", "north", promote=True)
    registry = Registry(settings.models_dir)
    assert registry.current_id("hopping", "north") == (card if better else public.card).model_id
    assert registry.current_id("hopping", "south") == public.card.model_id


def test_a_training_job_leaves_the_card_and_says_whether_it_is_in_use(settings, public, measured):
    settings = settings.model_copy(
        update={"database_url": measured.database.engine.url.render_as_string(hide_password=False)}
    )
    asked = {"model": "hopping", "own_measurements": True}
    access = Access(lab_id="north", visibility="lab")
    job_id = start_job(measured, settings, SHIPPED, "train", asked, access=access).job_id
    worker = Worker(settings, SHIPPED, "w1")
    try:
        worker.run(once=True)
    finally:
        assert worker.close()
        drop_journal(settings.database_url)
    job = measured.jobs.get(job_id, scope=NORTH)
    assert job.state is JobState.DONE, job.error
    assert (job.result["model"], job.result["in_use"]) == ("hopping", False)
    card = json.loads((settings.jobs_dir / job_id / "files" / "card.json").read_text())
    assert (card["model_id"], card["access"]["lab_id"]) == (job.result["model_id"], "north")
    told = [event.message for event in measured.jobs.events(job_id, scope=NORTH)]
    assert any("training hopping with 5 rows" in line for line in told)


def test_a_lab_without_measurements_is_told_so_and_nothing_is_trained(settings, public, measured):
    for lab in ("east", "south-east"):
        with pytest.raises(InputError, match=f"lab '{lab}' has no measurements of {ENERGY}"):
            train_for_lab(settings, measured, "hopping", lab)
    with pytest.raises(UnknownNameError, match="energy_above_hull"):
        train_for_lab(settings, measured, "energy_above_hull_ev_per_atom", "north")
    assert len(Registry(settings.models_dir).versions()) == 1


def test_corrections_count_in_place_of_what_they_correct(measured, build):
    value = build.value(0.5, property=ENERGY)
    measured.add_measurements([build.measurement("n9", material_id="m0", value=value, replaces="n0",
                                                 access=build.of("north"))])  # fmt: skip
    table = measurements_table(measured, "north", [ENERGY])
    assert sorted(table[ENERGY]) == pytest.approx([0.5, 0.62, 0.64, 0.66, 0.7])
    assert set(table["lab_id"]) == {"north"}


def test_values_of_one_state_share_a_row_and_states_do_not(store, build):
    store.add_materials([build.material("m1", "LaNi5")])
    warm = Conditions(temperature_k=320)
    told = [
        ("a", "desorption_enthalpy_kj_per_mol_h2", 31.0, Conditions()),
        ("b", "desorption_entropy_j_per_mol_h2_k", 109.0, Conditions()),
        ("c", "desorption_enthalpy_kj_per_mol_h2", 31.4, Conditions()),
        ("d", "plateau_pressure_bar", 3.1, warm),
    ]
    store.add_measurements(
        build.measurement(name, value=build.value(number, property=prop, conditions=at), access=build.of("north"))
        for name, prop, number, at in told
    )
    table = measurements_table(store, "north", {prop for _, prop, _, _ in told})
    rows = [{k: v for k, v in row.items() if v == v} for row in table.to_dict("records")]  # noqa: PLR0124 - NaN
    known = {"formula": "LaNi5", "name": "", "lab_id": "north"}
    assert sorted(map(len, rows)) == [4, 5, 5]
    assert known | {told[0][1]: 31.0, told[1][1]: 109.0} in rows
    assert known | {told[2][1]: 31.4} in rows
    assert known | {"temperature_k": 320, told[3][1]: 3.1} in rows


def test_an_uptake_without_basis_is_per_mass_of_sorbent_and_hydrogen(store, build):
    texture = {"bet_area_m2_g": 3200.0, "pore_volume_cm3_g": 1.3}
    store.add_materials(
        [build.material("m1", "Zn4O13C24H12", name="MOF-5", family="sorbent", descriptors={**texture, "x": 1.0})]
    )
    at = Conditions(temperature_k=77, pressure_bar=1)
    value = build.value(1.2, property="h2_uptake_wt_pct", conditions=at)
    store.add_measurements([build.measurement("a", value=value, access=build.of("north"))])
    (row,) = measurements_table(store, "north", ["h2_uptake_wt_pct"]).to_dict("records")
    assert row == texture | {
        "formula": "Zn4O13C24H12", "name": "MOF-5", "lab_id": "north", "temperature_k": 77, "pressure_bar": 1,
        "mass_basis": "sorbent_plus_h2", "h2_uptake_wt_pct": 1.2,
    }  # fmt: skip
