"""Compositional grids of AB5, AB2 and BCC alloys with a step of the user's choice, streamed.

The same windows and round solubilities as in the shipped pool hold (:mod:`.intermetallics`,
:mod:`.solidsolution`); only the levels of substitution are the grid's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations, islice, product
from typing import TYPE_CHECKING

from hstore.errors import InputError, unknown_name
from hstore.licences import OWN_DATA
from hstore.records import Material, Provenance
from hstore_workflows.sources.enumeration import intermetallics, pool, solidsolution
from hstore_workflows.sources.enumeration.candidate import formula_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hstore_workflows.sources.enumeration.candidate import Candidate

GRIDS = ("ab5", "ab2", "bcc")
"""Alloy classes with a grid."""
STEP_LEAST = 0.01
ELEMENTS_MOST = 4
"""Elements sharing one site of AB5 or AB2, or the whole of a BCC alloy."""
SOURCE = "hstore grid"
_OUTSIDE = "sizes, electrons or mixing enthalpy outside the window of the class"

_AB5_A: dict[str, float] = dict.fromkeys((*intermetallics.RARE_EARTHS, "Ca"), 1.0)
_AB2_A: dict[str, float] = {"Ti": 1.0, "Zr": 1.0, "Hf": 1.0, "Sc": 1.0, "Y": 0.2, "Nb": 0.1}
_BCC: dict[str, float] = {
    "Ti": 1.0, "V": 1.0, "Cr": 1.0, "Nb": 1.0, "Mo": 0.5, "Mn": 0.4, "Fe": 0.2, "Zr": 0.5, "Ta": 0.5, "Al": 0.2,
}  # fmt: skip
"""Largest share of each element, as in the pool's levels."""


@dataclass
class GridSource:
    """Every composition of a grid that passes the rules of its class; iterate once.

    Raises:
        InputError: the step does not divide one, or the elements leave nothing.
        UnknownNameError: no such grid.
    """

    grid: str
    """One of :data:`GRIDS`."""
    step: float = 0.1
    """Step of the share of an element on its site."""
    elements: tuple[str, ...] = ()
    """Only these elements; empty allows all of the class."""
    exclude_elements: tuple[str, ...] = ()
    """Without these elements."""
    most: int = 3
    """Elements that may share a site (of a BCC alloy: elements in all), 1 to 4."""
    limit: int | None = None
    """At most so many."""
    tried: int = 0
    """Compositions looked at so far."""
    ruled_out: dict[str, int] = field(default_factory=dict)
    """Compositions ruled out so far, by reason."""

    def __post_init__(self) -> None:
        """Refuse grids that cannot be walked."""
        if self.grid not in GRIDS:
            raise unknown_name("grid", self.grid, GRIDS)
        steps = round(1 / self.step) if self.step > 0 else 0
        if not (STEP_LEAST <= self.step <= 0.5 and abs(steps * self.step - 1) < 1e-6):
            raise InputError(
                f"step must divide 1 and lie between {STEP_LEAST} and 0.5, got {self.step:g}; try 0.05"
            )
        if not 1 <= self.most <= ELEMENTS_MOST:
            raise InputError(f"1 to {ELEMENTS_MOST} elements can share a site, got {self.most}")

    def __iter__(self) -> Iterator[Material]:
        """Yield materials in the order of the elements, then of the shares."""
        return islice(self._materials(), self.limit)

    def _materials(self) -> Iterator[Material]:
        hosts = pool.reported_hosts()
        for candidate in self._candidates():
            self.tried += 1
            if candidate is None:
                self.ruled_out[_OUTSIDE] = self.ruled_out.get(_OUTSIDE, 0) + 1
                continue
            report = hosts.get(formula_key(candidate.formula))
            yield Material(
                material_id=f"prototype:{self.grid}:{candidate.formula}",
                formula=candidate.formula,
                family=candidate.family,
                known=report is not None,
                reason=f"{candidate.reason}; {report.text}" if report else candidate.reason,
                provenance=Provenance(
                    source=SOURCE,
                    reference=report.citation if report else None,
                    licence=OWN_DATA,
                    note=f"step {self.step:g}, {self.grid} grid, composition only",
                ),
            )

    def _candidates(self) -> Iterator[Candidate | None]:
        if self.grid == "bcc":
            for mix in self._mixes(_BCC, least=2):
                yield solidsolution.bcc_alloy(mix)
            return
        kind = intermetallics.AB5 if self.grid == "ab5" else intermetallics.AB2
        a_most = _AB5_A if self.grid == "ab5" else _AB2_A
        b_most = intermetallics.AB5_B_MOST if self.grid == "ab5" else intermetallics.LAVES_B_MOST
        b_mixes = list(self._mixes(b_most))
        for a_mix, b_mix in product(self._mixes(a_most), b_mixes):
            yield intermetallics.site_alloy(kind, a_mix, b_mix)

    def _mixes(self, most: Mapping[str, float], *, least: int = 1) -> Iterator[dict[str, float]]:
        """Yield the shares of one site, each element up to its limit."""
        steps = round(1 / self.step)
        offered = [
            element
            for element in most
            if element not in self.exclude_elements and (not self.elements or element in self.elements)
        ]
        for number in range(least, self.most + 1):
            for chosen in combinations(offered, number):
                caps = [round(most[element] * steps + 1e-6) for element in chosen]
                for parts in _shares(steps, caps):
                    mix = {el: round(part / steps, 4) for el, part in zip(chosen, parts, strict=True)}
                    yield dict(sorted(mix.items(), key=lambda item: -item[1]))


def _shares(total: int, caps: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield the ways to write a total as a sum of positive parts, each up to its cap."""
    if len(caps) == 1:
        if 0 < total <= caps[0]:
            yield (total,)
        return
    for first in range(1, min(caps[0], total - len(caps) + 1) + 1):
        for rest in _shares(total - first, caps[1:]):
            yield (first, *rest)
