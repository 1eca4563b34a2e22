"""Temperature laws of the top ten: van 't Hoff lines of hydrides, Arrhenius lines of electrolytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.thermo import Z_90, ln_plateau_pressure, ln_plateau_pressure_std
from hstore.units import GAS_CONSTANT_J_PER_MOL_K, STANDARD_TEMPERATURE_K, ZERO_CELSIUS_K, celsius_from_kelvin
from hstore_workflows.report.markup import formula_html
from hstore_workflows.report.plot import CYCLE, VERMILLION, Plot, layout, power_ticks, rounded, titled
from hstore_workflows.report.quantities import celsius, significant

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from hstore_workflows.screen import ScreenResult
    from hstore_workflows.target import Target

_N_LINES = 10
_N_POINTS = 41
_LN10 = float(np.log(10.0))
_DASHES = ("solid", "dash")
_TICK_STEP_C = 25
_MANY_TICKS = 8
_HYDRIDE_MARGIN_K = 60.0
_ELECTROLYTE_RANGE_K = (250.0, 500.0)
_MAX_LOG10_SPAN = 4.0

Curve = tuple["NDArray[np.float64]", "NDArray[np.float64]"]
"""Mean and standard deviation of a log10 quantity along the temperatures."""


def temperature_curves(result: ScreenResult) -> Plot | None:
    """Draw the temperature law of the top ten; sorbents have none."""
    top = result.candidates.head(_N_LINES)
    if result.target.kind == "hydride":
        return _van_t_hoff(top, result.target)
    if result.target.kind == "electrolyte":
        correlation = getattr(result.models["conductivity"].model, "correlation", 0.0)
        return _arrhenius(top, result.target, correlation)
    return None


def enthalpy_entropy_correlation(
    enthalpy_std: NDArray[np.float64],
    entropy_std: NDArray[np.float64],
    ln_pressure_std: NDArray[np.float64],
    temperature_k: float,
) -> NDArray[np.float64]:
    """Recover the correlation of dH and dS errors from the three standard deviations of a result table.

    Args:
        enthalpy_std: of dH, kJ/mol H2, shape ``(n,)``.
        entropy_std: of dS, J/(mol H2 K), shape ``(n,)``.
        ln_pressure_std: of ln P at the temperature, shape ``(n,)``.
        temperature_k: temperature of that pressure, K.
    """
    a = 1000.0 * enthalpy_std / (GAS_CONSTANT_J_PER_MOL_K * temperature_k)
    b = entropy_std / GAS_CONSTANT_J_PER_MOL_K
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = (a**2 + b**2 - ln_pressure_std**2) / (2 * a * b)
    clipped: NDArray[np.float64] = np.clip(np.nan_to_num(correlation), -1.0, 1.0)
    return clipped


def plateau_curves(top: pd.DataFrame, target: Target, temperature_k: NDArray[np.float64]) -> list[Curve]:
    """Return log10(P / bar) of the desorption plateau and its standard deviation along temperatures."""
    assert target.swing is not None
    mean = {name: top[f"{name}_mean"].to_numpy(dtype=float) for name in _LAW}
    std = {name: top[f"{name}_std"].to_numpy(dtype=float) for name in _LAW}
    enthalpy, entropy = _LAW
    correlation = enthalpy_entropy_correlation(
        std[enthalpy],
        std[entropy],
        top["plateau_pressure_bar_std"].to_numpy(dtype=float),
        target.swing.discharge_temperature_k,
    )
    curves = []
    for row in range(len(top)):
        log = ln_plateau_pressure(mean[enthalpy][row], mean[entropy][row], temperature_k)
        spread = ln_plateau_pressure_std(
            temperature_k,
            enthalpy_std_kj_per_mol_h2=std[enthalpy][row],
            entropy_std_j_per_mol_h2_k=std[entropy][row],
            correlation=correlation[row],
        )
        curves.append((np.asarray(log) / _LN10, np.asarray(spread) / _LN10))
    return curves


_LAW = ("desorption_enthalpy_kj_per_mol_h2", "desorption_entropy_j_per_mol_h2_k")


def conductivity_curves(
    top: pd.DataFrame, target: Target, temperature_k: NDArray[np.float64], correlation: float
) -> list[Curve]:
    """Return log10(sigma / (S/cm)) and its standard deviation along temperatures.

    Args:
        top: candidates, a row for each curve.
        target: what was asked.
        temperature_k: temperatures, K, shape ``(t,)``.
        correlation: of the errors of log10 conductivity at 25 degC and activation energy.
    """
    from hstore_models.conductivity import ArrheniusLaw, arrhenius_shift

    asked_k = np.array(_asked_temperature_k(target))
    curves = []
    for row in top.to_dict("records"):
        energy, energy_std = np.array(row["activation_energy_ev_mean"]), np.array(row["activation_energy_ev_std"])
        shift, per_ev = arrhenius_shift(energy, asked_k)
        mean_25c = row["log10_conductivity_s_per_cm_mean"] - shift
        of_energy = np.where(asked_k >= STANDARD_TEMPERATURE_K, per_ev, -per_ev) * energy_std
        std_25c = _other_std(row["log10_conductivity_s_per_cm_std"], of_energy, correlation)
        curves.append(
            ArrheniusLaw(mean_25c, energy, std_25c, energy_std, correlation, np.array(0.0)).at(temperature_k)
        )
    return curves


def _other_std(total_std: float, one: NDArray[np.float64], correlation: float) -> NDArray[np.float64]:
    """Return the standard deviation which, with a correlated (and signed) one, makes up a total."""
    rest = total_std**2 - (1.0 - correlation**2) * one**2
    return np.asarray(np.maximum(0.0, np.sqrt(np.maximum(0.0, rest)) - correlation * one))


def _van_t_hoff(top: pd.DataFrame, target: Target) -> Plot:
    assert target.swing is not None
    swing = target.swing
    states = (swing.charge_temperature_k, swing.discharge_temperature_k)
    temperature_k = _grid(min(states) - _HYDRIDE_MARGIN_K, max(states) + _HYDRIDE_MARGIN_K)
    curves = plateau_curves(top, target, temperature_k)
    pressures = np.log10([swing.charge_pressure_bar, swing.discharge_pressure_bar])
    traces = [
        *_lines(top, temperature_k, curves, ("P", "bar")),
        _state(swing.charge_temperature_k, pressures[0], "charged: a line must pass below", below=False),
        _state(swing.discharge_temperature_k, pressures[1], "discharged: a line must pass above", below=True),
    ]
    return Plot(
        key="temperature-curves",
        title="Van ’t Hoff lines of the top ten",
        caption=(
            "Predicted desorption plateaux with the 90 % band of the first; hover over a line to move the band. "
            "A hydride works in the swing when its line passes below the charged state (the absorption plateau is "
            "taken to lie about 1.5 times higher) and above the discharged state. Beyond about 100 bar the lines "
            "give the fugacity."
        ),
        data=traces,
        layout=_layout(
            temperature_k, "plateau pressure (bar)", curves, float(pressures.min()), float(pressures.max())
        ),
        height=560,
    )


def _arrhenius(top: pd.DataFrame, target: Target, correlation: float) -> Plot:
    assert target.requirement is not None
    asked_k = _asked_temperature_k(target)
    low, high = _ELECTROLYTE_RANGE_K
    temperature_k = _grid(min(low, asked_k - 30), max(high, asked_k + 30))
    curves = conductivity_curves(top, target, temperature_k, correlation)
    minimum = target.requirement.log10_conductivity_s_per_cm
    assert minimum is not None
    traces = [
        *_lines(top, temperature_k, curves, ("σ", "S/cm")),
        _state(asked_k, minimum, "asked: a line must pass above", below=True),
    ]
    return Plot(
        key="temperature-curves",
        title="Arrhenius lines of the top ten",
        caption=(
            "Predicted ionic conductivity with the 90 % band of the first; hover over a line to move the band. "
            "Lines follow ln(σT) = ln σ₀ − Eₐ/kT, so a phase transition (as in AgI) is not seen."
        ),
        data=traces,
        layout=_layout(temperature_k, "conductivity (S/cm)", curves, minimum, minimum),
        height=560,
    )


def _asked_temperature_k(target: Target) -> float:
    assert target.requirement is not None
    return target.requirement.temperature_k or STANDARD_TEMPERATURE_K


def _grid(low_k: float, high_k: float) -> NDArray[np.float64]:
    """Temperatures evenly spaced in 1/T, so that lines are straight and points even."""
    grid: NDArray[np.float64] = 1.0 / np.linspace(1.0 / high_k, 1.0 / max(low_k, 20.0), _N_POINTS)
    return grid


def _lines(
    top: pd.DataFrame, temperature_k: NDArray[np.float64], curves: Sequence[Curve], symbol: tuple[str, str]
) -> list[dict[str, Any]]:
    """Bands first (only one shown), then lines; a band and its line share the number in ``meta``."""
    inverse = 1000.0 / temperature_k
    bands, lines = [], []
    for number, (row, (mean, std)) in enumerate(zip(top.to_dict("records"), curves, strict=True)):
        colour = CYCLE[number % len(CYCLE)]
        name = f"{row['rank']}. {formula_html(str(row['formula']))}"
        edges = np.concatenate([mean + Z_90 * std, (mean - Z_90 * std)[::-1]])
        bands.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": rounded(np.concatenate([inverse, inverse[::-1]])),
                "y": rounded(edges),
                "fill": "toself",
                "fillcolor": f"{colour}26",
                "line": {"width": 0},
                "hoverinfo": "skip",
                "showlegend": False,
                "visible": number == 0,
                "meta": {"band": number},
            }
        )
        texts = [
            f"<b>{name}</b><br>{celsius(t)}: {symbol[0]} = {significant(10**m)} {symbol[1]}"
            f"<br>90 %: {significant(10 ** (m - Z_90 * s))} to {significant(10 ** (m + Z_90 * s))} {symbol[1]}"
            for t, m, s in zip(temperature_k, np.clip(mean, -300, 300), np.minimum(std, 100), strict=True)
        ]
        lines.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "x": rounded(inverse),
                "y": rounded(mean),
                "line": {"color": colour, "width": 2, "dash": _DASHES[number // len(CYCLE) % 2]},
                "hovertext": texts,
                "hoverinfo": "text",
                "meta": {"line": number},
            }
        )
    return [*bands, *lines, _upper_axis(temperature_k)]


def _state(temperature_k: float, log10_value: float, label: str, *, below: bool) -> dict[str, Any]:
    """Mark a state which lines must pass above (``below``) or below, its label on the free side."""
    return {
        "type": "scatter",
        "mode": "markers+text",
        "x": [round(1000.0 / temperature_k, 6)],
        "y": [round(float(log10_value), 6)],
        "marker": {"symbol": f"triangle-{'up' if below else 'down'}", "size": 15, "color": VERMILLION},
        "text": [label],
        "textposition": "bottom center" if below else "top center",
        "textfont": {"size": 12},
        "hovertext": [f"{label}<br>{celsius(temperature_k)}, {significant(10**log10_value, 3)}"],
        "hoverinfo": "text",
        "showlegend": False,
    }


def _upper_axis(temperature_k: NDArray[np.float64]) -> dict[str, Any]:
    """Return an empty trace: plotly draws the second axis only where a trace uses it."""
    return {
        "type": "scatter",
        "x": [round(1000.0 / float(temperature_k[0]), 6)],
        "y": [None],
        "xaxis": "x2",
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _layout(
    temperature_k: NDArray[np.float64], y_title: str, curves: Sequence[Curve], low: float, high: float
) -> dict[str, Any]:
    """Return axes with 1000/T below, temperature above and powers of ten at the side."""
    inverse = 1000.0 / temperature_k
    extent = [float(inverse.min()), float(inverse.max())]
    lowest = max(min([low, *(float(mean.min()) for mean, _ in curves)]), low - _MAX_LOG10_SPAN)
    highest = min(max([high, *(float(mean.max()) for mean, _ in curves)]), high + _MAX_LOG10_SPAN)
    celsius_ticks = _celsius_ticks(temperature_k)
    ticks = [1000.0 / (c + ZERO_CELSIUS_K) for c in celsius_ticks]
    labels = [f"{c} °C".replace("-", "−") for c in celsius_ticks]
    top_axis = {"overlaying": "x", "side": "top", "range": extent, "tickvals": rounded(ticks), "ticktext": labels}
    return layout(
        titled("1000 K / T", range=extent),
        titled(y_title, range=[lowest - 0.5, highest + 0.5], **power_ticks(lowest - 0.5, highest + 0.5)),
        xaxis2={
            **top_axis,
            "showgrid": False,
            "zeroline": False,
            "ticks": "outside",
            "matches": "x",
            "tickangle": 0,
        },
        margin={"l": 56, "r": 16, "t": 36, "b": 48},
    )


def _celsius_ticks(temperature_k: NDArray[np.float64]) -> list[int]:
    low, high = (celsius_from_kelvin(float(edge)) for edge in (temperature_k.min(), temperature_k.max()))
    step = _TICK_STEP_C if high - low < _MANY_TICKS * _TICK_STEP_C else 2 * _TICK_STEP_C
    return list(range(int(np.ceil(low / step)) * step, int(high) + 1, step))
