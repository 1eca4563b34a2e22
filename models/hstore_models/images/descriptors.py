"""What a micrograph shows, in numbers: pores, grains and cracks by count, size, shape and connection.

Everything rests on the order of the greys (:func:`~hstore_models.images.cubical.grey_shares`), so that brightness,
contrast and gamma do not matter. The mean around each pixel is taken off, against brightness that changes across
the image, and the smoothed image is parted into dark and bright at the level with the least variance within the
two (Otsu, doi 10.1109/TSMC.1979.4310076). Shares are then counted anew, half of them among the inner pixels of the
dark phase and half among those of the bright one: so the two are one half apart, and the greys of blurred edges
lie between them, however much there is of each. These balanced shares are smoothed, which levels noise, and parted
at one half; this is done twice. Lengths are in nm, so that another magnification changes little.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError
from hstore_models.images.cubical import Components, checked_image, components, euler_curve, grey_shares, labelled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray

LEAST_LIFETIME = 0.1
"""Features that live for less of the balanced shares are noise; two phases are one half apart."""
SMOOTH_PIXELS = 1.5
"""Standard deviation of the smoothing where none is asked for, pixels."""
BETWEEN = 0.5
"""Balanced share at which dark and bright part."""
_LEVELS = 512
_BINS = 4096
_ROUNDS = 2
_INNER = 0.7
"""Pixels deeper in their phase than this share of it are its inner ones."""
_QUANTILES = (0.1, 0.5, 0.9)
_NM_PER_UM = 1000.0


@dataclass(frozen=True)
class ImageSettings:
    """How an image is read.

    Raises:
        InputError: a number is out of its range.
    """

    nm_per_pixel: float
    """Length of a pixel, nm."""
    nm_per_slice: float | None = None
    """Distance of the slices (first axis) of an image of three dimensions, nm; that of pixels when None."""
    smooth_nm: float | None = None
    """Standard deviation of the Gaussian that smoothes, nm; ``SMOOTH_PIXELS`` when None, and 0 for none."""
    flatten_nm: float | None = None
    """Standard deviation of the Gaussian whose mean is taken off, nm, against brightness that changes across the
    image: five times the size of what is looked for, or more. A quarter of the shortest side when None, and 0 for
    none."""
    dark_fraction: float | None = None
    """Share of the image that is dark, where it is known; found from the image when None."""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for name in ("nm_per_pixel", "nm_per_slice"):
            value = getattr(self, name)
            if value is not None and not (np.isfinite(value) and value > 0):
                raise InputError(f"{name} must be above 0, got {value:g}")
        for name in ("smooth_nm", "flatten_nm"):
            value = getattr(self, name)
            if value is not None and not (np.isfinite(value) and value >= 0):
                raise InputError(f"{name} must be 0 or more, got {value:g}")
        if self.dark_fraction is not None and not 0 < self.dark_fraction < 1:
            raise InputError(f"dark_fraction must be above 0 and below 1, got {self.dark_fraction:g}")

    def spacing_nm(self, axes: int) -> tuple[float, ...]:
        """Return the spacing along each axis of an image, nm."""
        slices = (self.nm_per_slice or self.nm_per_pixel,) if axes == len("zyx") else ()
        return (*slices, self.nm_per_pixel, self.nm_per_pixel)


_OF_PHASE = (
    "count",
    "count_per_um",
    "diameter_p10_nm", "diameter_p50_nm", "diameter_p90_nm",
    "diameter_mean_by_persistence_nm",
    "chord_mean_nm",
    "widest_nm",
    "elongation_mean",
    "largest_share",
    "spanning_axes_share",
    "spans_at_share",
    "lifetime_p50", "lifetime_p90",
    "persistence_sum_per_um",
)  # fmt: skip
COLUMNS = (
    "axes",
    "dark_fraction",
    *(f"{phase}_{name}" for phase in ("dark", "bright") for name in _OF_PHASE),
    "interface_per_um",
    "anisotropy",
    "euler_per_um",
    "dark_loops_per_um",
)
"""Names; ``per_um`` is for each um^2 of an image of two dimensions, um^3 of three; 1/um for the interface."""


def describe_image(image: FloatArray, settings: ImageSettings) -> dict[str, float]:
    """Return the descriptors of an image of two or three dimensions.

    Args:
        image: greys, shape (rows, columns) or (slices, rows, columns).
        settings: how to read it.

    Returns:
        ``COLUMNS`` with their values, NaN where one does not apply:

        - ``count`` features that live for a tenth of the greys and are there at the level;
        - ``diameter`` of a circle or ball of the size of their component, and its mean weighted by lifetime;
        - ``chord_mean_nm`` the mean length of lines within the phase, along the axes;
        - ``widest_nm`` the largest circle or ball within;
        - ``elongation_mean`` longest over shortest extent of components, weighted by size;
        - ``largest_share`` of the phase in its largest component, ``spanning_axes_share`` of the axes along which
          a component reaches from side to side, ``spans_at_share`` the mean share of the greys at which one does;
        - ``interface_per_um`` length for each area or area for each volume, by the intercepts of lines;
        - ``anisotropy`` from 0 to 1, of the directions of the interface;
        - ``euler_per_um`` the Euler characteristic of the dark phase, and ``dark_loops_per_um`` its loops: bright
          islands in two dimensions, tunnels in three.

    Raises:
        InputError: it is no image that can be described.
    """
    shares = balanced_shares(grey_shares(checked_image(image)), settings)
    spacing = settings.spacing_nm(shares.ndim)
    dark, bright = components(shares), components(shares, bright=True)
    level = float(np.quantile(shares, settings.dark_fraction)) if settings.dark_fraction else BETWEEN
    inside = shares <= level
    size_um = float(np.prod(spacing)) * shares.size / _NM_PER_UM**shares.ndim
    found = {"axes": float(shares.ndim), "dark_fraction": float(inside.mean())}
    for name, parts, phase, at in (("dark", dark, inside, level), ("bright", bright, ~inside, 1.0 - level)):
        values = _phase(parts, phase, at, spacing, bright=name == "bright", size_um=size_um)
        found |= {f"{name}_{key}": value for key, value in zip(_OF_PHASE, values, strict=True)}
    found["interface_per_um"] = _interface_per_um(inside, spacing)
    found["anisotropy"] = _anisotropy(shares, spacing)
    euler = int(euler_curve(shares, np.array([level]))[0])
    found["euler_per_um"] = euler / size_um
    found["dark_loops_per_um"] = (labelled(inside)[1] + _cavities(inside) - euler) / size_um
    return found


def balanced_shares(shares: FloatArray, settings: ImageSettings) -> FloatArray:
    """Return smoothed shares that give dark and bright phase one half each; one half is between them.

    Args:
        shares: from :func:`~hstore_models.images.cubical.grey_shares`.
        settings: how to smooth.
    """
    from scipy.ndimage import distance_transform_edt

    least = settings.nm_per_pixel * SMOOTH_PIXELS
    flat = _flattened(shares, settings)
    found = _smoothed(flat, replace(settings, smooth_nm=max(least, settings.smooth_nm or 0.0)))
    level = otsu_level(found)
    bins = np.minimum((grey_shares(flat) * _BINS).astype(np.int64), _BINS - 1)
    for _ in range(_ROUNDS):
        dark = found <= level
        table = np.zeros(_BINS)
        for phase in (dark, ~dark):
            depth = distance_transform_edt(phase)
            inner = phase & (depth >= np.quantile(depth[phase], _INNER))
            counts = np.bincount(bins[inner], minlength=_BINS)
            table += 0.5 * (np.cumsum(counts) - 0.5 * counts) / counts.sum()
        found, level = _smoothed(table[bins], settings), BETWEEN
    return found


def otsu_level(shares: FloatArray) -> float:
    """Return the level that parts smoothed grey shares into two with the least variance within them."""
    counts, edges = np.histogram(shares, bins=_LEVELS)
    middles = 0.5 * (edges[1:] + edges[:-1])
    below = np.cumsum(counts)[:-1] / counts.sum()
    moment = np.cumsum(counts * middles)[:-1] / counts.sum()
    mean = float((counts * middles).sum() / counts.sum())
    between = (mean * below - moment) ** 2 / np.maximum(below * (1 - below), 1e-300)
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))  # several where no grey lies between the two
    return float(edges[1:-1][best].mean())


def _flattened(shares: FloatArray, settings: ImageSettings) -> FloatArray:
    """Take off the mean of the shares around each pixel."""
    if settings.flatten_nm == 0:
        return shares
    from scipy.ndimage import gaussian_filter

    spacing = settings.spacing_nm(shares.ndim)
    width = settings.flatten_nm or min(n * step for n, step in zip(shares.shape, spacing, strict=True)) / 4
    around = gaussian_filter(shares, [width / step for step in spacing], mode="reflect")
    return np.asarray(np.round(shares - around, 12))  # rounded, so that greys alike stay alike


def _smoothed(shares: FloatArray, settings: ImageSettings) -> FloatArray:
    if settings.smooth_nm == 0:
        return shares
    from scipy.ndimage import gaussian_filter

    width = settings.nm_per_pixel * SMOOTH_PIXELS if settings.smooth_nm is None else settings.smooth_nm
    widths = [width / step for step in settings.spacing_nm(shares.ndim)]
    # rounded, so that greys alike stay alike
    return np.asarray(np.round(gaussian_filter(shares, widths, mode="nearest"), 12))


def _phase(
    parts: Components,
    inside: NDArray[np.bool_],
    at: float,
    spacing: tuple[float, ...],
    *,
    bright: bool,
    size_um: float,
) -> tuple[float, ...]:
    from scipy.ndimage import distance_transform_edt

    clear = parts.lifetime >= LEAST_LIFETIME
    labels, count = labelled(inside, bright=bright)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    there = clear & (parts.birth <= at) & (at < parts.death)
    of_features = labels.ravel()[parts.pixel[there]]
    measured = sizes[of_features] * float(np.prod(spacing))
    diameters = np.sqrt(4 / np.pi * measured) if len(spacing) == len("yx") else np.cbrt(6 / np.pi * measured)
    finite = clear & (parts.death < 1)
    lifetimes = parts.lifetime[finite]
    weights = parts.lifetime[there]
    nan = float("nan")
    return (
        float(there.sum()),
        float(there.sum()) / size_um,
        *(_quantiles(diameters) if there.any() else (nan,) * 3),
        float(weights @ diameters / weights.sum()) if there.any() else nan,
        _chord_nm(inside, spacing),
        2 * float(distance_transform_edt(inside, sampling=spacing).max()) if inside.any() else nan,
        _elongation(labels, np.unique(of_features), spacing),
        float(sizes[1:].max() / sizes[1:].sum()) if count else nan,
        _spanning(labels),
        float(parts.spans_at.mean()),
        *(np.quantile(lifetimes, _QUANTILES[1:]).tolist() if len(lifetimes) else (0.0, 0.0)),
        float(lifetimes.sum()) / size_um,
    )


def _cavities(inside: NDArray[np.bool_]) -> int:
    """Return how many bright components a dark phase of three dimensions encloses; 0 in two."""
    if inside.ndim == len("yx"):
        return 0
    return labelled(np.pad(~inside, 1, constant_values=True), bright=True)[1] - 1


def _quantiles(values: FloatArray) -> tuple[float, float, float]:
    low, middle, high = np.quantile(values, _QUANTILES)
    return float(low), float(middle), float(high)


def _chord_nm(inside: NDArray[np.bool_], spacing: tuple[float, ...]) -> float:
    """Return the mean length of lines within the phase, mean over the axes."""
    lengths = []
    for axis, step in enumerate(spacing):
        ends = np.diff(inside, axis=axis, append=False) & inside
        starts = int(ends.sum())
        lengths.append(step * float(inside.sum()) / starts if starts else np.nan)
    return float(np.mean(lengths))


def _elongation(labels: NDArray[np.int64], chosen: NDArray[np.int64], spacing: tuple[float, ...]) -> float:
    """Return longest over shortest extent (root mean square) of some components, weighted by their pixels."""
    if not len(chosen):
        return float("nan")
    kept = np.flatnonzero(np.isin(labels, chosen))
    of_pixel = labels.ravel()[kept]
    places = np.stack(np.unravel_index(kept, labels.shape)).astype(float) * np.array(spacing)[:, None]
    count = int(labels.max()) + 1
    pixels = np.maximum(np.bincount(of_pixel, minlength=count), 1)
    means = np.stack([np.bincount(of_pixel, axis, count) / pixels for axis in places])
    away = places - means[:, of_pixel]
    axes = len(spacing)
    moments = np.empty((count, axes, axes))
    for i in range(axes):
        for j in range(axes):
            moments[:, i, j] = np.bincount(of_pixel, away[i] * away[j], count) / pixels
        moments[:, i, i] += spacing[i] ** 2 / 12  # a pixel is as long as it is
    extents = np.sqrt(np.linalg.eigvalsh(moments[chosen]))
    return float(np.average(extents[:, -1] / extents[:, 0], weights=pixels[chosen]))


def _spanning(labels: NDArray[np.int64]) -> float:
    reaches = []
    for axis in range(labels.ndim):
        first, last = (np.unique(np.take(labels, place, axis=axis)) for place in (0, -1))
        reaches.append(bool(np.intersect1d(first, last).max(initial=0)))
    return float(np.mean(reaches))


def _interface_per_um(inside: NDArray[np.bool_], spacing: tuple[float, ...]) -> float:
    """Return length for each area (pi / 2 crossings for each length) or area for each volume (2), 1/um.

    Lines run along the axes, and in two dimensions along both diagonals too.
    """
    rates = [float(np.diff(inside, axis=axis).mean()) / step for axis, step in enumerate(spacing)]
    if len(spacing) == len("yx"):
        diagonal = float(np.linalg.norm(spacing))
        rates += [
            float((inside[1:, 1:] != inside[:-1, :-1]).mean()) / diagonal,
            float((inside[1:, :-1] != inside[:-1, 1:]).mean()) / diagonal,
        ]
    factor = np.pi / 2 if len(spacing) == len("yx") else 2.0
    return factor * float(np.mean(rates)) * _NM_PER_UM


def _anisotropy(shares: FloatArray, spacing: tuple[float, ...]) -> float:
    """Return how unevenly the directions of the slopes of the greys are spread, 0 to 1 (the structure tensor)."""
    slopes = np.stack([axis.ravel() for axis in np.gradient(shares, *spacing)])
    values = np.linalg.eigvalsh(slopes @ slopes.T)
    return float((values[-1] - values[0]) / values.sum())
