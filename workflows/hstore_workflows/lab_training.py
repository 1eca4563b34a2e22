"""Train a model with a lab's own measurements: a version that is the lab's alone.

The rows go in under the lab's name, so that the version, its card and every prediction by it belong to the lab.
The public version, and whatever other labs are answered, stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from hstore.errors import InputError
from hstore.records import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hstore.records import Material, Measurement
    from hstore.settings import Settings
    from hstore.store import Store
    from hstore_models.card import ModelCard
    from hstore_models.training import Trained

TABLE = "measurements"
"""Name under which a lab's measurements are added to training."""

UPTAKE = "h2_uptake_wt_pct"
"""Property whose values are per mass of sorbent plus hydrogen where no basis is stated."""


def train_for_lab(
    settings: Settings,
    store: Store,
    model_or_property: str,
    lab_id: str,
    *,
    promote: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> ModelCard:
    """Train a version of a model with a lab's measurements beside the public data, and judge it by the gate.

    The measurements are those of the lab in the store, corrections in place of what they correct. What the lab's
    present version has learned from besides them, such as results of campaigns, goes in again.

    Args:
        settings: where data and models are.
        store: where the measurements are.
        model_or_property: name of a model, or of a property that one predicts.
        lab_id: the lab.
        promote: True puts the version into use for the lab where the gate finds it better.
        say: told what is being done, row by row what was doubted, and the verdict.

    Returns:
        The card of the version; its access is the lab's.

    Raises:
        UnknownNameError: there is no such model that everybody may see.
        InputError: the lab has no measurement the model can learn from.
        DataError: a data set it needs is damaged.
    """
    from hstore_models.registry import Registry
    from hstore_models.training import MODELS, ensure
    from hstore_workflows.train import model_named

    model = model_named(model_or_property, settings)
    in_use = Registry(settings.models_dir).usable(model) or ensure(model, settings, say=say)
    properties = MODELS.get(model, in_use.card.properties)
    table = measurements_table(store, lab_id, properties)
    if table.empty:
        raise InputError(
            f"lab {lab_id!r} has no measurements of {', '.join(properties)}, which {model} learns from; send some "
            "to /v1/measurements first"
        )
    say(f"training {model} with {len(table)} rows of measurements of lab {lab_id}")
    trained = train_beside(model, {TABLE: table}, settings, lab_id=lab_id)
    for line in (line for added in trained.added for line in added.lines()):
        say(line)
    card = trained.loaded.card
    _judge(card, settings, lab_id, promote=promote, say=say)
    return card


def _judge(card: ModelCard, settings: Settings, lab_id: str, *, promote: bool, say: Callable[[str], None]) -> None:
    """Say how a version compares with what the lab is served, and put it into use where that is earned."""
    from hstore_workflows.releases import Releases

    releases = Releases.of(settings)
    if releases.registry.current_id(card.model, lab_id) == card.model_id:
        say(f"{card.model_id} is in use already")
        return
    verdict = releases.compare(card.model_id, lab_id=lab_id)
    say(str(verdict))
    if promote and verdict.better:
        releases.promote(card.model_id, lab_id=lab_id)
        say(f"{card.model_id} is in use for lab {lab_id}")


def train_beside(model: str, tables: Mapping[str, pd.DataFrame], settings: Settings, *, lab_id: str) -> Trained:
    """Train a version with tables of a lab beside what the public version and the lab's own have learned from.

    Args:
        model: name of the model.
        tables: name -> rows to add, with the lab in ``lab_id``; one of a name used before replaces it.
        settings: where models are.
        lab_id: the lab.

    Raises:
        InputError: none of the rows of a table can be used.
    """
    from hstore_models.registry import Registry
    from hstore_models.row_files import load_table
    from hstore_models.training import ADDED, made_from, train

    spec, public = made_from(model, settings)
    own = Registry(settings.models_dir).usable(model, Scope(lab_id=lab_id))
    kept = {} if own is None else {
        key.removeprefix(ADDED): load_table(digest, settings)
        for key, digest in own.card.checksums.items() if key.startswith(ADDED)
    }  # fmt: skip
    return train(spec, settings, tables=public | kept | dict(tables))


def measurements_table(store: Store, lab_id: str, properties: Iterable[str]) -> pd.DataFrame:
    """Return a lab's measurements of some properties as a table to add to training.

    Values of one material in one state share a row, so that an enthalpy and an entropy give a pressure.

    Args:
        store: where they are.
        lab_id: the lab; measurements of others, published ones too, are left out.
        properties: what a model learns from.
    """
    wanted, scope = set(properties), Scope(lab_id=lab_id)
    found = [
        measurement
        for name in sorted(wanted)
        for measurement in store.measurements(scope=scope, property=name)
        if measurement.access.lab_id == lab_id
    ]
    materials = {m.material_id: m for m in store.materials_of({f.material_id for f in found}, scope=scope)}
    states: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for measurement in found:
        material, value = materials.get(measurement.material_id), measurement.value
        if material is None:  # the lab may no longer see what it measured
            continue
        rows = states.setdefault((material.material_id, value.conditions, value.basis), [])
        row = next((row for row in rows if value.property not in row), None)
        if row is None:
            row = _stated(material, measurement) | {"lab_id": lab_id}
            rows.append(row)
        row[value.property] = value.value
    return pd.DataFrame([row for rows in states.values() for row in rows])


def _stated(material: Material, measurement: Measurement) -> dict[str, Any]:
    """Return what a row says of its material and state."""
    from hstore_workflows.tables import DESCRIPTORS

    value = measurement.value
    basis = value.basis
    if value.property == UPTAKE and basis.mass_basis is None:
        # Said aloud, for a training table that is silent means the mass of the sorbent alone.
        basis = basis.model_copy(update={"mass_basis": "sorbent_plus_h2"})
    texture = {name: number for name, number in material.descriptors.items() if name in DESCRIPTORS}
    stated = value.conditions.model_dump(exclude_none=True) | basis.model_dump(exclude_none=True)
    return {"formula": material.formula, "name": material.name} | texture | stated
