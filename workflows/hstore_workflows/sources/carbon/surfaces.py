"""Surfaces that carbon is built on, each the zero of a function that repeats in a cube with the edge 2 pi.

The functions of the primitive (P), diamond (D) and gyroid (G) surfaces are the leading Fourier terms of Schwarz's
and Schoen's minimal surfaces (von Schnering and Nesper 1991, doi 10.1007/BF01313411). A random surface is the zero
of a sum of plane waves of equal wavelength with random directions and phases: a bicontinuous pore system (Cahn
1965, doi 10.1063/1.1695731), as a model of templated and other disordered porous carbons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import unknown_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from hstore.arrays import FloatArray

EDGE = 2.0 * np.pi
"""Edge of the cube in which the functions repeat."""
NAMES = ("p", "d", "g", "sphere", "random")
"""Surfaces there are."""

_SPHERE_RADIUS = 0.25 * EDGE
_WAVES = 24
"""Plane waves of a random surface."""
_LEAST_WAVE, _MOST_WAVE = 0.9, 1.8
"""Lengths of their wave vectors, in 2 pi / edge."""
_STEP = 1e-5
_LEAST_SLOPE = 1e-9
_AREA_GRID = 48
_AREA_WIDTH = 0.25
"""Width of the layer about the surface that is counted for its area, in values of the function."""


class Surface:
    """Zero of a function of position, periodic in a cube with the edge :data:`EDGE`."""

    def __init__(self, name: str, *, seed: int = 0) -> None:
        """Take the surface.

        Args:
            name: one of :data:`NAMES`.
            seed: seed of a random surface.

        Raises:
            UnknownNameError: there is no such surface.
        """
        if name not in NAMES:
            raise unknown_name("surface", name, NAMES)
        self.name = name
        self._value = _random(seed) if name == "random" else _FUNCTIONS[name]

    def value(self, points: FloatArray) -> FloatArray:
        """Return the function at points, shape (n, 3)."""
        return self._value(points)

    def gradient(self, points: FloatArray) -> FloatArray:
        """Return its gradient, shape (n, 3)."""
        ways = [self._value(points + step) - self._value(points - step) for step in _STEP * np.eye(3)]
        return np.stack(ways, axis=-1) / (2.0 * _STEP)

    def normals(self, points: FloatArray) -> FloatArray:
        """Return unit normals, shape (n, 3)."""
        slope = self.gradient(points)
        return np.asarray(slope / np.maximum(np.linalg.norm(slope, axis=1), _LEAST_SLOPE)[:, None])

    def projected(self, points: FloatArray, rounds: int = 6) -> FloatArray:
        """Move points along the gradient to the surface (Newton), shape (n, 3)."""
        for _ in range(rounds):
            slope = self.gradient(points)
            share = self._value(points) / np.maximum((slope**2).sum(axis=1), _LEAST_SLOPE)
            points = points - share[:, None] * slope
        return points

    def area(self) -> float:
        """Return its area in a cube: the integral of the gradient over a thin layer (coarea formula)."""
        axis = (np.arange(_AREA_GRID) + 0.5) / _AREA_GRID * EDGE
        points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
        layer = np.exp(-0.5 * (self._value(points) / _AREA_WIDTH) ** 2) / (_AREA_WIDTH * np.sqrt(2.0 * np.pi))
        return float(np.mean(layer * np.linalg.norm(self.gradient(points), axis=1)) * EDGE**3)


def _p(x: FloatArray) -> FloatArray:
    return np.asarray(np.cos(x).sum(axis=-1))


def _d(x: FloatArray) -> FloatArray:
    (sx, sy, sz), (cx, cy, cz) = np.sin(x).T, np.cos(x).T
    return np.asarray(sx * sy * sz + sx * cy * cz + cx * sy * cz + cx * cy * sz)


def _g(x: FloatArray) -> FloatArray:
    (sx, sy, sz), (cx, cy, cz) = np.sin(x).T, np.cos(x).T
    return np.asarray(sx * cy + sy * cz + sz * cx)


def _sphere(x: FloatArray) -> FloatArray:
    away = np.mod(x, EDGE) - EDGE / 2.0
    return np.asarray(np.linalg.norm(away, axis=-1) / _SPHERE_RADIUS - 1.0)


_FUNCTIONS: dict[str, Callable[[FloatArray], FloatArray]] = {"p": _p, "d": _d, "g": _g, "sphere": _sphere}


def _random(seed: int) -> Callable[[FloatArray], FloatArray]:
    most = int(np.ceil(_MOST_WAVE))
    axis = np.arange(-most, most + 1)
    waves = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    length = np.linalg.norm(waves, axis=1)
    waves = waves[(length >= _LEAST_WAVE) & (length <= _MOST_WAVE)]
    generator = np.random.default_rng(seed)
    chosen = waves[generator.choice(len(waves), _WAVES, replace=False)].astype(float)
    phases = generator.uniform(0.0, EDGE, _WAVES)

    def value(x: FloatArray) -> FloatArray:
        return np.asarray(np.cos(x @ chosen.T + phases).sum(axis=-1) / np.sqrt(_WAVES / 2.0))

    return value
