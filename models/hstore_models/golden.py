"""Golden predictions: what a model answered on the day it was saved, to tell a drift of its answers.

The same model file can answer differently when a library underneath changes: an elemental property is corrected, a
sum is ordered anew. About 25 probes, some fixed and some drawn from the families of the training rows, are stored
with their answers and the versions of that day; asked again, every answer that moved is named, with the libraries
that changed.
"""

from __future__ import annotations

import builtins
import hashlib
import math
import platform
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from hstore.formula import parse_amounts
from hstore_models.prediction import Predictions, Query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TOLERANCE = 1e-6
"""Relative difference up to which an answer has not moved."""

N_PROBES = 25
"""Probes of a model, fixed ones included."""

_LIBRARIES = (
    "hstore", "matminer", "numba", "numpy", "pandas", "pymatgen", "scikit-learn", "scipy", "skops",
)  # fmt: skip
"""Libraries that can move an answer."""

_FORMULAS = ("LaNi5", "TiFe", "Mg2Ni", "NaAlH4", "Li7La3Zr2O12")
_STATE = {"temperature_k": 300.0}
_SORBENT = {
    "density_g_cm3": 0.59, "gsa_m2_g": 3700.0, "vsa_m2_cm3": 2200.0, "void_fraction": 0.8,
    "pore_volume_cm3_g": 1.36, "lcd_A": 15.0, "pld_A": 8.0,
}  # fmt: skip
"""Pores about those of MOF-5, in the columns of a table of sorbents."""
_SORBENT_STATES = ((77.0, 1.0), (77.0, 50.0), (160.0, 100.0))
_FROM_PORES = frozenset({"h2_uptake_wt_pct", "usable_capacity_wt_pct", "usable_capacity_g_per_l"})
_FAMILY_COLUMNS = ("alloy_class", "family", "sorbent_class", "group")
_NO_INPUT = frozenset({"row", "weight", "weak", "as_alloy", "ln_plateau_pressure_25c"})


class Predicts(Protocol):
    """A property model."""

    @property
    def properties(self) -> tuple[str, ...]:
        """Properties it predicts."""

    def predict(self, property_name: str, query: Query) -> Predictions:
        """Predict one property for each row of a query."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Probe(_Part):
    """One input and what was answered."""

    label: str
    """Formula or name."""
    amounts: dict[str, float]
    """Amounts of the elements; empty for a sorbent known by its pores."""
    columns: dict[str, float]
    """Conditions and descriptors."""
    answers: dict[str, tuple[float | None, float | None]] = {}
    """Property -> mean and standard deviation; None where the answer is no finite number."""


class Golden(_Part):
    """Probes of one model, with the versions under which it answered."""

    probes: tuple[Probe, ...]
    """The probes, in the order they were asked."""
    versions: dict[str, str]
    """Library -> version."""


@dataclass(frozen=True)
class Moved:
    """One answer that is not what it was."""

    label: str
    """Probe."""
    property: str
    """Property asked for."""
    quantity: str
    """``mean`` or ``std``."""
    then: float | None
    """Answer when the model was saved; None where it was no finite number."""
    now: float | None
    """Answer today."""

    @builtins.property  # the field of that name hides the built-in
    def relative(self) -> float:
        """Size of the difference relative to the larger of the two; infinite where one of them is no number."""
        return _relative(self.then, self.now)

    def __str__(self) -> str:
        """Say which answer moved and by how much."""
        return (
            f"{self.quantity} of {self.property} for {self.label}: {_number(self.then)} then, {_number(self.now)} "
            f"now ({self.relative:.2g} relative)"
        )


@dataclass(frozen=True)
class Drift:
    """What became of the golden predictions of a model."""

    n_answers: int
    """Answers compared."""
    moved: tuple[Moved, ...]
    """Answers that moved by more than ``TOLERANCE``, largest first."""
    changed: dict[str, tuple[str, str]]
    """Library -> version then and now, of those that differ."""

    def __str__(self) -> str:
        """Write the comparison for a terminal."""
        names = ", ".join(f"{name} {then} -> {now}" for name, (then, now) in self.changed.items())
        libraries = f"libraries that differ: {names}" if names else "all libraries are those of the training"
        if not self.moved:
            return f"{self.n_answers} answers are what they were; {libraries}"
        head = f"{len(self.moved)} of {self.n_answers} answers moved; {libraries}"
        return "\n".join([head, *(f"  {moved}" for moved in self.moved)])

    def record(self) -> dict[str, Any]:
        """Return the comparison for a program; a difference of no finite size is None."""
        moved = [{**m.__dict__, "relative": m.relative if math.isfinite(m.relative) else None} for m in self.moved]
        changed = {name: {"then": then, "now": now} for name, (then, now) in self.changed.items()}
        return {"n_answers": self.n_answers, "moved": moved, "changed_libraries": changed}


def golden_predictions(model: Predicts, rows: pd.DataFrame | None = None) -> Golden:
    """Choose probes and note what a model answers.

    Args:
        model: a fitted model.
        rows: its training rows, with ``amounts`` (or ``name`` and pore columns for sorbents) and, where known, a
            family in ``alloy_class``, ``family``, ``sorbent_class`` or ``group``; only fixed probes when None.
    """
    probes = _fixed(model) if rows is None or _is_made_of_these(model, rows) else []
    if rows is not None:
        probes += _drawn(rows, set(model.properties), N_PROBES - len(probes))
    answers = _answers(model, probes)
    answered = [
        probe.model_copy(update={"answers": answer}) for probe, answer in zip(probes, answers, strict=True)
    ]
    return Golden(probes=tuple(answered), versions=library_versions())


def check_golden(model: Predicts, golden: Golden, card_versions: Mapping[str, str] | None = None) -> Drift:
    """Ask a model its probes again.

    Args:
        model: the model as loaded.
        golden: its golden predictions.
        card_versions: library versions of its card, compared as well.
    """
    moved = []
    for probe, answers in zip(golden.probes, _answers(model, golden.probes), strict=True):
        for name, then in probe.answers.items():
            pairs = zip(("mean", "std"), then, answers.get(name, (None, None)), strict=True)
            found = [Moved(probe.label, name, quantity, before, now) for quantity, before, now in pairs]
            moved += [item for item in found if item.relative > TOLERANCE]
    return Drift(
        n_answers=sum(2 * len(probe.answers) for probe in golden.probes),
        moved=tuple(sorted(moved, key=lambda item: -item.relative)),
        changed=_changed({**(card_versions or {}), **golden.versions}),
    )


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that can move an answer."""
    return {"python": platform.python_version(), **{name: _version(name) for name in _LIBRARIES}}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _changed(then: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    today = library_versions()
    now = {name: today.get(name) or _version(name) for name in then}
    return {name: (then[name], now[name]) for name in sorted(then) if then[name] != now[name]}


def _fixed(model: Predicts) -> list[Probe]:
    if not _FROM_PORES & set(model.properties):
        return [Probe(label=f, amounts=parse_amounts(f), columns=_STATE) for f in _FORMULAS]
    return [
        Probe(
            label=f"pores of MOF-5, {kelvin:g} K, {bar:g} bar",
            amounts={},
            columns={**_SORBENT, "temperature_k": kelvin, "pressure_bar": bar, **_swing(kelvin, bar)},
        )
        for kelvin, bar in _SORBENT_STATES
    ]


def _swing(kelvin: float, bar: float) -> dict[str, float]:
    charge = {"charge_temperature_k": kelvin, "charge_pressure_bar": bar + 5.0}
    return {**charge, "discharge_temperature_k": kelvin, "discharge_pressure_bar": 5.0}


def _is_made_of_these(model: Predicts, rows: pd.DataFrame) -> bool:
    """Tell whether the fixed probes are of the kind the model takes: formulas, or pores."""
    return "amounts" in rows or bool(_FROM_PORES & set(model.properties))


def _drawn(rows: pd.DataFrame, properties: set[str], count: int) -> list[Probe]:
    """Draw rows from the families in turn, in an order that depends on nothing but the rows."""
    family = next((name for name in _FAMILY_COLUMNS if name in rows), None)
    families = [str(value) for value in rows[family]] if family else [""] * len(rows)
    labels = _labels(rows)
    first = {label: i for i, label in reversed(list(enumerate(labels)))}  # a material is drawn once
    order = sorted(first.values(), key=lambda i: (hashlib.sha256(labels[i].encode()).digest(), i))
    turn: Counter[str] = Counter()
    ranked = []
    for i in order:
        ranked.append((turn[families[i]], families[i], i))
        turn[families[i]] += 1
    inputs = [
        name
        for name in rows.columns
        if name not in _NO_INPUT | properties and pd.api.types.is_numeric_dtype(rows[name])
    ]
    known = {name: rows[name].to_numpy(dtype=float, na_value=np.nan) for name in inputs}
    amounts = list(rows["amounts"]) if "amounts" in rows else [{}] * len(rows)
    return [
        Probe(
            label=labels[i],
            amounts={str(element): float(amount) for element, amount in amounts[i].items()},
            columns={str(name): float(values[i]) for name, values in known.items() if np.isfinite(values[i])},
        )
        for _, _, i in sorted(ranked)[:count]
    ]


def _labels(rows: pd.DataFrame) -> list[str]:
    for name in ("formula", "name"):
        if name in rows and all(isinstance(value, str) and value for value in rows[name]):
            return list(rows[name])
    return [f"row {number}" for number in range(1, len(rows) + 1)]


def _answers(model: Predicts, probes: Sequence[Probe]) -> list[dict[str, tuple[float | None, float | None]]]:
    frame = pd.DataFrame([probe.columns for probe in probes], index=range(len(probes)))
    query = Query.of([dict(probe.amounts) for probe in probes], frame)
    answers: list[dict[str, tuple[float | None, float | None]]] = [{} for _ in probes]
    for name in model.properties:
        found = model.predict(name, query)
        for place, answer in enumerate(answers):
            answer[name] = _finite(found.mean[place]), _finite(found.std[place])
    return answers


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _relative(then: float | None, now: float | None) -> float:
    if then is None or now is None:
        return 0.0 if then is now else math.inf
    return abs(now - then) / max(abs(then), abs(now), 1e-12)


def _number(value: float | None) -> str:
    return "no number" if value is None else f"{value:.9g}"
