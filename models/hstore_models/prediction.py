"""What a property model is asked and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from hstore.pairing import anion_class, host_amounts
from hstore_models.features.composition import CompositionBatch, row_sum
from hstore_models.features.table import FeatureTable, featurize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from hstore_models.calibration import Reach

T = TypeVar("T")


@dataclass(frozen=True)
class Query:
    """Materials and conditions to predict for; features are computed once and shared between models."""

    amounts: tuple[dict[str, float], ...]
    """Parsed formula of each row."""
    frame: pd.DataFrame
    """Conditions and descriptors of each row, in the columns of DESIGN section 4; may have no columns."""
    _features: dict[tuple[str, ...], FeatureTable] = field(default_factory=dict, repr=False)
    _answers: dict[int, tuple[object, Any]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, amounts: Sequence[dict[str, float]], frame: pd.DataFrame | None = None) -> Query:
        """Build a query; without a frame no conditions are stated."""
        rows = tuple(amounts)
        return cls(rows, pd.DataFrame(index=range(len(rows))) if frame is None else frame.reset_index(drop=True))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.amounts)

    def take(self, rows: NDArray[np.bool_]) -> Query:
        """Return some rows, by mask."""
        kept = tuple(self.amounts[row] for row in np.flatnonzero(rows).tolist())
        return Query(kept, self.frame[rows].reset_index(drop=True))

    @cached_property
    def composition(self) -> CompositionBatch:
        """Whole compositions, hydrogen included."""
        return CompositionBatch.from_amounts(list(self.amounts))

    @cached_property
    def host(self) -> CompositionBatch:
        """Compositions without their hydrogen, by which alloys and their hydrides are one material.

        Raises:
            InputError: a row is hydrogen only.
        """
        found = self.composition.without(["H"])
        for row in np.flatnonzero(found.counts == 0).tolist():
            host_amounts(self.amounts[row])
        return found

    @cached_property
    def molecular_hydrogen(self) -> NDArray[np.float64]:
        """H atoms per other atom where they belong to a molecular anion, else 0, shape ``(n,)``."""
        return np.where(self.anions != "", self.hydrogen / row_sum(self.host.amounts), 0.0)

    @cached_property
    def hydrogen(self) -> NDArray[np.float64]:
        """Amount of hydrogen in the formula of each row, shape ``(n,)``."""
        whole = self.composition
        return row_sum(np.where(whole.contains(["H"]), whole.amounts, 0.0))

    @cached_property
    def anions(self) -> NDArray[np.str_]:
        """Class of the anion that holds the hydrogen (:func:`hstore.pairing.anion_class`), shape ``(n,)``."""
        found = np.full(len(self), "", dtype="<U16")
        for row in np.flatnonzero(self.hydrogen).tolist():
            found[row] = anion_class(self.amounts[row])
        return found

    def features(self, groups: tuple[str, ...], *, host: bool) -> FeatureTable:
        """Return the features of the whole compositions or of the hosts, computed once."""
        key = (*groups, "host" if host else "whole")
        if key not in self._features:
            self._features[key] = featurize(self.host if host else self.composition, groups)
        return self._features[key]

    def remembered(self, owner: object, compute: Callable[[], T]) -> T:
        """Return what was computed for an owner before, else compute it: one pass for several properties."""
        if id(owner) not in self._answers:
            self._answers[id(owner)] = (owner, compute())
        found: T = self._answers[id(owner)][1]
        return found

    def column(self, name: str, default: float = np.nan) -> NDArray[np.float64]:
        """Return a numeric column, the default where it is absent or empty, shape ``(n,)``."""
        if name not in self.frame:
            return np.full(len(self), default)
        values = pd.to_numeric(self.frame[name], errors="coerce").to_numpy(dtype=float)
        return np.where(np.isnan(values), default, values)


@dataclass(frozen=True)
class Predictions:
    """Predictions of one property, all arrays of shape ``(n,)``."""

    property: str
    """Canonical property name."""
    mean: NDArray[np.float64]
    """Predicted value; of a pressure, the exponential of the mean of its logarithm."""
    std: NDArray[np.float64]
    """Standard deviation, half the width of the interval over 1.645; of a pressure, of its natural logarithm."""
    lower: NDArray[np.float64]
    """Lower end of the 90 % interval."""
    upper: NDArray[np.float64]
    """Upper end of the 90 % interval."""
    in_domain: NDArray[np.bool_]
    """False where the model is asked outside what it was trained on."""
    reason: NDArray[np.object_]
    """Why it is outside; empty inside."""
    model_id: str = ""
    """Model that answered."""

    def frame(self) -> pd.DataFrame:
        """Return the columns ``mean, std, lower, upper, in_domain, reason``."""
        names = ("mean", "std", "lower", "upper", "in_domain", "reason")
        return pd.DataFrame({name: getattr(self, name) for name in names})


def interval_predictions(
    property_name: str,
    mean: NDArray[np.float64],
    reach: Reach,
    reasons: Sequence[str],
    *,
    low: float = -np.inf,
    high: float = np.inf,
) -> Predictions:
    """Build predictions with the 90 % intervals stated, clipped to the physical range ``[low, high]``."""
    return Predictions(
        property=property_name,
        mean=np.clip(mean, low, high),
        std=reach.std,
        lower=np.clip(mean - reach.below, low, high),
        upper=np.clip(mean + reach.above, low, high),
        in_domain=np.array([not reason for reason in reasons], dtype=bool),
        reason=np.array(reasons, dtype=object),
    )
