"""Scores follow the physics of the target, and every factor on them can be seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hstore.formula import parse_amounts
from hstore_models.calibration import Reach
from hstore_models.hydride_thermodynamics import ENTHALPY, ENTROPY, ThermodynamicState
from hstore_models.prediction import Query
from hstore_workflows import scoring
from hstore_workflows.computed_enthalpy import BOTH, PREDICTED, ComputedHydride, with_computed
from hstore_workflows.scoring import MODELS_OF_KIND, score_chunk
from hstore_workflows.sources.enumeration.hazards import cost_notes, safety_notes
from hstore_workflows.target import FAMILIES_OF_KIND, load_target

ALLOYS = ["LaNi5", "TiFe", "Mg2Ni", "MgH2", "Ti0.5Zr0.5Mn2", "NaAlH4", "LiBH4", "TiVCrNb", "PuNi5", "LaNi4.5Cd0.5"]
TEXTURES = pd.DataFrame(
    {
        "gsa_m2_g": [3800.0, 800.0, 5000.0, np.nan],
        "pore_volume_cm3_g": [1.5, 0.3, 2.2, np.nan],
        "density_g_cm3": [0.59, 1.2, 0.4, 0.5],
    }
)
CONDUCTORS = ["Li7La3Zr2O12", "Li6PS5Cl", "Na3Zr2Si2PO12", "AgI", "LiF"]


@pytest.fixture
def score(loaded):
    """Score formulas, or descriptors, for a target."""

    def run(target, formulas=None, frame=None):
        models = {name: loaded(name) for name in MODELS_OF_KIND[target.kind]}
        amounts = [parse_amounts(f) for f in formulas] if formulas else [{}] * len(frame)
        return score_chunk(target, Query.of(amounts, frame), models)

    return run


def with_swing(target, **states):
    return target.model_copy(update={"swing": target.swing.model_copy(update=states)})


@pytest.mark.parametrize("name", ["onboard", "stationary", "cryo-sorbent", "electrolyte"])
def test_probabilities_and_scores_lie_between_0_and_1(score, name):
    target = load_target(name)
    what = {"hydride": (ALLOYS, None), "sorbent": (None, TEXTURES), "electrolyte": (CONDUCTORS, None)}
    frame = score(target, *what[target.kind])
    for column in ["score", *(c for c in frame if c.startswith("p_"))]:
        values = frame[column].dropna()
        assert values.between(0, 1).all(), column
    assert frame["score"].notna().all()
    assert (frame["score"] > 0).any()
    assert (frame["domain_reason"] == "").eq(frame["in_domain"]).all()


def test_order_and_company_do_not_change_a_score(score):
    target = load_target("stationary")
    together = score(target, ALLOYS)
    reverse = score(target, ALLOYS[::-1])[::-1].reset_index(drop=True)
    pd.testing.assert_frame_equal(together, reverse, rtol=1e-12)
    pd.testing.assert_frame_equal(together.iloc[:1], score(target, ALLOYS[:1]), rtol=1e-12)


def test_the_words_of_many_rows_are_those_of_each(score):
    rows = [*ALLOYS, "Zn(BH4)2", "LiNH2", "LiPd", "PuNi5", "TlBH4", "CoNi5La"]
    frame = score(load_target("onboard"), rows)
    for formula, safety, cost in zip(rows, frame["safety"], frame["cost"], strict=True):
        amounts = parse_amounts(formula)
        assert safety == "; ".join(safety_notes(amounts))
        assert cost == "; ".join(cost_notes(amounts))
        told = score(load_target("onboard"), [formula])
        assert (
            told["domain_reason"].tolist()
            == frame["domain_reason"][frame.index[rows.index(formula)] :][:1].tolist()
        )


def test_a_hydride_scores_as_its_alloy(score):
    alloy, hydride = score(load_target("stationary"), ["LaNi5", "LaNi5H6"])["p_window"]
    assert alloy == pytest.approx(hydride, rel=1e-12)


def test_stationary_likes_lani5_and_not_mgh2(score):
    """LaNi5 has 1.8 bar at 25 degC and works between 30 bar and warm water; MgH2 needs some 280 degC for 1 bar."""
    window = dict(zip(ALLOYS, score(load_target("stationary"), ALLOYS)["p_window"], strict=True))
    assert window["LaNi5"] > 0.5
    assert window["MgH2"] < 0.01


def test_capacity_does_not_make_up_for_a_swing_that_fails(score):
    frame = score(load_target("stationary"), ALLOYS)
    factors = np.where(frame["in_domain"], 1.0, scoring.OUT_OF_DOMAIN_FACTOR)
    factors *= np.where([formula in ("PuNi5", "LaNi4.5Cd0.5") for formula in ALLOYS], scoring.HAZARD_FACTOR, 1.0)
    np.testing.assert_allclose(
        frame["score"], frame["p_window"] * frame["capacity_attained"] * factors, rtol=1e-12
    )
    np.testing.assert_allclose(frame["p_feasible"], frame["p_window"] * frame["p_capacity"], rtol=1e-12)
    scores = dict(zip(ALLOYS, frame["score"], strict=True))
    assert scores["MgH2"] < 0.1 * scores["LaNi5"]  # five times the hydrogen, at the wrong temperature


def test_a_harder_swing_is_never_more_likely(score):
    """Release at a higher pressure, or from a colder bed, or filling at a lower pressure, is harder."""
    target = load_target("stationary")
    easy = score(target, ALLOYS)["p_window"].to_numpy()
    for harder in (
        {"discharge_pressure_bar": 10.0},
        {"discharge_temperature_k": 300.0},
        {"charge_pressure_bar": 10.0},
        {"charge_temperature_k": 320.0},
    ):
        window = score(with_swing(target, **harder), ALLOYS)["p_window"].to_numpy()
        assert (window <= easy + 1e-9).all(), harder
        assert (window < easy - 1e-6).any(), harder


def test_more_capacity_asked_never_scores_higher(score):
    target = load_target("stationary")
    more = target.requirement.model_copy(update={"h2_capacity_wt_pct": 6.0})
    easy, hard = score(target, ALLOYS), score(target.model_copy(update={"requirement": more}), ALLOYS)
    for column in ("score", "p_capacity", "p_feasible", "capacity_attained"):
        assert (hard[column] <= easy[column] + 1e-12).all()
        assert (hard[column] < easy[column]).any()
    np.testing.assert_array_equal(hard["p_window"], easy["p_window"])


def test_volume_counts_only_where_it_is_asked_and_known(score):
    target = load_target("stationary")
    light = target.requirement.model_copy(update={"h2_density_g_per_l": None})
    asked, not_asked = score(target, ALLOYS), score(target.model_copy(update={"requirement": light}), ALLOYS)
    molecular = np.array([formula in ("NaAlH4", "LiBH4") for formula in ALLOYS])
    assert asked["h2_density_g_per_l_mean"].isna().eq(molecular).all()
    root = np.sqrt(not_asked["capacity_attained"][molecular])
    np.testing.assert_allclose(asked["capacity_attained"][molecular], root, rtol=1e-12)


def test_one_bar_temperature_agrees_with_vant_hoff(score):
    frame = score(load_target("onboard"), ALLOYS)
    enthalpy = 1000 * frame["desorption_enthalpy_kj_per_mol_h2_mean"]
    expected = enthalpy / frame["desorption_entropy_j_per_mol_h2_k_mean"]
    np.testing.assert_allclose(frame["temperature_1bar_k_mean"], expected, rtol=1e-9)
    at_discharge = np.exp(
        frame["desorption_entropy_j_per_mol_h2_k_mean"] / 8.31446261815324
        - enthalpy / (8.31446261815324 * load_target("onboard").swing.discharge_temperature_k)
    )
    np.testing.assert_allclose(frame["plateau_pressure_bar_mean"], at_discharge, rtol=1e-9)


def test_what_is_computed_counts_where_nothing_is_measured_and_the_structure_is_stable(score, monkeypatch):
    """Na2ZnH4 was computed alone; MgH2 was measured; NaAlH4 lies above its products in the structure computed."""
    formulas = ["Na2ZnH4", "MgH2", "NaAlH4", "LaNi5"]
    target = load_target("stationary")
    frame = score(target, formulas)
    assert frame["enthalpy_basis"].tolist() == [BOTH, PREDICTED, PREDICTED, PREDICTED]
    assert (frame["computed_by"] != "").tolist() == [True, True, True, False]
    assert frame["computed_above_products_ev_per_atom"][2] > 0
    assert frame["computed_enthalpy_kj_per_mol_h2"][1] == pytest.approx(74.4, abs=15)
    assert np.isnan(frame["computed_enthalpy_kj_per_mol_h2"][3])
    monkeypatch.setattr(ComputedHydride, "counts", False)
    alone = score(target, formulas)
    changed = frame["p_window"] != alone["p_window"]
    assert changed.tolist() == [True, False, False, False]
    predicted = [name for name in frame if name.endswith(("_mean", "_std", "_lower", "_upper"))]
    pd.testing.assert_frame_equal(frame[predicted], alone[predicted])


def test_the_state_ranked_by_is_the_mean_of_both():
    known = ComputedHydride(20.0, 8.0, -0.1, "rutile", "p:1", measured=False)
    unstable = ComputedHydride(20.0, 8.0, 0.1, "rutile", "p:1", measured=False)
    predicted = np.array([60.0, 60.0, 60.0])
    reach = {ENTHALPY: Reach.normal(np.array([12.0, 12.0, 12.0])), ENTROPY: Reach.normal(np.ones(3))}
    state = ThermodynamicState(predicted, np.full(3, 130.0), reach, np.zeros(3), np.zeros(3))
    judged = with_computed(state, [known, unstable, None])
    assert judged.enthalpy_kj_per_mol_h2.tolist() == [40.0, 60.0, 60.0]
    assert judged.enthalpy_std.tolist() == [10.0, 12.0, 12.0]
    assert state.enthalpy_kj_per_mol_h2.tolist() == [60.0, 60.0, 60.0]
    assert with_computed(state, [None] * 3) is state


@pytest.mark.parametrize("factor", ["OUT_OF_DOMAIN_FACTOR", "HAZARD_FACTOR"])
def test_discount_is_a_factor_on_the_score_alone(score, monkeypatch, factor):
    target = load_target("stationary")
    before = score(target, ALLOYS)
    value = getattr(scoring, factor)
    assert 0 < value < 1
    monkeypatch.setattr(scoring, factor, 1.0)
    without = score(target, ALLOYS)
    discounted = before["score"] < without["score"] * (1 - 1e-9)
    np.testing.assert_allclose(before["score"][discounted], value * without["score"][discounted], rtol=1e-12)
    pd.testing.assert_frame_equal(before.drop(columns="score"), without.drop(columns="score"))
    hit = {ALLOYS[i] for i in np.flatnonzero(discounted)}
    if factor == "HAZARD_FACTOR":
        assert hit == {"PuNi5", "LaNi4.5Cd0.5"}
    else:
        assert hit == {formula for formula, inside in zip(ALLOYS, before["in_domain"], strict=True) if not inside}
        assert "PuNi5" in hit
        assert "LaNi5" not in hit


def test_hazards_are_named(score):
    safety = dict(zip(ALLOYS, score(load_target("stationary"), ALLOYS)["safety"], strict=True))
    assert "radioactive" in safety["PuNi5"].lower()
    assert safety["LaNi4.5Cd0.5"]
    assert safety["TiFe"] == ""


def test_sorbent_without_texture_scores_0_with_its_reason_told_once(score):
    row = score(load_target("cryo-sorbent"), frame=TEXTURES.copy()).iloc[3]
    assert row["score"] == 0
    assert np.isnan(row["usable_capacity_wt_pct_mean"])
    assert row["domain_reason"] == "gsa_m2_g is missing; pore_volume_cm3_g is missing"


def test_rows_without_a_swing_of_their_own_get_that_of_the_target(score):
    target = with_swing(load_target("cryo-sorbent"), charge_temperature_k=160.0, discharge_temperature_k=200.0)
    own = TEXTURES.assign(charge_temperature_k=[77.0, None, None, None])
    stated, silent = score(target, frame=own), score(target, frame=TEXTURES.copy())
    column = "usable_capacity_wt_pct_mean"
    assert stated[column][0] > 1.2 * silent[column][0]  # colder takes up more
    np.testing.assert_allclose(stated[column][1:3], silent[column][1:3], rtol=1e-12)


def test_warmer_discharge_delivers_more(score):
    target = load_target("cryo-sorbent")
    warm = with_swing(target, discharge_temperature_k=160.0)
    column = "usable_capacity_wt_pct_mean"
    cold, emptied = score(target, frame=TEXTURES.copy()), score(warm, frame=TEXTURES.copy())
    assert (emptied[column][:3] > cold[column][:3]).all()


def test_conductors_of_other_ions_stay_with_score_0(score):
    frame = score(load_target("electrolyte"), CONDUCTORS)
    assert frame["mobile_ion"].tolist() == ["Li", "Li", "Na", "Ag", "Li"]
    assert frame["score"][3] == 0
    assert frame["log10_conductivity_s_per_cm_mean"].notna().all()
    assert frame["score"][1] > frame["score"][4]  # argyrodite against lithium fluoride


def test_electrolyte_rows_without_temperature_get_that_of_the_target(score):
    target = load_target("electrolyte")
    hot = target.model_copy(update={"requirement": target.requirement.model_copy(update={"temperature_k": 400.0})})
    column = "log10_conductivity_s_per_cm_mean"
    cold = score(target, CONDUCTORS)[column]
    mixed = score(hot, CONDUCTORS, pd.DataFrame({"temperature_k": [298.15, None, None, None, None]}))[column]
    assert mixed[0] == pytest.approx(cold[0])
    assert (mixed[1:] > cold[1:]).all()


def test_every_kind_of_target_has_its_models():
    assert MODELS_OF_KIND.keys() == FAMILIES_OF_KIND.keys()
