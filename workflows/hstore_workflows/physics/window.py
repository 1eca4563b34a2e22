"""Electrochemical windows of several compounds, and a window in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstore.errors import InputError
from hstore_models.physics.window import Window, electrochemical_window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hstore_models.physics.entry import Computed


def windows(entries: Sequence[Computed], formulas: Sequence[str], ion: str) -> Iterator[Window | tuple[str, str]]:
    """Compute windows; for one that cannot be computed, give the formula and the cause."""
    for formula in formulas:
        try:
            yield electrochemical_window(entries, formula, ion)
        except InputError as error:
            yield formula, str(error)


def window_in_words(window: Window) -> Iterator[str]:
    """Tell a window in words, the equilibria below and above it too."""
    above = window.energy_above_hull_ev_per_atom
    if above is None:
        place = "no entry has this composition; the window is that of " + " + ".join(window.decomposes_to)
    elif len(window.decomposes_to) == 1:
        place = "on the hull"
    else:
        place = (
            f"{above * 1000:.0f} meV/atom above the hull; the window is that of {' + '.join(window.decomposes_to)}"
        )
    upper = "no upper end" if window.oxidation_v is None else f"{window.oxidation_v:.2f} V"
    yield (
        f"{window.formula}: {window.reduction_v:.2f} V to {upper} against {window.ion}, {place} "
        f"({window.entries} phases, {window.energy_kind})"
    )
    if window.against_metal_ev_per_atom:
        yield f"  reacts with {window.ion}: {window.against_metal_ev_per_atom:.3f} eV/atom"
    for step in window.steps:
        end = "up" if step.to_v is None else f"to {step.to_v:.2f} V"
        taken = "" if abs(step.ions_taken_up) < 1e-4 else f", {step.ions_taken_up:+.2f} {window.ion}"
        yield f"  {step.from_v:.2f} V {end}: {' + '.join(step.products)}{taken}"
