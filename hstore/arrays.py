"""Checked conversion of scalars and arrays, shared by the physics modules.

NaN marks a missing value and passes every check, so that one empty row does not stop the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from hstore.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

FloatArray: TypeAlias = "NDArray[np.float64]"
"""Array of doubles; physics functions return a zero-dimensional one (a numpy float) for scalar input."""

IntArray: TypeAlias = "NDArray[np.int64]"
"""Array of integers."""


def as_floats(name: str, values: ArrayLike) -> FloatArray:
    """Convert to an array of doubles.

    Raises:
        InputError: a value is not a number.
    """
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be a number or an array of numbers, got {values!r}") from error


def checked(
    name: str, values: ArrayLike, *, above: float | None = None, low: float = -np.inf, high: float = np.inf
) -> FloatArray:
    """Convert to an array of doubles and refuse values out of range.

    Args:
        name: name of the quantity with its unit, for the message.
        values: scalar or array.
        above: open lower bound, if any.
        low: smallest allowed value.
        high: largest allowed value.

    Returns:
        The values as doubles.

    Raises:
        InputError: a value is outside the range; the message names the first one and its index.
    """
    array = as_floats(name, values)
    bad = (array < low) | (array > high)
    if above is not None:
        bad |= array <= above
    if not np.any(bad):
        return array
    index = int(np.argmax(np.ravel(bad)))
    place = f" (index {index})" if array.ndim else ""
    bounds = [f"above {above:g}"] if above is not None else []
    bounds += [f"at least {low:g}"] if np.isfinite(low) else []
    bounds += [f"at most {high:g}"] if np.isfinite(high) else []
    raise InputError(
        f"{name} must be {' and '.join(bounds)}, got {np.ravel(array)[index]:g}{place}; "
        "check the value and its unit"
    )
