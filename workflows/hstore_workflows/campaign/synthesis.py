"""A rule of thumb for the work of making a material from its composition.

In units of one plain sample that is weighed, melted or fired, and measured. The rules order candidates of a pool;
they do not predict hours. What they rest on:

- every element beyond the second is weighed and homogenised;
- alloys are melted together at the highest melting point among their metals. A metal whose vapour pressure there
  is high boils off and needs sealed crucibles, an excess or mechanical alloying (Mg2Ni:
  doi:10.3390/reactions5040033). The pressure follows from the boiling point by Trouton's rule and from the atomic
  fraction by Raoult's law, good to a factor of ten: real activities in compounds are lower;
- refractory metals, and metals whose melting points lie far apart, are remelted several times;
- alkali and alkaline-earth metals and the salts of sulfur, nitrogen and the heavier halogens are handled in a
  glove box;
- hydrides of light elements are milled under hydrogen, frameworks need a linker, a solvent and activation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore_models.features.composition import SYMBOLS, CompositionBatch
from hstore_models.features.elemental import elemental_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray

PER_ELEMENT = 0.15
"""Work of each element beyond the second."""
PER_DECADE = 0.25
"""Work of each decade of vapour pressure above ``BOILING_OFF_BAR``, at most one plain sample in all."""
REFRACTORY = 0.3
"""Work of a metal that melts above ``REFRACTORY_K``."""
PER_1000_K = 0.15
"""Work of each 1000 K between the melting points of the metals beyond the first 1000 K."""
GLOVE_BOX = 0.5
"""Work of air-sensitive precursors."""
MILLING = 0.3
"""Work of milling under hydrogen."""
FRAMEWORK = 0.5
"""Work of growing and activating a framework."""

BOILING_OFF_BAR = 0.01
"""Vapour pressure at the melting temperature from which losses are noticed, bar."""
REFRACTORY_K = 2600.0
"""Melting point from which a metal is refractory, K: Nb, Mo, Ta, W, Re, Os, Ir."""
TROUTON = 10.6
"""Entropy of boiling over the gas constant (88 J/(mol K), Trouton's rule)."""

_AIR_SENSITIVE = ("Li", "Na", "K", "Rb", "Cs", "Ca", "Sr", "Ba", "Eu", "Yb")
_MILLED_WITH_H = (*_AIR_SENSITIVE[:8], "B", "N")
_SOFT_ANIONS = ("Cl", "Br", "I", "S", "Se", "Te", "N")
_NONMETALS = ("H", "B", "C", "N", "O", "F", "P", "S", "Cl", "Se", "Br", "I", "Te", "He", "Ne", "Ar", "Kr", "Xe")
_FRAMEWORK_CARBON = 0.2
_CHUNK_ROWS = 100_000
_MIN_FRACTION = 0.01
"""Atomic fraction from which an element decides how a material is made."""


@dataclass(frozen=True, eq=False)
class Synthesis:
    """The work of making each of n materials."""

    work: FloatArray
    """Work beyond that of a plain sample, in plain samples, shape (n,), at least 0."""
    parts: Mapping[str, FloatArray]
    """Cause -> its share of the work, shape (n,): ``elements``, ``boiling``, ``melting``, ``air``, ``milling``,
    ``framework``."""
    volatile: NDArray[np.intp]
    """Atomic number of the metal that boils off first, shape (n,); 0 where nothing is melted together."""
    hottest: NDArray[np.intp]
    """Atomic number of the metal that melts last, shape (n,); 0 where nothing is melted together."""

    def causes(self, row: int) -> list[str]:
        """Say in words what makes a material laborious; empty for a plain one."""
        part = {name: float(values[row]) for name, values in self.parts.items()}
        volatile, hottest = SYMBOLS[self.volatile[row]], SYMBOLS[self.hottest[row]]
        words = {
            "boiling": f"{volatile} boils off where {hottest} melts",
            "melting": f"{hottest} melts late, so that it is remelted",
            "air": "made in a glove box",
            "milling": "milled under hydrogen",
            "framework": "grown and activated as a framework",
        }
        return [text for name, text in words.items() if part[name] >= PER_DECADE]


def synthesis(batch: CompositionBatch) -> Synthesis:
    """Estimate the work of making each material of a batch.

    Args:
        batch: n compositions of at most k elements.
    """
    pieces = [_synthesis(chunk) for chunk in batch.chunks(_CHUNK_ROWS)] or [_synthesis(batch)]
    return Synthesis(
        work=np.concatenate([piece.work for piece in pieces]),
        parts={name: np.concatenate([piece.parts[name] for piece in pieces]) for name in pieces[0].parts},
        volatile=np.concatenate([piece.volatile for piece in pieces]),
        hottest=np.concatenate([piece.hottest for piece in pieces]),
    )


def _synthesis(batch: CompositionBatch) -> Synthesis:
    counts = batch.present & (batch.fractions >= _MIN_FRACTION)
    framework = batch.fraction_of(("C",)) >= _FRAMEWORK_CARBON
    soft, oxygen = batch.fraction_of(_SOFT_ANIONS), batch.fraction_of(("O",))
    has_hydrogen = batch.contains(("H",)).any(axis=1)
    light = _any(batch, counts, _MILLED_WITH_H)
    milled = has_hydrogen & light & ~framework & (oxygen == 0)
    salt = (soft + oxygen + batch.fraction_of(("F",)) > _MIN_FRACTION) & ~framework
    alloy = ~(framework | salt | milled)
    boiling, melting, volatile, hottest = _melting(batch, counts & ~batch.contains(_NONMETALS) & alloy[:, None])
    active = (alloy | milled) & _any(batch, counts, _AIR_SENSITIVE)
    parts = {
        "elements": PER_ELEMENT * np.maximum(counts.sum(axis=1) - has_hydrogen - 2.0, 0.0),
        "boiling": boiling,
        "melting": melting,
        "air": GLOVE_BOX * (active | (salt & (soft >= oxygen) & (soft > 0))),
        "milling": MILLING * milled,
        "framework": FRAMEWORK * framework,
    }
    return Synthesis(np.sum(list(parts.values()), axis=0), parts, volatile, hottest)


def _any(batch: CompositionBatch, counts: NDArray[np.bool_], symbols: tuple[str, ...]) -> NDArray[np.bool_]:
    return np.asarray((batch.contains(symbols) & counts).any(axis=1))


def _melting(
    batch: CompositionBatch, melted: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray, NDArray[np.intp], NDArray[np.intp]]:
    """Return the work of boiling and of melting, and the metals that decide them, each of shape (n,)."""
    melts, boils = np.moveaxis(elemental_table(("MeltingT", "BoilingT"))[batch.atomic_numbers], 2, 0)
    last = np.where(melted, melts, -np.inf).argmax(axis=1)
    rows, several = np.arange(len(batch)), melted.sum(axis=1) > 1
    top = melts[rows, last]
    pressures = np.where(melted, _log10_vapour_pressure_bar(boils, top[:, None], batch.fractions), -np.inf)
    first = pressures.argmax(axis=1)
    excess = np.where(several, pressures[rows, first] - np.log10(BOILING_OFF_BAR), 0.0)
    spread = np.where(several, top - np.where(melted, melts, np.inf).min(axis=1), 0.0)
    refractory = melted.any(axis=1) & (top > REFRACTORY_K)
    return (
        np.clip(PER_DECADE * excess, 0.0, 1.0),
        REFRACTORY * refractory + PER_1000_K * np.maximum(spread / 1000.0 - 1.0, 0.0),
        np.where(several, batch.atomic_numbers[rows, first], 0),
        np.where(melted.any(axis=1), batch.atomic_numbers[rows, last], 0),
    )


def _log10_vapour_pressure_bar(
    boiling_point_k: FloatArray, temperature_k: FloatArray, fraction: FloatArray
) -> FloatArray:
    """Estimate the vapour pressure of metals over their melt: Trouton's rule times the atomic fraction.

    ln(P / bar) = TROUTON (1 - Tb / T) + ln x. Arrays of one shape, or that broadcast to it.
    """
    log10_fraction = np.log10(fraction, out=np.full(fraction.shape, -np.inf), where=fraction > 0)
    return np.asarray(TROUTON / np.log(10.0) * (1.0 - boiling_point_k / temperature_k) + log10_fraction)
