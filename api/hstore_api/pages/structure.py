"""A crystal structure for the viewer and for reading."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_SITES = 600
"""Sites that are drawn; larger cells are described in words only."""

_WHOLE = 0.999


@dataclass(frozen=True)
class ShownStructure:
    """A unit cell."""

    lengths_angstrom: tuple[float, float, float]
    """Lengths of the cell, Å."""
    angles_deg: tuple[float, float, float]
    """Angles of the cell, degrees."""
    volume_angstrom3: float
    """Volume of the cell, Å³."""
    counts: tuple[tuple[str, int], ...]
    """Element -> sites where it is the main one, most first."""
    sites: tuple[tuple[str, tuple[float, float, float]], ...]
    """Element and fractional coordinates of each site."""
    shared: int
    """Sites that several elements share, or that are partly empty; the main element is drawn."""
    matrix: tuple[tuple[float, ...], ...]
    """Cell vectors in rows, Å."""

    @property
    def drawn(self) -> bool:
        """Whether it is small enough to be drawn."""
        return len(self.sites) <= MAX_SITES

    @property
    def words(self) -> str:
        """The cell in one sentence, for those who do not see the picture."""
        a, b, c = self.lengths_angstrom
        parts = ", ".join(f"{n} {element}" for element, n in self.counts)
        alpha, beta, gamma = self.angles_deg
        return (
            f"Unit cell of {len(self.sites)} sites ({parts}): a = {a:.3f} Å, b = {b:.3f} Å, c = {c:.3f} Å, "
            f"α = {alpha:.1f}°, β = {beta:.1f}°, γ = {gamma:.1f}°, volume {self.volume_angstrom3:.1f} Å³."
        )

    @property
    def data(self) -> dict[str, Any]:
        """What the viewer is given."""
        return {"matrix": self.matrix, "sites": [[element, *place] for element, place in self.sites]}


def shown_structure(structure: Mapping[str, Any] | None) -> ShownStructure | None:
    """Read the dictionary form of a pymatgen ``Structure``; None where there is none that can be read."""
    if not structure:
        return None
    try:
        matrix = [[float(x) for x in row] for row in structure["lattice"]["matrix"]]
        sites = [_site(site) for site in structure["sites"]]
        shared = sum(_is_shared(site["species"]) for site in structure["sites"])
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    numbers = [number for row in (*matrix, *(place for _, place in sites)) for number in row]
    if (
        not sites
        or len(matrix) != 3
        or {len(row) for row in matrix} != {3}
        or not all(map(math.isfinite, numbers))
    ):
        return None
    lengths = [math.hypot(*row) for row in matrix]
    if min(lengths) <= 0:
        return None
    return ShownStructure(
        lengths_angstrom=(lengths[0], lengths[1], lengths[2]),
        angles_deg=(_angle(matrix[1], matrix[2]), _angle(matrix[0], matrix[2]), _angle(matrix[0], matrix[1])),
        volume_angstrom3=abs(_determinant(matrix)),
        counts=tuple(Counter(element for element, _ in sites).most_common()),
        sites=tuple(sites),
        shared=shared,
        matrix=tuple(map(tuple, matrix)),
    )


def _site(site: Mapping[str, Any]) -> tuple[str, tuple[float, float, float]]:
    main = max(site["species"], key=lambda species: float(species["occu"]))
    x, y, z = (float(value) for value in site["abc"])
    return str(main["element"]), (x, y, z)


def _is_shared(species: Sequence[Mapping[str, Any]]) -> bool:
    return len(species) > 1 or float(species[0]["occu"]) < _WHOLE


def _angle(one: Sequence[float], other: Sequence[float]) -> float:
    cosine = sum(x * y for x, y in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))


def _determinant(rows: Sequence[Sequence[float]]) -> float:
    (a, b, c), (d, e, f), (g, h, i) = rows
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
