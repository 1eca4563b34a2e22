"""Conductivity model: Arrhenius at every temperature, cells where they are known, bounds, known conductors."""

import numpy as np
import pandas as pd
import pytest

from hstore.formula import parse_amounts
from hstore.settings import Settings
from hstore.units import BOLTZMANN_EV_PER_K, STANDARD_TEMPERATURE_K
from hstore_models import conductivity as module
from hstore_models.calibration import NORMAL_QUANTILE
from hstore_models.conductivity import CONDUCTIVITY, ENERGY, ArrheniusLaw, arrhenius_shift, fit_conductivity
from hstore_models.conductivity_rows import (
    OPEN_END,
    bounds,
    near_25c,
    series_weights,
    shift_weights,
    with_series_energies,
)
from hstore_models.features.composition import CompositionBatch, row_sum
from hstore_models.features.electrolyte import ionic_volumes_a3
from hstore_models.prediction import Query
from hstore_models.spec import Spec, shipped_spec
from hstore_models.training_data import TrainingData, load_scored_rows, load_training_data

LEARNERS = [
    {
        "kind": "extra_trees",
        "blocks": blocks,
        "parameters": {"n_estimators": 30, "min_samples_leaf": 3, "trim": 0.2},
    }
    for blocks in (["roots", "electrolyte"], ["roots", "electrolyte", "lattice"])
]


def quick_spec():
    """The shipped spec with a few trees only."""
    content = shipped_spec("conductivity").model_dump()
    content["targets"][CONDUCTIVITY]["learners"] = LEARNERS
    content["targets"][ENERGY]["learners"] = [LEARNERS[0] | {"blocks": []}]
    return Spec.model_validate(content)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Curated rows; those of lithium have invented cubic cells of one formula unit and a believable volume."""
    found = load_training_data(
        "conductivity", Settings(home=tmp_path_factory.mktemp("home"), data_mirror=None)
    ).rows
    batch = CompositionBatch.from_amounts(list(found["amounts"]))
    edge = np.cbrt(1.5 * ionic_volumes_a3(batch) * row_sum(batch.amounts))
    lithium = np.array(["Li" in amounts for amounts in found["amounts"]])
    cells = {name: np.where(lithium, edge, np.nan) for name in ("a", "b", "c")}
    return found.assign(**cells, alpha=90.0, beta=90.0, gamma=90.0, formula_units=1.0, space_group_number=221.0)


@pytest.fixture(scope="module")
def model(rows):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SPECIALIST_ROWS", 100)
        return fit_conductivity(rows, spec=quick_spec(), seed=1)


def ask(formula, temperatures_k, **columns):
    frame = pd.DataFrame({"temperature_k": temperatures_k}).assign(**columns)
    return Query.of([parse_amounts(formula)] * len(temperatures_k), frame)


def test_predictions_lie_on_one_arrhenius_line(model):
    temperatures_k = np.array([260.0, 298.15, 350.0, 420.0])
    query = ask("Li6.5La3Zr1.5Ta0.5O12", temperatures_k)
    sigma, energy = model.predict(CONDUCTIVITY, query).mean, model.predict(ENERGY, query).mean
    ln_sigma_t = sigma * np.log(10) + np.log(temperatures_k)
    slopes = np.diff(ln_sigma_t) / np.diff(1 / temperatures_k) * -BOLTZMANN_EV_PER_K
    assert slopes == pytest.approx(energy[:3], rel=1e-9)
    intercept = ln_sigma_t + energy / (BOLTZMANN_EV_PER_K * temperatures_k)
    assert model.law(query).log10_prefactor * np.log(10) == pytest.approx(intercept, rel=1e-9)


def test_shift_vanishes_at_25_degc_and_grows_with_temperature():
    shift, _ = arrhenius_shift(np.full(3, 0.3), np.array([298.15, 350.0, 250.0]))
    assert shift[0] == pytest.approx(0.0)
    assert shift[1] > 0 > shift[2]


def law(correlation):
    one = np.ones(1)
    return ArrheniusLaw(-5.0 * one, 0.4 * one, one, 0.2 * one, correlation, 0.5 * one)


def test_errors_of_conductivity_and_barrier_add_up_as_they_are_correlated():
    warm, cold = np.array([400.0]), np.array([240.0])
    part = arrhenius_shift(np.array([0.4]), warm)[1] * 0.2
    assert law(0.0).at(warm)[1] == pytest.approx(np.hypot(1.0, part))
    assert law(-1.0).at(warm)[1] == pytest.approx(np.abs(1.0 - part))
    assert law(-0.7).at(warm)[1] < law(0.0).at(warm)[1]
    assert law(-0.7).at(cold)[1] > law(0.0).at(cold)[1]
    assert law(-0.7).at(np.array([STANDARD_TEMPERATURE_K]))[1] == pytest.approx(1.0)


def test_a_better_conductor_than_predicted_has_the_lower_barrier(model):
    assert model.correlation < 0


def test_superionic_conductor_beats_insulator(model):
    good, poor = (model.predict(CONDUCTIVITY, ask(f, [298.15])).mean[0] for f in ("Li6PS5Cl", "LiAlSiO4"))
    assert good > poor + 2


def test_lithium_has_ensembles_of_its_own_with_and_without_the_cell(model):
    assert set(model.ensembles) == {"any ion", "Li", "Li with cell"}
    assert len(model.ensembles["Li"].target) < len(model.ensembles["any ion"].target)
    for name, sees_cell in {"Li": False, "Li with cell": True}.items():
        seen = {model.feature_names[i] for part in model.ensembles[name].columns.values() for i in part}
        assert ("cell_volume_per_atom_a3" in seen) == sees_cell


def test_the_cell_is_used_where_it_is_known(model):
    cell = {"a": 3.9, "b": 3.9, "c": 3.9, "alpha": 90.0, "beta": 90.0, "gamma": 90.0}
    bare = model.predict(CONDUCTIVITY, ask("Li3OCl", [298.15])).mean
    known = model.predict(CONDUCTIVITY, ask("Li3OCl", [298.15], **cell)).mean
    partial = model.predict(CONDUCTIVITY, ask("Li3OCl", [298.15], a=3.9)).mean
    sodium = model.predict(CONDUCTIVITY, ask("Na3PS4", [298.15], **cell)).mean
    assert known != bare
    assert partial == bare
    assert sodium == model.predict(CONDUCTIVITY, ask("Na3PS4", [298.15])).mean


def test_rows_do_not_depend_on_each_other(model):
    formulas = ["Li6PS5Cl", "Na3Zr2Si2PO12", "Ce0.9Gd0.1O1.95"]
    together = model.predict(CONDUCTIVITY, Query.of([parse_amounts(f) for f in formulas]))
    for row, formula in enumerate(formulas):
        alone = model.predict(CONDUCTIVITY, Query.of([parse_amounts(formula)]))
        assert alone.mean[0] == pytest.approx(together.mean[row], rel=1e-9)
        assert alone.std[0] == pytest.approx(together.std[row], rel=1e-9)


def test_temperature_outside_the_training_range_is_named(model):
    answer = model.predict(CONDUCTIVITY, ask("Li6PS5Cl", [2500.0]))
    assert not answer.in_domain[0]
    assert "temperature_k 2500 outside" in answer.reason[0]


def test_unseen_elements_are_named_and_widen(model):
    answer = model.predict(CONDUCTIVITY, Query.of([parse_amounts("Li3UCl6"), parse_amounts("Li3YCl6")]))
    assert "no training material contains U" in answer.reason[0]
    assert answer.std[0] > answer.std[1]


def test_metals_are_named_and_no_training_material_is(model, rows):
    answer = model.predict(ENERGY, Query.of([parse_amounts("Cu"), parse_amounts("TiFe"), parse_amounts("AgI")]))
    assert answer.reason[0].startswith("holds no anion")
    assert "; few training materials contain Fe" in answer.reason[1]
    assert answer.in_domain.tolist() == [False, False, True]
    of_rows = model.predict(CONDUCTIVITY, Query.of(list(rows["amounts"]))).reason
    assert not [why for why in of_rows if why.startswith("holds no")]


def test_what_may_lie_below_a_detection_limit_ends_openly(model, rows):
    poor = [formula for formula, below in zip(rows["formula"], bounds(rows), strict=True) if below]
    answer = model.predict(CONDUCTIVITY, Query.of([parse_amounts(formula) for formula in poor]))
    assert np.mean(answer.lower <= OPEN_END) > 0.7
    assert np.all(answer.std < 4.0)
    good = model.predict(CONDUCTIVITY, ask("Li6PS5Cl", [298.15]))
    assert good.lower[0] > OPEN_END


def test_intervals_keep_their_form_at_other_temperatures(model):
    answer = model.predict(CONDUCTIVITY, ask("Li6PS5Cl", [298.15, 400.0]))
    above, below = answer.upper - answer.mean, answer.mean - answer.lower
    assert above[0] / below[0] == pytest.approx(above[1] / below[1])
    assert (above + below) / (2 * NORMAL_QUANTILE) == pytest.approx(answer.std)


def test_upper_bounds_are_learned_as_values_below_them(model, rows):
    bound = bounds(rows)
    assert bound.sum() == 10
    learned = model.ensembles["any ion"].target
    assert (learned[bound] < model.at_25c[bound]).all()
    np.testing.assert_array_equal(learned[~bound], model.at_25c[~bound])


def test_held_out_rows_are_those_near_25_degc(model, rows):
    found = model.held_out(TrainingData("conductivity", rows, None, {}, 0), group="chemical_system")
    sigma, energy = found[CONDUCTIVITY], found[ENERGY]
    assert len(sigma.truth) == near_25c(rows).sum()
    assert len(energy.truth) == np.isfinite(with_series_energies(rows)).sum()
    score = sigma.score()
    assert score.mae < score.mae_mean_predictor
    assert score.coverage >= 0.88
    assert set(sigma.family) >= {"Li garnet", "Li sulfide", "Na polyanion"}


def test_same_seed_gives_the_same_model(rows):
    query = Query.of([parse_amounts("Li6PS5Cl"), parse_amounts("Na3PS4")])
    one, other = (fit_conductivity(rows, spec=quick_spec(), seed=3).predict(CONDUCTIVITY, query) for _ in range(2))
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.std, other.std)


def series(temperatures_k, energy=0.35, **fields):
    kt = BOLTZMANN_EV_PER_K * np.asarray(temperatures_k)
    values = (5.0 - energy / kt - np.log(temperatures_k)) / np.log(10)
    base = {"composition": "Li3N", "source": "s", "reference": "r", ENERGY: np.nan}
    return pd.DataFrame({"temperature_k": temperatures_k, CONDUCTIVITY: values}).assign(**(base | fields))


def test_a_series_of_three_temperatures_gives_its_activation_energy():
    assert with_series_energies(series([300.0, 350.0, 400.0])) == pytest.approx([0.35] * 3)
    assert np.isnan(with_series_energies(series([300.0, 350.0]))).all()
    assert with_series_energies(series([300.0, 350.0, 400.0], **{ENERGY: 0.5})) == pytest.approx([0.5] * 3)


def test_a_series_counts_as_one_measurement_and_far_values_count_less():
    assert series_weights(series([300.0, 350.0, 400.0, 450.0])) == pytest.approx([0.25] * 4)
    per_ev = arrhenius_shift(np.zeros(3), np.array([298.15, 400.0, 600.0]))[1]
    estimated, measured = (shift_weights(per_ev, measured=np.full(3, known)) for known in (False, True))
    assert estimated[0] == measured[0] == 1.0
    assert (np.diff(estimated) < 0).all()
    assert (measured[1:] > estimated[1:]).all()


@pytest.mark.mirror
def test_cells_and_bounds_of_the_public_set_reach_the_training_rows(mirror):
    found = load_training_data("conductivity", mirror).rows
    assert found["a"].notna().sum() > 450
    assert found["censored"].sum() == 30
    test = load_scored_rows("conductivity", "obelix", mirror)
    assert len(test) == 121
    assert test["formula_units"].notna().all()
