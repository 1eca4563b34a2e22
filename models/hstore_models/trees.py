"""Fitted trees as plain arrays: saved without pickle, and walked by one compiled loop for one row or a million.

Forests of scikit-learn and its histogram gradient boosting are packed into the same form. Both see features
rounded to 32-bit floats, in training as in prediction, so that a packed model answers as the fitted one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.workers import default_workers
from hstore_models.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray

_LEAF = -1
_ROWS_AT_ONCE = 2048
"""Rows that share a tree while it is in the processor's cache."""


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
        rows = np.ascontiguousarray(features, dtype=np.float32)
        mean, spread = np.zeros(len(rows)), np.zeros(len(rows))
        walk = compiled(_walk)

        def fill(part: slice) -> None:
            values = np.empty((len(rows[part]), len(self.roots)))
            walk(rows[part], self.nodes, self.roots, values)
            mean[part], spread[part] = self._settle(values)

        parts = [slice(i, i + _ROWS_AT_ONCE) for i in range(0, len(rows), _ROWS_AT_ONCE)]
        if len(parts) == 1:
            fill(parts[0])
        else:
            with ThreadPoolExecutor(default_workers()) as threads:
                list(threads.map(fill, parts))
        return self.base + mean, spread

    def _settle(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Turn the values of the trees, shape ``(n, trees)``, into the answer and its spread."""
        if self.summed:
            return values.sum(axis=1), np.zeros(len(values))
        cut = int(self.trim * values.shape[1])
        kept = np.sort(values, axis=1)[:, cut : values.shape[1] - cut] if cut else values
        return kept.mean(axis=1), values.std(axis=1)


def _walk(
    rows: NDArray[np.float32], nodes: NDArray[Any], roots: NDArray[np.int32], values: FloatArray
) -> None:  # pragma: no cover - runs compiled
    """Write the value of each tree for each row, shape ``(n, trees)``."""
    # Which way a row goes cannot be foretold: both children are read, and the compiler selects without a jump.
    for tree in range(roots.shape[0]):
        for row in range(rows.shape[0]):
            place = roots[tree]
            column = nodes[place].feature
            while column != _LEAF:
                value = rows[row, column]
                left, right = nodes[place].left, nodes[place].right
                if np.isnan(value):
                    place = nodes[place].missing
                else:
                    place = right if value > nodes[place].threshold else left
                column = nodes[place].feature
            values[row, tree] = nodes[place].threshold


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
