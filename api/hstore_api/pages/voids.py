"""The largest voids of a structure for its viewer: where they are, how wide, and which atoms bound them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError

if TYPE_CHECKING:
    from hstore_api.pages.structure import ShownStructure

MOST_SITES = 200
"""Larger cells are shown without voids, so that a page takes no more than a moment."""
MOST_VOIDS = 4
_MOST_POINTS = 12_000
_LEAST_LIFETIME_ANGSTROM = 0.05


@dataclass(frozen=True)
class ShownVoid:
    """A void, once for all of its kind."""

    radius_angstrom: float
    """Distance from its centre to the atoms that bound it."""
    neck_angstrom: float
    """Radius, from the centres of atoms, of the widest way out to a larger void or an endless channel."""
    count: int
    """Alike in the cell."""
    centre: tuple[float, float, float]
    """Fractional."""
    atoms: tuple[tuple[str, float, float, float], ...]
    """Element and fractional coordinates of the atoms that bound it."""

    @property
    def bounded_by(self) -> str:
        """Which atoms bound it, such as ``4 H and 2 Mg``."""
        parts = [f"{n} {element}" for element, n in Counter(element for element, *_ in self.atoms).most_common()]
        return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)

    @property
    def data(self) -> dict[str, Any]:
        """What the viewer is given."""
        return {"radius": self.radius_angstrom, "centre": self.centre, "atoms": self.atoms}


def shown_voids(structure: ShownStructure | None) -> tuple[ShownVoid, ...]:
    """Return the largest voids, widest first; none where the cell is large, shared by elements or ill-formed."""
    if structure is None or structure.shared or len(structure.sites) > MOST_SITES:
        return ()
    return _voids(structure.matrix, structure.sites)


@lru_cache(maxsize=256)
def _voids(
    matrix: tuple[tuple[float, ...], ...], sites: tuple[tuple[str, tuple[float, float, float]], ...]
) -> tuple[ShownVoid, ...]:
    import numpy as np

    from hstore_models.topology.alpha import alpha_complex
    from hstore_models.topology.inverse import widest_voids

    places = np.array([place for _, place in sites])
    try:
        widest = widest_voids(
            alpha_complex(np.array(matrix), places, most_points=_MOST_POINTS),
            most=MOST_VOIDS,
            at_least_angstrom=_LEAST_LIFETIME_ANGSTROM,
        )
    except InputError:  # sites that coincide, or a cell that is nearly empty: the picture alone is shown
        return ()
    return tuple(
        ShownVoid(
            round(void.death_angstrom, 3),
            round(void.birth_angstrom, 3),
            void.count,
            _three(void.centre),
            tuple((sites[atom][0], *_three(place)) for atom, place in zip(void.atoms, void.places, strict=True)),
        )
        for void in widest
    )


def _three(values: Any) -> tuple[float, float, float]:
    x, y, z = (round(float(value), 5) + 0.0 for value in values)
    return x, y, z
