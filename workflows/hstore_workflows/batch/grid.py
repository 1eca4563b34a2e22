"""Compositions of a grid by their number: any of them is found without listing those before."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise
from math import comb, prod
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError
from hstore_workflows.batch.spec import MAX_SITE_COMPOSITIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from hstore_workflows.batch.spec import GridSite


def count_site(site: GridSite) -> int:
    """Return how many compositions a site has."""
    steps = round(site.total / site.step)
    return comb(len(site.elements), site.choose) * comb(steps - 1, site.choose - 1)


def count_grid(sites: Sequence[GridSite]) -> int:
    """Return how many compositions some sites have together."""
    return prod(map(count_site, sites))


@dataclass(frozen=True)
class Grid:
    """The compositions of some sites; the last site changes fastest."""

    texts: tuple[NDArray[np.object_], ...]
    """Part of the formula for each composition of each site."""

    @classmethod
    def of(cls, sites: Sequence[GridSite]) -> Grid:
        """List the compositions of each site.

        Raises:
            InputError: a site has more than :data:`MAX_SITE_COMPOSITIONS`, or an element shares two sites.
        """
        shared = [symbol for site in sites for symbol in site.elements]
        twice = sorted({symbol for symbol in shared if shared.count(symbol) > 1})
        if twice:
            raise InputError(
                f"{', '.join(twice)} may share two sites, so that one composition would come several times; "
                "give each element one site"
            )
        for number, site in enumerate(sites, start=1):
            if count_site(site) > MAX_SITE_COMPOSITIONS:
                raise InputError(
                    f"site {number} has {count_site(site):,} compositions, at most {MAX_SITE_COMPOSITIONS:,} are "
                    "listed; take larger steps, or make two sites of it"
                )
        return cls(tuple(np.array(list(_site_texts(site)), dtype=object) for site in sites))

    def __len__(self) -> int:
        """Return the number of compositions."""
        return prod(map(len, self.texts))

    def formulas(self, start: int, stop: int) -> NDArray[np.object_]:
        """Return the formulas with the numbers from ``start`` to before ``stop``, shape ``(stop - start,)``."""
        numbers = np.arange(start, stop)
        found: NDArray[np.object_] | None = None
        for texts in reversed(self.texts):
            numbers, place = np.divmod(numbers, len(texts))
            found = texts[place] if found is None else texts[place] + found
        assert found is not None
        return found


def _site_texts(site: GridSite) -> Iterator[str]:
    steps = round(site.total / site.step)
    amounts = [_plain(site.step * count) for count in range(steps + 1)]
    shares = [
        [after - before for before, after in pairwise((0, *cuts, steps))]
        for cuts in combinations(range(1, steps), site.choose - 1)
    ]
    for chosen in combinations(site.elements, site.choose):
        parts = [[symbol + amount for amount in amounts] for symbol in chosen]
        for counts in shares:
            yield "".join([part[count] for part, count in zip(parts, counts, strict=True)])


def _plain(amount: float) -> str:
    """Return an amount as formulas have it: without exponents, and without a one."""
    text = f"{amount:.6f}".rstrip("0").rstrip(".")
    return "" if text == "1" else text
