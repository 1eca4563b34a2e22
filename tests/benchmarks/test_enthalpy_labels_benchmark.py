"""The benchmark of enthalpy labels: who is told the pressure misses less, and by van 't Hoff's law."""

from __future__ import annotations

import numpy as np
import pytest

from hstore.thermo import ln_plateau_pressure
from hstore_models.hydride_thermodynamics import TARGETS
from hstore_models.training_data import load_training_data


def test_from_pressure_is_van_t_hoffs_law(benchmark_module):
    pressures = np.array([-3.0, 0.0, 2.5])
    back = ln_plateau_pressure(benchmark_module("enthalpy_labels").from_pressure(pressures), 110.0, 298.15)
    assert back == pytest.approx(pressures)


def test_the_pressure_tells_of_the_enthalpy(benchmark_module, trained):
    module, rows = benchmark_module("enthalpy_labels"), load_training_data("hydride_thermodynamics", trained).rows
    rows = rows[rows[list(TARGETS)].notna().all(axis=1)]
    systems = sorted(set(rows["chemical_system"]))
    held_out = rows["chemical_system"].isin(systems[::3])
    asked = rows[held_out].reset_index(drop=True)
    found = module.answers(rows[~held_out], asked, seed=0)
    errors = {name: np.abs(values - asked[module.ENTHALPY]).mean() for name, values in found.items()}
    assert len(asked) > 40
    assert errors["composition and pressure"] < 0.8 * errors["composition"]


def test_rows_are_held_out_with_their_chemical_systems(benchmark_module, mirror, monkeypatch):
    module = benchmark_module("enthalpy_labels")
    seen = []

    def answers(rows, asked, *, seed):
        seen.append((set(rows["chemical_system"]), set(asked["chemical_system"])))
        return {"composition": asked[module.ENTHALPY].to_numpy(dtype=float) + 1.0}

    monkeypatch.setattr(module, "answers", answers)
    monkeypatch.setattr(module, "load_settings", lambda: mirror)
    found = module.run("ml_hydpark", 1)
    assert found["composition"] == {
        "mae_kj_per_mol_h2": pytest.approx(1.0),
        "median_kj_per_mol_h2": pytest.approx(1.0),
    }
    assert len(seen) == 5
    assert not any(trained & asked for trained, asked in seen)


def test_a_set_that_is_not_there_is_named(benchmark):
    done = benchmark("enthalpy_labels", "--data-set", "ml_hydpark", "--seeds", "1")
    assert done.returncode != 0
    assert "ml_hydpark" in done.stderr
