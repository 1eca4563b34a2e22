"""Fitted trees as plain arrays: saved without pickle, and walked by one compiled loop for one row or a million.

Forests of scikit-learn and its histogram gradient boosting are packed into the same form. Both see features
rounded to 32-bit floats, in training as in prediction, so that a packed model answers as the fitted one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hstore.workers import default_workers
from hstore_models.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray

_LEAF = -1
_ROWS_AT_ONCE = 512
"""Rows that one thread takes."""
_ROWS_TOGETHER = 64
"""Rows that share a tree while it is in the processor's cache."""
_STEPS = 4
"""Steps of a row before it is seen whether it has arrived."""
_MOST, _LEAST = np.int32(2**31 - 1), np.int32(-(2**31))
_INFINITE = int(np.float32(np.inf).view(np.int32))
"""Bits of infinity; those of NaN are above it, the sign left out."""


NODE = np.dtype(
    [("threshold", "f8"), ("feature", "i4"), ("left", "i4"), ("right", "i4"), ("missing", "i4")], align=True
)
"""A node: the column it looks at (-1 at a leaf), the threshold up to which rows go left (at a leaf its value), and
the nodes that take rows up to the threshold, above it, and without the value."""


@dataclass(frozen=True)
class Trees:
    """Trees of one model."""

    nodes: NDArray[Any]
    """Nodes of all trees, of type ``NODE``, shape ``(nodes,)``."""
    roots: NDArray[np.int32]
    """First node of each tree, shape ``(trees,)``."""
    base: float
    """What the trees add to."""
    summed: bool
    """True: the answer is the sum of the trees (boosting); False: their mean (forest)."""
    trim: float
    """Share of the trees left out of the mean of a forest at either end, 0 to below 0.5: a few wrong measurements
    among the training rows, which only some trees follow, then count for nothing."""
    importances: FloatArray
    """Share of each feature in the reduction of variance, shape ``(d,)``; 0 where the estimator states none."""

    def predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the answer and, of a forest, the standard deviation over its trees (0 for boosting).

        Args:
            features: shape ``(n, d)``, NaN where missing.

        Returns:
            Two arrays of shape ``(n,)``.
        """
        mean, spread = np.zeros(len(features)), np.zeros(len(features))
        walk, paths = compiled(_walk), self._paths

        def fill(part: slice) -> None:
            rows = np.ascontiguousarray(features[part], dtype=np.float32)
            values = np.empty((len(rows), len(paths.roots)))
            walk(rows.view(np.int32), *paths, values)
            mean[part], spread[part] = self._settle(values)

        parts = [slice(i, i + _ROWS_AT_ONCE) for i in range(0, len(features), _ROWS_AT_ONCE)]
        workers = min(default_workers(), len(parts))
        if workers > 1:
            with ThreadPoolExecutor(workers) as threads:
                list(threads.map(fill, parts))
        else:
            list(map(fill, parts))
        return self.base + mean, spread

    @cached_property
    def _paths(self) -> _Paths:
        """The trees in the form in which they are walked."""
        nodes, leaf = self.nodes, self.nodes["feature"] == _LEAF
        sizes = np.diff(self.roots, append=len(nodes))
        first = np.repeat(self.roots, sizes)
        earlier = np.cumsum(~leaf) - ~leaf  # inner nodes before each node
        pair = first + 1 + 2 * (earlier - earlier[first])  # where the children of an inner node stand
        place = first.astype(np.intp)
        place[nodes["left"][~leaf]], place[nodes["right"][~leaf]] = pair[~leaf], pair[~leaf] + 1
        with np.errstate(over="ignore"):  # scikit-learn writes 1e300 for a threshold without end
            rounded = nodes["threshold"].astype(np.float32)
        below = np.where(rounded > nodes["threshold"], np.nextafter(rounded, np.float32(-np.inf)), rounded)
        column = 2 * nodes["feature"] + (nodes["missing"] == nodes["right"])
        order = np.argsort(place)
        return _Paths(
            np.where(leaf, _MOST, _order(below))[order],
            np.where(leaf, 0, column).astype(np.uint32)[order],
            np.where(leaf, place, pair).astype(np.uint32)[order],
            np.where(leaf, nodes["threshold"], np.nan)[order],
            self.roots.astype(np.uint32),
        )

    def _settle(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Turn the values of the trees, shape ``(n, trees)``, into the answer and its spread; they are sorted."""
        if self.summed:
            return values.sum(axis=1), np.zeros(len(values))
        cut = int(self.trim * values.shape[1])
        if cut:
            values.sort(axis=1)
        return values[:, cut : values.shape[1] - cut].mean(axis=1), values.std(axis=1)


class _Paths(NamedTuple):
    """Nodes for a walk without jumps.

    Features and thresholds are whole numbers in the order of the 32-bit floats. The two children of a node stand
    side by side. A leaf is its own left child and has the largest threshold, so that who has arrived stays.
    """

    limits: NDArray[np.int32]
    """Key of the threshold up to which rows go left, shape ``(nodes,)``; the largest there is at a leaf."""
    columns: NDArray[np.uint32]
    """Twice the column that is looked at, and one more where rows without the value go right."""
    left: NDArray[np.uint32]
    """The left child; the right one is next to it."""
    values: FloatArray
    """Value of a leaf; NaN elsewhere."""
    roots: NDArray[np.uint32]
    """First node of each tree, shape ``(trees,)``."""


def _order(values: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return whole numbers in the order of the values, below the largest there is and above the smallest."""
    bits = (values + np.float32(0.0)).view(np.int32)  # makes a negative zero the positive one
    return np.asarray(bits ^ ((bits >> 31) & _MOST))


def _walk(  # noqa: C901, PLR0912 - compiled: one nest of loops
    bits: NDArray[np.int32],
    limits: NDArray[np.int32],
    columns: NDArray[np.uint32],
    left: NDArray[np.uint32],
    leaf_values: FloatArray,
    roots: NDArray[np.uint32],
    values: FloatArray,
) -> None:  # pragma: no cover - runs compiled
    """Write the value of each tree for each row, shape ``(n, trees)``; rows are the bits of 32-bit floats."""
    # A step waits for memory, and which way it goes cannot be foretold. So four rows at a time take some steps
    # without a jump; those that have arrived are left out of the next round.
    width = 2 * bits.shape[1]
    keys = np.empty(_ROWS_TOGETHER * width, np.int32)
    rows = np.empty(_ROWS_TOGETHER, np.uint32)
    places = np.empty(_ROWS_TOGETHER, np.uint32)
    for start in range(0, len(bits), _ROWS_TOGETHER):
        together = min(_ROWS_TOGETHER, len(bits) - start)
        for row in range(together):
            for column in range(bits.shape[1]):
                given = bits[start + row, column]
                low = high = given ^ ((given >> 31) & _MOST)
                if given & _MOST > _INFINITE:
                    low, high = _LEAST, _MOST  # missing
                elif given == _LEAST:
                    low = high = 0  # negative zero
                keys[row * width + 2 * column], keys[row * width + 2 * column + 1] = low, high
        for tree in range(len(roots)):
            for row in range(together):
                rows[row], places[row] = row, roots[tree]
            walking = together
            while walking:
                still = 0
                fours = walking - walking % 4
                for spot in range(0, fours, 4):
                    a, b, c, d = places[spot], places[spot + 1], places[spot + 2], places[spot + 3]
                    of_a, of_b = np.uint64(rows[spot] * width), np.uint64(rows[spot + 1] * width)
                    of_c, of_d = np.uint64(rows[spot + 2] * width), np.uint64(rows[spot + 3] * width)
                    for _ in range(_STEPS):
                        a = left[a] + np.uint32(keys[of_a + columns[a]] > limits[a])
                        b = left[b] + np.uint32(keys[of_b + columns[b]] > limits[b])
                        c = left[c] + np.uint32(keys[of_c + columns[c]] > limits[c])
                        d = left[d] + np.uint32(keys[of_d + columns[d]] > limits[d])
                    places[spot], places[spot + 1], places[spot + 2], places[spot + 3] = a, b, c, d
                for spot in range(fours, walking):
                    a, of_a = places[spot], np.uint64(rows[spot] * width)
                    for _ in range(_STEPS):
                        a = left[a] + np.uint32(keys[of_a + columns[a]] > limits[a])
                    places[spot] = a
                for spot in range(walking):
                    row, place = rows[spot], places[spot]
                    values[start + row, tree] = leaf_values[place]
                    rows[still], places[still] = row, place
                    still += left[place] != place
                walking = still


def pack(fitted: Any, *, trim: float = 0.0) -> Trees:
    """Pack a fitted ``ExtraTreesRegressor``, ``RandomForestRegressor`` or ``HistGradientBoostingRegressor``.

    Args:
        fitted: the estimator.
        trim: share of the trees of a forest left out of the mean at either end, 0 to below 0.5.
    """
    if hasattr(fitted, "estimators_"):
        nodes, roots = _joined([_of_tree(tree.tree_) for tree in fitted.estimators_])
        return Trees(nodes, roots, 0.0, summed=False, trim=trim, importances=fitted.feature_importances_)
    parts = [_of_stage(stage[0].nodes) for stage in fitted._predictors]  # noqa: SLF001 - no public way to the trees
    nodes, roots = _joined(parts)
    base = float(np.ravel(fitted._baseline_prediction)[0])  # noqa: SLF001 - as above
    return Trees(nodes, roots, base, summed=True, trim=0.0, importances=np.zeros(fitted.n_features_in_))


def mean_of(models: Sequence[Trees]) -> Trees:
    """Join boosted models into one that answers their mean."""
    nodes, roots = _joined([np.array(model.nodes) for model in models], [model.roots for model in models])
    leaf = nodes["feature"] == _LEAF
    nodes["threshold"][leaf] /= len(models)
    base = float(np.mean([model.base for model in models]))
    return replace(models[0], nodes=nodes, roots=roots, base=base)


def _of_tree(tree: Any) -> NDArray[Any]:
    nodes = np.zeros(tree.node_count, dtype=NODE)
    leaf = tree.children_left == _LEAF
    nodes["feature"] = np.where(leaf, _LEAF, tree.feature)
    nodes["threshold"] = np.where(leaf, tree.value[:, 0, 0], tree.threshold)
    nodes["left"], nodes["right"] = tree.children_left, tree.children_right
    nodes["missing"] = np.where(tree.missing_go_to_left, tree.children_left, tree.children_right)
    return nodes


def _of_stage(stage: Any) -> NDArray[Any]:
    nodes = np.zeros(len(stage), dtype=NODE)
    leaf = stage["is_leaf"] == 1
    nodes["feature"] = np.where(leaf, _LEAF, stage["feature_idx"])
    nodes["threshold"] = np.where(leaf, stage["value"], stage["num_threshold"])
    nodes["left"], nodes["right"] = stage["left"], stage["right"]
    nodes["missing"] = np.where(stage["missing_go_to_left"] == 1, stage["left"], stage["right"])
    return nodes


def _joined(
    parts: list[NDArray[Any]], starts: Sequence[NDArray[np.int32]] | None = None
) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Put nodes one after the other; return them and the first node of each tree.

    Args:
        parts: nodes of one tree each, or of several.
        starts: first node of each tree within each part; 0 when None.
    """
    sizes = np.array([len(part) for part in parts])
    offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
    nodes = np.concatenate(parts)
    for child in ("left", "right", "missing"):
        nodes[child] += np.repeat(offsets, sizes)
    if starts is None:
        return nodes, offsets
    return nodes, np.concatenate([own + offset for own, offset in zip(starts, offsets, strict=True)]).astype(
        np.int32
    )
