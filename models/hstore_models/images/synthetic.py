"""Random structures whose statistics are known, to test descriptors of micrographs with.

Each returns an array of two or three dimensions by the shape asked for; lengths are in pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray

_FLAT, _SOLID = 2, 3


def boolean_model(shape: tuple[int, ...], *, density: float, radius: float, seed: int) -> NDArray[np.bool_]:
    """Return the union of discs or balls of one radius around Poisson points.

    Args:
        shape: of the image.
        density: points for each pixel.
        radius: of the grains, pixels.
        seed: of the points.

    Raises:
        InputError: the shape has not two or three axes, or a number is not above 0.
    """
    _check(shape, density=density, radius=radius)
    rng = np.random.default_rng(seed)
    sides = np.array(shape) + 2 * radius
    centres = rng.random((rng.poisson(density * float(np.prod(sides))), len(shape))) * sides - radius
    inside = np.zeros(shape, dtype=bool)
    for centre in centres:
        low = np.maximum(np.ceil(centre - radius), 0).astype(int)
        high = np.minimum(np.floor(centre + radius) + 1, shape).astype(int)
        if (high <= low).any():
            continue
        axes = np.ogrid[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        squared = sum((axis - c) ** 2 for axis, c in zip(axes, centre, strict=True))
        inside[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] |= squared <= radius**2
    return inside


def boolean_model_euler(*, density: float, radius: float, dimensions: int) -> float:
    """Return the mean Euler characteristic of such a union for each pixel, by the formulas of Miles.

    With eta the density times the area or volume of a grain: density exp(-eta) (1 - eta) for discs, and
    density exp(-eta) (1 - 3 eta + 3 pi^2 eta^2 / 32) for balls (Miles, Adv. Appl. Probab. 8, 79 (1976)).
    """
    _check((1,) * dimensions, density=density, radius=radius)
    if dimensions == _FLAT:
        eta = density * np.pi * radius**2
        return float(density * np.exp(-eta) * (1 - eta))
    eta = density * 4 / 3 * np.pi * radius**3
    return float(density * np.exp(-eta) * (1 - 3 * eta + 3 * np.pi**2 * eta**2 / 32))


def gaussian_field(shape: tuple[int, ...], *, correlation_length: float, seed: int) -> FloatArray:
    """Return a Gaussian random field of mean 0, variance 1 and covariance exp(-r^2 / (2 L^2)), on a torus.

    Args:
        shape: of the image.
        correlation_length: L, pixels.
        seed: of the noise.
    """
    _check(shape, correlation_length=correlation_length)
    noise = np.random.default_rng(seed).normal(size=shape)
    frequencies = np.meshgrid(*(np.fft.fftfreq(side) for side in shape), indexing="ij")
    squared = sum(axis**2 for axis in frequencies)
    # the square root of the spectrum of that covariance
    weight = np.exp(-((np.pi * correlation_length) ** 2) * squared)
    field = np.fft.ifftn(np.fft.fftn(noise) * weight).real
    return np.asarray(field / np.sqrt(np.mean(weight**2)))


def grains(shape: tuple[int, ...], *, count: int, boundary: float, seed: int) -> NDArray[np.bool_]:
    """Return the boundaries between the Voronoi cells of random points on a torus.

    Args:
        shape: of the image.
        count: number of grains, 2 or more.
        boundary: width of the boundaries, pixels.
        seed: of the points.
    """
    from scipy.spatial import cKDTree

    _check(shape, count=count - 1, boundary=boundary)
    points = np.random.default_rng(seed).random((count, len(shape))) * shape
    pixels = np.indices(shape).reshape(len(shape), -1).T + 0.5
    distance, nearest = cKDTree(points, boxsize=shape).query(pixels, k=2)
    apart = points[nearest[:, 1]] - points[nearest[:, 0]]
    apart -= np.round(apart / shape) * shape
    gap = (distance[:, 1] ** 2 - distance[:, 0] ** 2) / (2 * np.linalg.norm(apart, axis=1))
    return np.asarray((gap <= boundary / 2).reshape(shape))


def cracks(
    shape: tuple[int, int], *, count: int, length: float, width: float, spread: float = np.pi, seed: int
) -> NDArray[np.bool_]:
    """Return straight cracks of one length and width at random places.

    Args:
        shape: of the image, two axes.
        count: number of cracks whose middle is in the image.
        length: pixels.
        width: pixels.
        spread: their directions are even within this angle around the second axis, radians; pi is any direction.
        seed: of places and directions.
    """
    _check(shape, count=count, length=length, width=width)
    rng = np.random.default_rng(seed)
    pixels = np.indices(shape).reshape(2, -1).T + 0.5
    inside = np.zeros(len(pixels), dtype=bool)
    for middle, angle in zip(rng.random((count, 2)) * shape, rng.uniform(-0.5, 0.5, count) * spread, strict=True):
        along, across = np.array([[np.sin(angle), np.cos(angle)], [np.cos(angle), -np.sin(angle)]])
        away = pixels - middle
        inside |= (np.abs(away @ along) <= length / 2) & (np.abs(away @ across) <= width / 2)
    return inside.reshape(shape)


def rendered(dark: NDArray[np.bool_], *, blur: float, noise: float, seed: int, gamma: float = 1.0) -> FloatArray:
    """Return how a microscope would show it: dark on bright, blurred, with noise, and a contrast of its own.

    Args:
        dark: what is dark.
        blur: standard deviation, pixels.
        noise: standard deviation over the difference of the two greys.
        seed: of the noise.
        gamma: exponent of the contrast.

    Returns:
        Greys from 0 to 1.
    """
    from scipy.ndimage import gaussian_filter

    grey = gaussian_filter(np.where(dark, 0.25, 0.75), blur, mode="nearest")
    grey = grey + np.random.default_rng(seed).normal(scale=0.5 * noise, size=dark.shape)
    return np.asarray(np.clip(grey, 0.0, 1.0) ** gamma)


def _check(shape: tuple[int, ...], **numbers: float) -> None:
    if len(shape) not in (_FLAT, _SOLID):
        raise InputError(f"an image has two or three axes, got {len(shape)}")
    for name, value in numbers.items():
        if not value > 0:
            raise InputError(f"{name} must be above 0, got {value:g}")
