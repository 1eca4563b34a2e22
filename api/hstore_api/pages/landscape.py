"""All materials of a target, scored: what the design map shows."""

from __future__ import annotations

import gzip
import json
import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hstore.records import PUBLIC_SCOPE, Family, Scope
from hstore_api.errors import BusyError
from hstore_api.pages import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from hstore.records import Material
    from hstore_api.dependencies import Service
    from hstore_workflows.target import Target

MOST_POINTS = 20_000
"""Materials on a map; a larger store is cut off at that many, and the page says so."""

_log = logging.getLogger(__name__)
_FRESH_S = 600.0
_KEPT = 12
_DIGITS = 4
_MODEL_PROPERTY = {
    "hydride_capacity": "h2_capacity_wt_pct",
    "hydride_thermodynamics": "desorption_enthalpy_kj_per_mol_h2",
    "sorbent_uptake": "usable_capacity_wt_pct",
    "conductivity": "log10_conductivity_s_per_cm",
}


@dataclass(frozen=True)
class Guide:
    """What a target asks of a quantity, drawn as a line."""

    column: str
    """Column of the quantity."""
    value: float
    """Value that is asked."""
    at_least: bool
    """True where larger values are good."""
    words: str
    """What it is."""


@dataclass(frozen=True)
class Landscape:
    """A scored pool, ready to be sent."""

    table: pd.DataFrame
    """Candidates, best first."""
    columns: tuple[str, ...]
    """Quantities with a mean, or a probability, that can be an axis."""
    payload: bytes
    """What the map draws, compressed JSON."""
    shown: int
    """Candidates in it."""
    total: int
    """Candidates that the reader may see."""
    made_at: float
    """When it was made, by the clock of the process."""
    key: tuple[Any, ...]
    """What it was made from."""


class Landscapes:
    """The scored pools of one process, one for each target and lab, made in the background on first use."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._made: dict[tuple[str, str | None], Landscape] = {}
        self._failed: set[tuple[str, str | None]] = set()
        self._under_way: set[tuple[str, str | None]] = set()
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def get(self, target: Target, scope: Scope, *, wait: bool = False) -> Landscape | None:
        """Return the pool of a target as a scope sees it; None while it is being made.

        An older one is returned while a newer one is made. What a lab sees is made and kept apart.

        Args:
            target: what candidates are scored for.
            scope: in whose name.
            wait: True makes it before returning.
        """
        place = (target.name, scope.lab_id)
        found = self._made.get(place)
        key = self._key(target, scope)
        if _is_current(found, key):
            return found
        if wait:
            self._make(place, target, scope, key)
            return self._made.get(place)
        with self._lock:
            if place not in self._under_way:
                self._under_way.add(place)
                work = threading.Thread(target=self._make, args=(place, target, scope, key), daemon=True)
                work.start()
        # A pool of yesterday may hold what has been taken back since: it is shown again only for the same day.
        return found if found is not None and found.key[0] == key[0] else None

    def failed(self, target: Target, scope: Scope) -> bool:
        """Tell whether the last attempt to make a pool came to nothing."""
        return (target.name, scope.lab_id) in self._failed

    def _key(self, target: Target, scope: Scope) -> tuple[Any, ...]:
        count = sum(self.service.store.count_materials(scope=scope, family=family) for family in target.families)
        return scope.today, count

    def _make(self, place: tuple[str, str | None], target: Target, scope: Scope, key: tuple[Any, ...]) -> None:
        """Score a pool and keep it; one at a time, and not again what was made while this waited for its turn."""
        with self._turn:
            if not _is_current(self._made.get(place), key):
                self._score(place, target, scope, key)
        with self._lock:
            self._under_way.discard(place)

    def _score(self, place: tuple[str, str | None], target: Target, scope: Scope, key: tuple[Any, ...]) -> None:
        try:
            made = _landscape(self.service, target, scope, key)
        except BusyError:
            return  # a model is being trained; the page asks again
        except Exception:  # noqa: BLE001 - whatever it is, the page says so and the log has the cause
            _log.exception("the materials of target %s could not be scored", target.name)
            self._failed.add(place)
        else:
            self._failed.discard(place)
            self._made[place] = made
            while len(self._made) > _KEPT:
                self._made.pop(next(iter(self._made)))


def _is_current(found: Landscape | None, key: tuple[Any, ...]) -> bool:
    """Tell whether a pool was made from what is there now, and lately."""
    return found is not None and found.key == key and time.monotonic() - found.made_at < _FRESH_S


def guides(target: Target) -> list[Guide]:
    """Return what a target asks, by quantity."""
    if target.kind == "electrolyte":
        assert target.requirement is not None
        assert target.requirement.log10_conductivity_s_per_cm is not None
        asked = target.requirement.log10_conductivity_s_per_cm
        return [Guide("log10_conductivity_s_per_cm", asked, at_least=True, words="conductivity asked")]
    wt_pct, g_per_l = target.capacity_requirement()
    names = (
        ("usable_capacity_wt_pct", "usable_capacity_g_per_l")
        if target.kind == "sorbent"
        else ("h2_capacity_wt_pct", "h2_density_g_per_l")
    )
    found = [Guide(names[0], wt_pct, at_least=True, words="capacity asked")]
    if g_per_l is not None:
        found.append(Guide(names[1], g_per_l, at_least=True, words="density asked"))
    if target.kind == "hydride":
        assert target.swing is not None
        pressure = target.swing.discharge_pressure_bar
        found.append(Guide("plateau_pressure_bar", pressure, at_least=True, words="pressure of delivery"))
        found.append(Guide("p_window", 0.5, at_least=True, words="works rather than not"))
    return found


def _landscape(service: Service, target: Target, scope: Scope, key: tuple[Any, ...]) -> Landscape:
    import pandas as pd

    from hstore_workflows.pool import material_chunks
    from hstore_workflows.scoring import MODELS_OF_KIND, score_chunk
    from hstore_workflows.screen import rank

    predictor = service.predictor
    models = {name: predictor.model(_MODEL_PROPERTY[name], PUBLIC_SCOPE) for name in MODELS_OF_KIND[target.kind]}
    own: set[str] = set()
    parts = [
        pd.concat([chunk.identity, score_chunk(target, chunk.query, models)], axis=1)
        for chunk in material_chunks(_materials(service, target, scope, own))
    ]
    total = sum(service.store.count_materials(scope=scope, family=family) for family in target.families)
    if not parts:
        empty = pd.DataFrame({"material_id": []})
        return Landscape(empty, (), gzip.compress(b"{}"), 0, total, time.monotonic(), key)
    table = rank(pd.concat(parts, ignore_index=True), target)
    table["own"] = table["material_id"].isin(own)
    columns = _columns(table)
    payload = gzip.compress(json.dumps(_payload(table, columns, target), separators=(",", ":")).encode(), 6)
    return Landscape(table, columns, payload, len(table), total, time.monotonic(), key)


def _materials(service: Service, target: Target, scope: Scope, own: set[str]) -> Iterator[Material]:
    left = MOST_POINTS
    for family in target.families:
        for material in service.store.materials(scope=scope, family=family, limit=left):
            if not PUBLIC_SCOPE.allows(material.access):
                own.add(material.material_id)
            left -= 1
            yield material


def _columns(table: pd.DataFrame) -> tuple[str, ...]:
    names = [str(name) for name in table]
    means = [name.removesuffix("_mean") for name in names if name.endswith("_mean")]
    chances = [name for name in names if name.startswith("p_")]
    return tuple(name for name in ("score", *means, *chances) if _numbers(table, name).notna().any())


def _numbers(table: pd.DataFrame, name: str) -> pd.Series[float]:
    column = f"{name}_mean" if f"{name}_mean" in table else name
    numbers: pd.Series[float] = table[column].astype(float)
    return numbers


def _payload(table: pd.DataFrame, columns: tuple[str, ...], target: Target) -> dict[str, Any]:
    families = [family.value for family in Family if family in target.families]
    return {
        "ids": table["material_id"].tolist(),
        "names": [name or formula for name, formula in zip(table["name"], table["formula"], strict=True)],
        "families": families,
        "family": [families.index(family) for family in table["family"]],
        "known": table["known"].astype(int).tolist(),
        "inside": table["in_domain"].astype(int).tolist(),
        "own": table["own"].astype(int).tolist(),
        "labels": {name: {"label": words.label(name), "unit": words.unit(name)} for name in columns},
        "values": {name: _rounded(_numbers(table, name)) for name in columns},
        "lower": {name: _rounded(table[f"{name}_lower"]) for name in columns if f"{name}_lower" in table},
        "upper": {name: _rounded(table[f"{name}_upper"]) for name in columns if f"{name}_upper" in table},
        "guides": [
            {"column": g.column, "value": g.value, "atLeast": g.at_least, "words": g.words} for g in guides(target)
        ],
    }


def _rounded(numbers: pd.Series[float]) -> list[float | None]:
    from math import isfinite

    return [float(f"{x:.{_DIGITS}g}") if isfinite(x) else None for x in numbers.astype(float)]


def landscapes_of(service: Service, state: Any) -> Landscapes:
    """Return the pools of a running app, made on first use and again when its models are exchanged."""
    found = getattr(state, "landscapes", None)
    if not isinstance(found, Landscapes) or found.service is not service:
        found = state.landscapes = Landscapes(service)
    return found
