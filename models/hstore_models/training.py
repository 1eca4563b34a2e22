"""Train the property models from the data present, and keep them up to date.

A model's id is made from its data's checksums, its parameters, its features and the library versions, so the
same inputs give the same id, and any change gives a new model beside the old one.
"""

from __future__ import annotations

import hashlib
import json
import time
from functools import cache
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hstore.errors import ModelError, unknown_name
from hstore_models.card import ModelCard
from hstore_models.conductivity import Conductivity, fit_conductivity
from hstore_models.forest import CalibratedForest, ForestSettings
from hstore_models.held_out import out_of_fold
from hstore_models.hydride import HydrideCapacity, HydrideThermodynamics, fit_capacity, fit_thermodynamics
from hstore_models.registry import LoadedModel, PropertyModel, Registry
from hstore_models.sorbent import SorbentUptake, fit_sorbent
from hstore_models.splits import split_hash
from hstore_models.training_data import TrainingData, load_training_data, training_checksums

if TYPE_CHECKING:
    from collections.abc import Callable

    from hstore.settings import Settings
    from hstore_models.held_out import HeldOut

MODELS: dict[str, tuple[str, ...]] = {
    "hydride_capacity": HydrideCapacity.properties,
    "hydride_thermodynamics": HydrideThermodynamics.properties,
    "sorbent_uptake": SorbentUptake.properties,
    "conductivity": Conductivity.properties,
}
"""Model -> properties it predicts."""

_SUMMARIES = {
    "hydride_capacity": "Extremely randomized trees on composition for alloys; stoichiometry times a learned "
    "release share for formulas that state their hydrogen.",
    "hydride_thermodynamics": "Extremely randomized trees for enthalpy, entropy and ln pressure at 25 degC, made "
    "consistent by generalized least squares.",
    "sorbent_uptake": "Langmuir-Freundlich isotherm scaled by surface area, plus pore gas; forests at the swing "
    "of the simulated set when it is present.",
    "conductivity": "Extremely randomized trees for activation energy and log10 conductivity at 25 degC, joined "
    "by the Arrhenius law.",
}
_LIMITS = {
    "hydride_capacity": (
        "Kinetics, activation and cycling are not modelled.",
        "Maximum capacity: BCC alloys keep about half of it as monohydride, alanates and amides release in steps.",
        "For formulas with hydrogen the stated stoichiometry is taken as reachable.",
        "Screens leave out hydrogen that stays in binary hydrides of alkali and heavier alkaline-earth metals.",
    ),
    "hydride_thermodynamics": (
        "Composition only: polymorphs and microstructure share one answer.",
        "dH and dS are taken as constant in temperature; multi-step releases are one step.",
        "Many literature entropies are back-calculated from one point, so entropy is the least certain.",
    ),
    "sorbent_uptake": (
        "Texture only: metal sites and chemistry are not seen.",
        "Away from the trained swing the isotherm alone answers, with its wider interval.",
    ),
    "conductivity": (
        "Composition only: total conductivity of unstated density; polymorphs share one answer.",
        "Upper bounds count as values.",
    ),
}
_LIBRARIES = ("hstore", "matminer", "numpy", "scikit-learn", "skops")
_N_IMPORTANCES = 20


def model_of(property_name: str) -> str:
    """Return the name of the model that predicts a property.

    Raises:
        UnknownNameError: no model predicts it; the message lists those that are predicted.
    """
    for name, properties in MODELS.items():
        if property_name in properties:
            return name
    raise unknown_name("predicted property", property_name, [p for group in MODELS.values() for p in group])


def ensure(name: str, settings: Settings, *, say: Callable[[str], None] = lambda _: None) -> LoadedModel:
    """Return the model of that name for the data present, training it when it is missing or out of date.

    Args:
        name: model name, a key of ``MODELS``.
        settings: where data and models are.
        say: told in one line when a model is trained, and why.

    Raises:
        UnknownNameError: no such model.
        DataError: a data set it needs is damaged.
    """
    registry = Registry(settings.models_dir)
    checksums = training_checksums(name, settings)
    wanted = model_id(name, checksums, settings)
    if (settings.models_dir / name / wanted / "card.json").is_file():
        return registry.load(name, wanted)
    say(f"training {name}: {_why(registry, name, checksums)}")
    return train(name, settings)


def train(name: str, settings: Settings) -> LoadedModel:
    """Train a model on the data present, save it and make it current."""
    started = time.perf_counter()
    data = load_training_data(name, settings)
    parameters = ForestSettings(seed=settings.seed)
    model = fit(data, parameters)
    held_out = out_of_fold(model, data)
    card = _card(model, data, held_out, model_id(name, data.checksums, settings), started)
    table = pd.concat([rows.frame(property_name) for property_name, rows in held_out.items()], ignore_index=True)
    registry = Registry(settings.models_dir)
    return LoadedModel(model, registry.save(model, card, table), table)


def fit(data: TrainingData, settings: ForestSettings) -> PropertyModel:
    """Fit the model that belongs to training data, without saving it."""
    if data.model == "hydride_capacity":
        return fit_capacity(data.rows, settings=settings)
    if data.model == "hydride_thermodynamics":
        return fit_thermodynamics(data.rows, settings=settings)
    if data.model == "sorbent_uptake":
        return fit_sorbent(data.rows, data.simulated)
    return fit_conductivity(data.rows, settings=settings)


def model_id(name: str, checksums: dict[str, str], settings: Settings) -> str:
    """Return the content address of the model that would be trained from data of these checksums."""
    content = json.dumps(
        [name, sorted(checksums.items()), settings.seed, code_version(), _versions()], sort_keys=True
    )
    return f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


@cache
def code_version() -> str:
    """Return a hash of the code that makes models from data, so that changed code means a new model."""
    digest = hashlib.sha256()
    for package, pattern in (("hstore_models", "**/*.*"), ("hstore_data", "*.py"), ("hstore", "formula.py")):
        folder = Path(str(resources.files(package)))
        for path in sorted(p for p in folder.glob(pattern) if p.suffix in {".py", ".csv"}):
            digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _LIBRARIES}


def _why(registry: Registry, name: str, checksums: dict[str, str]) -> str:
    current = registry.current_id(name)
    if current is None:
        return "no model yet"
    try:
        before = registry.card(name, current).checksums
    except ModelError:
        return "the card of the model in use is from another version, or damaged"
    if before == checksums:
        return "code, features or library versions changed"
    changed = sorted({file.split("/")[0] for file, _ in before.items() ^ checksums.items()})
    return f"data changed ({', '.join(changed)})"


def _card(
    model: PropertyModel, data: TrainingData, held_out: dict[str, HeldOut], identifier: str, started: float
) -> ModelCard:
    main = _main_forest(model)
    names = model.feature_names
    return ModelCard(
        model=data.model,
        model_id=identifier,
        properties=MODELS[data.model],
        summary=_SUMMARIES[data.model],
        rows_by_source=data.rows_by_source(),
        checksums=data.checksums,
        duplicates_removed=data.duplicates,
        grouping="sorbent (simulated: framework group)"
        if data.model == "sorbent_uptake"
        else "chemical system without H",
        split_hash=split_hash(
            [f"{name} {label}" for name, rows in held_out.items() for label in rows.label],
            np.concatenate([rows.folds for rows in held_out.values()]),
        ),
        scores={name: rows.score() for name, rows in held_out.items()},
        importances=_importances(main, names),
        n_features=len(names),
        code_version=code_version(),
        parameters=_parameters(main),
        domain=_domain_words(model),
        limits=_LIMITS[data.model],
        versions=_versions(),
        wall_time_s=round(time.perf_counter() - started, 2),
    )


def _parameters(forest: CalibratedForest | None) -> dict[str, float | int]:
    if forest is None:
        return {}
    names = ("n_estimators", "max_features", "min_samples_leaf", "random_state")
    return {name: getattr(forest.trees, name) for name in names}


def _main_forest(model: PropertyModel) -> CalibratedForest | None:
    if isinstance(model, HydrideThermodynamics):
        return model.forests["desorption_enthalpy_kj_per_mol_h2"]
    if isinstance(model, HydrideCapacity):
        return model.forest
    if isinstance(model, Conductivity):
        return model.reference
    return model.corrections.get("usable_capacity_wt_pct")


def _importances(forest: CalibratedForest | None, names: tuple[str, ...]) -> dict[str, float]:
    if forest is None:
        return {}
    shares = forest.trees.feature_importances_
    order = np.argsort(-shares, kind="stable")[:_N_IMPORTANCES]
    return {names[i]: round(float(shares[i]), 5) for i in order}


def _domain_words(model: PropertyModel) -> str:
    elements = [el for el, rows in model.domain.element_rows.items() if rows and el != "H"]
    ranges = [f"{name} {low:g} to {high:g}" for name, (low, high) in model.domain.ranges.items()]
    return "; ".join(filter(None, [f"elements {' '.join(elements)}" if elements else "", *ranges]))
