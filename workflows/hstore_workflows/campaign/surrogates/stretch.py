"""Values with their good end drawn apart, so that a process fitted to them spends its flexibility there.

A process fitted to values as they are treats an error among the poor candidates like one among the best. With
u = (y - upper quartile) / deviation, z = (exp(3 u) - 1) / 3 above the quartile and -ln(1 - 3 u) / 3 below: slope 1
at the quartile, steeper for what is better, flatter for what is worse (a fixed warping, after Snelson, Rasmussen
and Ghahramani 2003, Warped Gaussian Processes, NIPS 16).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hstore.arrays import FloatArray

_BEND = 3.0
_START = 0.75
"""Quantile of the results from which on they are drawn apart."""
_MOST = 8.0
"""Exponent that is not exceeded: values more than 2.7 deviations above the quartile are not told apart, nor what
comes back from far below it, so that one extreme does not make a point of all the others."""


class Stretch:
    """The way to stretched values and back."""

    def __init__(self, values: FloatArray, sign: float) -> None:
        """Choose where the good end begins.

        Args:
            values: results, shape ``(m,)``.
            sign: 1 where larger is better, -1 where smaller is.
        """
        self._sign = sign
        self._start = float(np.quantile(sign * values, _START))
        self._width = float(values.std()) or 1.0

    def stretched(self, values: FloatArray) -> FloatArray:
        """Return stretched values of the same shape, without unit, larger being better."""
        return _bent((self._sign * values - self._start) / self._width)

    def back(self, stretched: FloatArray) -> FloatArray:
        """Return values of the same shape from stretched ones."""
        return np.asarray(self._sign * (self._start - self._width * _bent(-stretched)))


def _bent(above: FloatArray) -> FloatArray:
    """Return numbers that grow ever faster above 0 and ever slower below; ``-_bent(-x)`` is the way back."""
    up = np.expm1(np.minimum(_BEND * np.maximum(above, 0.0), _MOST))
    down = np.log1p(_BEND * np.maximum(-above, 0.0))
    return np.asarray((up - down) / _BEND)
