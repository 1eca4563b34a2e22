"""``hstore physics uptake``: the three uptakes, their swings, MOF-5, and states that fail with causes."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from click.testing import CliRunner

from hstore.crystal import Crystal
from hstore.errors import HstoreError, InputError, UnknownNameError
from hstore.gas import h2_density_g_per_l
from hstore.records import Family, Material, Provenance
from hstore_models.physics.adsorption import look_into
from hstore_models.physics.force_field import ForceField
from hstore_models.physics.monte_carlo import Effort
from hstore_workflows.cli import main
from hstore_workflows.physics.stages import usable_capacity
from hstore_workflows.physics.uptake import CLASSICAL, QUANTUM, GasState, Question, text_of, uptakes_of

pytestmark = pytest.mark.skipif(find_spec("raspalib") is None, reason="the extra gcmc is not installed")

CELL = Crystal([[9.0, 0, 0], [2.0, 9.0, 0], [0, 1.0, 9.0]], [[0.0, 0, 0], [0.3, 0.1, 0.1]], [6, 8])
FULL, EMPTY = GasState(77.0, 20.0), GasState(110.0, 10.0)
SHORT = ForceField(cutoff_angstrom=8.0)
ENDLESS = Effort(error=1e-6, most_cycles=10**9)


def material(crystal, name="cell"):
    return Material(
        material_id=name,
        formula=crystal.formula,
        family=Family.SORBENT,
        structure=crystal.to_dict(),
        provenance=Provenance(source="test"),
    )


@pytest.fixture(scope="module")
def found():
    """A small framework in two states, with and without quantum correction."""
    question = Question((FULL,), ((FULL, EMPTY),), SHORT, Effort(error=0.05))
    (one,) = uptakes_of([material(CELL)], question, workers=1)
    assert not one.cause
    return one


def test_the_three_uptakes_differ_by_gas(found):
    for (model, state), uptake in found.uptakes.items():
        void = found.voids[model, state.temperature_k]
        gas = float(h2_density_g_per_l(state.pressure_bar, state.temperature_k))
        between = uptake.total_g_per_l - uptake.excess_g_per_l
        assert between == pytest.approx(gas * void.helium_void_fraction, rel=1e-6)
        adsorbed = uptake.absolute_g_per_l - uptake.excess_g_per_l
        assert adsorbed == pytest.approx(gas * void.adsorbed_fraction, rel=1e-6)
        assert 0 <= void.adsorbed_fraction <= void.helium_void_fraction


def test_masses_are_named_and_agree(found):
    for (model, state), uptake in found.uptakes.items():
        host = uptake.total_wt_pct_host
        assert uptake.total_wt_pct == pytest.approx(100 * host / (100 + host))
        density = found.voids[model, state.temperature_k].density_g_per_cm3
        assert uptake.total_g_per_l == pytest.approx(10 * host * density)
        assert uptake.converged
        assert 0 < uptake.error_95_g_per_l <= 0.05 * uptake.total_g_per_l * 1.001


def test_a_swing_is_the_difference_of_its_states(found):
    full, empty = found.uptakes[CLASSICAL, FULL], found.uptakes[CLASSICAL, EMPTY]
    usable = found.usable(CLASSICAL, (FULL, EMPTY))
    assert usable.g_per_l == pytest.approx(full.total_g_per_l - empty.total_g_per_l)
    assert usable.wt_pct == pytest.approx(full.total_wt_pct - empty.total_wt_pct)
    assert found.usable(QUANTUM, (FULL, EMPTY)).g_per_l < usable.g_per_l


def test_json_has_everything_and_no_nan(found):
    told = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert {s["pressure_bar"] for s in told["states"]} == {20.0, 10.0}
    assert told["force_field"][QUANTUM]["quantum"].startswith("Feynman-Hibbs")
    assert told["swings"][0][CLASSICAL]["g_per_l"] > 0
    ratios = [z["henry_refitted_over_exact"] for z in told["zero_coverage"] if z["model"] == QUANTUM]
    assert ratios == pytest.approx([1.0] * len(ratios), abs=0.08)


def test_a_model_that_holds_the_correction_stands_alone():
    question = Question((FULL,), force_field=ForceField(hydrogen="fischer-77k"))
    assert list(question.fields) == [CLASSICAL]


@pytest.mark.long
def test_a_state_that_does_not_converge_says_so_and_the_batch_goes_on():
    question = Question(
        (FULL,), force_field=SHORT, effort=Effort(error=1e-4, most_cycles=300), models=(CLASSICAL,)
    )
    huge = Crystal(np.eye(3) * 120.0, [[0.0, 0, 0]], [6])
    first, second = uptakes_of([material(huge, "huge"), material(CELL)], question, workers=1)
    assert "too large for one framework" in first.cause
    assert "not converged after 300 cycles" in second.uptakes[CLASSICAL, FULL].cause
    assert not second.uptakes[CLASSICAL, FULL].converged


def test_filled_pockets_count_as_pores():
    """A cage of argon: closed, it has no pore volume unless it is filled."""
    shell = [p for p in itertools.product(range(8), repeat=3) if not all(3 <= x <= 4 for x in p)]
    cage = Crystal(np.eye(3) * 24.0, np.array(shell) / 8, [18] * len(shell))
    tight = ForceField(hydrogen="fischer-77k", cutoff_angstrom=12.0)
    blocked, filled = (look_into(cage, 77.0, tight, blocking=blocking) for blocking in (True, False))
    assert blocked.pockets == filled.pockets == 1
    assert filled.helium_void_fraction > 2 * blocked.helium_void_fraction  # what is between the atoms stays
    assert blocked.blocked
    assert filled.blocked == ()
    assert blocked.henry_g_per_l_bar == 0.0 < filled.henry_g_per_l_bar


@pytest.mark.long
def test_the_compiled_sampler_is_asked_for_as_the_other():
    question = Question((FULL,), force_field=SHORT, models=(CLASSICAL,), effort=Effort(error=0.2))
    compiled = replace(question, sampler="compiled", blocking=False)
    (found,) = uptakes_of([material(CELL)], compiled, workers=1)
    (other,) = uptakes_of([material(CELL)], replace(compiled, sampler="raspa"), workers=1)
    uptake, check = found.uptakes[CLASSICAL, FULL], other.uptakes[CLASSICAL, FULL]
    assert uptake.cause == check.cause == ""
    assert uptake.total_g_per_l == pytest.approx(check.total_g_per_l, rel=0.3)  # an error of 20 % was asked for
    assert uptake.total_g_per_l != check.total_g_per_l
    assert "filled pockets" in "".join(text_of(found))
    with pytest.raises(UnknownNameError, match="compiled"):
        replace(question, sampler="compile")


@pytest.mark.long
def test_a_state_that_takes_too_long_is_a_record():
    question = Question((FULL,), force_field=SHORT, effort=ENDLESS, models=(CLASSICAL,), seconds=2.0)
    (found,) = uptakes_of([material(CELL)], question, workers=1)
    assert "took longer than 2 s and was stopped" in found.cause


@pytest.mark.parametrize(
    ("states", "message"), [((), "at least one state"), ((GasState(77.0, -1.0),), "pressure_bar must be above 0")]
)
def test_states_that_are_none_are_refused_at_once(states, message):
    with pytest.raises(InputError, match=message):
        Question(states)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pressure-bar", "1;100"], "commas"),
        (["--swing", "100-5"], "such as 100@77:5@160"),
    ],
)
def test_wrong_options_say_what_is_allowed(tmp_path, options, message):
    path = tmp_path / "x.cif"
    path.write_text("")
    done = CliRunner().invoke(main, ["physics", "uptake", str(path), *options])
    assert done.exit_code == 2
    assert message in done.output


def test_a_stage_answers_with_a_score(tmp_path):
    CELL.to_pymatgen().to(filename=str(tmp_path / "one.cif"))
    answer = usable_capacity(
        {"name": "one", "formula": "CO"},
        folder=str(tmp_path),
        charged=(20, 77),
        discharged=(2, 77),
        error=0.1,
        cutoff_angstrom=8.0,
    )
    assert answer["score"] == answer["usable_capacity_g_per_l"] > 0
    with pytest.raises(InputError, match="has no structure of two"):
        usable_capacity({"name": "two"}, folder=str(tmp_path))
    with pytest.raises(HstoreError, match="not converged after"):
        usable_capacity({"name": "one"}, folder=str(tmp_path), error=1e-4, most_cycles=300, cutoff_angstrom=8.0)


@pytest.mark.long
@pytest.mark.skipif(find_spec("CoRE_MOF") is None, reason="the structure of MOF-5 is in the package core-mof")
def test_mof_5_takes_up_what_is_known():
    """Published simulations: 1.2 wt% at 1 bar and 9.3 wt% at 100 bar of all hydrogen per total mass, 77 K."""
    from hstore_workflows.sources.core_mof import read_core_mof

    low, high = GasState(77.0, 1.0), GasState(77.0, 100.0)
    question = Question((low, high), effort=Effort(error=0.1, sure_exchanges=0), models=(CLASSICAL,))
    (found,) = uptakes_of(read_core_mof(entries=["EDUSIF_clean"], workers=1), question, workers=1)
    assert found.uptakes[CLASSICAL, low].total_wt_pct == pytest.approx(1.2, abs=0.35)  # 0.14 of it statistical
    assert found.uptakes[CLASSICAL, high].total_wt_pct == pytest.approx(9.3, abs=0.8)
    assert found.repeats == (2, 2, 2)
