"""Named groups of descriptors, computed for many materials into one stamped table."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError, unknown_name
from hstore_models.features.composition import CompositionBatch, FloatArray
from hstore_models.features.electrolyte import (
    electrolyte_features,
    electrolyte_names,
    root_fractions,
    root_names,
)
from hstore_models.features.hydride import hydride_features, hydride_names
from hstore_models.features.magpie import MAGPIE_NAMES, magpie_features

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hstore_models.features.composition import BoolArray

_CHUNK_ROWS = 20_000
_LIBRARIES = ("matminer", "numpy")
_PROBES = (
    {"La": 1.0, "Ni": 5.0}, {"Ti": 0.9, "Zr": 0.1, "Mn": 1.5, "V": 0.5}, {"Mg": 2.0, "Ni": 1.0, "H": 4.0},
    {"Ca": 1.0, "B": 2.0, "H": 8.0}, {"Li": 7.0, "La": 3.0, "Zr": 2.0, "O": 12.0},
    {"Li": 6.0, "P": 1.0, "S": 5.0, "Cl": 1.0}, {"V": 1.0, "Nb": 1.0, "Hf": 1.0, "Ti": 1.0, "Cr": 1.0},
)  # fmt: skip
_PROBE_DIGITS = 10


@dataclass(frozen=True)
class FeatureGroup:
    """A set of descriptors which are computed together."""

    name: str
    """Name by which the group is asked for."""
    names: Callable[[], tuple[str, ...]]
    """Names of its columns."""
    compute: Callable[[CompositionBatch], FloatArray]
    """Values of shape (n, d) for n materials."""


GROUPS: dict[str, FeatureGroup] = {
    group.name: group
    for group in (
        FeatureGroup("magpie", lambda: MAGPIE_NAMES, magpie_features),
        FeatureGroup("hydride", hydride_names, hydride_features),
        FeatureGroup("electrolyte", electrolyte_names, electrolyte_features),
        FeatureGroup("roots", root_names, root_fractions),
    )
}
"""Every group of composition descriptors by name."""


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Descriptors of n materials in d named columns."""

    names: tuple[str, ...]
    """Names of the columns, all different."""
    values: FloatArray
    """Values, shape (n, d); NaN where a descriptor is not defined."""
    groups: tuple[str, ...]
    """Groups the columns come from."""
    version: str
    """Stamp of what computed the values: equal stamps and columns mean equal values."""

    def __post_init__(self) -> None:
        """Check that names and values belong together."""
        if self.values.ndim != 2 or self.values.shape[1] != len(self.names):
            raise InputError(f"{len(self.names)} names need values of shape (n, {len(self.names)}), got "
                             f"{self.values.shape}; give one name per column")  # fmt: skip
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise InputError(f"feature names must differ, got {', '.join(twice)} twice; rename or select first")

    def __len__(self) -> int:
        """Return the number of materials, n."""
        return len(self.values)

    @property
    def mask(self) -> BoolArray:
        """True where a value is not defined, shape (n, d)."""
        return np.isnan(self.values)

    def select(self, names: Sequence[str]) -> FeatureTable:
        """Return some columns, in the order asked for.

        Raises:
            UnknownNameError: a name is not a column of this table.
        """
        position = {name: column for column, name in enumerate(self.names)}
        for name in names:
            if name not in position:
                raise unknown_name("feature", name, self.names)
        columns = [position[name] for name in names]
        return FeatureTable(tuple(names), self.values[:, columns], self.groups, self.version)

    def concat(self, other: FeatureTable) -> FeatureTable:
        """Put the columns of another table of the same materials beside these.

        Raises:
            InputError: the tables differ in length or share a column name.
        """
        if len(other) != len(self):
            raise InputError(f"tables of the same materials are needed, got {len(self)} and {len(other)} rows")
        return FeatureTable(
            self.names + other.names,
            np.concatenate([self.values, other.values], axis=1),
            tuple(dict.fromkeys(self.groups + other.groups)),
            _digest([self.version, other.version]),
        )


def featurize(batch: CompositionBatch, groups: Sequence[str] = ("magpie", "hydride")) -> FeatureTable:
    """Compute groups of descriptors for every material.

    Args:
        batch: n materials.
        groups: names of ``GROUPS``, in the order of the columns.

    Returns:
        One table with the columns of all groups.

    Raises:
        UnknownNameError: a group is not known; the message lists those which are.
        InputError: no group is given, or one twice.
        DataError: elemental data files are missing.
    """
    for name in groups:
        if name not in GROUPS:
            raise unknown_name("feature group", name, GROUPS)
    if not groups or len(set(groups)) < len(groups):
        raise InputError(f"name one or more different feature groups of {', '.join(GROUPS)}, got {tuple(groups)}")
    chosen = [GROUPS[name] for name in groups]
    names = tuple(column for group in chosen for column in group.names())
    values = np.empty((len(batch), len(names)))
    start = 0
    for chunk in batch.chunks(_CHUNK_ROWS):
        values[start : start + len(chunk)] = np.concatenate([group.compute(chunk) for group in chosen], axis=1)
        start += len(chunk)
    return FeatureTable(names, values, tuple(groups), feature_version(tuple(groups)))


@cache
def feature_version(groups: tuple[str, ...]) -> str:
    """Stamp groups by what they compute for a few fixed compositions, their names, and the libraries below.

    Any change of code or elemental data that moves one of those values by more than one part in 10^10 changes
    the stamp; a change of wording does not.
    """
    probes = CompositionBatch.from_amounts(_PROBES)
    content: list[object] = [[name, version(name)] for name in _LIBRARIES]
    for name in groups:
        rows = GROUPS[name].compute(probes).tolist()
        digits = [[f"{value + 0.0:.{_PROBE_DIGITS}e}" for value in row] for row in rows]
        content.append([name, GROUPS[name].names(), digits])
    return _digest(content)


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
