"""The served prediction as a function of what a material is given: its own descriptors, or those of another.

Whatever the model (a stack of unlike learners, three ensembles made consistent, an isotherm from texture), the
answer that is explained is the one that is served. A model asks its query for features, so a query whose features
are exchanged, meaning by meaning, is all that is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hstore.errors import InputError
from hstore_models.explain.meaning import Meaning, by_meaning, meaning_of
from hstore_models.features.pores import PORE_DESCRIPTORS
from hstore_models.inputs import MOLECULAR_HYDROGEN
from hstore_models.prediction import Query
from hstore_models.sorbent import SWING
from hstore_models.texture_isotherm import complete_texture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray, IntArray
    from hstore_models.property_model import PropertyModel

IDENTITY = Meaning("identity", "formula as such (mobile ion, stated hydrogen, name, unit cell)", "$^")
"""What is not a descriptor: a model may choose by it which of its parts answers."""

CONDITIONS = ("temperature_k", "pressure_bar", "reversible", *SWING)
"""Columns that say at which state is asked: they stay those of the material that is explained."""

_LOGARITHMIC = ("plateau_pressure_bar",)
_CHUNK_ROWS = 8192
_LOWEST = 1e-300


@dataclass(frozen=True)
class Part:
    """A part of what a material is given, exchanged as a whole."""

    meaning: Meaning
    """What it says physically."""
    columns: dict[tuple[str, ...], IntArray]
    """Table of features -> its columns."""
    frame: tuple[str, ...] = ()
    """Columns of the material's own table."""
    molecular_hydrogen: bool = False
    """True where the hydrogen of molecular anions belongs to it."""


class Served:
    """Answers of a model for materials put together from several ones.

    Args:
        model: what serves.
        property_name: property that is explained.
        query: all materials that descriptors are taken from; n rows.

    Raises:
        InputError: the model has no answer for any of the materials.
    """

    def __init__(self, model: PropertyModel, property_name: str, query: Query) -> None:
        """Let the model answer once, which tells what it looks at."""
        self._model, self._property = model, property_name
        self.query = query if query.amounts and any(query.amounts) else _with_texture(query)
        self.is_logarithmic = property_name in _LOGARITHMIC
        self.answers = self._value(self.query)
        self.tables = dict(self.query._features)  # noqa: SLF001 - the cache says which features the model asked for
        self.parts = self._parts()
        if not np.isfinite(self.answers).any():
            raise InputError(
                f"the model of {property_name} answers for none of {len(query)} materials; "
                "give the columns it needs"
            )

    @property
    def quantity(self) -> str:
        """What is added up: the property, or the decimal logarithm of a pressure."""
        return f"log10 {self._property}" if self.is_logarithmic else self._property

    def __call__(self, places: IntArray, stated_by: int) -> FloatArray:
        """Answer for materials put together part by part.

        Args:
            places: row from which each part is taken, shape ``(m, parts)``.
            stated_by: row whose conditions (temperature, pressure) hold for all.

        Returns:
            Answers, shape ``(m,)``.
        """
        chunks = [places[start : start + _CHUNK_ROWS] for start in range(0, len(places), _CHUNK_ROWS)]
        return np.concatenate([self._chunk(chunk, stated_by) for chunk in chunks])

    def descriptors(self) -> dict[str, tuple[str, FloatArray]]:
        """Return descriptor -> key of its meaning and values of each row, shape ``(n,)``."""
        found: dict[str, tuple[str, FloatArray]] = {}
        for part in self.parts:
            for key, columns in part.columns.items():
                table = self.tables[key]
                for column in columns.tolist():
                    found[table.names[column]] = (part.meaning.key, table.values[:, column])
            for name in part.frame if part.meaning is not IDENTITY else ():
                found[name] = (part.meaning.key, self.query.column(name))
        return found

    def _parts(self) -> tuple[Part, ...]:
        columns: dict[Meaning, dict[tuple[str, ...], IntArray]] = {}
        for key, table in self.tables.items():
            for meaning, places in by_meaning(table.names).items():
                columns.setdefault(meaning, {})[key] = np.array(places)
        own = [str(name) for name in self.query.frame if name not in CONDITIONS]
        wanted = {*self._model.feature_names, *PORE_DESCRIPTORS} - {
            name for table in self.tables.values() for name in table.names
        }
        numeric = [name for name in own if name in wanted]
        frames: dict[Meaning, list[str]] = {}
        for name in numeric:
            frames.setdefault(meaning_of(name), []).append(name)
        hydrogen = meaning_of(MOLECULAR_HYDROGEN)
        parts = [
            Part(m, columns.get(m, {}), tuple(frames.get(m, ())), m == hydrogen and bool(self.tables))
            for m in dict.fromkeys([*columns, *frames])
        ]
        rest = tuple(name for name in own if name not in numeric)
        return (*parts, Part(IDENTITY, {}, rest))

    def _chunk(self, places: IntArray, stated_by: int) -> FloatArray:
        kept = len(self.parts) - 1
        who = places[:, kept]
        frame = self.query.frame.iloc[np.full(len(places), stated_by)].reset_index(drop=True)
        tables = {key: table.values[who].copy() for key, table in self.tables.items()}
        hydrogen = None
        for number, part in enumerate(self.parts):
            rows = places[:, number]
            for key, columns in part.columns.items():
                tables[key][:, columns] = self.tables[key].values[np.ix_(rows, columns)]
            if part.frame:
                names = list(part.frame)
                frame[names] = self.query.frame[names].iloc[rows].reset_index(drop=True)
            if part.molecular_hydrogen:
                hydrogen = self.query.molecular_hydrogen[rows]
        amounts = tuple(self.query.amounts[row] for row in who.tolist())
        features = {key: replace(self.tables[key], values=values) for key, values in tables.items()}
        swapped = Query(amounts, frame, features)
        if hydrogen is not None:
            swapped.__dict__["molecular_hydrogen"] = hydrogen  # what the cached property would compute
        return self._value(swapped)

    def _value(self, query: Query) -> FloatArray:
        mean = self._model.predict(self._property, query).mean
        return np.asarray(np.log10(np.maximum(mean, _LOWEST)) if self.is_logarithmic else mean)


def together(first: Query, second: Query) -> Query:
    """Put the rows of one query after those of another; columns that only one states are empty in the other."""
    frame = pd.concat([first.frame, second.frame], ignore_index=True)
    return Query.of((*first.amounts, *second.amounts), frame)


def _with_texture(query: Query) -> Query:
    """State what follows from the texture that is stated, so that it can be exchanged."""
    return Query.of(query.amounts, query.frame.assign(**complete_texture(query)))


def spread_rows(n: int, count: int, seed: int) -> NDArray[np.int64]:
    """Draw ``count`` different rows of ``n`` by seed, in ascending order; all where there are no more."""
    rng = np.random.default_rng(seed)
    return np.sort(rng.permutation(n)[:count])
