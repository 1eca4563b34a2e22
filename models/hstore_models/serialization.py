"""Models as bytes and back, without pickle.

A model is nested dataclasses of arrays, numbers and text. It is written as dictionaries that name their class, in
the format of skops: a zip of JSON and of arrays in numpy's own format. Reading takes a closed list of our classes
and the types that skops itself holds safe; nothing in the file can name code to be run.
"""

from __future__ import annotations

import dataclasses
import importlib
import io
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError, ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore_models.learners import Learner

CLASSES: Mapping[str, str] = {
    "Calibration": "hstore_models.calibration",
    "Conductivity": "hstore_models.conductivity",
    "Domain": "hstore_models.domain",
    "Ensemble": "hstore_models.ensemble",
    "Estimator": "hstore_models.learners",
    "HydrideCapacity": "hstore_models.hydride_capacity",
    "HydrideThermodynamics": "hstore_models.hydride_thermodynamics",
    "IsothermPopulation": "hstore_models.isotherm",
    "KernelMachine": "hstore_models.gaussian_process",
    "OpenEnd": "hstore_models.calibration",
    "Reach": "hstore_models.calibration",
    "SorbentUptake": "hstore_models.sorbent",
    "Swing": "hstore_models.swing",
    "SwingEnsemble": "hstore_models.swing",
    "TableProperty": "hstore_models.table_property",
    "TextureIsotherm": "hstore_models.texture_isotherm",
    "Trees": "hstore_models.trees",
    "UptakeErrors": "hstore_models.texture_isotherm",
}
"""Dataclass that may be part of a saved model -> module it is in. A new class is added here and nowhere else."""

TRUSTED: frozenset[str] = frozenset()
"""Types allowed beside those skops holds safe: none, since trees are kept as plain arrays."""

_KIND = "hstore class"
_MEMBERS = (".npy", ".npz")
_SCHEMA = "schema.json"
_UNREADABLE = (
    ValueError, TypeError, LookupError, AttributeError, ImportError, OSError, EOFError, RuntimeError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What skops, numpy and zipfile raise on content of another form than they wrote."""
_PROBE_ROWS, _PROBE_COLUMNS = 60, 4


def to_bytes(model: Any) -> bytes:
    """Write a model.

    Raises:
        InputError: part of it is of a type that could not be read back safely, such as a learner made by an
            estimator outside the list that skops holds safe.
    """
    import skops.io
    from skops.io.exceptions import UnsupportedTypeException

    try:
        data: bytes = skops.io.dumps(_to_state(model), compression=zipfile.ZIP_DEFLATED, compresslevel=1)
    except UnsupportedTypeException as error:
        raise InputError(f"this model cannot be saved without pickle ({error}); {_INSTEAD}") from error
    unknown = set(skops.io.get_untrusted_types(data=data)) - TRUSTED
    if unknown:
        raise InputError(
            f"this model cannot be released: it holds {', '.join(sorted(unknown))}, not on the list of types that "
            f"may be loaded; {_INSTEAD}"
        )
    return data


_INSTEAD = (
    "use extra_trees, random_forest, boosting or gaussian_process, or an estimator of plain arrays such as "
    "sklearn.svm.SVR or sklearn.linear_model.Ridge"
)


def from_bytes(data: bytes, where: str) -> Any:
    """Read a model.

    Args:
        data: what :func:`to_bytes` gave.
        where: name of the file, for messages.

    Raises:
        ModelError: not of the form this version writes, or holding types that are not allowed.
    """
    import skops.io

    _check_members(data, where)
    try:
        unknown = set(skops.io.get_untrusted_types(data=data)) - TRUSTED
        if unknown:
            raise ModelError(
                f"model file {where} holds types that are not allowed: {', '.join(sorted(unknown))}; retrain it"
            )
        state = skops.io.loads(data, trusted=sorted(TRUSTED))
    except _UNREADABLE as error:
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"model file {where} cannot be read ({words}); retrain it") from error
    return _from_state(state)


def check_saveable(learner: Learner) -> None:
    """Fit a learner on a few invented rows and refuse it when what comes out could not be saved.

    To be called before a training, which would be lost otherwise.

    Raises:
        InputError: it cannot be saved; the message says what to use instead.
    """
    from hstore_models.learners import KINDS, fit_learner

    if learner.kind in KINDS:
        return
    rows = np.random.default_rng(0).random((_PROBE_ROWS, _PROBE_COLUMNS))
    try:
        fitted = fit_learner(learner, rows, rows.sum(axis=1), np.ones(len(rows)), seed=0)
    except (ValueError, TypeError):
        return  # it wants other rows than these, and shows at the training what it is
    try:
        to_bytes(fitted)
    except InputError as error:
        raise InputError(f"learner {learner.kind}: {error}") from error


def _check_members(data: bytes, where: str) -> None:
    """Refuse anything that is not a zip of JSON and arrays, a pickle above all, before any of it is looked at."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except _UNREADABLE as error:
        kind = "a pickle" if data[:1] == b"\x80" else f"no skops file ({error})"
        raise ModelError(f"model file {where} is {kind}, and was not opened; retrain it") from error
    foreign = [name for name in names if name != _SCHEMA and not name.endswith(_MEMBERS)]
    if foreign or _SCHEMA not in names:
        found = f"holds {', '.join(foreign[:3])}" if foreign else f"has no {_SCHEMA}"
        raise ModelError(
            f"model file {where} {found}; it may hold {_SCHEMA} and arrays, and was not opened; retrain it"
        )


def _to_state(value: Any) -> Any:
    """Turn nested dataclasses into dictionaries that name their class."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        name = type(value).__name__
        if CLASSES.get(name) != type(value).__module__:
            raise InputError(f"a {name} cannot be part of a saved model; known: {', '.join(sorted(CLASSES))}")
        return {_KIND: name, **{f.name: _to_state(getattr(value, f.name)) for f in dataclasses.fields(value)}}
    if isinstance(value, dict):
        return {key: _to_state(item) for key, item in value.items()}
    if type(value) in {list, tuple}:
        return type(value)(_to_state(item) for item in value)
    return value


def _from_state(state: Any) -> Any:
    if type(state) in {list, tuple}:
        return type(state)(_from_state(item) for item in state)
    if not isinstance(state, dict):
        return state
    values = {key: _from_state(item) for key, item in state.items() if key != _KIND}
    if _KIND not in state:
        return values
    return _made(str(state[_KIND]), values)


def _made(name: str, values: dict[str, Any]) -> Any:
    if name not in CLASSES:
        raise ModelError(f"saved model names the class {name!r}, which hstore does not know; retrain it")
    cls = getattr(importlib.import_module(CLASSES[name]), name)
    try:
        return cls(**_checked_nodes(values) if name == "Trees" else values)
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        raise ModelError(f"saved {name} does not fit this version of hstore ({error}); retrain it") from error


def _checked_nodes(values: dict[str, Any]) -> dict[str, Any]:
    """Restore the alignment of tree nodes, and refuse trees that the compiled walk could not leave.

    numpy's file format forgets that a record is aligned, which would have the walk compiled a second time.
    """
    from hstore_models.trees import NODE

    nodes, roots = values["nodes"].view(NODE), values["roots"]
    inner = np.flatnonzero(nodes["feature"] >= 0)
    ends = [nodes[child][inner] for child in ("left", "right", "missing")]
    forward = all(bool(np.all((end > inner) & (end < len(nodes)))) for end in ends)
    if not forward or np.any((roots < 0) | (roots >= len(nodes))):
        raise ValueError("its nodes do not lead from roots to leaves")
    return {**values, "nodes": nodes}
