"""Body-centred cubic solid solutions and refractory high-entropy alloys.

A composition passes when its valence electrons, size mismatch and mixing enthalpy let a single BCC solid solution
form: VEC below 6.87 (Guo et al. 2011, doi:10.1063/1.3587228), delta at most 6.6 % and mixing enthalpy between -15
and +5 kJ/mol (Zhang et al. 2008, doi:10.1002/adem.200700240). The VEC window used here, 4.6 to 6.4 for BCC alloys,
is narrower, because hydrides of alloys with more electrons are too unstable to form.
"""

from __future__ import annotations

import random
from itertools import combinations
from typing import TYPE_CHECKING

from hstore.formula import formula_text
from hstore.records import Family
from hstore_workflows.sources import rules
from hstore_workflows.sources.enumeration.candidate import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE_MISMATCH_MOST_PCT = 6.6
"""Largest size mismatch of a solid solution, percent."""
MIXING_ENTHALPY_KJ_PER_MOL = (-15.0, 5.0)
"""Mixing enthalpies that neither order nor separate the alloy, kJ/mol."""
BCC_VEC = (4.6, 6.4)
"""Valence electrons per atom of BCC hydrogen absorbers."""
HEA_VEC = (4.2, 6.4)
"""As above for high-entropy alloys, which may be richer in group 4."""
HYDRIDE_FORMERS = frozenset({"Ti", "Zr", "Hf", "V", "Nb", "Ta", "Mg"})
"""Elements whose own hydrides are stable; a high-entropy alloy here holds at least half of them."""

_BCC_TERNARY = (
    ("Ti", "V", "Cr"),
    ("Ti", "V", "Mn"),
    ("Ti", "V", "Fe"),
    ("Ti", "V", "Nb"),
    ("Ti", "V", "Mo"),
    ("Ti", "V", "Zr"),
    ("Ti", "V", "Ta"),
    ("Ti", "V", "Al"),
    ("Ti", "Cr", "Nb"),
    ("Ti", "Cr", "Mo"),
    ("Ti", "Nb", "Mo"),
    ("Ti", "Nb", "Zr"),
    ("Ti", "Nb", "Ta"),
    ("V", "Cr", "Nb"),
    ("V", "Nb", "Mo"),
    ("Ti", "Cr", "Mn"),
)
_BCC_FOURTH = ("Mn", "Fe", "Nb", "Mo", "Zr", "Al")
_HEA_ELEMENTS = ("Ti", "V", "Zr", "Nb", "Hf", "Ta", "Cr", "Mo", "Mn", "Fe", "Mg", "Al")
_HEA_SIZES = (4, 5, 6)
_HEA_DRAWS = 400


def _compositions(parts: int, total: int, least: int = 1) -> Iterator[tuple[int, ...]]:
    """Yield all ways to write total as an ordered sum of parts, each at least ``least``."""
    if parts == 1:
        if total >= least:
            yield (total,)
        return
    for first in range(least, total - least * (parts - 1) + 1):
        for rest in _compositions(parts - 1, total - first, least):
            yield (first, *rest)


def _candidate(amounts: dict[str, float], group: str, vec_window: tuple[float, float]) -> Candidate | None:
    """Return the alloy if a single BCC solid solution is likely."""
    vec = rules.valence_electron_concentration(amounts)
    mismatch = rules.size_mismatch_pct(amounts)
    if not vec_window[0] <= vec <= vec_window[1] or mismatch > SIZE_MISMATCH_MOST_PCT:
        return None
    enthalpy = rules.mixing_enthalpy_kj_per_mol(amounts)
    low, high = MIXING_ENTHALPY_KJ_PER_MOL
    if not low <= enthalpy <= high:
        return None
    reason = (
        f"BCC solid solution of {len(amounts)} elements: {vec:.2f} valence electrons per atom within "
        f"{vec_window[0]:g}-{vec_window[1]:g}, size mismatch {mismatch:.1f} % below {SIZE_MISMATCH_MOST_PCT:g} %, "
        f"mixing enthalpy {enthalpy:.1f} kJ/mol within {low:g} to {high:g}"
    )
    return Candidate(formula_text(amounts), group, Family.INTERSTITIAL, reason)


def bcc_alloy(amounts: dict[str, float]) -> Candidate | None:
    """Return the BCC alloy of these atomic fractions, or None when a single solid solution is unlikely.

    Raises:
        InputError: a pair of elements has no tabulated mixing enthalpy.
    """
    return _candidate(amounts, "bcc", BCC_VEC)


def bcc_alloys() -> Iterator[Candidate]:
    """Yield ternary alloys on a 5 or 10 % grid and Ti-V-Cr quaternaries on a 10 % grid."""
    for system in _BCC_TERNARY:
        steps = 20 if system == ("Ti", "V", "Cr") else 10
        yield from _gridded(system, steps)
    for fourth in _BCC_FOURTH:
        yield from _gridded(("Ti", "V", "Cr", fourth), 10)
    for fourth in ("Mn", "Fe", "Al", "Mo"):
        yield from _gridded(("Ti", "V", "Nb", fourth), 10)


def _gridded(system: tuple[str, ...], steps: int) -> Iterator[Candidate]:
    for parts in _compositions(len(system), steps):
        amounts = {element: round(part / steps, 4) for element, part in zip(system, parts, strict=True)}
        found = bcc_alloy(amounts)
        if found:
            yield found


def high_entropy_alloys(seed: int) -> Iterator[Candidate]:
    """Yield equimolar alloys of four to six elements, then a drawn sample with unequal amounts.

    Args:
        seed: chooses which of the unequal compositions are drawn; the equimolar ones do not depend on it.
    """
    for size in _HEA_SIZES:
        for elements in combinations(_HEA_ELEMENTS, size):
            if _forms_hydride(dict.fromkeys(elements, 1.0)):
                found = _candidate(dict.fromkeys(elements, 1.0), "hea", HEA_VEC)
                if found:
                    yield found
    draw = random.Random(seed)  # noqa: S311 - sampling compositions, not secrets
    kept = 0
    for _ in range(20 * _HEA_DRAWS):
        elements = tuple(draw.sample(_HEA_ELEMENTS, 5))
        cuts = sorted(draw.sample(range(1, 20), 4))
        shares = [high - low for low, high in zip([0, *cuts], [*cuts, 20], strict=True)]
        amounts = {el: round(share / 20, 4) for el, share in sorted(zip(elements, shares, strict=True))}
        found = _candidate(amounts, "hea", HEA_VEC) if _forms_hydride(amounts) else None
        if found:
            yield found
            kept += 1
        if kept == _HEA_DRAWS:
            return


def _forms_hydride(amounts: dict[str, float]) -> bool:
    half = 0.5
    return sum(share for el, share in rules.fractions(amounts).items() if el in HYDRIDE_FORMERS) >= half
