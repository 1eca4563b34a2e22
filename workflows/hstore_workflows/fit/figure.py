"""Figures of fits, for a paper: points, curves, and how sure they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hstore_workflows.fit.vant_hoff import COVERAGE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hstore_workflows.fit.isotherm import Sample, SampleFits
    from hstore_workflows.fit.pct import PctFit
    from hstore_workflows.fit.tpd import Kissinger

_WIDTH_IN, _HEIGHT_IN, _DPI = 3.4, 3.2, 300
_STYLE: Any = {
    "font.size": 8, "axes.labelsize": 8, "legend.fontsize": 6.5, "xtick.labelsize": 7, "ytick.labelsize": 7,
    "axes.linewidth": 0.6, "lines.linewidth": 1.0, "lines.markersize": 3.5, "xtick.direction": "in",
    "ytick.direction": "in", "legend.frameon": False, "pdf.fonttype": 42,
}  # fmt: skip
_MARKERS = {"absorption": "^", "desorption": "o"}


def draw_pct(fit: PctFit, path: Path) -> None:
    """Draw isotherms with their fits, the van 't Hoff lines with 90 % bands, and the joint region of dH and dS.

    Args:
        fit: what was fitted.
        path: PNG or PDF.
    """
    from matplotlib.figure import Figure

    panels = [
        name for name, there in (("isotherms", fit.curves), ("lines", fit.lines), ("regions", fit.lines)) if there
    ]
    with style():
        figure = Figure(figsize=(_WIDTH_IN * len(panels), _HEIGHT_IN), layout="constrained")
        axes = dict(zip(panels, np.atleast_1d(figure.subplots(1, len(panels))), strict=True))
        if "isotherms" in axes:
            _isotherms(fit, axes["isotherms"])
        if "lines" in axes:
            _lines(fit, axes["lines"])
            _regions(fit, axes["regions"])
        figure.savefig(path, dpi=_DPI)


def draw_kissinger(fit: Kissinger, path: Path) -> None:
    """Draw Kissinger's line.

    Args:
        fit: what was fitted.
        path: PNG or PDF.
    """
    from matplotlib.figure import Figure

    peaks, rates = np.asarray(fit.peaks_k), np.asarray(fit.rates_k_per_min)
    with style():
        figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), layout="constrained")
        axis = figure.subplots()
        x, y = 1000.0 / peaks, np.log(rates / peaks**2)
        axis.plot(x, y, "o", color="C0")
        axis.plot(x, np.polyval(np.polyfit(x, y, 1), x), color="C0")
        axis.set(xlabel="1000 K / $T_p$", ylabel=r"ln[($\beta$ / K min$^{-1}$) / ($T_p$ / K)$^2$]")
        half = (fit.interval[1] - fit.interval[0]) / 2
        axis.set_title(f"$E_a$ = {fit.activation_energy_kj_per_mol:.1f} $\\pm$ {half:.1f} kJ/mol", fontsize=8)
        figure.savefig(path, dpi=_DPI)


def draw_isotherms(fits: SampleFits, path: Path) -> None:
    """Draw isotherms with their fits and 90 % bands, and the heats of adsorption where they follow.

    Args:
        fits: what was fitted.
        path: PNG, PDF or SVG.
    """
    from matplotlib.figure import Figure

    heated = [sample for sample in fits.samples if sample.heats]
    panels = len(fits.samples) + bool(heated)
    with style():
        figure = Figure(figsize=(_WIDTH_IN * panels, _HEIGHT_IN), layout="constrained")
        axes = np.atleast_1d(figure.subplots(1, panels))
        for sample, axis in zip(fits.samples, axes, strict=False):
            _uptakes(sample, axis)
        if heated:
            _heats(heated, axes[-1])
        figure.savefig(path, dpi=_DPI)


def style() -> Any:
    """Return the context in which figures for papers are drawn."""
    import matplotlib as mpl

    return mpl.rc_context(_STYLE)


def _isotherms(fit: PctFit, axis: Any) -> None:
    colors = _by_temperature([curve.temperature_k for curve in fit.curves])
    for curve in sorted(fit.curves, key=lambda one: (one.temperature_k, one.branch)):
        color = colors(curve.temperature_k)
        face = "none" if curve.branch == "absorption" else color
        name = f"{curve.sample} " if len({one.sample for one in fit.curves}) > 1 else ""
        axis.plot(
            curve.uptake_wt_pct, curve.pressure_bar, _MARKERS[curve.branch], color=color, markerfacecolor=face,
            label=f"{name}{curve.temperature_k:.0f} K {curve.branch[:3]}.",
        )  # fmt: skip
        grid = np.geomspace(curve.pressure_bar.min(), curve.pressure_bar.max(), 400)
        axis.plot(curve.fit.curve(grid), grid, color=color)
    axis.set(xlabel="Hydrogen (wt%)", ylabel="Pressure (bar)", yscale="log")
    axis.set_xlim(left=0)
    axis.legend(ncols=1 + len(fit.curves) // 7)


def _uptakes(sample: Sample, axis: Any) -> None:
    colors = _by_temperature([one.points.temperature_k for one in sample.isotherms])
    for one in sample.isotherms:
        points, chosen, color = one.points, one.chosen, colors(one.points.temperature_k)
        axis.plot(
            points.pressure_bar, points.uptake_wt_pct, "o", color=color, markerfacecolor="none",
            label=f"{points.temperature_k:.0f} K {chosen.name}",
        )  # fmt: skip
        grid = np.linspace(points.pressure_bar[0], points.pressure_bar[-1], 300)
        middle, reach = chosen.uptake(grid), chosen.std(grid) * chosen.solution.reach
        axis.plot(grid, middle, color=color)
        axis.fill_between(grid, middle - reach, middle + reach, color=color, alpha=0.2, linewidth=0)
        if sample.mda is not None:
            axis.plot(grid, sample.mda.uptake(grid, points.temperature_k), ":", color=color)
    if sample.mda is not None:
        axis.plot([], [], ":", color="0.4", label=sample.mda.name)
    axis.set(xlabel="Pressure (bar)", ylabel=f"{sample.uptake_kind.capitalize()} uptake (100 g H$_2$ / g sorbent)")
    axis.set_title(sample.label, fontsize=8)
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    _legend_below(axis)


def _heats(samples: Sequence[Sample], axis: Any) -> None:
    for number, sample in enumerate(samples):
        for marker, by in zip("os", dict.fromkeys(heat.by for heat in sample.heats), strict=False):
            found = [heat for heat in sample.heats if heat.by == by]
            middle = np.array([heat.heat_kj_per_mol for heat in found])
            ends = np.abs(np.array([heat.interval for heat in found]).T - middle)
            axis.errorbar(
                [heat.adsorbed_wt_pct for heat in found], middle, yerr=ends, fmt=marker, color=f"C{number}",
                markerfacecolor="none" if marker == "s" else f"C{number}", elinewidth=0.6,
                label=", ".join(filter(None, (sample.label if len(samples) > 1 else "", by))),
            )  # fmt: skip
    axis.set(xlabel="Adsorbed (100 g H$_2$ / g sorbent)", ylabel="Isosteric heat (kJ/mol H$_2$)")
    axis.set_ylim(bottom=0)
    _legend_below(axis)


def _legend_below(axis: Any) -> None:
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)


def _by_temperature(temperatures_k: Sequence[float]) -> Any:
    """Return the function from a temperature to its color."""
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    scale = Normalize(min(temperatures_k) - 1.0, max(temperatures_k) + 1.0)
    return lambda kelvin: colormaps["viridis"](0.9 * scale(kelvin))


def _lines(fit: PctFit, axis: Any) -> None:
    for number, line in enumerate(fit.lines):
        color = f"C{number}"
        temperatures = np.asarray(line.temperature_k)
        grid = np.linspace(temperatures.min() - 5, temperatures.max() + 5, 200)
        middle, reach = line.fit.ln_pressure(grid), line.fit.ln_pressure_std(grid) * _reach(line.fit.freedom)
        axis.plot(1000 / grid, middle, color=color)
        axis.fill_between(1000 / grid, middle - reach, middle + reach, color=color, alpha=0.2, linewidth=0)
        axis.errorbar(
            1000 / temperatures, line.ln_pressure, yerr=line.ln_pressure_std, fmt=_MARKERS.get(line.branch, "s"),
            color=color, elinewidth=0.6, label=_label(fit, line),
        )  # fmt: skip
    axis.set(xlabel="1000 K / $T$", ylabel="ln($p$ / 1 bar)")
    axis.legend()


def _regions(fit: PctFit, axis: Any) -> None:
    for number, line in enumerate(fit.lines):
        edge = line.fit.region()
        axis.fill(edge[:, 0], edge[:, 1], color=f"C{number}", alpha=0.2, linewidth=0)
        axis.plot(edge[:, 0], edge[:, 1], color=f"C{number}", linewidth=0.6)
        axis.plot(line.fit.enthalpy_kj_per_mol_h2, line.fit.entropy_j_per_mol_h2_k, "+", color=f"C{number}")
    axis.set(xlabel=r"$\Delta H$ (kJ/mol H$_2$)", ylabel=r"$\Delta S$ (J/(mol H$_2$ K))")
    axis.set_title(f"joint {COVERAGE:.0%} confidence", fontsize=8)


def _label(fit: PctFit, line: Any) -> str:
    several = len({one.sample for one in fit.lines}) > 1
    plateau = f" {line.plateau}" if any(one.plateau > 1 for one in fit.lines) else ""
    name = f"{line.sample} " if several else ""
    return (
        f"{name}{line.branch[:3]}.{plateau}: {line.fit.enthalpy_kj_per_mol_h2:.1f} kJ/mol, "
        f"{line.fit.entropy_j_per_mol_h2_k:.0f} J/(mol K)"
    )


def _reach(freedom: int) -> float:
    from scipy.stats import t

    return float(t.ppf(0.5 + COVERAGE / 2, freedom))
