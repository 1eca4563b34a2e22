"""Candidates from the Materials Project, through its own client.

A fetch is all or nothing: the number of distinct materials received must equal the number the server
announced. The client steps by the page size it asked for, so a server that gives shorter pages makes it skip
rows without a word; the search is then repeated in pages of the size the server gives.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.errors import FetchError, InputError, SettingsError, unknown_name
from hstore.records import Family
from hstore_workflows.sources.mp_client import ClientPolicy, GuardedClient, open_client
from hstore_workflows.sources.mp_records import FIELDS, NON_METALS, RejectedDocument, materials_of

if TYPE_CHECKING:
    from hstore.records import Material
    from hstore.settings import Settings
    from hstore.store import Store

FamilyPreset = Literal["hydride", "alloy_host", "electrolyte"]
"""Ready-made restrictions: hydrides without O and C; metals without H; H-free compounds of a mobile ion."""

_MOBILE_IONS = frozenset({"Li", "Na", "K", "Ag", "Cu", "Mg", "Ca", "Zn", "Al"})
_HYDRIDE_EXCLUDES = frozenset({"O", "C"})
_KEY_LENGTH = 32
_PAGING_ATTEMPTS = 3


@dataclass(frozen=True)
class MPQuery:
    """What to ask for; at least one of elements, chemical systems, exclusions or family is required."""

    elements: tuple[str, ...] = ()
    """Elements that must all be present."""
    chemical_systems: tuple[str, ...] = ()
    """Exact chemical systems such as ``"La-Ni-H"``; any of them."""
    exclude_elements: tuple[str, ...] = ()
    """Elements that must be absent."""
    family: FamilyPreset | None = None
    """Ready-made restriction; fixes the family of the records except for hydrides."""
    energy_above_hull_max: float | None = None
    """Highest energy above the hull, eV/atom."""
    limit: int | None = None
    """At most so many materials."""

    def __post_init__(self) -> None:
        """Refuse what would match everything, nothing, or no element of the table."""
        if not (self.elements or self.chemical_systems or self.exclude_elements or self.family):
            raise InputError(
                "a query without elements, chemical system, exclusion or family asks for the whole database, "
                "which this client does not serve; give one, such as --chemsys La-Ni-H"
            )
        systems = [el for system in self.chemical_systems for el in system.split("-")]
        for symbol in (*self.elements, *self.exclude_elements, *systems):
            if symbol not in ATOMIC_MASS_G_PER_MOL:
                raise InputError(f"{symbol!r} is not an element; use symbols such as La or Ni")
        if self.family is not None and self.family not in get_args(FamilyPreset):
            raise unknown_name("family", self.family, get_args(FamilyPreset))
        both = (set(self.required) | set(systems)) & set(self.excluded)
        if both:
            raise InputError(
                f"{', '.join(sorted(both))} is asked for and excluded at once (family: {self.family}); "
                "leave one of the two out"
            )
        hull = self.energy_above_hull_max
        if hull is not None and not (math.isfinite(hull) and hull >= 0):
            raise InputError(f"energy above hull must be finite and at least 0 eV/atom, got {hull}")
        if self.limit is not None and self.limit < 1:
            raise InputError(f"limit must be at least 1, got {self.limit}")

    @property
    def required(self) -> tuple[str, ...]:
        """Elements that must be present, those of the family included."""
        wanted = set(self.elements)
        systems = {el for system in self.chemical_systems for el in system.split("-")}
        if self.family == "hydride":
            wanted.add("H")
        if self.family == "electrolyte" and not (wanted | systems) & _MOBILE_IONS:
            wanted.add("Li")
        return tuple(sorted(wanted))

    @property
    def excluded(self) -> tuple[str, ...]:
        """Elements that must be absent, those of the family included."""
        presets: dict[str | None, frozenset[str]] = {
            "hydride": _HYDRIDE_EXCLUDES - set(self.elements),
            "alloy_host": NON_METALS | {"H"},
            "electrolyte": frozenset({"H"}),
        }
        return tuple(sorted(set(self.exclude_elements) | presets.get(self.family, frozenset())))

    @property
    def record_family(self) -> Family | None:
        """Family that the preset fixes; None where it follows from each composition."""
        fixed = {"alloy_host": Family.INTERSTITIAL, "electrolyte": Family.ELECTROLYTE}
        return fixed.get(self.family or "")

    def criteria(self, page_rows: int) -> dict[str, Any]:
        """Return the keyword arguments for the search, in pages of so many rows."""
        hull = self.energy_above_hull_max
        found: dict[str, Any] = {
            "elements": list(self.required) or None,
            "chemsys": list(self.chemical_systems) or None,
            "exclude_elements": list(self.excluded) or None,
            "energy_above_hull": None if hull is None else (0.0, hull),
            "fields": list(FIELDS),
            "all_fields": False,
            "chunk_size": page_rows,
            "num_chunks": math.ceil(self.limit / page_rows) if self.limit else None,
        }
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class Fetched:
    """A complete answer, as records."""

    materials: tuple[Material, ...]
    """Usable materials, in the order received."""
    rejected: tuple[RejectedDocument, ...]
    """Documents that could not be used."""
    total: int
    """Materials the server announced, at most the limit."""
    received: int
    """Distinct materials received; always equal to ``total``."""
    database_version: str
    """Version of the database, as the server states it."""

    def store_in(self, store: Store) -> int:
        """Write all materials in one transaction and return their number."""
        return store.add_materials(self.materials, chunk_size=max(1, len(self.materials)))


def api_key(settings: Settings) -> str:
    """Return the Materials Project key from ``HSTORE_MP_API_KEY``, the settings file or ``MP_API_KEY``.

    Raises:
        SettingsError: there is none, or it has not 32 characters.
    """
    key = settings.mp_api_key.get_secret_value() if settings.mp_api_key else os.environ.get("MP_API_KEY", "")
    key = key.strip()
    if not key:
        raise SettingsError("no Materials Project key; set HSTORE_MP_API_KEY or MP_API_KEY")
    if len(key) != _KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise SettingsError(
            f"the Materials Project key must have {_KEY_LENGTH} plain characters, got {len(key)}; "
            "correct HSTORE_MP_API_KEY or MP_API_KEY"
        )
    return key


def fetch_materials(
    query: MPQuery, key: str, *, endpoint: str | None = None, policy: ClientPolicy | None = None
) -> Fetched:
    """Fetch what matches a query, completely or not at all.

    Args:
        query: what to ask for.
        key: API key, 32 characters; used for the requests and nothing else.
        endpoint: base URL of the API; None takes the client's default.
        policy: patience with the server.

    Raises:
        InputError: the endpoint is no URL.
        FetchError: the server failed, or delivered another number of materials than it announced.
    """
    policy = policy or ClientPolicy()
    client = open_client(key, endpoint=endpoint, policy=policy)
    documents, total = _complete(client, query, policy.page_rows)
    materials, rejected = materials_of(
        documents,
        family=query.record_family,
        database_version=client.database_version,
        retrieved=datetime.now(UTC).date(),
    )
    return Fetched(tuple(materials), tuple(rejected), total, len(documents), client.database_version)


def _complete(client: GuardedClient, query: MPQuery, page_rows: int) -> tuple[list[dict[str, Any]], int]:
    """Search until the distinct documents are as many as announced, in smaller pages if need be."""
    size = min(page_rows, query.limit or page_rows)
    for _ in range(_PAGING_ATTEMPTS):
        documents = client.search(query.criteria(size))
        announced = set(client.pages.totals)
        if len(announced) != 1:
            seen = ", ".join(map(str, sorted(announced))) or "none"
            raise FetchError(
                f"the server must announce one total for all pages of a search, got {seen}; "
                "if it is being updated try again later; nothing was stored"
            )
        total = min(announced.pop(), query.limit or math.inf)
        distinct = _distinct(documents)
        kept = list(distinct.values())[: query.limit]
        if len(kept) == total and (query.limit or len(documents) == total):
            return kept, len(kept)
        first_page = client.pages.rows[0]
        if not 0 < first_page < size:
            break
        size = first_page
    raise FetchError(
        f"the server announced {total} materials but delivered {len(kept)} distinct ones "
        f"in {len(documents)} rows; nothing was stored; try again later or narrow the query"
    )


def _distinct(documents: list[dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """Index documents by identifier; one without any stands for itself."""
    indexed: dict[Any, dict[str, Any]] = {}
    for place, document in enumerate(documents):
        if not isinstance(document, dict):
            raise FetchError(f"row {place} of the answer is no object but {document!r}; nothing was stored")
        identifier = document.get("material_id")
        indexed.setdefault(identifier if isinstance(identifier, str) else place, document)
    return indexed
