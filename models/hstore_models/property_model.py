"""What every property model can do, whichever physics is behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from hstore_models.domain import Domain
    from hstore_models.ensemble import Ensemble
    from hstore_models.held_out import HeldOut
    from hstore_models.prediction import Predictions, Query
    from hstore_models.training_data import TrainingData


@runtime_checkable
class PropertyModel(Protocol):
    """A fitted model of one or more properties."""

    @property
    def properties(self) -> tuple[str, ...]:
        """Properties it predicts."""

    @property
    def domain(self) -> Domain:
        """Where it may be believed."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of its features, in order; empty where it has none."""

    @property
    def main(self) -> Ensemble | None:
        """Ensemble whose features and importances stand for the model; None where there is none."""

    def predict(self, property_name: str, query: Query) -> Predictions:
        """Predict one of its properties for each row of a query."""

    def held_out(self, data: TrainingData, *, group: str) -> dict[str, HeldOut]:
        """Return, for each property, the predictions of training rows made without their group.

        Args:
            data: the data it was fitted on.
            group: column of what was held out together.
        """
