"""How a score is made: the choices of ``hstore evaluate``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstore.errors import InputError, unknown_name
from hstore_models.leaks import POLICIES
from hstore_models.splits import SPLITS

if TYPE_CHECKING:
    from hstore_models.property_model import PropertyModel
    from hstore_models.spec import Spec
    from hstore_models.training_data import TrainingData


@dataclass(frozen=True)
class Scoring:
    """The choices of ``hstore evaluate``; what is None is chosen by what is scored."""

    split: str | None = None
    """One of ``SPLITS``; the official split of a set that has one, else ``chemical_system``."""
    n_folds: int = 5
    """Folds of a cross-validation, at least 2."""
    seeds: tuple[int, ...] = (0,)
    """Seeds of split and models; scores are their mean."""
    leaks: str | None = None
    """One of ``POLICIES``: ``drop`` for grouped splits, ``refuse`` for random ones, ``report`` for tables and
    official splits."""
    baselines: bool = True
    """Whether nearest neighbour and plain forest stand beside the score; the mean predictor always does."""
    family: str | None = None
    """Column that names the family of each row; a known one, or what the formula says, when None."""
    bounds_as: float | None = None
    """Value, in the unit of the column, as which ``<...`` counts; the bound itself when None."""
    learning_curve: bool = False
    """Whether a cross-validation is repeated with fewer training groups."""
    name: str = "table"
    """What a table is called in the report."""

    def __post_init__(self) -> None:
        """Check the choices before anything heavy runs."""
        if self.split is not None and self.split not in SPLITS:
            raise unknown_name("split", self.split, SPLITS)
        if self.leaks is not None and self.leaks not in POLICIES:
            raise unknown_name("policy on leaks", self.leaks, POLICIES)
        if self.n_folds < 2:
            raise InputError(f"n_folds must be at least 2, got {self.n_folds}; give more folds")
        if not self.seeds:
            raise InputError("seeds is empty; give at least one seed")

    def policy(self, split: str) -> str:
        """Return what is done about leaks across a split."""
        usual = {"random": "refuse", "official": "report"}
        return self.leaks or usual.get(split, "drop")


def fit_recipe(data: TrainingData, seed: int, spec: Spec | None = None) -> PropertyModel:
    """Fit the recipe in use on some training rows; the one place where evaluation trains a model.

    Args:
        data: training rows.
        seed: seed of the model.
        spec: the recipe; the shipped one when None.
    """
    from hstore_models.training import fit

    return fit(data, spec=spec, seed=seed)
