"""One material, one answer: Python, command line, REST and screens, single rows and batches.

Tolerance 1e-9, relative to the standard deviation where it is larger than the value. Doors that ask for the same
rows give the same bits; in batches of other sizes libraries add in another order.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hstore.formula import parse_amounts
from hstore_models.prediction import Query
from hstore_models.training import MODELS
from hstore_workflows.scoring import MODELS_OF_KIND, score_chunk
from hstore_workflows.target import load_target

N_MATERIALS, N_SINGLE = 1000, 200
NUMBERS = ("mean", "std", "lower", "upper")
CLOSE = 1e-9
HYDRIDE_PROPERTIES = [*MODELS["hydride_capacity"], *MODELS["hydride_thermodynamics"]]
METALS = ("Mg", "Al", "Ca", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Y", "Zr", "Nb", "La", "Ce", "Pu", "Xe")
KIND = {
    name: kind
    for kind, names in (("alloy", HYDRIDE_PROPERTIES), ("salt", MODELS["conductivity"]))
    for name in names
}


def alloy(rng):
    symbols = rng.choice(METALS, rng.integers(2, 6), replace=False)
    return "".join(
        f"{symbol}{amount:.3f}" for symbol, amount in zip(symbols, rng.uniform(0.1, 3.0, 5), strict=False)
    )


def salt(rng):
    ion, metal, anion = (
        rng.choice(["Li", "Na", "K", "Ag"]),
        rng.choice(["La", "Zr", "P", "Ge", "Y"]),
        rng.choice(["O", "S", "Cl"]),
    )
    return f"{ion}{rng.uniform(1, 8):.3f}{metal}{rng.uniform(0.5, 3):.3f}{anion}{rng.uniform(3, 12):.3f}"


@pytest.fixture(scope="module")
def materials():
    """Kind -> random formulas with temperatures."""
    rng = np.random.default_rng(11)
    return {
        kind: pd.DataFrame(
            {
                "formula": [make(rng) for _ in range(N_MATERIALS)],
                "temperature_k": rng.uniform(250, 700, N_MATERIALS).round(1),
            }
        )
        for kind, make in (("alloy", alloy), ("salt", salt))
    }


@pytest.fixture(scope="module")
def pores():
    """Random sorbents with pore descriptors and states."""
    rng = np.random.default_rng(12)
    area, volume, density = rng.uniform(300, 6000, 300), rng.uniform(0.2, 3, 300), rng.uniform(0.2, 2, 300)
    return pd.DataFrame(
        {
            "density_g_cm3": density, "gsa_m2_g": area, "vsa_m2_cm3": area * density,
            "void_fraction": np.clip(volume * density, 0.05, 0.95), "pore_volume_cm3_g": volume,
            "lcd_A": rng.uniform(4, 25, 300), "pld_A": rng.uniform(2, 4, 300),
            "temperature_k": rng.uniform(77, 300, 300), "pressure_bar": rng.uniform(1, 100, 300),
        }
    ).round(3)  # fmt: skip


@pytest.fixture(scope="module")
def answer(loaded):
    """Ask a model in Python."""

    def ask(property_name, table):
        name = next(model for model, properties in MODELS.items() if property_name in properties)
        formulas = table.get("formula")
        amounts = [{}] * len(table) if formulas is None else [parse_amounts(text) for text in formulas]
        return loaded(name).model.predict(
            property_name, Query.of(amounts, table.drop(columns="formula", errors="ignore"))
        )

    return ask


def frame(predictions):
    return pd.DataFrame({name: getattr(predictions, name) for name in (*NUMBERS, "in_domain", "reason")})


def agree(found, expected, tolerance=CLOSE):
    """Compare numbers relative to the larger of their value and the standard deviation, and flags as they are."""
    found, expected = found.reset_index(drop=True), expected.reset_index(drop=True)
    for name in NUMBERS:
        scale = np.maximum(expected[name].abs(), expected["std"])
        np.testing.assert_array_equal(found[name].isna(), expected[name].isna())
        worst = np.nanmax(((found[name] - expected[name]).abs() / scale).to_numpy(dtype=float), initial=0.0)
        assert worst <= tolerance, f"{name} differs by {worst:g}"
    assert found["in_domain"].tolist() == expected["in_domain"].tolist()


@pytest.mark.parametrize("property_name", [*KIND])
def test_the_command_line_answers_as_python(hstore, answer, materials, tmp_path, property_name):
    table = materials[KIND[property_name]]
    table.to_csv(tmp_path / "in.csv", index=False)
    done = hstore("predict", property_name, "--in", "in.csv", "--out", "out.csv")
    assert done.exit_code == 0, done.output
    found = pd.read_csv(tmp_path / "out.csv", float_precision="round_trip", keep_default_na=False)
    expected = frame(answer(property_name, table))
    agree(found, expected, 0.0)
    assert found["reason"].tolist() == expected["reason"].tolist()


@pytest.mark.parametrize("property_name", [*KIND])
def test_the_service_answers_as_python(client, answer, materials, property_name):
    formulas = materials[KIND[property_name]]["formula"].tolist()
    request = {"property": property_name, "formulas": formulas}
    temperature = None if property_name == "activation_energy_ev" else 350.0
    if temperature is not None:
        request["temperature_k"] = temperature
    response = client.post("/v1/predictions", json=request)
    assert response.status_code == 200, response.text
    told = {} if temperature is None else {"temperature_k": temperature}
    expected = frame(answer(property_name, pd.DataFrame({"formula": formulas}).assign(**told)))
    found = pd.DataFrame(response.json()["rows"])
    agree(found, expected, 0.0)
    assert found["reason"].tolist() == expected["reason"].tolist()


@pytest.mark.parametrize("property_name", [*KIND, *MODELS["sorbent_uptake"]])
def test_single_rows_answer_as_the_batch(answer, materials, pores, property_name):
    table = materials[KIND[property_name]] if property_name in KIND else pores
    batch = frame(answer(property_name, table)).iloc[:N_SINGLE]
    single = pd.concat([frame(answer(property_name, table.iloc[[i]])) for i in range(N_SINGLE)])
    agree(single, batch)


@pytest.mark.parametrize("property_name", [*KIND, *MODELS["sorbent_uptake"]])
def test_order_and_company_do_not_matter(answer, materials, pores, property_name):
    table = materials[KIND[property_name]] if property_name in KIND else pores
    expected = frame(answer(property_name, table))
    order = np.random.default_rng(0).permutation(len(table))
    shuffled = frame(answer(property_name, table.iloc[order])).iloc[np.argsort(order)]
    agree(shuffled, expected)


def scored(loaded, target_name, table, chunk=300):
    """Score as a screen does, chunk by chunk."""
    target = load_target(target_name)
    models = {name: loaded(name) for name in MODELS_OF_KIND[target.kind]}
    parts = []
    for start in range(0, len(table), chunk):
        rows = table.iloc[start : start + chunk]
        amounts = [parse_amounts(text) for text in rows["formula"]] if "formula" in rows else [{}] * len(rows)
        own = rows.drop(columns="formula", errors="ignore")
        parts.append(score_chunk(target, Query.of(amounts, own.reset_index(drop=True)), models))
    return target, pd.concat(parts, ignore_index=True)


def columns_of(screened, property_name):
    found = screened[[f"{property_name}_{name}" for name in NUMBERS]]
    return found.set_axis(NUMBERS, axis=1)


def test_a_screen_of_hydrides_answers_as_python(loaded, answer, materials):
    table = materials["alloy"][["formula"]]
    target, screened = scored(loaded, "onboard", table)
    told = table.assign(temperature_k=target.swing.discharge_temperature_k)
    for name in HYDRIDE_PROPERTIES:
        expected = frame(answer(name, told if name == "plateau_pressure_bar" else table))
        agree(columns_of(screened, name).assign(in_domain=expected["in_domain"]), expected)


def test_a_screen_of_electrolytes_answers_as_python(loaded, answer, materials):
    table = materials["salt"][["formula"]]
    target, screened = scored(loaded, "electrolyte", table)
    told = table.assign(temperature_k=target.requirement.temperature_k or 298.15)
    for name in MODELS["conductivity"]:
        expected = frame(answer(name, told))
        agree(columns_of(screened, name).assign(in_domain=expected["in_domain"]), expected)


def test_a_screen_of_sorbents_answers_as_python_and_the_command_line(hstore, loaded, answer, pores, tmp_path):
    from hstore_models.sorbent import SWING

    target, screened = scored(loaded, "cryo-sorbent", pores)
    told = pores.assign(**{name: getattr(target.swing, name) for name in SWING})
    told.to_csv(tmp_path / "in.csv", index=False)
    for name in ("usable_capacity_wt_pct", "usable_capacity_g_per_l"):
        expected = frame(answer(name, told))
        agree(columns_of(screened, name).assign(in_domain=expected["in_domain"]), expected)
        assert hstore("predict", name, "--in", "in.csv", "--out", "out.csv").exit_code == 0
        agree(pd.read_csv(tmp_path / "out.csv", float_precision="round_trip"), expected, 0.0)
