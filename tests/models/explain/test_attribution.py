from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from hstore.errors import InputError
from hstore.formula import parse_amounts
from hstore_models.domain import domain_of
from hstore_models.explain import attribution as module
from hstore_models.explain.attribution import attribute
from hstore_models.explain.meaning import MEANINGS, by_meaning, meaning_of
from hstore_models.explain.swapping import IDENTITY, Served, together
from hstore_models.features.table import GROUPS
from hstore_models.prediction import Predictions, Query
from hstore_models.spec import Spec
from hstore_models.table_property import fit_table_property

pytestmark = pytest.mark.skipif(find_spec("shap") is None, reason="needs pip install 'hstore[explain]'")

ALLOYS = (
    "LaNi5",
    "TiFe",
    "ZrMn2",
    "Mg2Ni",
    "CaNi5",
    "TiCr2",
    "LaNi4.5Al0.5",
    "ZrV2",
    "TiCo",
    "CeNi5",
    "YNi3",
    "Ti2Ni",
)
SIZE, HEAT = "mean_radius_pm", "binary_hydride_enthalpy_kj_per_mol_h2_atom"


def query_of(formulas, **columns):
    return Query.of([parse_amounts(text) for text in formulas], pd.DataFrame(columns, index=range(len(formulas))))


class Linear:
    """Answers 2 x radius + 3 x heat + 0.5 x temperature + 100 where it holds iron."""

    properties, main = ("desorption_enthalpy_kj_per_mol_h2",), None
    feature_names = GROUPS["hydride"].names()
    domain = domain_of([{"La": 1.0}], 1.0)

    def predict(self, property_name, query):
        table = query.features(("hydride",), host=True).select([SIZE, HEAT]).values
        iron = np.array(["Fe" in amounts for amounts in query.amounts])
        mean = 2 * table[:, 0] + 3 * table[:, 1] + 0.5 * query.column("temperature_k", 300.0) + 100.0 * iron
        zero = np.zeros(len(query))
        return Predictions(property_name, mean, zero, mean, mean, zero == 0, zero.astype(object))


def test_every_descriptor_has_exactly_one_physical_meaning():
    named = {meaning.key for meaning in MEANINGS}
    for group in GROUPS.values():
        for name in group.names():
            assert meaning_of(name).key in named, name
    places = sorted(p for group in by_meaning(GROUPS["hydride"].names()).values() for p in group)
    assert places == list(range(len(GROUPS["hydride"].names())))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("mean_radius_pm", "size"),
        ("MagpieData mean GSvolume_pa", "size"),
        ("b_minus_a_electronegativity", "electronegativity"),
        ("reversed_stability_kj_per_mol_a", "mixing_heat"),
        ("a_binary_hydride_enthalpy_kj_per_mol_h2", "hydride_heat"),
        ("pore_volume_cm3_g", "pore_space"),
        ("void_fraction", "pore_space"),
        ("anion_share_s", "anion"),
        ("my_own_column", "my_own_column"),
    ],
)
def test_meanings_are_what_a_chemist_would_say(name, key):
    assert meaning_of(name).key == key


def test_values_of_a_linear_model_are_slope_times_distance_from_the_background():
    training = query_of(ALLOYS, temperature_k=[400.0] * len(ALLOYS))
    asked = query_of(["LaCo5", "ZrCr2"], temperature_k=[350.0, 250.0])
    found = attribute(Linear(), "desorption_enthalpy_kj_per_mol_h2", asked, training, background_rows=len(ALLOYS))
    keys = [meaning.key for meaning in found.meanings]
    for name, slope, key in ((SIZE, 2.0, "size"), (HEAT, 3.0, "hydride_heat")):
        own = asked.features(("hydride",), host=True).select([name]).values[:, 0]
        usual = training.features(("hydride",), host=True).select([name]).values[:, 0].mean()
        assert found.values[:, keys.index(key)] == pytest.approx(slope * (own - usual), rel=1e-9)
    iron = np.mean(["Fe" in text for text in ALLOYS])
    assert found.values[:, keys.index("identity")] == pytest.approx(-100.0 * iron)
    others = [p for p, key in enumerate(keys) if key not in {"size", "hydride_heat", "identity"}]
    assert np.abs(found.values[:, others]).max() < 1e-9
    assert found.is_exact
    assert np.abs(found.gap).max() < 1e-9
    assert found.base[0] - found.base[1] == pytest.approx(0.5 * 100.0)  # at the conditions of each material


def test_drawn_orders_come_near_the_exact_values_and_still_add_up(monkeypatch, loaded):
    model, training = loaded("hydride_thermodynamics").model, query_of(ALLOYS)
    arguments = (model, "desorption_enthalpy_kj_per_mol_h2", query_of(["LaCo5"]), training)
    exact = attribute(*arguments, background_rows=6)
    monkeypatch.setattr(module, "_EXACT_EVALUATIONS", 0)
    drawn = attribute(*arguments, background_rows=6)
    assert exact.is_exact
    assert not drawn.is_exact
    assert np.abs(drawn.gap).max() < 1e-9
    assert np.abs(drawn.values - exact.values).max() < 0.15 * np.abs(exact.values).max()
    again = attribute(*arguments, background_rows=6)
    assert (again.values == drawn.values).all()


def test_the_served_pressure_is_explained_in_decades(loaded):
    model = loaded("hydride_thermodynamics").model
    asked = query_of(["LaNi5"], temperature_k=[330.0])
    found = attribute(model, "plateau_pressure_bar", asked, query_of(ALLOYS), background_rows=4)
    served = model.predict("plateau_pressure_bar", asked).mean[0]
    assert found.quantity == "log10 plateau_pressure_bar"
    assert found.base[0] + found.values[0].sum() == pytest.approx(np.log10(served), abs=1e-9)


def test_swapping_nothing_gives_the_served_answers(loaded):
    model = loaded("hydride_thermodynamics").model
    query = together(query_of(["LaNi5", "NaAlH4"]), query_of(ALLOYS))
    served = Served(model, "desorption_enthalpy_kj_per_mol_h2", query)
    own = np.repeat(np.arange(len(query))[:, None], len(served.parts), axis=1)
    assert served(own, 0) == pytest.approx(served.answers, rel=1e-12)
    assert served.parts[-1].meaning is IDENTITY


def test_a_background_of_one_is_refused():
    with pytest.raises(InputError, match="at least 2"):
        attribute(Linear(), "x", query_of(["LaNi5"]), query_of(ALLOYS), background_rows=1)


def test_a_column_of_a_users_own_property_is_a_part_of_its_own():
    """Hardness falls with the share of the first metal and with the grain, a column that no descriptor knows."""
    rng = np.random.default_rng(0)
    table = [(a, b, x, g) for a in ("Ti", "Zr", "La", "Mg") for b in ("Ni", "Co", "Fe") for x in (0.2, 0.4, 0.6)
             for g in (1.0, 5.0)]  # fmt: skip
    amounts = [{a: x, b: 1 - x} for a, b, x, _ in table]
    rows = pd.DataFrame({
        "amounts": pd.Series(amounts, dtype=object),
        "chemical_system": ["-".join(sorted(row)) for row in amounts],
        "source": "own",
        "grain_um": [grain for *_, grain in table],
        "hardness_gpa": [8 - 6 * x - 0.6 * g + rng.normal(0, 0.05) for _, _, x, g in table],
    })  # fmt: skip
    target = {
        "features": ["hydride"],
        "columns": ["grain_um"],
        "learners": [{"kind": "extra_trees", "parameters": {"n_estimators": 30, "max_features": 1.0}}],
    }
    own = Spec.model_validate({
        "name": "hardness", "kind": "property", "summary": "s", "unit": "GPa", "targets": {"hardness_gpa": target}
    })  # fmt: skip
    model = fit_table_property(rows, own)
    training = Query.of(amounts, rows)
    asked = Query.of([{"Ti": 0.4, "Ni": 0.6}] * 2, pd.DataFrame({"grain_um": [1.0, 5.0]}))
    found = attribute(model, "hardness_gpa", asked, training, background_rows=20)
    grain = [meaning.key for meaning in found.meanings].index("grain_um")
    assert found.values[0, grain] > 0.8
    assert found.values[1, grain] < -0.8
    assert np.abs(found.gap).max() < 1e-9
