"""Features, property models, uncertainty and the model registry.

What a data scientist needs at a notebook is imported from here, and loaded when it is first asked for::

    from hstore_models import PropertyRegressor, cross_validate

    regressor = PropertyRegressor(features=("magpie", "hydride"), learners=("extra_trees", "boosting"))
    judged = cross_validate(regressor, table, table["density_g_cm3"])
    judged.scores(), judged.plot_parity(), judged.plot_residuals_by_family(), judged.plot_calibration()
    regressor.fit(table, table["density_g_cm3"]).predict_table(["MgH2", "TiFeH2"])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hstore_models.cross_validation import CrossValidation, LearningCurve, cross_validate, learning_curve_of
    from hstore_models.estimator import PropertyRegressor
    from hstore_models.learners import Learner
    from hstore_models.registry import Registry
    from hstore_models.spec import Spec, read_spec, shipped_spec
    from hstore_models.training import ensure, train

__all__ = [
    "CrossValidation",
    "Learner",
    "LearningCurve",
    "PropertyRegressor",
    "Registry",
    "Spec",
    "cross_validate",
    "ensure",
    "learning_curve_of",
    "read_spec",
    "shipped_spec",
    "train",
]

_PLACES = {
    "CrossValidation": "cross_validation",
    "Learner": "learners",
    "LearningCurve": "cross_validation",
    "PropertyRegressor": "estimator",
    "Registry": "registry",
    "Spec": "spec",
    "cross_validate": "cross_validation",
    "ensure": "training",
    "learning_curve_of": "cross_validation",
    "read_spec": "spec",
    "shipped_spec": "spec",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    """Load a name when it is first asked for, so that importing the package stays light.

    Raises:
        AttributeError: no such name.
    """
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}")
    found = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return what is offered, for completion."""
    return sorted({*globals(), *__all__})
