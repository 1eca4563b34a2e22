"""Candidates from the Materials Project, through its own client.

A fetch is all or nothing: the number of distinct documents received must equal the number the server announced,
search by search. Every answered page is kept in a :class:`~hstore_workflows.sources.journal.Journal` until the
materials are in the store, so a fetch that was killed goes on where it was.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hstore.errors import SettingsError, unknown_name
from hstore_workflows.sources.journal import Journal, unfinished
from hstore_workflows.sources.mp_client import Found, GuardedClient, Watch, open_client
from hstore_workflows.sources.mp_records import FIELDS, THERMO_FIELDS, Reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hstore.records import Material
    from hstore.settings import Settings
    from hstore_workflows.sources.intake import Rejected
    from hstore_workflows.sources.mp_query import MPQuery
    from hstore_workflows.sources.mp_transport import ClientPolicy

SOURCE = "mp"
_KEY_LENGTH = 32


@dataclass(frozen=True)
class Fetched:
    """A complete answer, waiting to be taken in."""

    total: int
    """Materials that match the query, as the server announced, at most the limit."""
    database_version: str
    """Version of the database, as the server states it."""
    not_found: tuple[str, ...]
    """Identifiers asked for that are not among the answers."""
    beyond_hull: int
    """Documents left out for their energy above the hull of the thermo type asked for, or for lack of it."""
    _client: GuardedClient
    _found: Found
    _reader: Reader

    @property
    def received(self) -> int:
        """Distinct materials received; always equal to ``total``."""
        return self._found.count

    def items(self) -> Iterator[Material | Rejected]:
        """Give the materials, and what cannot be used, in the order received; memory holds one page."""
        for document in self._client.documents(self._found):
            yield self._reader.read(document)

    def forget(self) -> None:
        """Drop the answers kept on disk, once the materials are in the store."""
        self._client.forget()


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


@dataclass(frozen=True)
class MPAccess:
    """How to reach the Materials Project, and where unfinished fetches are kept."""

    key: str
    """API key, 32 characters; used for the requests and nothing else."""
    home: Path
    """``HSTORE_HOME``."""
    endpoint: str | None = None
    """Base URL of the API; None takes the client's default."""
    policy: ClientPolicy | None = None
    """Patience with the server."""
    watch: Watch = field(default_factory=Watch)
    """Who is told about progress."""
    restart: bool = False
    """Forget what an interrupted fetch of the same query has received."""

    def __repr__(self) -> str:
        """Show everything but the key."""
        return f"MPAccess(endpoint={self.endpoint!r}, home={str(self.home)!r})"

    def open(self, query: str) -> GuardedClient:
        """Open a client with the journal of a query.

        Raises:
            InputError: the endpoint is no URL.
            FetchError: the server cannot be reached, or the journal cannot be written.
        """
        client = open_client(self.key, endpoint=self.endpoint, policy=self.policy, watch=self.watch)
        client.transport.journal = self._journal(client, query)
        return client

    def _journal(self, client: GuardedClient, query: str) -> Journal:
        version = client.database_version or f"not stated, {datetime.now(UTC).date()}"
        identity = {"endpoint": client.endpoint, "database_version": version, "query": query}
        for left in unfinished(self.home, source=SOURCE):
            outdated = left.identity | {"database_version": version}
            if left.identity.get("endpoint") == client.endpoint and outdated != left.identity:
                left.discard()
                if outdated == identity:
                    self.watch.note(
                        f"the database went from version {left.identity.get('database_version')} to {version} "
                        "since this fetch was interrupted; it starts afresh"
                    )
        journal = Journal.open(self.home, source=SOURCE, identity=identity)
        if self.restart:
            journal.discard()
        if kept := len(journal):
            self.watch.note(f"an interrupted fetch goes on: {kept} answers are on disk (--restart forgets them)")
        return journal


def fetch_materials(query: MPQuery, access: MPAccess) -> Fetched:
    """Fetch what matches a query, completely or not at all.

    Args:
        query: what to ask for.
        access: how to reach the Materials Project.

    Raises:
        InputError: the endpoint is no URL, or a field is unknown.
        FetchError: the server failed, or delivered another number of materials than it announced.
    """
    client = access.open(query.text())
    known = client.rester.materials.summary.document_model.model_fields
    for name in query.fields:
        if name not in known:
            raise unknown_name("field", name, known)
    fields = list(dict.fromkeys((*FIELDS, *query.fields)))
    found = client.search(
        "summary", query.criteria() | {"fields": fields}, limit=None if query.filters_here else query.limit
    )
    reader = Reader(
        family=query.record_family,
        database_version=client.database_version,
        retrieved=datetime.now(UTC).date(),
        extra_fields=query.fields,
    )
    complete = query.limit is None or found.count < query.limit
    not_found = set(query.ids) - set(found.identifiers) if complete else set()
    beyond_hull = 0
    if query.thermo_type:
        energies = _energies(client, found, query.thermo_type)
        reader = replace(reader, thermo_type=query.thermo_type, energies=energies)
        if query.energy_above_hull_max is not None:
            within = _within(found, energies, query.energy_above_hull_max)
            beyond_hull = found.count - within.count
            found = within.first(query.limit)
    return Fetched(
        total=found.count,
        database_version=client.database_version,
        not_found=tuple(i for i in dict.fromkeys(query.ids) if i in not_found),
        beyond_hull=beyond_hull,
        _client=client,
        _found=found,
        _reader=reader,
    )


def _energies(client: GuardedClient, found: Found, thermo_type: str) -> dict[str, dict[str, Any]]:
    """Return the energies of one thermo type by identifier, for all materials that have them."""
    if not found.identifiers:
        return {}
    thermo = client.search(
        "thermo",
        {"material_ids": found.identifiers, "thermo_types": [thermo_type], "fields": list(THERMO_FIELDS)},
    )
    return {
        document["material_id"]: document
        for document in client.documents(thermo)
        if str(document.get("thermo_type") or thermo_type).upper() == thermo_type.upper()
        and isinstance(document.get("material_id"), str)
    }


def _within(found: Found, energies: dict[str, dict[str, Any]], limit_ev_per_atom: float) -> Found:
    """Keep the documents up to an energy above the hull; those without identifier stay, to be rejected."""

    def wanted(identifier: str | None) -> bool:
        hull = energies.get(identifier, {}).get("energy_above_hull") if identifier else 0.0
        return isinstance(hull, (int, float)) and hull <= limit_ev_per_atom

    parts = ((page, tuple(p for p in places if wanted(page.identifiers[p]))) for page, places in found.parts)
    return Found(tuple(parts))
