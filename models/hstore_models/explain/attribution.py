"""How much each physical meaning moves the prediction of a material: Shapley values of the served model.

Shapley values (SHAP: Lundberg and Lee 2017, arXiv 1705.07874) divide the difference between the prediction for
a material and the mean prediction over a background of training materials among what the material is given.
Parts not yet given are taken from the background (interventional values: Janzing et al. 2020, arXiv 1910.13413).
With few materials every combination of parts is tried and the values are exact; with many, orders are drawn by
seed, forward and backward. Both add up: mean + values = prediction, which is checked.

The values say what the model does. They say nothing of causes in nature.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError, MissingExtraError
from hstore_models.explain.swapping import IDENTITY, Served, spread_rows, together

if TYPE_CHECKING:
    from hstore.arrays import FloatArray
    from hstore_models.explain.meaning import Meaning
    from hstore_models.prediction import Query
    from hstore_models.property_model import PropertyModel

BACKGROUND_ROWS = 32
"""Training materials over which parts that are not given are averaged."""
_EXACT_EVALUATIONS = 300_000
"""Answers of the model, for all materials together, up to which every combination is tried."""
_DRAWN_EVALUATIONS = 1_500_000
"""Answers of the model, for all materials together, where not every combination is tried."""
_ORDERS = (4, 24)
"""Least and most orders in which parts are given, each forward and backward."""
_LEAST_BACKGROUND = 10
_ADDITIVITY = 1e-6
"""How far mean + values may be from the prediction, of the larger of 1 and the prediction."""
_ROUNDING = 1e-9
"""Of the largest value: what the identity of a material carries below it is rounding, and is not shown."""


@dataclass(frozen=True)
class Attribution:
    """What moves the predictions of n materials, part by part."""

    quantity: str
    """What is added up: a property in its unit, or the decimal logarithm of one."""
    meanings: tuple[Meaning, ...]
    """What the p parts say physically."""
    values: FloatArray
    """Shapley values, shape ``(n, p)``, in the unit of the quantity."""
    base: FloatArray
    """Mean prediction over the background at the conditions of each material, shape ``(n,)``."""
    prediction: FloatArray
    """Served prediction, shape ``(n,)``."""
    telling: tuple[tuple[str, ...], ...]
    """For each material and part, the descriptor of the part that goes most with the predictions of the
    background; empty where none does."""
    told: FloatArray
    """Value of that descriptor for each material, shape ``(n, p)``."""
    usual: FloatArray
    """Median of that descriptor over the background, shape ``(n, p)``."""
    background: int
    """Number of training materials in the background."""
    is_exact: bool
    """True where every combination of parts was tried."""

    @property
    def gap(self) -> FloatArray:
        """How far mean + values are from the prediction, shape ``(n,)``; rounding only."""
        return np.asarray(self.base + self.values.sum(axis=1) - self.prediction)

    @property
    def importance(self) -> FloatArray:
        """Mean magnitude of the values over the materials, shape ``(p,)``."""
        return np.asarray(np.abs(self.values).mean(axis=0))

    def order(self) -> list[int]:
        """Return the places of the parts, those of largest mean magnitude first."""
        return [int(place) for place in np.argsort(-self.importance, kind="stable")]


def attribute(
    model: PropertyModel,
    property_name: str,
    query: Query,
    training: Query,
    *,
    background_rows: int = BACKGROUND_ROWS,
    seed: int = 0,
) -> Attribution:
    """Divide the predictions of materials among what they are given.

    Args:
        model: what serves.
        property_name: property to explain.
        query: materials to explain, n rows.
        training: training materials, of which the background is drawn; where enough of them state hydrogen in
            their formula as the material does (or do not), only those are drawn from.
        background_rows: materials in the background, at least 2.
        seed: seed of the background and of drawn orders.

    Raises:
        MissingExtraError: shap is not installed.
        InputError: no answer for a material, fewer than two training materials, or values that do not add up.
    """
    shap = _shap()
    if background_rows < 2:
        raise InputError(f"a background needs at least 2 materials, got {background_rows}; 32 is usual")
    training = training.take(np.isfinite(model.predict(property_name, training).mean))
    kinds = _states_hydrogen(query)
    found: dict[int, dict[str, Any]] = {}
    shown: tuple[Meaning, ...] = ()
    exact = True
    for kind in dict.fromkeys(kinds.tolist()):
        rows = np.flatnonzero(kinds == kind)
        drawn = _background(training, hydrogen=kind, count=background_rows, seed=seed)
        served = Served(model, property_name, together(query.take(kinds == kind), drawn))
        shown = tuple(part.meaning for part in served.parts)
        first = len(rows)
        is_exact = (1 << len(served.parts)) * len(drawn) * len(query) <= _EXACT_EVALUATIONS
        exact &= is_exact
        per_order = (2 * len(served.parts) + 1) * len(drawn) * len(query)
        orders = min(max(_DRAWN_EVALUATIONS // per_order, _ORDERS[0]), _ORDERS[1])
        told = _telling(served, first)
        for place, row in enumerate(rows.tolist()):
            if not np.isfinite(served.answers[place]):
                raise InputError(
                    f"the model of {property_name} has no answer for material {row + 1}; give the columns it needs"
                )
            values, base = _of_one(shap, served, place, first, orders=0 if is_exact else orders, seed=seed)
            found[row] = {
                "values": values, "base": base, "prediction": served.answers[place],
                "told": told[1][place], "names": told[0], "usual": told[2], "background": len(drawn),
            }  # fmt: skip
    ordered = [found[row] for row in range(len(query))]
    values = np.array([one["values"] for one in ordered])
    least = _ROUNDING * np.abs(values).max(initial=0.0)
    used = [p for p, meaning in enumerate(shown) if meaning is not IDENTITY or np.abs(values[:, p]).max() > least]
    attribution = Attribution(
        quantity=served.quantity,
        meanings=tuple(shown[p] for p in used),
        values=values[:, used],
        base=np.array([one["base"] for one in ordered]),
        prediction=np.array([one["prediction"] for one in ordered]),
        telling=tuple(tuple(one["names"][p] for p in used) for one in ordered),
        told=np.array([one["told"] for one in ordered])[:, used],
        usual=np.array([one["usual"] for one in ordered])[:, used],
        background=ordered[0]["background"],
        is_exact=exact,
    )
    worst = float(np.max(np.abs(attribution.gap) / np.maximum(1.0, np.abs(attribution.prediction))))
    if worst > _ADDITIVITY:
        raise InputError(
            f"attributions of {property_name} miss the prediction by {worst:.2g} of its size, at most "
            f"{_ADDITIVITY:g} is rounding; the model answers differently when asked twice"
        )
    return attribution


def _of_one(
    shap: Any, served: Served, place: int, first: int, *, orders: int, seed: int
) -> tuple[FloatArray, float]:
    """Return the values of one material, shape ``(p,)``, and the mean over the background.

    Every combination of parts is tried where ``orders`` is 0. The explainer sees, instead of descriptors, the
    number of the row that each part is taken from.
    """
    parts = len(served.parts)
    others = np.arange(first, len(served.query))
    ids = np.repeat(others[:, None], parts, axis=1).astype(float)

    def answer(rows: FloatArray) -> FloatArray:
        return served(np.asarray(rows).round().astype(np.int64), place)

    masker = shap.maskers.Independent(ids, max_samples=len(ids))
    own = np.full((1, parts), float(place))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of shap and matplotlib's colour maps
        if not orders:
            found = shap.explainers.Exact(answer, masker)(own, max_evals=(1 << parts) + 1, silent=True)
        else:
            explainer = shap.explainers.Permutation(answer, masker, seed=seed)
            found = explainer(own, max_evals=orders * (2 * parts + 1), silent=True)
    return np.asarray(found.values[0], dtype=float), float(np.ravel(found.base_values)[0])


def _telling(served: Served, first: int) -> tuple[list[str], FloatArray, FloatArray]:
    """Return for each part the descriptor whose ranks go most with the answers of the background, with values."""
    from scipy.stats import rankdata

    answers = served.answers[first:]
    ranks = rankdata(answers)
    best: dict[str, tuple[float, str]] = {}
    described = served.descriptors()
    for name, (key, values) in described.items():
        others = values[first:]
        if not np.isfinite(others).all() or not np.ptp(others) or not np.ptp(ranks):
            continue
        strength = abs(float(np.corrcoef(rankdata(others), ranks)[0, 1]))
        if strength > best.get(key, (0.0, ""))[0]:
            best[key] = (strength, name)
    names = [best.get(part.meaning.key, (0.0, ""))[1] for part in served.parts]
    nothing = np.full(len(served.query), np.nan)
    columns = np.column_stack([described[name][1] if name else nothing for name in names])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # medians of parts without a descriptor
        usual = np.nanmedian(columns[first:], axis=0)
    return names, columns[:first], usual


def _background(training: Query, *, hydrogen: bool, count: int, seed: int) -> Query:
    """Draw training materials that state hydrogen (or do not) as the material does, where there are enough."""
    alike = _states_hydrogen(training) == hydrogen
    source = training.take(alike) if alike.sum() >= _LEAST_BACKGROUND else training
    if len(source) < 2:
        raise InputError(f"a background needs at least 2 training materials, there are {len(source)}")
    chosen = np.zeros(len(source), dtype=bool)
    chosen[spread_rows(len(source), count, seed)] = True
    return source.take(chosen)


def _states_hydrogen(query: Query) -> Any:
    return np.array(["H" in amounts for amounts in query.amounts], dtype=bool)


def _shap() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # matplotlib says which of its functions shap should not use
            import shap
    except ImportError as error:
        raise MissingExtraError("attributions need shap; pip install 'hstore[explain]'") from error
    return shap
