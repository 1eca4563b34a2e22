"""What is scored by a cross-validation: rows, known values, the split, and what each fold may train on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError
from hstore_models.leaks import audit
from hstore_models.splits import family_split, grouped_split, official_split
from hstore_models.training import model_of
from hstore_models.training_data import load_scored_rows, load_training_data
from hstore_workflows.evaluate.rows import ELECTROLYTES, keys, side, split_labels, target_column, training_rows
from hstore_workflows.evaluate.target import CONDUCTIVITY

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore.settings import Settings
    from hstore_models.leaks import Leaks
    from hstore_models.splits import Split
    from hstore_models.training_data import TrainingData
    from hstore_workflows.evaluate.protocol import Scoring

OFFICIAL_SPLITS = frozenset({"obelix"})
"""Public sets scored on the test split their authors published, which is never trained on."""


@dataclass(frozen=True, eq=False)
class Task:
    """What is scored, and everything that does not depend on the seed."""

    property_name: str
    """Canonical property name."""
    model: str
    """Name of its model."""
    how: Scoring
    """Choices of the user."""
    name: str
    """Name of the split."""
    data: TrainingData
    """Rows that may train."""
    scored: pd.DataFrame
    """Rows that are scored."""
    truth: FloatArray
    """Their known values on the scale that is scored, shape ``(n,)``."""
    subset: str
    """Which rows these are, in words."""
    trained_labels: NDArray[np.str_]
    """Group of each training row."""
    scored_labels: NDArray[np.str_]
    """Group of each scored row, shape ``(n,)``."""

    @property
    def trained(self) -> pd.DataFrame:
        """Training rows of the model of the property."""
        return training_rows(self.property_name, self.data)

    def split(self, seed: int) -> Split:
        """Split the scored rows."""
        named = keys(self.scored)
        if self.name == "official":
            return official_split(self.subset, named, self.scored_labels)
        if self.name == "family":
            return family_split(self.subset, named, self.scored_labels)
        return grouped_split(
            self.name, self.subset, named, self.scored_labels, n_folds=self.how.n_folds, seed=seed
        )

    def allowed(self, split: Split, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the mask of training rows that share no group with the rows held out."""
        if self.name == "official":
            return np.ones(len(self.trained), dtype=bool)
        return ~np.isin(self.trained_labels, np.unique(split.groups[rows]))


@dataclass(frozen=True, eq=False)
class Fold:
    """One fold: rows held out, rows that train, and the near-duplicates between them."""

    held_out: NDArray[np.bool_]
    """True for scored rows of this fold."""
    trained: NDArray[np.bool_]
    """True for training rows that share no group with them."""
    leaks: Leaks
    """Near-duplicates between the two."""

    def clean(self) -> NDArray[np.bool_]:
        """Return the mask of training rows without those that nearly repeat a row held out."""
        mask = self.trained.copy()
        mask[np.flatnonzero(mask)[self.leaks.trained]] = False
        return mask


def make_task(property_name: str, data_set: str, settings: Settings, how: Scoring) -> Task:
    """Gather what a cross-validation scores.

    Raises:
        InputError: the set has no values of the property, is not used by its model, or has no official split.
    """
    model = model_of(property_name)
    name = how.split or ("official" if data_set in OFFICIAL_SPLITS else "chemical_system")
    if name == "official" and data_set not in OFFICIAL_SPLITS:
        raise InputError(
            f"the authors of {data_set} published no split; choose another --split (official: "
            f"{', '.join(sorted(OFFICIAL_SPLITS))})"
        )
    data = load_training_data(model, settings)
    scored, part = _scored_rows(property_name, data_set, data, settings, official=name == "official")
    truth, words = _truth(property_name, data_set, scored, settings, how.bounds_as)
    subset = f"{part}, {len(scored)} rows with {property_name}{words}"
    trained = training_rows(property_name, data)
    labelled = split_labels("chemical_system" if name == "official" else name, model, trained, scored)
    return Task(property_name, model, how, name, data, scored, truth, subset, *labelled)


def _scored_rows(
    property_name: str, data_set: str, data: TrainingData, settings: Settings, *, official: bool
) -> tuple[pd.DataFrame, str]:
    """Return the rows that are scored, and which they are in words."""
    rows, part = load_scored_rows(data.model, data_set, settings), data_set
    if data_set in OFFICIAL_SPLITS:
        part = f"{data_set} official test part"
        if not official:
            known = training_rows(property_name, data)
            rows, part = known[known["source"] == data_set], f"{data_set} official training part"
    column = target_column(property_name)
    if column not in rows or rows[column].isna().all():
        raise InputError(f"{data_set!r} has no {property_name}; choose another data set or property")
    keep = rows[column].notna()
    if "capacity_definition" in rows and (rows["capacity_definition"] == "maximum").any():
        keep &= rows["capacity_definition"] == "maximum"
    return rows[keep].reset_index(drop=True), part


def _truth(
    property_name: str, data_set: str, scored: pd.DataFrame, settings: Settings, bounds_as: float | None
) -> tuple[FloatArray, str]:
    """Return the known values, and how upper bounds count in words."""
    truth = scored[target_column(property_name)].to_numpy(dtype=float)
    bounds = _bounds(data_set, scored, settings) if property_name == CONDUCTIVITY else np.zeros(len(scored), bool)
    if not bounds.any():
        return truth, ""
    if bounds_as is None:
        return truth, f", {int(bounds.sum())} upper bounds counted as the bound"
    if bounds_as <= 0:
        raise InputError(f"bounds count as a conductivity above 0 S/cm, got {bounds_as:g}; give one such as 1e-15")
    words = f", {int(bounds.sum())} upper bounds counted as {bounds_as:g} S/cm"
    return np.where(bounds, np.log10(bounds_as), truth), words


def _bounds(data_set: str, scored: pd.DataFrame, settings: Settings) -> NDArray[np.bool_]:
    """Return the mask of scored rows whose value is an upper bound."""
    if "censored" in scored:
        return scored["censored"].eq(True).to_numpy(dtype=bool)  # noqa: FBT003 - compares with a value
    from hstore_data.readers import read

    frame = read(data_set, settings).frame
    if "censored" not in frame:
        return np.zeros(len(scored), dtype=bool)
    return scored["row"].isin(set(frame.loc[frame["censored"], "row"])).to_numpy(dtype=bool)


def folds_of(task: Task, split: Split) -> list[Fold]:
    """Find what each fold may train on, and audit it for near-duplicates of the rows held out."""
    folds = []
    for _, rows in split.held_out():
        trained = task.allowed(split, rows)
        folds.append(Fold(rows, trained, leaks_between(task, rows, trained)))
    return folds


def leaks_between(task: Task, scored: NDArray[np.bool_], trained: NDArray[np.bool_]) -> Leaks:
    """Audit some scored rows against some training rows."""
    return audit(
        side(task.model, task.scored[scored]),
        side(task.model, task.trained[trained]),
        hydrogen=task.model == ELECTROLYTES,
    )
