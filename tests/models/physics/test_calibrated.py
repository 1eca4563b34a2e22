"""The learned correction: it finds a planted error, does not see what is left out, and refuses to mix."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from hstore.errors import InputError
from hstore_models.physics.calibrated import (
    Priced,
    error_of,
    fit_calibration,
    hydrogen_of_phases,
    left_out,
    phase_descriptors,
)
from hstore_models.physics.reaction import into_elements, parse_reaction

METALS = ("Li", "Na", "K", "Rb", "Mg", "Ca", "Sr", "Ba", "Ti", "Zr", "Hf", "La", "Y", "Th", "Ce", "Sc", "Nb", "V")


@cache
def left_out_of_planted(noise=0.0):
    """What is answered for each planted reaction when it is left out; the tests share it."""
    return left_out(planted(noise))


def planted(noise=0.0, seed=0):
    """Reactions whose raw energies are off by 20 (electronegativity - 1.4) kJ for each H, and 5 for H2."""
    generator = np.random.default_rng(seed)
    rows = []
    for metal in METALS:
        true = float(generator.uniform(20, 200))
        wrong = 2 * 20 * (phase_descriptors(f"{metal}H2")[0] - 1.4) + 5
        measured = true + float(generator.normal(scale=noise)) if noise else true
        rows.append(Priced(f"{metal}H2", "salt", into_elements(f"{metal}H2"), true + wrong, "p:1", measured))
    return rows


def test_a_planted_error_is_found():
    found = left_out_of_planted()
    raw = [row.raw_kj_per_mol_h2 for row in planted()]
    assert error_of(planted(), np.array(raw))["mae"] > 8
    assert error_of(planted(), found.kj_per_mol_h2)["mae"] < 2.5


def test_hydrogen_that_stays_bound_counts_against():
    taken = hydrogen_of_phases(parse_reaction("Na3AlH6 -> 3 NaH + Al + 3/2 H2"))
    assert taken == {"AlH6Na3": pytest.approx(4.0), "HNa": pytest.approx(-2.0)}


def test_a_row_left_out_has_no_part_in_its_prediction():
    rows = planted()
    before = left_out_of_planted().kj_per_mol_h2[4]
    spoiled = [*rows[:4], replace(rows[4], measured_kj_per_mol_h2=500.0), *rows[5:]]
    assert left_out(spoiled).kj_per_mol_h2[4] == pytest.approx(before, abs=1e-9)


def test_a_group_left_out_has_no_part_either():
    rows = planted()
    groups = ["alkali"] * 4 + ["other"] * (len(rows) - 4)
    before = left_out(rows, groups).kj_per_mol_h2[:4]
    spoiled = [replace(row, measured_kj_per_mol_h2=500.0) for row in rows[:4]] + rows[4:]
    assert left_out(spoiled, groups).kj_per_mol_h2[:4] == pytest.approx(before, abs=1e-9)


def test_the_standard_deviation_covers():
    rows = planted(noise=8.0)
    found = left_out_of_planted(8.0)
    off = np.abs(found.kj_per_mol_h2 - [row.measured_kj_per_mol_h2 for row in rows])
    assert 0.4 < float((off < found.std_kj_per_mol_h2).mean()) < 0.95


def test_far_from_what_was_measured_it_is_less_sure():
    fitted = fit_calibration(planted())
    near, far = (Priced(f, "", into_elements(f), 50.0, "p:1") for f in ("CaH2", "AuBr9H2"))
    found = fitted.predict([near, far])
    assert found.std_kj_per_mol_h2[1] > 1.5 * found.std_kj_per_mol_h2[0]


def test_what_cannot_be_fitted_is_refused():
    rows = planted()
    with pytest.raises(InputError, match="at least 12"):
        fit_calibration(rows[:5])
    with pytest.raises(InputError, match="LiH2 has no measured"):
        fit_calibration([replace(rows[0], measured_kj_per_mol_h2=math.nan), *rows[1:]])
    with pytest.raises(InputError, match="one potential"):
        fit_calibration([replace(rows[0], potential="q:2"), *rows[1:]])
    with pytest.raises(InputError, match="one potential"):
        fit_calibration(rows).predict([replace(rows[0], potential="q:2")])
    assert len(fit_calibration(rows).predict([]).kj_per_mol_h2) == 0
