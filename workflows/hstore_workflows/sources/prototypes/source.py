"""Candidates from structure types: which types, which elements, streamed in a fixed order and counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from hstore.elements import SYMBOLS
from hstore.errors import InputError, unknown_name
from hstore.records import Family
from hstore_workflows.sources.prototypes import aflow, metals, salts
from hstore_workflows.sources.prototypes.hydride_types import load_prototypes
from hstore_workflows.sources.prototypes.ions import ELECTROLYTE_ANIONS
from hstore_workflows.sources.prototypes.made import Made
from hstore_workflows.sources.prototypes.structure_type import CENTRE, LIGAND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstore.records import Material
    from hstore_workflows.sources.prototypes.decoration import Misfit
    from hstore_workflows.sources.prototypes.made import Unfit
    from hstore_workflows.sources.prototypes.structure_type import Prototype

HYDRIDES = "hydrides"
"""Stands for every structure type of a known hydride."""
AFLOW = "aflow"
"""Stands for every usable type of the AFLOW library."""
FAMILIES = (Family.INTERSTITIAL, Family.IONIC, Family.COMPLEX, Family.ELECTROLYTE)
"""Families that structure types give."""


@dataclass(frozen=True)
class TypeLine:
    """One structure type as listed for the user."""

    name: str
    """Name to ask by."""
    title: str
    """Name as printed."""
    kind: str
    """``salt``, ``complex``, ``metal`` or ``aflow``."""
    examples: str
    """Compounds known with it."""
    source: str
    """Where it is described."""


@dataclass(frozen=True)
class PrototypeQuery:
    """Which types are decorated with which elements.

    Raises:
        InputError: an element or family cannot be used, or nothing is left to decorate.
        UnknownNameError: a type is not known.
    """

    types: tuple[str, ...] = (HYDRIDES,)
    """Names of types, ``hydrides`` or ``aflow``; AFLOW types also by mineral or Strukturbericht symbol."""
    elements: tuple[str, ...] = ()
    """Elements that may take the sites besides hydrogen or the anion; empty allows all that the rules know."""
    exclude_elements: tuple[str, ...] = ()
    """Elements that may not."""
    family: Family | None = None
    """Only this family; electrolytes are made only when asked for."""
    limit: int | None = None
    """At most so many materials."""

    def __post_init__(self) -> None:
        """Refuse what cannot give a single material."""
        for symbol in (*self.elements, *self.exclude_elements):
            if symbol not in SYMBOLS:
                raise InputError(f"unknown element {symbol!r}; use symbols such as Mg")
        if self.family is not None and self.family not in FAMILIES:
            names = ", ".join(FAMILIES)
            raise InputError(f"structure types give no {self.family} materials; ask for one of {names}")
        if {*self.elements} & {*self.exclude_elements}:
            both = ", ".join(sorted({*self.elements} & {*self.exclude_elements}))
            raise InputError(f"{both} stands in both elements and exclude-elements; drop it from one of them")
        if self.limit is not None and self.limit < 1:
            raise InputError(f"limit must be at least 1, got {self.limit}")
        for name in self.types:
            _resolve(name)

    def allows(self, element: str) -> bool:
        """Tell whether an element may be used."""
        if element in self.exclude_elements:
            return False
        return not self.elements or element in self.elements

    def wants(self, family: Family) -> bool:
        """Tell whether a family is asked for."""
        if self.family is None:
            return family is not Family.ELECTROLYTE
        return family is self.family


@dataclass
class PrototypeSource:
    """A stream of decorated structure types; iterate once, the counts are complete afterwards."""

    query: PrototypeQuery
    """What is asked for."""
    tried: int = 0
    """Charge-balanced or metallic assignments looked at so far."""
    ruled_out: dict[str, int] = field(default_factory=dict)
    """Assignments ruled out so far, by reason."""

    def __iter__(self) -> Iterator[Material]:
        """Yield materials, type by type; an identifier comes once."""
        return islice(self._materials(), self.query.limit)

    def _materials(self) -> Iterator[Material]:
        current, seen = "", set[str]()  # identifiers of one type only, so that memory stays flat
        for attempt in self._attempts():
            self.tried += 1
            if not isinstance(attempt, Made):
                self.ruled_out[attempt.value] = self.ruled_out.get(attempt.value, 0) + 1
                continue
            if attempt.prototype.slug != current:
                current, seen = attempt.prototype.slug, set()
            material = attempt.material()
            if material.material_id not in seen:
                seen.add(material.material_id)
                yield material

    def _attempts(self) -> Iterator[Made | Unfit | Misfit]:
        done: set[str] = set()
        for name in self.query.types:
            for kind, slug in _resolve(name):
                if slug not in done:
                    done.add(slug)
                    if kind == HYDRIDES:
                        yield from self._on_hydride_type(load_prototypes()[slug])
                    else:
                        yield from self._on_aflow_entry(aflow.load_entries()[slug])

    def _on_hydride_type(self, prototype: Prototype) -> Iterator[Made | Unfit | Misfit]:
        allows, wants = self.query.allows, self.query.wants
        hydrogen = LIGAND not in self.query.exclude_elements
        if prototype.alloy_class:
            if wants(Family.INTERSTITIAL) and hydrogen:
                yield from metals.metallic_hydrides(prototype, allows)
        elif CENTRE in prototype.roles:
            if wants(Family.COMPLEX) and hydrogen:
                yield from salts.complex_salts(prototype, allows)
        else:
            yield from self._simple_salts(prototype)

    def _on_aflow_entry(self, entry: aflow.Entry) -> Iterator[Made | Unfit | Misfit]:
        if not aflow.usable(entry):
            return
        if self.query.wants(Family.INTERSTITIAL):
            yield from metals.hosts(aflow.host_type(entry), self.query.allows)
        if self.query.wants(Family.IONIC) or self.query.wants(Family.ELECTROLYTE):
            for prototype in aflow.salt_types(entry):
                yield from self._simple_salts(prototype)

    def _simple_salts(self, prototype: Prototype) -> Iterator[Made | Unfit | Misfit]:
        if self.query.wants(Family.IONIC) and LIGAND not in self.query.exclude_elements:
            yield from salts.simple_salts(prototype, "H", self.query.allows)
        if self.query.wants(Family.ELECTROLYTE):
            for anion in ELECTROLYTE_ANIONS:
                if self.query.allows(anion):
                    yield from salts.simple_salts(prototype, anion, self.query.allows)


def list_types() -> list[TypeLine]:
    """Return every structure type a query can name, hydride types first."""
    lines = [
        TypeLine(p.slug, p.structure_type, _kind(p), ", ".join(p.examples), p.source)
        for p in load_prototypes().values()
    ]
    entries = (entry for entry in aflow.load_entries().values() if aflow.usable(entry))
    return lines + [TypeLine(e.label, e.name, "aflow", e.compound, aflow.SOURCE) for e in entries]


def _kind(prototype: Prototype) -> str:
    if prototype.alloy_class:
        return "metal"
    return "complex" if CENTRE in prototype.roles else "salt"


def _resolve(name: str) -> list[tuple[str, str]]:
    """Return the types a name stands for, as pairs of library and slug."""
    if name == HYDRIDES:
        return [(HYDRIDES, slug) for slug in load_prototypes()]
    if name == AFLOW:
        return [(AFLOW, label) for label in aflow.load_entries()]
    if name in load_prototypes():
        return [(HYDRIDES, name)]
    entries = aflow.load_entries()
    found = [label for label, entry in entries.items() if name == label or name.lower() in entry.aliases]
    if not found:
        names = [HYDRIDES, AFLOW, *load_prototypes()]
        close = [alias for entry in entries.values() for alias in entry.aliases]
        raise unknown_name("structure type", name, names + (close if len(name) > 2 else []))
    return [(AFLOW, label) for label in found]
