"""What a model must beat: the mean, the most similar training row, and a plain forest on the composition.

* *mean*: the mean of the training values;
* *nearest neighbour*: the value of the training row nearest in standardised physics descriptors (hydrides: the
  ``hydride`` group of the host; electrolytes: the ``electrolyte`` group; sorbents: the pore descriptors);
* *plain forest*: 300 extremely randomized trees on the 132 Magpie descriptors of the composition, or on the seven
  raw pore descriptors, with scikit-learn's settings but a third of the features a split.

Nothing of a baseline is tuned. The conditions that the model is told (temperature, pressure) are told to the last
two where training rows differ in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.pairing import anion_class, host_amounts
from hstore.workers import default_workers
from hstore_models.prediction import Query
from hstore_models.warning_filters import steady_filters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray

N_TREES = 300
"""Trees of the plain forest."""

_MAX_FEATURES = 1 / 3
_MANY = 20
"""Features from which on a split looks at a third of them."""
_MOST_TIES = 16
_LEAST_CONDITION = 1e-3
"""Smallest temperature (K) and pressure (bar) whose inverse or logarithm is taken."""
_TOLD = {"conductivity": ("temperature_k",), "sorbent_uptake": ("temperature_k", "pressure_bar")}


@dataclass(frozen=True, eq=False)
class Baselines:
    """Answers of the baselines, each of shape ``(n,)``."""

    mean_predictor: FloatArray
    """Mean of the training values."""
    nearest_neighbour: FloatArray
    """Value of the nearest training row; the mean of those equally near."""
    plain_forest: FloatArray
    """Answer of the plain forest."""

    def answers(self) -> dict[str, FloatArray]:
        """Return name -> answers."""
        return dict(self.__dict__)

    def take(self, rows: NDArray[np.bool_]) -> Baselines:
        """Return the answers for some of the rows."""
        return Baselines(**{name: values[rows] for name, values in self.answers().items()})


def baselines(
    model: str, trained: Query, target: FloatArray, asked: Query, *, seed: int = 0, forest: bool = True
) -> Baselines:
    """Train and ask the baselines.

    Args:
        model: name of the model they stand beside, such as ``hydride_capacity``.
        trained: composition and conditions or descriptors of each training row.
        target: known value of each training row, shape ``(n_trained,)``, all finite.
        asked: composition and conditions or descriptors of each row asked.
        seed: seed of the forest.
        forest: False leaves the forest, which takes longest, out: its answers are NaN then.

    Returns:
        Their answers; NaN without training rows.
    """
    size = len(asked)
    if not len(target):
        nothing = np.full(size, np.nan)
        return Baselines(nothing, nothing, nothing)
    told, told_asked = _conditions(model, trained, asked)
    near = [np.column_stack([_physics(model, q), c]) for q, c in ((trained, told), (asked, told_asked))]
    mean, nearest = np.full(size, float(np.mean(target))), nearest_neighbour(near[0], target, near[1])
    if not forest:
        return Baselines(mean, nearest, np.full(size, np.nan))
    plain = [np.column_stack([_plain(model, q), c]) for q, c in ((trained, told), (asked, told_asked))]
    return Baselines(mean, nearest, plain_forest(plain[0], target, plain[1], seed=seed))


def nearest_neighbour(features: FloatArray, target: FloatArray, asked: FloatArray) -> FloatArray:
    """Answer with the value of the nearest row in standardised features; equally near rows are averaged.

    Args:
        features: features of the training rows, shape ``(n, d)``; missing ones count as the mean.
        target: known values, shape ``(n,)``.
        asked: features of the rows asked, shape ``(m, d)``.

    Returns:
        Answers, shape ``(m,)``.
    """
    from scipy.spatial import KDTree

    finite = np.isfinite(features)
    counts = np.maximum(finite.sum(axis=0), 1)
    centre = np.where(finite, features, 0.0).sum(axis=0) / counts
    spread = np.sqrt((np.where(finite, features - centre, 0.0) ** 2).sum(axis=0) / counts)
    kept = spread > 1e-12 * np.maximum(1.0, np.abs(centre))
    if not kept.any():  # rows that do not differ are all equally near
        return np.full(len(asked), float(np.mean(target)))
    rows, wanted = (
        (np.where(np.isfinite(x), x, centre) - centre)[:, kept] / spread[kept] for x in (features, asked)
    )
    distance, place = KDTree(rows).query(wanted, k=min(_MOST_TIES, len(rows)))
    distance, place = distance.reshape(len(asked), -1), place.reshape(len(asked), -1)
    tied = distance <= distance[:, :1] * (1.0 + 1e-9) + 1e-9
    return np.asarray((np.where(tied, target[place], 0.0)).sum(axis=1) / tied.sum(axis=1))


def plain_forest(features: FloatArray, target: FloatArray, asked: FloatArray, *, seed: int = 0) -> FloatArray:
    """Answer with 300 extremely randomized trees; missing features count as their median.

    Args:
        features: features of the training rows, shape ``(n, d)``.
        target: known values, shape ``(n,)``.
        asked: features of the rows asked, shape ``(m, d)``.
        seed: seed of the trees.

    Returns:
        Answers, shape ``(m,)``.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    known = np.isfinite(features).any(axis=0)
    medians = np.zeros(features.shape[1])
    medians[known] = np.nanmedian(features[:, known], axis=0)
    rows, wanted = (np.where(np.isfinite(x), x, medians) for x in (features, asked))
    share = _MAX_FEATURES if features.shape[1] >= _MANY else 1.0
    forest = ExtraTreesRegressor(N_TREES, max_features=share, random_state=seed, n_jobs=default_workers())
    with steady_filters():
        return np.asarray(forest.fit(rows, target).predict(wanted), dtype=np.float64)


def _physics(model: str, query: Query) -> FloatArray:
    if model == "sorbent_uptake":
        return _pores(query)
    if model == "conductivity":
        return query.features(("electrolyte",), host=False).values
    return np.column_stack([query.features(("hydride",), host=True).values, query.molecular_hydrogen])


def _plain(model: str, query: Query) -> FloatArray:
    if model == "sorbent_uptake":
        return _pores(query)
    if model == "conductivity":
        return query.features(("magpie",), host=False).values
    seen = [dict(a) if anion_class(a) else host_amounts(a) for a in query.amounts]
    return Query.of(seen).features(("magpie",), host=False).values


def _pores(query: Query) -> FloatArray:
    from hstore_models.texture_isotherm import complete_texture

    return np.column_stack(list(complete_texture(query).values()))


def _conditions(model: str, known: Query, asked: Query) -> tuple[FloatArray, FloatArray]:
    """Return the conditions that are told, shape ``(n, k)``: those in which training rows differ."""
    pairs = [
        pair
        for name in _TOLD.get(model, ())
        if (pair := _told(known.column(name), asked.column(name), inverse=name == "temperature_k")) is not None
    ]
    sides = [np.column_stack([pair[side] for pair in pairs]) if pairs else None for side in (0, 1)]
    return (
        np.empty((len(known), 0)) if sides[0] is None else sides[0],
        np.empty((len(asked), 0)) if sides[1] is None else sides[1],
    )


def _told(here: FloatArray, there: FloatArray, *, inverse: bool) -> tuple[FloatArray, FloatArray] | None:
    """Return 1000 / T of temperatures, ln P of pressures; what is not stated counts as the usual condition."""
    stated = here[np.isfinite(here)]
    if not len(stated) or np.ptp(stated) == 0:
        return None
    usual = float(np.median(stated))
    sides = [np.maximum(np.where(np.isfinite(side), side, usual), _LEAST_CONDITION) for side in (here, there)]
    return (1000.0 / sides[0], 1000.0 / sides[1]) if inverse else (np.log(sides[0]), np.log(sides[1]))
