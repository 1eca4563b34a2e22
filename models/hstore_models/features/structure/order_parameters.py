"""Order parameters of coordination shells: how close the directions of neighbours come to a known motif.

Each motif compares the directions of the n neighbours of a site with those of an ideal shell. One neighbour j is
put at the north pole and another, k, on the prime meridian; Gaussians of the polar angles and a cosine of the
azimuths reward neighbours where the motif has them, and the best choice of (j, k) counts: Zimmermann et al.,
Front. Mater. 4, 34 (2017), doi 10.3389/fmats.2017.00034; motifs and widths as in Zimmermann and Jain, RSC Adv. 10,
6063 (2020), doi 10.1039/C9RA07755C. Shells of 9 neighbours and more have the bond-orientational parameters of
Steinhardt et al., Phys. Rev. B 28, 784 (1983), doi 10.1103/PhysRevB.28.784.

All shells with the same number of neighbours are worked out together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import legendre

if TYPE_CHECKING:
    from collections.abc import Callable

    from hstore.arrays import FloatArray, IntArray

    Motif = Callable[["Shells"], FloatArray]
    BoolArray = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

_ALIGNED = 1e-12
"""Distance from the axis (of unit vectors) below which a neighbour lies on it and has no azimuth."""
_ON_BOUND = 1e-9
"""Angles (over 180 degrees) this close to a bound lie on it, so that exact 90 and 135 degrees do not fall left or
right by rounding errors."""
_HALF, _THREE_QUARTERS = 0.5, 0.75
_TETRAHEDRAL = 0.6081734479693927
"""The tetrahedral angle over 180 degrees."""
_BATCH = 200_000
"""Triples of neighbours worked on at once, so that memory stays at some tens of MB."""


class Shells:
    """Angles within shells of n neighbours, for many shells at once."""

    def __init__(self, directions: FloatArray, rank: IntArray) -> None:
        """Take unit vectors to the neighbours, shape (shells, n, 3), and their ranks, shape (shells, n)."""
        self.directions = directions
        self.rank = rank
        n = directions.shape[1]
        self.other = ~np.eye(n, dtype=bool)
        """Pairs (j, k) of different neighbours, shape (n, n)."""
        self.third = self.other[:, :, None] & self.other[:, None, :] & self.other[None, :, :]
        """Triples (j, k, m) of different neighbours, shape (n, n, n)."""

    @cached_property
    def cosines(self) -> FloatArray:
        """Cosine of the angle between two neighbours, shape (shells, n, n)."""
        return np.clip(self.directions @ self.directions.transpose(0, 2, 1), -1.0, 1.0)

    @cached_property
    def angle(self) -> FloatArray:
        """Angle between two neighbours over 180 degrees, shape (shells, n, n)."""
        return np.asarray(np.arccos(self.cosines) / np.pi)

    @cached_property
    def _across(self) -> tuple[FloatArray, BoolArray]:
        """Unit vectors of k at right angles to j, and whether k has such a part (is not on the axis of j)."""
        along = self.cosines[..., None] * self.directions[:, :, None, :]
        across = self.directions[:, None, :, :] - along
        length = np.linalg.norm(across, axis=-1)
        off_axis = (length >= _ALIGNED) & self.other
        return across / np.where(off_axis, length, 1.0)[..., None], off_axis

    @property
    def off_axis(self) -> BoolArray:
        """Whether k lies off the axis through j, shape (shells, n, n)."""
        return self._across[1]

    @cached_property
    def azimuth(self) -> FloatArray:
        """Azimuth from k to m around j, radians in [0, pi], shape (shells, n, n, n)."""
        across, _ = self._across
        return np.asarray(np.arccos(np.clip(across @ across.transpose(0, 1, 3, 2), -1.0, 1.0)))

    @cached_property
    def with_azimuth(self) -> BoolArray:
        """Triples that have an azimuth, shape (shells, n, n, n)."""
        return self.third & self.off_axis[:, :, :, None] & self.off_axis[:, :, None, :]


def _gauss(angle: FloatArray, target: FloatArray | float, inverse_width: float) -> FloatArray:
    return np.asarray(np.exp(-0.5 * (inverse_width * (angle - target)) ** 2))


def _best(total: FloatArray, count: FloatArray) -> FloatArray:
    """Take the largest mean contribution over all choices (j, k); shape (shells,)."""
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1e-300), 0.0).max(axis=(1, 2)))


@dataclass(frozen=True)
class Bent:
    """Two neighbours at a stated angle."""

    angle: float
    """Target over 180 degrees."""
    inverse_width: float
    """One over the width of the Gaussian, in parts of 180 degrees."""

    def __call__(self, shells: Shells) -> FloatArray:
        """Return the mean over all pairs, shape (shells,)."""
        reward = _gauss(shells.angle, self.angle, self.inverse_width)
        return np.asarray(reward[:, shells.other].mean(axis=1))


@dataclass(frozen=True)
class Polar:
    """Neighbours on one or more cones around the pole, at regular azimuths, and perhaps one at the south pole."""

    target: Callable[[FloatArray], FloatArray | float]
    """Angle of the cone nearest to an angle, both over 180 degrees."""
    inverse_width: float
    """One over the width of the Gaussian around a cone."""
    fold: float
    """Azimuths repeat with pi over this."""
    south: float = np.inf
    """Angle over 180 degrees from which on a neighbour stands at the south pole; infinite where there is none."""
    south_inverse_width: float = 0.0
    """One over the width of the Gaussian around the south pole."""
    azimuth_limit: float = np.inf
    """Azimuths from here on do not count, radians."""

    def __call__(self, shells: Shells) -> FloatArray:
        """Return the order parameter, shape (shells,)."""
        angle = shells.angle
        southern = angle >= self.south - _ON_BOUND
        cone = shells.other & ~southern
        reward = _gauss(angle, self.target(angle), self.inverse_width)
        counted = shells.with_azimuth & cone[:, :, :, None] & cone[:, :, None, :]
        if np.isfinite(self.azimuth_limit):
            counted &= shells.azimuth < self.azimuth_limit
        wave = np.where(counted, np.cos(self.fold * shells.azimuth) ** 2, 0.0)
        total = reward * cone + np.einsum("bjkm,bjm->bjk", wave, reward)
        count = cone + counted.sum(axis=-1, dtype=float)
        if np.isfinite(self.south):
            opposite = shells.third & (shells.off_axis[:, :, :, None] & southern[:, :, None, :])
            total += np.einsum("bjkm,bjm->bjk", opposite, _gauss(angle, 1.0, self.south_inverse_width))
            count += opposite.sum(axis=-1)
        return _best(total, count)


def _at(angle: float) -> Callable[[FloatArray], float]:
    return lambda _angles: angle


def _pentagon(angles: FloatArray) -> FloatArray:
    return np.where(angles * np.pi <= 0.6 * np.pi, 0.4, 0.8)


def _hexagon(angles: FloatArray) -> FloatArray:
    """Return 60 or 120 degrees, whichever is on the side of the angle."""
    return _HALF + np.where(angles >= _HALF, 1.0, -1.0) * 0.16666667


def _equator(inverse_width: float, fold: float, south: float = np.inf, south_inverse_width: float = 0.0) -> Polar:
    return Polar(_at(_HALF), inverse_width, fold, south, south_inverse_width)


def _cube(shells: Shells) -> FloatArray:
    """Body-centred cubic: a sum with signs over all j before k (Peters, J. Chem. Phys. 131, 244103, 2009).

    Neighbours 180 degrees apart weigh 6; the other pairs reward a third neighbour 19.5 degrees off the equator.
    The definition depends on the order of the neighbours; where two have the same rank, the mean of both orders
    is taken.
    """
    south = 2.5261129449194057 / np.pi
    n = shells.directions.shape[1]
    before = 0.5 * (1.0 + np.sign(shells.rank[:, None, :] - shells.rank[:, :, None])) * shells.other
    opposite = shells.angle >= south
    total = (before * opposite * 6.0 * _gauss(shells.angle, 1.0, 15.0)).sum(axis=(1, 2))
    sign = np.where(shells.angle > _HALF + _ON_BOUND, before, -before) * ~opposite
    latitude = (shells.angle - _HALF) * np.pi / np.arcsin(1 / 3)
    reward = latitude * np.exp(0.5 - 0.5 * latitude**2)
    wave = np.where(shells.with_azimuth, np.cos(3 * shells.azimuth), 0.0)
    total += np.einsum("bjk,bjkm,bjm->b", sign, wave, reward, optimize=True)
    return np.asarray(total / (0.5 * n * (6 + (n - 2) * (n - 3))))


def _cuboctahedron(shells: Shells) -> FloatArray:
    """Twelve neighbours: one opposite, four around the equator, four at 60 and three or four at 120 degrees."""
    angle, south = shells.angle, 2.792526803190927 / np.pi
    low, high = 1.3089969389957472 / np.pi, 1.8325957145940461 / np.pi
    equator = shells.other & (low < angle) & (angle < high)
    opposite = shells.other & (angle >= south)
    counted = shells.with_azimuth & equator[:, :, :, None]
    level = np.where(equator, _gauss(angle, _HALF, 25.5), 0.0)
    total = 1.8 * opposite * _gauss(angle, 1.0, 28.75)
    total += np.einsum("bjkm,bjm->bjk", counted * np.cos(shells.azimuth) ** 2, level)
    tilted = np.where(angle < low, _gauss(angle, 1 / 3, 31.25), 0.0)
    tilted += np.where((angle > high) & (angle < south), _gauss(angle, 2 / 3, 31.25), 0.0)
    wave = np.exp(-0.5 * (0.0556 * (np.sin(shells.azimuth) - 0.81649658)) ** 2)
    total += np.einsum("bjkm,bjm->bjk", counted * wave, tilted)
    placed = (angle < south) & (angle != low) & (angle != high)
    count = 1.8 * opposite + (counted & placed[:, :, None, :]).sum(axis=-1)
    return _best(total, count)


@dataclass(frozen=True)
class Steinhardt:
    """Bond-orientational order, from the Legendre polynomial of the angles (addition theorem of harmonics)."""

    degree: int
    """l of the spherical harmonics."""

    def __call__(self, shells: Shells) -> FloatArray:
        """Return q_l, shape (shells,)."""
        polynomial = legendre.legval(shells.cosines, np.eye(self.degree + 1)[self.degree])
        return np.asarray(np.sqrt(np.maximum(polynomial.mean(axis=(1, 2)), 0.0)))


def _single(shells: Shells) -> FloatArray:
    return np.ones(len(shells.directions))


_Q: dict[str, Motif] = {f"q{degree}": Steinhardt(degree) for degree in (2, 4, 6)}
MOTIFS: dict[int, dict[str, Motif]] = {
    1: {"sgl_bd": _single},
    2: {
        "L-shaped": Bent(_HALF, 15.15),
        "water-like": Bent(0.5802777777777778, 13.95),
        "bent 120 degrees": Bent(0.666666666667, 13.25),
        "bent 150 degrees": Bent(0.833333333333333, 12.45),
        "linear": Bent(1.0, 8.667),
    },
    3: {
        "trigonal planar": Polar(_at(0.66666666667), 17.5, 1.0),
        "trigonal non-coplanar": Polar(_at(_TETRAHEDRAL), 18.33, 1.5),
        "T-shaped": _equator(15.5, 1.0),
    },
    4: {
        "square co-planar": _equator(17.7, 1.0, _THREE_QUARTERS, 13.5),
        "tetrahedral": Polar(_at(_TETRAHEDRAL), 18.5, 1.5),
        "rectangular see-saw-like": Polar(_at(_HALF), 27.0, 2.0, _THREE_QUARTERS, 11.5, 0.75 * np.pi),
        "see-saw-like": _equator(15.75, 1.5, _THREE_QUARTERS, 12.75),
        "trigonal pyramidal": _equator(15.5, 1.5),
    },
    5: {
        "pentagonal planar": Polar(_pentagon, 19.333, 1.0),
        "square pyramidal": _equator(14.9, 2.0),
        "trigonal bipyramidal": _equator(16.6, 1.5, _THREE_QUARTERS, 12.0),
    },
    6: {
        "hexagonal planar": Polar(_hexagon, 25.0, 1.0, 2.6179938779914944 / np.pi, 7.5),
        "octahedral": _equator(18.0, 2.0, _THREE_QUARTERS, 15.0),
        "pentagonal pyramidal": _equator(13.8, 2.5),
    },
    7: {"hexagonal pyramidal": _equator(12.5, 3.0), "pentagonal bipyramidal": _equator(14.75, 2.5, 0.75, 12.5)},
    8: {"body-centered cubic": _cube, "hexagonal bipyramidal": _equator(13.6, 3.0, _THREE_QUARTERS, 14.1)},
    9: _Q,
    10: _Q,
    11: _Q,
    12: {"cuboctahedral": _cuboctahedron, **_Q},
}
"""Motifs by number of neighbours; the names are those of the fingerprint of Zimmermann and Jain."""


def order_parameters(directions: FloatArray, rank: IntArray | None = None) -> FloatArray:
    """Compute the order parameters of shells with equally many neighbours.

    Args:
        directions: unit vectors from each site to its neighbours, shape (shells, n, 3), n one of :data:`MOTIFS`.
        rank: order of the neighbours in each shell, equal for equivalent ones, shape (shells, n); it matters for
            ``body-centered cubic`` only. None: none goes before another.

    Returns:
        Shape (shells, motifs of n), between 0 and 1 (``body-centered cubic``: may be negative).
    """
    shells, n = directions.shape[:2]
    if rank is None:
        rank = np.zeros((shells, n), dtype=np.int64)
    step = max(1, _BATCH // n**3)
    parts = [Shells(directions[i : i + step], rank[i : i + step]) for i in range(0, shells, step)]
    return np.concatenate([np.stack([motif(part) for motif in MOTIFS[n].values()], axis=1) for part in parts])
