"""A property of materials as a scikit-learn regressor: formulas in, values with honest intervals out.

:class:`PropertyRegressor` is the model of a spec of kind ``property`` (:mod:`hstore_models.table_property`) behind
scikit-learn's conventions, so what is tried in a notebook is what ``hstore train`` would make of the same spec.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import ValidationError
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from hstore.errors import InputError, unknown_name
from hstore.properties import PROPERTIES
from hstore_models.features.table import GROUPS
from hstore_models.formula_rows import FormulaRows, read_labels, read_rows, read_values
from hstore_models.learners import Learner
from hstore_models.spec import SHIPPED, LearnerSpec, Spec, SplitSpec, TargetSpec, read_spec, shipped_spec
from hstore_models.table_property import fit_table_property

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hstore.arrays import FloatArray
    from hstore_models.domain import Domain
    from hstore_models.ensemble import Ensemble
    from hstore_models.table_property import TableProperty

_GROUP, _WEIGHT = "group", "weight"
_RESERVED = frozenset({"amounts", "formula", _GROUP, _WEIGHT})


class PropertyRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Learns a property from formulas, and says how wrong it may be.

    ``X`` is a list, array or Series of formulas, or a DataFrame with a column ``formula`` and the columns named in
    ``columns``. Unlike learners are stacked out of fold; intervals come from the same out-of-fold answers, for
    which whole groups (chemical systems unless given) were held out.

    After ``fit`` there are ``model_`` (the fitted :class:`~hstore_models.table_property.TableProperty`),
    ``ensemble_``, ``domain_``, ``spec_``, ``descriptor_names_`` (names of what the learners see, in order),
    ``n_features_in_`` and, for a DataFrame, ``feature_names_in_``.

    Args:
        features: groups of descriptors, of ``magpie``, ``hydride``, ``electrolyte`` and ``roots``.
        columns: columns of ``X`` that are learned from too, such as ``temperature_k``.
        learners: names (``extra_trees``, ``random_forest``, ``boosting``, ``gaussian_process``), import paths of
            estimators such as ``sklearn.svm.SVR``, or :class:`~hstore_models.learners.Learner` with parameters.
        transform: what is learned: the value (``none``), its logarithm (``log``) or its root (``sqrt``).
        low: physical lower limit of the value, in its unit; None for none.
        high: physical upper limit of the value.
        monotonic: feature -> 1 where the value may only rise with it, -1 where it may only fall; kept by
            ``boosting``.
        n_folds: folds of the out-of-fold answers.
        host: True for descriptors of the materials without their hydrogen, by which an alloy and its hydride are
            one.
        target: name of the property, for tables and plots; the name of ``y`` where it is a Series, if empty.
        unit: its unit; that of the property of this name, if empty.
        seed: seed of learners and folds.
    """

    def __init__(
        self,
        features: Sequence[str] = ("magpie", "hydride"),
        columns: Sequence[str] = (),
        learners: Sequence[str | Learner] = ("extra_trees", "gaussian_process"),
        *,
        transform: str = "none",
        low: float | None = None,
        high: float | None = None,
        monotonic: Mapping[str, int] | None = None,
        n_folds: int = 5,
        host: bool = False,
        target: str = "",
        unit: str = "",
        seed: int = 0,
    ) -> None:
        self.features = features
        self.columns = columns
        self.learners = learners
        self.transform = transform
        self.low = low
        self.high = high
        self.monotonic = monotonic
        self.n_folds = n_folds
        self.host = host
        self.target = target
        self.unit = unit
        self.seed = seed

    @classmethod
    def from_spec(cls, spec: Spec | Path | str, *, target: str | None = None, seed: int = 0) -> PropertyRegressor:
        """Return the regressor that learns one target as a spec says.

        The physics that the shipped models wrap around their learners is not part of it.

        Args:
            spec: a spec, the file of one, or the name of one that hstore ships.
            target: which of its targets; the first when None.
            seed: seed of learners and folds.

        Raises:
            InputError: not a spec, or it learns from unit cells or pores, which formulas do not tell.
            UnknownNameError: the spec has no such target.
        """
        if not isinstance(spec, Spec):
            spec = shipped_spec(spec) if spec in SHIPPED else read_spec(Path(spec))
        name = next(iter(spec.targets)) if target is None else target
        if name not in spec.targets:
            raise unknown_name(f"target of {spec.name}", name, spec.targets)
        wanted = spec.targets[name]
        beyond = [group for group in wanted.features if group not in GROUPS]
        if beyond:
            raise InputError(
                f"{spec.name} learns {name} from {', '.join(beyond)}, which formulas do not tell; train it with "
                f"hstore train {spec.name}, or name features of {', '.join(GROUPS)}"
            )
        return cls(
            features=wanted.features,
            columns=wanted.columns,
            learners=tuple(Learner(part.kind, part.parameters, part.blocks) for part in wanted.learners),
            transform=wanted.transform,
            low=wanted.low,
            high=wanted.high,
            monotonic=dict(wanted.monotonic) or None,
            n_folds=spec.split.n_folds,
            host=wanted.host or spec.kind.startswith("hydride"),
            target=name,
            unit=spec.unit,
            seed=seed,
        )

    def fit(self, X: Any, y: Any, groups: Any = None, sample_weight: Any = None) -> PropertyRegressor:  # noqa: N803 - scikit-learn's name
        """Learn from materials and their values.

        Args:
            X: formulas, or a DataFrame with a column ``formula``; shape ``(n,)`` or ``(n, d)``.
            y: values, shape ``(n,)``.
            groups: what is never on both sides of a fold, shape ``(n,)``; the chemical systems without hydrogen
                when None.
            sample_weight: weight of each row, shape ``(n,)``, not negative; rows of weight 0 are left out.

        Raises:
            InputError: a parameter, formula or value cannot be used; fewer than ten rows, or than two groups.
        """
        spec = self.spec_for(y)
        spec.check()
        target = next(iter(spec.targets))
        rows = read_rows(X, tuple(self.columns)).readable()
        table = rows.frame.drop(columns="formula").reset_index(drop=True)
        table["amounts"] = pd.Series(list(rows.amounts), dtype=object)
        table[target] = read_values(y, len(rows), "y")
        table[_GROUP] = rows.chemical_systems if groups is None else read_labels(groups, len(rows), "groups")
        if sample_weight is not None:
            table[_WEIGHT] = _weights(sample_weight, len(rows))
            table = table[table[_WEIGHT] > 0].reset_index(drop=True)
        self.model_ = fit_table_property(table, spec, seed=self.seed)
        self.spec_ = spec
        self._remember(X)
        return self

    @property
    def ensemble_(self) -> Ensemble:
        """The fitted learners, their weights and out-of-fold answers."""
        return self._fitted().ensemble

    @property
    def domain_(self) -> Domain:
        """Where the regressor may be believed."""
        return self._fitted().domain

    @property
    def descriptor_names_(self) -> tuple[str, ...]:
        """Names of what the learners see, in order, ``(d,)``."""
        return self._fitted().feature_names

    @property
    def feature_importances_(self) -> FloatArray:
        """Share of each descriptor in what the forests have learned, shape ``(d,)``; 0 without forests."""
        return self.ensemble_.importances(len(self.descriptor_names_))

    def predict(self, X: Any, *, return_std: bool = False) -> Any:  # noqa: N803 - scikit-learn's name
        """Return the values, shape ``(n,)``; with ``return_std`` also their standard deviations.

        Args:
            X: materials, as in ``fit``.
            return_std: True for a pair of both.

        Raises:
            InputError: a formula cannot be read, or a column is missing (:meth:`predict_table` goes on instead).
        """
        answers = self._answers(X)
        mean, std = answers["mean"].to_numpy(), answers["std"].to_numpy()
        return (mean, std) if return_std else mean

    def predict_interval(self, X: Any) -> FloatArray:  # noqa: N803 - scikit-learn's name
        """Return lower and upper end of the 90 % intervals, shape ``(n, 2)``.

        Args:
            X: materials, as in ``fit``.

        Raises:
            InputError: a formula cannot be read, or a column is missing.
        """
        ends: FloatArray = self._answers(X)[["lower", "upper"]].to_numpy()
        return ends

    def predict_table(self, X: Any) -> pd.DataFrame:  # noqa: N803 - scikit-learn's name
        """Return ``mean, std, lower, upper, in_domain, reason`` for each row, with the index of ``X``.

        A formula that cannot be read gives NaN, and its reason begins with ``rejected``.

        Args:
            X: materials, as in ``fit``.

        Raises:
            InputError: a column is missing.
        """
        model = self._fitted()
        rows = read_rows(X, tuple(self.columns))
        good = np.array([place not in rows.causes for place in range(len(rows))], dtype=bool)
        table = pd.DataFrame(index=rows.frame.index, columns=["mean", "std", "lower", "upper"], dtype=float)
        reason = np.array(
            [f"rejected: {rows.causes[i]}" if i in rows.causes else "" for i in range(len(rows))], object
        )
        if good.any():
            answers = model.predict(model.target, rows.take(good).query)
            for name in ("mean", "std", "lower", "upper"):
                table.loc[good, name] = getattr(answers, name)
            reason[good] = answers.reason
        return table.assign(in_domain=[not words for words in reason], reason=reason)

    def spec_for(self, y: Any = None) -> Spec:
        """Return the parameters as a spec, which ``fit`` follows.

        Args:
            y: values; where they are a Series without ``target`` being set, its name is that of the property.

        Raises:
            InputError: a parameter is not allowed.
        """
        return self._spec(self._target_of(y))

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn what is taken: formulas, and NaN in columns."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.allow_nan = True
        return tags

    def _answers(self, materials: Any) -> pd.DataFrame:
        model = self._fitted()
        rows: FormulaRows = read_rows(materials, tuple(self.columns)).readable()
        return model.predict(model.target, rows.query).frame()

    def _fitted(self) -> TableProperty:
        check_is_fitted(self, "model_")
        return self.model_

    def _remember(self, materials: Any) -> None:
        """Keep the names of the columns that were seen."""
        headers = list(materials.columns) if isinstance(materials, pd.DataFrame) else []
        self.n_features_in_ = len(headers) or 1
        if headers and all(isinstance(header, str) for header in headers):
            self.feature_names_in_ = np.array(headers, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _target_of(self, values: Any) -> str:
        given = values.name if isinstance(values, pd.Series) and isinstance(values.name, str) else ""
        target = self.target or given or "value"
        clash = sorted((_RESERVED & {target, *self.columns}) | ({target} & set(self.columns)))
        if clash:
            raise InputError(
                f"{', '.join(clash)} cannot be the name of a target or of a column learned from; rename it"
            )
        return target

    def _spec(self, target: str) -> Spec:
        """Return the parameters as a spec.

        Raises:
            InputError: one of them is not allowed.
        """
        known = PROPERTIES.get(target)
        try:
            wanted = TargetSpec(
                features=tuple(self.features), columns=tuple(self.columns), host=self.host,
                learners=tuple(_learner_spec(learner) for learner in self.learners), transform=self.transform,
                low=self.low, high=self.high, monotonic=self.monotonic or {},
            )  # fmt: skip
            return Spec(
                name="regressor", kind="property", summary="Fitted in Python.",
                unit=self.unit or (known.unit if known else ""),
                split=SplitSpec(group=_GROUP, n_folds=self.n_folds), targets={target: wanted},
            )  # fmt: skip
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the parameters"
            raise InputError(f"{place}: {first['msg']}, got {str(first['input'])[:80]!r}; correct it") from error


def _learner_spec(learner: Any) -> LearnerSpec:
    if isinstance(learner, str):
        return LearnerSpec(kind=learner)
    if isinstance(learner, Learner):
        return LearnerSpec(kind=learner.kind, parameters=dict(learner.parameters), blocks=learner.blocks)
    kind = f"{type(learner).__module__}.{type(learner).__qualname__}"
    raise InputError(
        f"a learner is named by its kind or import path, got a {kind}; write Learner({kind!r}, {{...}}) with its "
        "parameters"
    )


def _weights(weights: Any, n_rows: int) -> FloatArray:
    numbers = read_values(weights, n_rows, "sample_weight")
    if (numbers < 0).any():
        raise InputError(f"sample_weight must not be negative, got {numbers.min():g}; correct it")
    return numbers
