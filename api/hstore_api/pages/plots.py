"""Plots of the pages, in plotly's format; text and grid colours come from the style sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hstore.records import Kind
from hstore.thermo import Z_90
from hstore.units import celsius_from_kelvin, kelvin_from_celsius

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore.records import MeasuredIsotherm
    from hstore_api.pages.answers import VantHoff
    from hstore_api.pages.shown import Shown
    from hstore_workflows.report.plot import Plot

_TICKS_CELSIUS = (-100, -50, 0, 25, 50, 100, 150, 200, 300, 400, 600, 900)
_LN_10 = 2.302585092994046
_HEIGHT = 360


def vant_hoff_plot(predicted: VantHoff | None, measured: Sequence[Shown]) -> Plot | None:
    """Draw plateau pressure over temperature: the prediction with its band, and measured points.

    Args:
        predicted: the prediction, if there is one.
        measured: measured values of the plateau pressure, enthalpy and entropy of one material.

    Returns:
        The plot; None where there is nothing to draw.
    """
    from hstore_workflows.report.plot import Plot, layout, power_ticks, titled

    traces = [] if predicted is None else _curve(predicted)
    points = _points(measured)
    if points:
        traces.append(_diamonds(points))
    if not traces:
        return None
    xs = [value for trace in traces for value in trace["x"]]
    ys = [value for trace in traces for value in trace["y"] if value is not None]
    return Plot(
        key="vant-hoff",
        title="Plateau pressure over temperature (van ’t Hoff)",
        caption="ln P = ΔS/R − ΔH/(R T), desorption, P in bar. The scale of the temperature is 1/T, so the line "
        "is straight; it holds some 100 K around measurements and below the critical temperature.",
        data=traces,
        layout=layout(
            titled("temperature, scale of 1/T", autorange="reversed", **_celsius_ticks(min(xs), max(xs))),
            titled("plateau pressure (bar)", **power_ticks(min(ys), max(ys))),
        ),
        height=_HEIGHT,
    )


def isotherm_plot(isotherms: Sequence[MeasuredIsotherm]) -> Plot | None:
    """Draw measured isotherms, one line for each; None where there is none."""
    from hstore_workflows.report.plot import CYCLE, Plot, layout, rounded, titled

    traces = []
    for place, isotherm in enumerate(isotherms):
        pressures, uptakes = zip(*((point[0], point[1]) for point in isotherm.points), strict=True)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "x": rounded(pressures),
                "y": rounded(uptakes),
                "name": f"{isotherm.temperature_k:.0f} K, {isotherm.branch}, {isotherm.uptake_kind}",
                "line": {
                    "color": CYCLE[place % len(CYCLE)],
                    "dash": "dot" if isotherm.branch == "desorption" else "solid",
                },
            }
        )
    if not traces:
        return None
    return Plot(
        key="isotherms",
        title="Measured isotherms",
        caption="Uptake over hydrogen pressure at constant temperature.",
        data=traces,
        layout=layout(titled("pressure (bar)", rangemode="tozero"), titled("uptake (wt%)", rangemode="tozero")),
        height=_HEIGHT,
    )


def _curve(predicted: VantHoff) -> list[dict[str, Any]]:
    """Return the predicted line and its band; x is 1000 K / T, y the decadic logarithm of the pressure."""
    from hstore_workflows.report.plot import BLUE, rounded

    x = rounded(1000.0 / predicted.temperatures_k)
    band = Z_90 * predicted.ln_std
    upper, lower = ((predicted.ln_pressure + sign * band) / _LN_10 for sign in (1, -1))
    edge = {"type": "scatter", "mode": "lines", "x": x, "line": {"width": 0}, "hoverinfo": "skip"}
    return [
        {**edge, "y": rounded(upper), "showlegend": False},
        {**edge, "y": rounded(lower), "fill": "tonexty", "fillcolor": f"{BLUE}33", "name": "90 % interval"},
        {
            "type": "scatter",
            "mode": "lines",
            "name": "predicted",
            "x": x,
            "y": rounded(predicted.ln_pressure / _LN_10),
            "line": {"color": BLUE, "width": 2.5},
            "hovertext": _curve_words(predicted),
            "hoverinfo": "text",
        },
    ]


def _diamonds(points: Sequence[tuple[float, float, str]]) -> dict[str, Any]:
    """Return the marks of measured plateaux: temperature in K, decadic logarithm of the pressure, words."""
    from hstore_workflows.report.plot import ORANGE

    line = {"color": "#444444", "width": 1}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "measured",
        "x": [1000.0 / t for t, _, _ in points],
        "y": [y for _, y, _ in points],
        "hovertext": [said for _, _, said in points],
        "hoverinfo": "text",
        "marker": {"color": ORANGE, "size": 10, "symbol": "diamond", "line": line},
    }


def _celsius_ticks(low: float, high: float) -> dict[str, Any]:
    """Return ticks at round temperatures in °C on an axis of 1000 K / T that reaches from low to high."""
    places = {celsius: 1000.0 / kelvin_from_celsius(celsius) for celsius in _TICKS_CELSIUS}
    shown = [celsius for celsius, place in places.items() if low <= place <= high]
    return {
        "tickvals": [places[celsius] for celsius in shown],
        "ticktext": [f"{celsius} °C".replace("-", "−") for celsius in shown],
    }


def _curve_words(predicted: VantHoff) -> list[str]:
    import numpy as np

    from hstore_api.pages.words import number

    rows = zip(predicted.temperatures_k, predicted.ln_pressure, predicted.ln_std, strict=True)
    return [
        f"{celsius_from_kelvin(t):.0f} °C: {number(float(np.exp(mean)))} bar<br>90 %: "
        f"{number(float(np.exp(mean - Z_90 * std)))} to {number(float(np.exp(mean + Z_90 * std)))} bar"
        for t, mean, std in rows
    ]


def _points(measured: Sequence[Shown]) -> list[tuple[float, float, str]]:
    """Return temperature, log10 of the pressure and words of the measured plateaux."""
    import math

    from markupsafe import escape

    return [
        (v.temperature_k, math.log10(v.value), f"{v.text} bar at {v.state}<br>{escape(v.source[:80])}")
        for v in measured
        if v.property == "plateau_pressure_bar" and v.kind is Kind.MEASURED and v.temperature_k and v.value > 0
    ]
