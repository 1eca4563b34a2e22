"""Values as the pages show them: number, interval, state and source stay together."""

from __future__ import annotations

import builtins
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from hstore.properties import PROPERTIES
from hstore.records import Conditions, Kind
from hstore_api.pages import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hstore.records import PropertyValue, Provenance

LOGARITHMIC = frozenset({"plateau_pressure_bar"})
"""Properties whose bars have a logarithmic scale."""


SCALES = {
    "h2_capacity_wt_pct": (0.0, 8.0),
    "desorption_enthalpy_kj_per_mol_h2": (0.0, 100.0),
    "desorption_entropy_j_per_mol_h2_k": (80.0, 160.0),
    "plateau_pressure_bar": (1e-4, 1e4),
    "h2_uptake_wt_pct": (0.0, 12.0),
    "usable_capacity_wt_pct": (0.0, 12.0),
    "usable_capacity_g_per_l": (0.0, 50.0),
    "log10_conductivity_s_per_cm": (-10.0, 0.0),
    "activation_energy_ev": (0.0, 1.5),
}
"""Property -> the scale its bars have at least, so that those of different materials can be compared."""


@dataclass(frozen=True)
class Bar:
    """An interval drawn on the scale of its row, in percent of the width."""

    start: float
    """Lower end."""
    end: float
    """Upper end."""
    at: float
    """The value."""

    @property
    def style(self) -> str:
        """The three places as properties of a style."""
        return f"--from:{self.start:.1f}%;--to:{self.end:.1f}%;--at:{self.at:.1f}%"


@dataclass(frozen=True)
class Shown:
    """One value with all it needs to be used."""

    property: str
    """Canonical name."""
    kind: Kind
    """Measured, computed or predicted."""
    value: float
    """Value in the canonical unit."""
    source: str
    """Where it came from."""
    lower: float | None = None
    """Lower end of the 90 % interval."""
    upper: float | None = None
    """Upper end of the 90 % interval."""
    std: float | None = None
    """Standard uncertainty, where there is no interval."""
    sign: str = ""
    """``<`` where the value is an upper bound."""
    state: str = ""
    """State it holds for."""
    temperature_k: float | None = None
    """Temperature of that state, K, where there is one."""
    basis: str = ""
    """Definitions it follows."""
    link: str = ""
    """Address of the source, where it is known."""
    note: str = ""
    """Anything a reader must know before using it."""
    outside: str = ""
    """Why the model is not to be trusted here; empty where it is."""
    own: bool = False
    """True where only the reader's lab sees it."""

    @builtins.property  # the field of that name hides the built-in
    def text(self) -> str:
        """The number."""
        return f"{self.sign}{words.number(self.value)}"

    @builtins.property  # the field of that name hides the built-in
    def spread(self) -> str:
        """The interval or the uncertainty in words, empty where neither is known."""
        if self.lower is not None and self.upper is not None:
            return f"{words.number(self.lower)} to {words.number(self.upper)}"
        return f"± {words.number(self.std, 2)}" if self.std else ""


@dataclass(frozen=True)
class PropertyRow:
    """Everything known of one property of a material, the three kinds apart."""

    name: str
    """Canonical name."""
    values: tuple[Shown, ...] = field(default=())
    """Values of every kind."""
    beside: tuple[Shown, ...] = field(default=())
    """Values of other materials, for which the scale has room."""

    def of(self, kind: str) -> list[Shown]:
        """Return the values of one kind."""
        return [value for value in self.values if value.kind == kind]

    def bar(self, value: Shown) -> Bar | None:
        """Place the interval of a value on the scale of this row."""
        if value.lower is None or value.upper is None:
            return None
        return Bar(*(self._place(number) for number in (value.lower, value.upper, value.value)))

    def marks(self, value: Shown) -> list[float]:
        """Return where measured values of the same state stand beside a prediction, in percent of the width."""
        measured = [v for v in self.values if v.kind is Kind.MEASURED and v.state in {"", value.state}]
        return [self._place(v.value) for v in measured] if value.kind is Kind.PREDICTED else []

    @cached_property
    def _scale(self) -> tuple[float, float]:
        """Ends of the scale: at least the usual one of the property, and far enough for all values."""
        numbers = [n for v in (*self.values, *self.beside) for n in (v.value, v.lower, v.upper) if n is not None]
        scaled = [_scaled(self.name, n) for n in (*numbers, *SCALES.get(self.name, ()))]
        low, high = min(scaled), max(scaled)
        return (low, high) if high > low else (low - 0.5, high + 0.5)

    def _place(self, number: float) -> float:
        low, high = self._scale
        return 100 * (_scaled(self.name, number) - low) / (high - low)


def property_rows(values: Iterable[Shown], wanted: Sequence[str] = ()) -> list[PropertyRow]:
    """Group values by property, in the order of the properties; ``wanted`` come even without a value."""
    groups: dict[str, list[Shown]] = {name: [] for name in wanted}
    for value in values:
        groups.setdefault(value.property, []).append(value)
    order = {name: place for place, name in enumerate(PROPERTIES)}
    names = sorted(groups, key=lambda name: (order.get(name, len(order)), name))
    return [PropertyRow(name, tuple(groups[name])) for name in names]


def shown_value(value: PropertyValue, *, own: bool = False, outside: str = "", source: str = "") -> Shown:
    """Show a value of the store."""
    return Shown(
        property=value.property,
        kind=value.kind,
        value=value.value,
        source=source or source_words(value.provenance),
        lower=value.lower,
        upper=value.upper,
        std=value.standard_deviation,
        state=words.conditions_words(value.conditions),
        temperature_k=value.conditions.temperature_k,
        basis=words.basis_words(value.basis),
        link=words.reference_link(value.provenance.reference),
        note=value.provenance.note or "",
        outside=outside,
        own=own,
    )


def source_words(provenance: Provenance) -> str:
    """Name a source with its reference and licence."""
    return ", ".join(part for part in (provenance.source, provenance.reference, provenance.licence) if part)


def at(temperature_k: float | None = None, pressure_bar: float | None = None) -> str:
    """Print a state."""
    return words.conditions_words(Conditions(temperature_k=temperature_k, pressure_bar=pressure_bar))


def _scaled(name: str, number: float) -> float:
    return math.log(max(number, 1e-30)) if name in LOGARITHMIC else number
