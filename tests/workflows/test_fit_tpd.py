"""Desorption curves and cycles: activation energies and fades that were put in come out."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from click.testing import CliRunner

from hstore.errors import InputError
from hstore.units import GAS_CONSTANT_J_PER_MOL_K as R
from hstore_workflows.cli import main
from hstore_workflows.fit.cycling import fit_fade, read_fade
from hstore_workflows.fit.tpd import find_peak, fit_kissinger, fit_tpd

ENERGY, LN_PREFACTOR = 120.0, np.log(1e10)
RATES = (2.0, 5.0, 10.0, 20.0)


def release(rate_k_per_min, noise=0.0, seed=0):
    """Temperatures and release rates of a first-order release, heated steadily."""
    kelvin = np.linspace(400, 800, 4001)
    constant = np.exp(LN_PREFACTOR - 1000 * ENERGY / (R * kelvin)) * 60 / rate_k_per_min
    left = np.exp(-np.concatenate([[0], np.cumsum((constant[1:] + constant[:-1]) / 2 * np.diff(kelvin))]))
    signal = constant * left
    some = slice(None, None, 40)
    return kelvin[some], signal[some] / signal.max() + noise * np.random.default_rng(seed).standard_normal(101)


def test_the_activation_energy_of_made_up_curves_comes_out():
    for noise, near in ((0.0, 0.5), (0.01, 4.0)):
        rows = ["rate_k_per_min,temperature_c,signal"]
        for place, rate in enumerate(RATES):
            points = zip(*release(rate, noise, place), strict=True)
            rows += [f"{rate},{kelvin - 273.15:.2f},{signal:.6f}" for kelvin, signal in points]
        found = fit_tpd(io.BytesIO("\n".join(rows).encode()))
        assert found.kissinger.activation_energy_kj_per_mol == pytest.approx(ENERGY, abs=near)
        assert found.kissinger.ln_prefactor_per_s == pytest.approx(LN_PREFACTOR, abs=near)
        assert [rate for rate, _ in found.peaks] == list(RATES)
        assert not found.notes


def test_intervals_of_the_activation_energy_hold_the_truth():
    beta = np.array([2.0, 4.0, 8.0, 16.0, 32.0])
    peaks = np.full(5, 600.0)
    for _ in range(50):  # Kissinger's equation, solved for the temperature
        peaks = 1000 * ENERGY / R / (LN_PREFACTOR + np.log(60) + np.log(R * peaks**2 / (1000 * ENERGY * beta)))
    assert fit_kissinger(beta, peaks).activation_energy_kj_per_mol == pytest.approx(ENERGY, rel=1e-6)
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        low, high = fit_kissinger(beta, peaks + 1.5 * rng.standard_normal(5)).interval
        held += low <= ENERGY <= high
    assert 165 <= held <= 194  # 180 at 90 %, within four standard deviations


def test_peaks_lie_between_points_and_doubtful_ones_are_left_out():
    kelvin = np.arange(500, 600, 7.0)
    peak = find_peak(kelvin, np.exp(-(((kelvin - 551.3) / 30) ** 2)))
    assert peak.temperature_k == pytest.approx(551.3, abs=0.5)
    assert "end of the curve" in find_peak(kelvin, kelvin).doubt
    with pytest.raises(InputError, match="at least 7 points"):
        find_peak([1, 2, 3], [1, 2, 1])
    rows = ["rate_k_per_min,temperature_k,signal"]
    for rate in RATES:
        rows += [f"{rate},{t:.2f},{s:.6f}" for t, s in zip(*release(rate), strict=True)]
    rows += [f"40,{t},{t}" for t in range(400, 420)] + ["40,x,1"]
    found = fit_tpd(io.BytesIO("\n".join(rows).encode()))
    assert any("40 K/min" in note and "left out" in note for note in found.notes)
    assert any("'x'" in note for note in found.notes)
    assert len(found.peaks) == 4


def test_stated_peaks_and_what_is_missing(tmp_path):
    (tmp_path / "peaks.csv").write_text("rate_k_per_min,temperature_c\n2,300\n5,318\n10,333\n20,349\n")
    figure = tmp_path / "peaks.pdf"
    done = CliRunner().invoke(main, ["fit", "tpd", str(tmp_path / "peaks.csv"), "--figure", str(figure), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)["kissinger"]
    assert told["interval"][0] < told["activation_energy_kj_per_mol"] < told["interval"][1]
    assert figure.read_bytes().startswith(b"%PDF")
    with pytest.raises(InputError, match="three heating rates at least, got 2"):
        fit_kissinger([2, 5], [500, 510])
    with pytest.raises(InputError, match="above 0"):
        fit_kissinger([2, 5, -1], [500, 510, 520])
    with pytest.raises(InputError, match="rate_k_per_min"):
        fit_tpd(io.BytesIO(b"temperature_k,signal\n300,1\n"))


def test_fade_of_a_capacity(tmp_path):
    cycle = np.arange(1, 501, 25)
    capacity = (
        1.4 * np.exp(-0.0004 * (cycle - 1)) * (1 + 0.002 * np.random.default_rng(0).standard_normal(len(cycle)))
    )
    fade = fit_fade(cycle, capacity)
    assert fade.first_wt_pct == pytest.approx(1.4, rel=0.01)
    assert fade.interval[0] < 100 * (1 - np.exp(-0.04)) < fade.interval[1]
    assert fade.cycles_to_80_pct == pytest.approx(1 + np.log(0.8) / -0.0004, rel=0.1)
    steady = fit_fade([1, 2, 3, 4, 5], [1.0, 1.01, 0.99, 1.0, 1.0])
    assert steady.cycles_to_80_pct is None
    with pytest.raises(InputError, match="at least 4 cycles"):
        fit_fade([1, 2, 3], [1, 1, 1])
    table = "cycle,h2_capacity_wt_pct\n1,1.40\n2,x\n100,1.35\n200,1.30\n300,1.25\n"
    assert any("row 2" in note for note in read_fade(io.BytesIO(table.encode())).notes)
    (tmp_path / "cycles.csv").write_text(table)
    done = CliRunner().invoke(main, ["fit", "cycling", str(tmp_path / "cycles.csv")])
    assert "lost in 100 cycles" in done.output
    with pytest.raises(InputError, match="cycle"):
        read_fade(io.BytesIO(b"h2_capacity_wt_pct\n1\n"))
