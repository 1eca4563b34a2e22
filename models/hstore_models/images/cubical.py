"""Persistence of grey images on their grid of pixels or voxels, in two and three dimensions.

The dark set at a level are the pixels not brighter than it, joined by faces, edges and corners; the bright set are
the others, joined by faces alone. With this pair the two are each other's complement (Ohser, Nagel and Schladitz,
Image Anal. Stereol. 22, 11 (2003), doi 10.5566/ias.v22.p11-19). A component begins at its extreme pixel and ends
where it meets one that began earlier. In two dimensions dark and bright components are all there is: the loops of
the dark set are the bright components that do not touch the border. In three dimensions bright components are its
cavities; of its tunnels only the number at each level is known, from the Euler characteristic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError
from hstore_models.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray, IntArray

MOST_PIXELS = 30_000_000
LEAST_SIDE = 8
_AXES = (2, 3)


@dataclass(frozen=True, eq=False)
class Components:
    """Components of the dark or the bright set of an image as the level moves."""

    birth: FloatArray
    """Share of the pixels at which each begins, shape (m,): 0 at the extreme grey, 1 when all pixels are in."""
    death: FloatArray
    """Share at which each meets an older one, shape (m,); 1 for the last one."""
    pixel: IntArray
    """Flat index of the extreme pixel, shape (m,)."""
    spans_at: FloatArray
    """Share at which a component first reaches from one side of the image to the other, shape (axes,)."""

    @property
    def lifetime(self) -> FloatArray:
        """Death minus birth, shape (m,)."""
        return np.asarray(self.death - self.birth)


def checked_image(image: Any) -> FloatArray:
    """Return an image as doubles.

    Raises:
        InputError: it has not two or three dimensions, is too small or too large, has a value that is not finite,
            or only one grey.
    """
    array = np.asarray(image)
    if array.ndim not in _AXES or array.dtype.kind not in "buif":
        raise InputError(
            f"an image is an array of numbers with two or three dimensions, got {array.ndim} of type {array.dtype}"
        )
    if min(array.shape) < LEAST_SIDE or array.size > MOST_PIXELS:
        raise InputError(
            f"an image has at least {LEAST_SIDE} pixels along each side and at most {MOST_PIXELS} in all, "
            f"got {' x '.join(map(str, array.shape))}; crop or resample it"
        )
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError(f"{int((~np.isfinite(values)).sum())} pixels are not finite numbers; fill or crop them")
    if values.min() == values.max():
        raise InputError(f"all pixels have the same grey, {values.flat[0]:g}: there is nothing to describe")
    return values


def grey_shares(image: FloatArray) -> FloatArray:
    """Return for each pixel the share of pixels that are darker, those as dark counted half.

    Any change of brightness and contrast that keeps the order of greys gives the same, bit for bit.
    """
    _, inverse, counts = np.unique(image, return_inverse=True, return_counts=True)
    below = np.cumsum(counts) - counts
    return np.asarray(((below + 0.5 * counts) / image.size)[inverse].reshape(image.shape))


def components(shares: FloatArray, *, bright: bool = False, outside: bool = False) -> Components:
    """Follow the components of the dark or bright set.

    Args:
        shares: from :func:`grey_shares`, two or three dimensions.
        bright: of the bright set, from the brightest pixel on; its births and deaths count shares from there.
        outside: take what lies around the image as part of the set from the start, as the complement of the other
            set is; such components are not told.
    """
    from_extreme = 1.0 - shares if bright else shares
    block = from_extreme if shares.ndim == _AXES[1] else from_extreme[None]
    if outside:
        pad = [(1, 1)] * 3 if shares.ndim == _AXES[1] else [(0, 0), (1, 1), (1, 1)]
        block = np.pad(block, pad, constant_values=-1.0)
    flat = np.ascontiguousarray(block.ravel())
    order = np.argsort(flat, kind="stable")
    steps = _steps(faces_only=bright)
    dying, ending, spans = compiled(_merge)(order, flat, np.array(block.shape, np.int64), steps)
    birth, death = flat[dying], np.where(ending >= 0, flat[ending], 1.0)
    kept = birth >= 0
    if outside:
        inner = np.unravel_index(dying[kept], block.shape)
        pads = [before for before, _ in pad]
        kept_pixels = np.ravel_multi_index(
            tuple(axis - before for axis, before in zip(inner, pads, strict=True)),
            tuple(side - 2 * before for side, before in zip(block.shape, pads, strict=True)),
        )
    else:
        kept_pixels = dying[kept]
    axes = slice(3 - shares.ndim, None)
    spans_at = np.where(spans >= 0, np.maximum(flat[order[np.maximum(spans, 0)]], 0.0), 1.0)[axes]
    return Components(birth[kept], death[kept], np.asarray(kept_pixels, np.int64), spans_at)


def euler_curve(shares: FloatArray, levels: FloatArray) -> IntArray:
    """Return the Euler characteristic of the dark set, closed pixels with their sides, at each level.

    Args:
        shares: from :func:`grey_shares`, two or three dimensions.
        levels: shape (k,).

    Returns:
        Shape (k,).
    """
    padded = np.pad(shares, 1, constant_values=np.inf)
    found = np.zeros(len(levels), np.int64)
    for kind in range(2**shares.ndim):  # one bit for each axis: whether the cells are between pixels along it
        cells = padded
        between = 0
        for axis in range(shares.ndim):
            if kind >> axis & 1:
                low = np.take(cells, np.arange(cells.shape[axis] - 1), axis=axis)
                cells = np.minimum(low, np.take(cells, np.arange(1, cells.shape[axis]), axis=axis))
                between += 1
        values = np.sort(cells.ravel())
        found += (-1) ** (shares.ndim - between) * np.searchsorted(values, levels, side="right")
    return found


def _steps(*, faces_only: bool) -> IntArray:
    """Return the moves to neighbours, shape (6 or 26, 3)."""
    moves = np.indices((3, 3, 3)).reshape(3, -1).T - 1
    length = np.abs(moves).sum(axis=1)
    return np.ascontiguousarray(moves[(length == 1) if faces_only else (length > 0)], dtype=np.int64)


def _merge(  # noqa: C901 - compiled: one loop
    order: IntArray, values: FloatArray, shape: IntArray, steps: IntArray
) -> tuple[IntArray, IntArray, IntArray]:  # pragma: no cover - runs compiled
    count = len(order)
    parent = np.full(count, -1, np.int32)
    sides = np.zeros(count, np.uint8)
    position = np.empty(count, np.int32)
    for place in range(count):
        position[order[place]] = place
    spans = np.full(3, -1, np.int64)
    dying, ending = np.empty(1024, np.int64), np.empty(1024, np.int64)
    found = 0
    ny, nx = shape[1], shape[2]
    for place in range(count):
        pixel = order[place]
        z, rest = pixel // (ny * nx), pixel % (ny * nx)
        y, x = rest // nx, rest % nx
        parent[pixel] = pixel
        here = (z == 0) + 2 * (z == shape[0] - 1) + 4 * (y == 0) + 8 * (y == ny - 1)
        sides[pixel] = here + 16 * (x == 0) + 32 * (x == nx - 1)
        mine = pixel
        for step in range(len(steps)):
            w, v, u = z + steps[step, 0], y + steps[step, 1], x + steps[step, 2]
            if w < 0 or v < 0 or u < 0 or w >= shape[0] or v >= ny or u >= nx:
                continue
            other = (w * ny + v) * nx + u
            if parent[other] < 0:
                continue
            while parent[other] != other:
                parent[other] = parent[parent[other]]
                other = parent[other]
            if other == mine:
                continue
            old, young = (other, mine) if position[other] < position[mine] else (mine, other)
            parent[young] = old
            sides[old] |= sides[young]
            mine = old
            if values[young] < values[pixel]:
                if found == len(dying):
                    more_dying, more_ending = np.empty(2 * found, np.int64), np.empty(2 * found, np.int64)
                    more_dying[:found], more_ending[:found] = dying, ending
                    dying, ending = more_dying, more_ending
                dying[found], ending[found] = young, pixel
                found += 1
        for axis in range(3):
            if spans[axis] < 0 and (sides[mine] >> (2 * axis)) & 3 == 3:
                spans[axis] = place
    last = np.empty(found + 1, np.int64)
    last[:found] = dying[:found]
    last[found] = order[0]
    ends = np.full(found + 1, -1, np.int64)
    ends[:found] = ending[:found]
    return last, ends, spans


def labelled(inside: NDArray[np.bool_], *, bright: bool = False) -> tuple[IntArray, int]:
    """Number the components of a set of pixels, from 1; joined like the dark set, or like the bright one."""
    from scipy.ndimage import generate_binary_structure, label

    found, count = label(inside, structure=generate_binary_structure(inside.ndim, 1 if bright else inside.ndim))
    return np.asarray(found, np.int64), int(count)
