"""Models as bytes and back, without pickle.

A model is nested dataclasses of arrays, numbers and text, and is written as a zip of JSON, which names their
classes, and of arrays in numpy's own format. Reading takes a closed list of our classes. An estimator of
scikit-learn that a user's own spec asks for is a member of the zip in the format of skops, of the types that skops
holds safe; only then is skops needed, whose import takes longer than reading a model. Nothing in the file can name
code to be run.
"""

from __future__ import annotations

import dataclasses
import importlib
import io
import json
import re
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

_STRUCTURE = "model.json"
_MEMBER = re.compile(r"\d+\.(npy|skops)")
_ARRAYS = (".npy", ".npz")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNREADABLE = (
    ValueError, TypeError, LookupError, AttributeError, ImportError, OSError, EOFError, RuntimeError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What json, numpy, skops and zipfile raise on content of another form than they wrote."""
_PROBE_ROWS, _PROBE_COLUMNS = 60, 4


def to_bytes(model: Any) -> bytes:
    """Write a model.

    Raises:
        InputError: part of it is of a type that could not be read back safely, such as a learner made by an
            estimator outside the list that skops holds safe.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        structure = _Writer(archive).state(model)
        _add(archive, _STRUCTURE, json.dumps(structure).encode())
    return stream.getvalue()


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
    _check_members(data, where)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _Reader(archive, where).value(json.loads(archive.read(_STRUCTURE)))
    except _UNREADABLE as error:
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"model file {where} cannot be read ({words}); retrain it") from error


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
        kind = "a pickle" if data[:1] == b"\x80" else f"no zip ({error})"
        raise ModelError(f"model file {where} is {kind}, and was not opened; retrain it") from error
    foreign = [name for name in names if name != _STRUCTURE and not _MEMBER.fullmatch(name)]
    if foreign or _STRUCTURE not in names:
        found = f"holds {', '.join(foreign[:3])}" if foreign else f"has no {_STRUCTURE}"
        raise ModelError(
            f"model file {where} {found}; it may hold {_STRUCTURE} and arrays, and was not opened; retrain it"
        )


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Add a member; equal models are equal bytes."""
    info = zipfile.ZipInfo(name, _EPOCH)
    archive.writestr(info, content, zipfile.ZIP_DEFLATED, compresslevel=1)


class _Writer:
    """Turns values into JSON, and arrays and estimators into members of a zip."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._members = 0

    def state(self, value: Any) -> Any:
        if value is None or type(value) in {bool, int, float, str}:
            return value
        return [self.state(item) for item in value] if type(value) is list else self._tagged(value)

    def _tagged(self, value: Any) -> dict[str, Any]:
        """Return what JSON has no word for, under a name of its kind."""
        if type(value) is tuple:
            tagged: dict[str, Any] = {"tuple": [self.state(item) for item in value]}
        elif isinstance(value, dict):
            tagged = {"dict": [[self.state(key), self.state(item)] for key, item in value.items()]}
        elif isinstance(value, np.generic) and value.dtype.kind in "biuf":
            tagged = {"scalar": value.dtype.str, "value": value.item()}
        elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
            stream = io.BytesIO()
            np.save(stream, value, allow_pickle=False)
            tagged = {"array": self._member("npy", stream.getvalue())}
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            tagged = self._dataclass(value)
        else:
            tagged = {"estimator": self._member("skops", _estimator_bytes(value))}
        return tagged

    def _dataclass(self, value: Any) -> dict[str, Any]:
        name = type(value).__name__
        if CLASSES.get(name) != type(value).__module__:
            raise InputError(f"a {name} cannot be part of a saved model; known: {', '.join(sorted(CLASSES))}")
        fields = {field.name: self.state(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"class": name, "fields": fields}

    def _member(self, ending: str, content: bytes) -> str:
        name = f"{self._members}.{ending}"
        self._members += 1
        _add(self._archive, name, content)
        return name


class _Reader:
    """Turns what a writer wrote back."""

    def __init__(self, archive: zipfile.ZipFile, where: str) -> None:
        self._archive = archive
        self._where = where

    def value(self, state: Any) -> Any:
        match state:
            case list():
                found: Any = [self.value(item) for item in state]
            case {"class": name, "fields": fields}:
                found = _made(str(name), {key: self.value(item) for key, item in fields.items()})
            case {"dict": pairs}:
                found = {self.value(key): self.value(item) for key, item in pairs}
            case {"tuple": items}:
                found = tuple(self.value(item) for item in items)
            case {"scalar": kind, "value": number}:
                found = np.dtype(str(kind)).type(number)
            case {"array": name}:
                found = np.load(io.BytesIO(self._archive.read(name)), allow_pickle=False)
            case {"estimator": name}:
                found = _estimator(self._archive.read(name), self._where)
            case dict():
                raise ValueError(f"it holds {', '.join(map(str, state))[:80]}, which has no meaning")
            case _:
                found = state
        return found


def _estimator_bytes(value: Any) -> bytes:
    """Write what is neither ours nor plain.

    Raises:
        InputError: skops does not hold all of it safe.
    """
    import skops.io
    from skops.io.exceptions import UnsupportedTypeException

    try:
        data: bytes = skops.io.dumps(value)
    except UnsupportedTypeException as error:
        raise InputError(f"this model cannot be saved without pickle ({error}); {_INSTEAD}") from error
    unknown = set(skops.io.get_untrusted_types(data=data)) - TRUSTED
    if unknown:
        raise InputError(
            f"this model cannot be released: it holds {', '.join(sorted(unknown))}, not on the list of types that "
            f"may be loaded; {_INSTEAD}"
        )
    return data


def _estimator(data: bytes, where: str) -> Any:
    """Read what is neither ours nor plain.

    Raises:
        ModelError: it holds types that are not allowed.
    """
    import skops.io

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        foreign = [name for name in archive.namelist() if name != "schema.json" and not name.endswith(_ARRAYS)]
    if foreign:
        raise ModelError(f"model file {where} holds {', '.join(foreign[:3])} in an estimator; retrain it")
    unknown = set(skops.io.get_untrusted_types(data=data)) - TRUSTED
    if unknown:
        raise ModelError(
            f"model file {where} holds types that are not allowed: {', '.join(sorted(unknown))}; retrain it"
        )
    return skops.io.loads(data, trusted=sorted(TRUSTED))


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
