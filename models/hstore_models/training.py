"""Train the property models from the data present, and keep them up to date.

A model's id is made from its spec, its data's checksums, its code, the seed and the library versions, so the same
inputs give the same id, and any change gives a new version beside the old one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from hstore.errors import InputError, ModelError, unknown_name
from hstore_models.added_rows import AddedRows, read_added_rows
from hstore_models.conductivity import Conductivity, fit_conductivity
from hstore_models.gate import compare, with_parent_answers
from hstore_models.golden import golden_predictions
from hstore_models.hydride_capacity import HydrideCapacity, fit_capacity
from hstore_models.hydride_thermodynamics import HydrideThermodynamics, fit_thermodynamics
from hstore_models.learners import few_threads
from hstore_models.registry import LoadedModel, Registry
from hstore_models.row_files import load_table, save_table
from hstore_models.serialization import check_saveable
from hstore_models.sorbent import SorbentUptake, fit_sorbent
from hstore_models.spec import SHIPPED, Spec, shipped_spec
from hstore_models.table_property import fit_table_property
from hstore_models.training_card import make_card
from hstore_models.training_data import TrainingData, load_training_data, training_checksums

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hstore.settings import Settings
    from hstore_models.card import ModelCard
    from hstore_models.property_model import PropertyModel
    from hstore_models.verdict import Verdict

MODELS: dict[str, tuple[str, ...]] = {
    "hydride_capacity": HydrideCapacity.properties,
    "hydride_thermodynamics": HydrideThermodynamics.properties,
    "sorbent_uptake": SorbentUptake.properties,
    "conductivity": Conductivity.properties,
}
"""Shipped model -> properties it predicts."""

FROM_DESCRIPTORS = frozenset({"sorbent_uptake"})
"""Those of them that need the texture of a sorbent and cannot answer for a formula."""

ADDED = "added:"
"""How the sources of rows that a user added begin."""

LIBRARIES = ("hstore", "matminer", "numpy", "scikit-learn", "skops")
"""Libraries whose version is part of a model's id."""


@dataclass(frozen=True)
class Trained:
    """What came of training."""

    loaded: LoadedModel
    """The version that was trained."""
    added: tuple[AddedRows, ...]
    """Rows the user added, table by table, with what was doubted."""
    verdict: Verdict | None
    """How it compares with the version in use; None where it is in use itself or nothing was."""


def model_of(property_name: str, settings: Settings | None = None) -> str:
    """Return the name of the model that predicts a property.

    Args:
        property_name: canonical name of a property, or the target of a spec of the user's own.
        settings: where models of the user's own are; only shipped ones when None.

    Raises:
        UnknownNameError: no model predicts it; the message lists those that are predicted.
    """
    known = dict(MODELS)
    if settings is not None and property_name not in {p for group in MODELS.values() for p in group}:
        known |= {card.model: card.properties for card in Registry(settings.models_dir).cards()}
    for name, properties in known.items():
        if property_name in properties:
            return name
    raise unknown_name("predicted property", property_name, [p for group in known.values() for p in group])


def predicted_from_formulas(settings: Settings) -> tuple[str, ...]:
    """Return the properties that a formula, and a temperature, suffice to predict.

    Those of the shipped models come first, then those of specs of the user's own that are in use.
    """
    registry = Registry(settings.models_dir)
    found = [name for model, names in MODELS.items() if model not in FROM_DESCRIPTORS for name in names]
    for card in registry.cards():
        if card.spec.get("kind") == "property" and registry.current_id(card.model) == card.model_id:
            columns = {name: set(card.spec["targets"][name]["columns"]) for name in card.properties}
            found += [name for name in card.properties if columns[name] <= {"temperature_k"}]
    return tuple(dict.fromkeys(found))


def ensure(name: str, settings: Settings, *, say: Callable[[str], None] = lambda _: None) -> LoadedModel:
    """Return the version in use, after training it anew where data, code or libraries have changed.

    What a user has added to it, and a spec of the user's own, go into the new version as well.

    Args:
        name: model name.
        settings: where data and models are.
        say: told in one line when a model is trained, or another than the champion serves, and why.

    Raises:
        UnknownNameError: no such model.
        DataError: a data set it needs is damaged.
    """
    registry = Registry(settings.models_dir)
    champion = _champion(registry, name)
    spec = _spec_of(champion, name)
    if champion and _is_current(champion, spec, settings) and (loaded := registry.usable(name)):
        if loaded.note:
            say(loaded.note)
        return loaded
    why = _why(champion, settings)
    if champion and (refusal := registry.refusal(name, champion.model_id)):
        why = f"the version in use is refused ({refusal})"
    say(f"training {name}: {why}")
    tables = {} if champion is None else _added_tables(champion, settings)
    trained = train(spec, settings, tables=tables)
    card = trained.loaded.card
    if registry.current_id(name) != card.model_id:
        registry.promote(name, card.model_id, f"retrained: {why}")
    return trained.loaded


def train(
    spec: Spec,
    settings: Settings,
    *,
    tables: Mapping[str, pd.DataFrame] | None = None,
    own_spec: bool | None = None,
) -> Trained:
    """Train a version on the data present and the user's tables, and save it.

    Where nothing is in use yet it is put into use; else it is compared with what is, and the release is up to
    ``Registry.promote``.

    Args:
        spec: what to train.
        settings: where data and models are.
        tables: name -> table of rows to add (docs/how-to/training-data.md); doubtful rows are named.
        own_spec: True for a spec that is not the shipped one of its name; found by comparing when None.

    Raises:
        InputError: too few rows, or none of a table can be used.
        DataError: a data set it needs is damaged.
    """
    started = time.perf_counter()
    registry = Registry(settings.models_dir)
    in_use = registry.usable(spec.name)
    for target in spec.targets:
        for learner in spec.recipe(target).learners:
            check_saveable(learner)
    data, added = assemble_rows(spec, settings, tables or {}, in_use)
    model = fit(data, spec=spec, seed=settings.seed)
    held_out = model.held_out(data, group=spec.split.group)
    identifier = address(spec, data.checksums, settings)
    own = spec.name not in SHIPPED or spec != shipped_spec(spec.name) if own_spec is None else own_spec
    card = make_card(model, data, held_out, spec, identifier=identifier, added=added, seed=settings.seed)
    card = card.model_copy(
        update={
            "own_spec": own,
            "code_version": code_version(),
            "versions": versions(),
            "parent": None if in_use is None or in_use.card.model_id == identifier else in_use.card.model_id,
            "wall_time_s": round(time.perf_counter() - started, 2),
        }
    )
    table = pd.concat([rows.frame(name) for name, rows in held_out.items()], ignore_index=True)
    if in_use is not None and card.parent:
        queries = {name: query for name, rows in held_out.items() if (query := rows.query()) is not None}
        table = with_parent_answers(table, in_use, queries, seen=_seen_groups(data, spec))
    card = registry.save(model, card, table, golden_predictions(model, data.rows))
    loaded = LoadedModel(model, card, table)
    verdict = None
    if in_use is not None and in_use.card.model_id != card.model_id:
        verdict = compare(in_use, loaded, metric=spec.metric)
    return Trained(loaded, added, verdict)


def assemble_rows(
    spec: Spec, settings: Settings, tables: Mapping[str, pd.DataFrame], in_use: LoadedModel | None = None
) -> tuple[TrainingData, tuple[AddedRows, ...]]:
    """Return the training rows of a spec: its data sets, its own files, and tables that are added.

    Args:
        spec: what is trained.
        settings: where the data are.
        tables: name -> table of rows to add.
        in_use: version that added values are compared with.

    Raises:
        InputError: none of the rows of a table can be used.
        DataError: a data set is damaged.
    """
    data = _set_rows(spec, settings)
    read = []
    names = [*(file.stem for file in spec.data.files), *tables]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(
            f"several tables of {spec.name!r} are called {', '.join(sorted(twice))}, by which rows are known; "
            "rename all but one"
        )
    for name, frame in [*((file.stem, pd.read_csv(file, dtype=str)) for file in spec.data.files), *tables.items()]:
        champion = in_use.model if in_use else None
        model = spec if spec.kind == "property" else spec.kind
        rows = read_added_rows(frame, model, known=data.rows, champion=champion, name=name)
        data = rows.joined_to(data, sha256=save_table(frame, settings))
        read.append(rows)
    if data.rows.empty:
        raise InputError(
            f"spec {spec.name!r} names no data that are present; set data.files, data.public or --data"
        )
    return data, tuple(read)


def learned_from(name: str, settings: Settings) -> tuple[Spec, TrainingData]:
    """Return the spec of the version in use and the rows it was trained on, those a user added included.

    Where nothing is in use yet, they are those of the shipped spec.

    Args:
        name: model name.
        settings: where data and models are.

    Raises:
        UnknownNameError: no such model.
        DataError: a data set is damaged, or an added table is gone.
    """
    spec, tables = made_from(name, settings)
    return spec, assemble_rows(spec, settings, tables)[0]


def made_from(name: str, settings: Settings) -> tuple[Spec, dict[str, pd.DataFrame]]:
    """Return what a model is made anew from: its spec, and the tables that were added to the version in use.

    Args:
        name: model name.
        settings: where models and added tables are.

    Raises:
        UnknownNameError: no such model.
        DataError: an added table is gone, or was changed.
    """
    champion = _champion(Registry(settings.models_dir), name)
    spec = _spec_of(champion, name)
    return spec, {} if champion is None else _added_tables(champion, settings)


def _spec_of(champion: ModelCard | None, name: str) -> Spec:
    """Return the spec by which a model is made anew: its own where it has one."""
    if champion is None or not champion.own_spec:
        return shipped_spec(name)
    return _without_files(Spec.model_validate(champion.spec))


def _set_rows(spec: Spec, settings: Settings) -> TrainingData:
    """Return the rows of the data sets of a spec, those that it keeps."""
    if spec.kind == "property":
        return TrainingData(spec.name, pd.DataFrame(), None, {}, 0)
    data = load_training_data(spec.kind, settings)
    wanted = {spec.data.curated, *spec.data.public}
    rows, simulated = data.rows[data.rows["source"].isin(wanted)], data.simulated
    if simulated is not None:
        simulated = simulated[simulated["source"].isin(wanted)].reset_index(drop=True)
    isotherms = data.isotherms if "isodb_h2" in wanted else None
    for column, values in spec.data.keep.items():
        if column in rows:
            rows = rows[rows[column].isna() | rows[column].isin(values)]
    checksums = {key: digest for key, digest in data.checksums.items() if key.split("/")[0] in wanted}
    return dataclasses.replace(
        data, rows=rows.reset_index(drop=True), simulated=simulated, isotherms=isotherms, checksums=checksums
    )


def fit(data: TrainingData, *, spec: Spec | None = None, seed: int = 0) -> PropertyModel:
    """Fit the model that belongs to training data, without saving it.

    Args:
        data: training rows.
        spec: what to fit; the shipped spec of the data's model when None.
        seed: seed of learners and folds.
    """
    spec = spec or shipped_spec(data.model)
    if spec.kind == "sorbent_uptake":
        return fit_sorbent(data.rows, data.simulated, data.isotherms, spec=spec, seed=seed)
    with few_threads(len(data.rows)):
        if spec.kind == "hydride_capacity":
            return fit_capacity(data.rows, spec=spec, seed=seed)
        if spec.kind == "hydride_thermodynamics":
            return fit_thermodynamics(data.rows, spec=spec, seed=seed)
        if spec.kind == "conductivity":
            return fit_conductivity(data.rows, spec=spec, seed=seed)
        return fit_table_property(data.rows, spec, seed=seed)


def address(spec: Spec, checksums: Mapping[str, str], settings: Settings) -> str:
    """Return the content address of what would be trained by a spec from data of these checksums."""
    content: list[Any] = [
        _without_files(spec).model_dump(mode="json"),
        sorted(checksums.items()),
        settings.seed,
        code_version(),
        versions(),
    ]
    text = json.dumps(content, sort_keys=True)
    return f"{spec.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


@cache
def code_version() -> str:
    """Return a hash of the code that makes models from data, so that changed code means a new model."""
    digest = hashlib.sha256()
    for package, pattern in (("hstore_models", "**/*.*"), ("hstore_data", "**/*.py"), ("hstore", "formula*.py")):
        folder = Path(str(resources.files(package)))
        for path in sorted(p for p in folder.glob(pattern) if p.suffix in {".py", ".csv"}):
            digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def versions() -> dict[str, str]:
    """Return the versions of the libraries that a model's answers depend on."""
    return {name: version(name) for name in LIBRARIES}


def _seen_groups(data: TrainingData, spec: Spec) -> set[str]:
    """Return the groups of rows that no user has added: those that the version in use was trained on as well."""
    rows = data.rows
    if spec.split.group not in rows:
        return set()
    return set(rows.loc[~rows["source"].str.startswith(ADDED), spec.split.group].astype(str))


def _champion(registry: Registry, name: str) -> ModelCard | None:
    """Return the card of the version in use; None where there is none that can be read."""
    current = registry.current_id(name)
    try:
        return None if current is None else registry.card(name, current)
    except ModelError:
        return None


def _is_current(champion: ModelCard, spec: Spec, settings: Settings) -> bool:
    """Tell whether a version was made by this code and these libraries from the data sets present."""
    here = training_checksums(spec.kind, settings) if spec.kind in MODELS else {}
    wanted = {spec.data.curated, *spec.data.public}
    here = {key: digest for key, digest in here.items() if key.split("/")[0] in wanted}
    added = {key: digest for key, digest in champion.checksums.items() if key.startswith(ADDED)}
    return champion.model_id == address(spec, here | added, settings)


def _added_tables(champion: ModelCard, settings: Settings) -> dict[str, pd.DataFrame]:
    """Return the tables of the user's that a version was trained on, as they were kept then."""
    names = {
        key.removeprefix(ADDED): digest for key, digest in champion.checksums.items() if key.startswith(ADDED)
    }
    return {name: load_table(digest, settings) for name, digest in names.items()}


def _without_files(spec: Spec) -> Spec:
    """Return a spec without the paths of its files: what they held is known by its checksum."""
    return spec.model_copy(update={"data": spec.data.model_copy(update={"files": ()})})


def _why(champion: ModelCard | None, settings: Settings) -> str:
    if champion is None:
        return "no model that can be used yet"
    kind = champion.spec.get("kind", champion.model)
    here = training_checksums(kind, settings) if kind in MODELS else {}
    sets = champion.spec.get("data", {})
    wanted = {sets.get("curated"), *sets.get("public", ())} if sets else {key.split("/")[0] for key in here}
    here = {key: digest for key, digest in here.items() if key.split("/")[0] in wanted}
    before = {key: digest for key, digest in champion.checksums.items() if not key.startswith(ADDED)}
    if before == here:
        return "code, features or library versions changed"
    changed = sorted({file.split("/")[0] for file, _ in before.items() ^ here.items()})
    return f"data changed ({', '.join(changed)})"
