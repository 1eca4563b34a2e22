"""Loops over arrays compiled by numba at first use and kept on disk where numba can write."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PRELOAD = (
    "numba",
    "numba.np.arraymath",
    "numba.np.linalg",
    "numba.np.polynomial",
    "numba.np.random.legacy",
    "numba.typed.typedset",
    "numba.typed.typeddict",
    "numba.cpython.unicode",
    "numba.experimental.jitclass",
)
"""What numba loads before it runs its first function; half a second that workers need not spend each."""


@cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of arrays and numbers with numba."""
    import numba

    try:
        made: Callable[..., Any] = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no folder to keep the result in: it is compiled once for each process
        made = numba.njit(function, nogil=True)
    return made
