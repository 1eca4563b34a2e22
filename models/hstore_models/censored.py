"""Upper bounds as training values: what a value below a detection limit is expected to be.

A conductivity reported as ``<1E-10`` says only that the value is smaller. Taking the bound itself, or a number far
below it, biases whatever is learned. Here the value is replaced by its expectation under the model's own normal
prediction, cut off at the bound (the E step of a Tobit regression: Tobin 1958, doi 10.2307/1907382; Dempster,
Laird and Rubin 1977, doi 10.1111/j.2517-6161.1977.tb01600.x).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray

_FAR_BELOW = -1e4


def impute_censored(
    target: FloatArray, bounds: NDArray[np.bool_], mean: FloatArray, std: FloatArray
) -> FloatArray:
    """Replace upper bounds by the expectation of a normal prediction below them.

    Args:
        target: known values, or upper bounds where ``bounds`` is true, shape ``(n,)``.
        bounds: rows whose target is an upper bound, shape ``(n,)``.
        mean: prediction for each row made without it, shape ``(n,)``.
        std: standard deviation of that prediction, above 0, shape ``(n,)``.

    Returns:
        The values to learn from, shape ``(n,)``; never above the bound.
    """
    from scipy.stats import norm

    known = np.array(target, dtype=np.float64)
    z = (known[bounds] - mean[bounds]) / std[bounds]
    # Inverse Mills ratio; far below the prediction it is -z, where the logarithms would cancel.
    near = np.maximum(z, _FAR_BELOW)
    ratio = np.where(z < _FAR_BELOW, -z, np.exp(norm.logpdf(near) - norm.logcdf(near)))
    known[bounds] = np.minimum(known[bounds], mean[bounds] - std[bounds] * ratio)
    return known
