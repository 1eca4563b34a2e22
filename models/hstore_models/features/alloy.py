"""Hydride-forming A and other B elements of an alloy, and the alloy class they suggest.

The crystal structure decides the class, a formula only suggests it. A elements form stable hydrides by
themselves, B elements do not; vanadium is A only where nothing else is. Hydrogen is left out. The ratio B/A
names most families, and the first rule that fits wins:

=========  =====================================================================================
elemental  one element
Mg         magnesium from 50 %, B/A not in [0.4, 0.6]
SS         palladium from 60 %, or V + Nb + Ta from 45 %, or V + Ti + Cr + Nb + Mo + Ta from 80 %
           with V + Nb + Ta from 15 %, each without rare earths
A2B        B/A in [0.4, 0.6]
AB         B/A in [0.75, 1.4]
AB2        B/A in (1.4, 2.6], or up to 4.2 where titanium, zirconium and hafnium lead A
AB3, A2B7  B/A in (2.6, 3.25] and (3.25, 4.2]
AB5        B/A in (4.2, 6.5] where titanium, zirconium and hafnium do not lead A
HEA        five or more elements of at least 5 %, none above 40 %
other      what fits none of these, and rows without an element
=========  =====================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore_models.features.composition import ATOMIC_NUMBER, SYMBOLS, divide, row_sum

if TYPE_CHECKING:
    from hstore_models.features.composition import BoolArray, CompositionBatch, FloatArray

RARE_EARTHS: tuple[str, ...] = ("Sc", "Y", *SYMBOLS[ATOMIC_NUMBER["La"] : ATOMIC_NUMBER["Lu"] + 1])
"""Scandium, yttrium and the lanthanides."""

GROUP_4: tuple[str, ...] = ("Ti", "Zr", "Hf")
"""Titanium, zirconium, hafnium: the A metals of most Laves phases that absorb hydrogen."""

A_ELEMENTS: tuple[str, ...] = (
    "Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Sr", "Ba", *RARE_EARTHS, *GROUP_4, "Nb", "Ta", "Th", "Pa", "U",
)  # fmt: skip
"""Elements whose own hydrides are stable, and which sit on the A sites of intermetallic compounds."""

ALLOY_CLASSES: tuple[str, ...] = (
    "elemental", "Mg", "SS", "A2B", "AB", "AB2", "AB3", "A2B7", "AB5", "HEA", "other",
)  # fmt: skip
"""Every answer of :func:`infer_alloy_class`."""

_MIN_MAGNESIUM = 0.5
_MIN_PALLADIUM = 0.6
_MIN_GROUP_5_ALONE = 0.45
_MIN_GROUP_5_IN_BCC = 0.15
_MIN_BCC = 0.8
_MAX_RARE_EARTH_IN_SOLUTION = 0.05
_MIN_HEA_ELEMENTS = 5
_MIN_HEA_FRACTION = 0.05
_MAX_HEA_FRACTION = 0.4


def strip_hydrogen(batch: CompositionBatch) -> CompositionBatch:
    """Return the hosts of the materials: the same compositions without hydrogen."""
    return batch.without(["H"])


def a_sites(host: CompositionBatch) -> BoolArray:
    """Mark the A elements of hydrogen-free compositions, shape (n, k)."""
    firm = host.contains(A_ELEMENTS)
    return np.where(firm.any(axis=1, keepdims=True), firm, host.contains(["V"]))


def b_to_a_ratio(host: CompositionBatch) -> FloatArray:
    """Return the atomic ratio of B to A elements of hydrogen-free compositions, shape (n,).

    NaN where there is no A element.
    """
    a = a_sites(host)
    fraction_a = row_sum(np.where(a, host.fractions, 0.0))
    fraction_b = row_sum(np.where(a, 0.0, host.fractions))
    return divide(fraction_b, fraction_a)


def infer_alloy_class(batch: CompositionBatch) -> list[str]:
    """Infer the alloy class of each material from its composition, hydrogen left out.

    Returns:
        One of ``ALLOY_CLASSES`` for each material, by the rules in the module's documentation.
    """
    host = strip_hydrogen(batch)
    ratio = b_to_a_ratio(host)
    group4_leads = host.fraction_of(GROUP_4) > 0.5 * row_sum(np.where(a_sites(host), host.fractions, 0.0))
    a2b = _within(ratio, 0.4, 0.6)
    rules = (
        ("elemental", host.counts == 1),
        ("Mg", (host.fraction_of(["Mg"]) >= _MIN_MAGNESIUM) & ~a2b),
        ("SS", _is_solid_solution(host)),
        ("A2B", a2b),
        ("AB", _within(ratio, 0.75, 1.4)),
        ("AB2", _within(ratio, 1.4, 2.6) | (group4_leads & _within(ratio, 2.6, 4.2))),
        ("AB3", _within(ratio, 2.6, 3.25)),
        ("A2B7", _within(ratio, 3.25, 4.2)),
        ("AB5", _within(ratio, 4.2, 6.5) & ~group4_leads),
        ("HEA", _is_high_entropy(host)),
    )
    names = np.select([mask for _, mask in rules], [name for name, _ in rules], default="other")
    return [str(name) for name in names]


def _within(ratio: FloatArray, low: float, high: float) -> BoolArray:
    return np.asarray((ratio >= low) & (ratio <= high))


def _is_solid_solution(host: CompositionBatch) -> BoolArray:
    group5 = host.fraction_of(["V", "Nb", "Ta"])
    bcc = host.fraction_of(["V", "Nb", "Ta", "Ti", "Cr", "Mo"])
    palladium = host.fraction_of(["Pd"]) >= _MIN_PALLADIUM
    refractory = (group5 >= _MIN_GROUP_5_ALONE) | ((bcc >= _MIN_BCC) & (group5 >= _MIN_GROUP_5_IN_BCC))
    few_rare_earths = host.fraction_of(RARE_EARTHS) < _MAX_RARE_EARTH_IN_SOLUTION
    return np.asarray((palladium | refractory) & few_rare_earths)


def _is_high_entropy(host: CompositionBatch) -> BoolArray:
    enough = (host.fractions >= _MIN_HEA_FRACTION).sum(axis=1) >= _MIN_HEA_ELEMENTS
    return np.asarray(enough & (host.fractions.max(axis=1) <= _MAX_HEA_FRACTION))
