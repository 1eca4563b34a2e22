"""A guarded :class:`mp_api.client.MPRester`: complete searches or an error, and no way past the endpoint.

Facts about mp-api 0.46 that this module answers to, besides those of
:mod:`~hstore_workflows.sources.mp_transport`:

* construction asks for the heartbeat twice, on its own connection, with no timeout and no repeats;
* a search goes to bulk object storage when it has no criteria and ``num_chunks`` is None; here it never is;
* ``material_ids`` are rewritten on the way out (``mp-aaaft`` becomes ``mp-149``, other forms are refused), so
  identifiers travel as parameters of the session, as they are; so do the fields, for each costs the client the
  JSON schema of all documents;
* a search is split on any error whose text holds "414" or "422", an identifier included; lists are cut here.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlsplit

import requests

import hstore
from hstore.errors import FetchError, InputError
from hstore_workflows.sources.mp_transport import (
    ClientPolicy,
    EndpointAdapter,
    ShortPageError,
    TooLongError,
    identifier_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hstore_workflows.sources.mp_transport import Page

Kind = Literal["summary", "thermo"]
"""Collections that are searched."""

_CONSTRUCTION_ATTEMPTS = 3
_PAGING_ATTEMPTS = 12
_CONTRADICTIONS = 2  # a database that is being updated gets a second chance
_LIST_LENGTH = 3000  # characters of a list in a URL, encoded; servers take 4096 to 8192 in all
_PARAMETER = {"fields": "_fields"}
_ALL_PAGES = 10**9  # num_chunks that means all and is not None


@dataclass(frozen=True)
class Found:
    """A complete search: as many distinct documents as announced."""

    parts: tuple[tuple[Page, tuple[int, ...]], ...]
    """Pages in order, each with the places of the rows that count."""

    @property
    def count(self) -> int:
        """Distinct documents found: those announced, or the limit."""
        return sum(len(places) for _, places in self.parts)

    @property
    def identifiers(self) -> list[str]:
        """Identifiers of the documents that have one, in order."""
        held = (page.identifiers[place] for page, places in self.parts for place in places)
        return [identifier for identifier in held if identifier]

    def first(self, limit: int | None) -> Found:
        """Return the first documents, all of them when the limit is None."""
        parts = []
        left = self.count if limit is None else limit
        for page, places in self.parts:
            parts.append((page, places[:left]))
            left -= len(parts[-1][1])
        return Found(tuple(parts))


def _nothing(*_: Any) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Watch:
    """Who is told about the progress of a fetch."""

    progress: Callable[[Kind, int, int], None] = _nothing
    """Called after each page with the collection, the documents received of a search and its total."""
    wait: Callable[[float, str], None] = _nothing
    """Called before each wait with its seconds and cause."""
    note: Callable[[str], None] = _nothing
    """Called with what a user should know about the fetch."""


@dataclass(frozen=True)
class GuardedClient:
    """An open client."""

    rester: Any
    """The :class:`mp_api.client.MPRester`; it sees the identifiers of documents and nothing else of them."""
    session: requests.Session
    """The session of the client."""
    transport: EndpointAdapter
    """What carries its requests."""
    endpoint: str
    """Base URL, ending in a slash."""
    database_version: str
    """Version the server states in its heartbeat; empty when it states none."""
    policy: ClientPolicy
    """Patience."""
    key: str = field(repr=False)
    """The API key, kept to take it out of messages."""
    watch: Watch = field(default_factory=Watch)
    """Who is told about progress."""

    def search(self, kind: Kind, criteria: dict[str, Any], *, limit: int | None = None) -> Found:
        """Search until the distinct documents are as many as announced.

        Args:
            kind: collection.
            criteria: keyword arguments of ``SummaryRester.search`` or ``ThermoRester.search``. A list under
                ``material_ids`` or ``chemsys`` is cut into pieces that fit a URL, with a search for each.
            limit: at most so many documents in all.

        Raises:
            FetchError: the server refused, failed after all repeats, or delivered other than announced.
        """
        name = next((n for n in ("material_ids", "chemsys") if n in criteria), "")
        pieces = _pieces(criteria[name]) if name else [[]]
        parts: list[tuple[Page, tuple[int, ...]]] = []
        seen: set[str] = set()
        while pieces and (limit is None or len(seen) < limit):
            piece = pieces.pop(0)
            left = None if limit is None else limit - len(seen)
            of = len(criteria["material_ids"]) if name == "material_ids" else None
            self.transport.on_page = partial(self._tell, kind, len(seen), limit, of)
            try:
                pages = self._complete(kind, criteria | ({name: piece} if name else {}), left)
            except TooLongError as error:
                if len(piece) < 2:
                    raise
                pieces.insert(0, piece)
                pieces = _halved(pieces, most=len(piece) // 2, all_of_them=error.of_the_url)
                continue
            parts += [(page, _new_places(page, seen, limit)) for page in pages]
        return Found(tuple(parts))

    def documents(self, found: Found) -> Iterator[dict[str, Any]]:
        """Give the distinct documents of a search, page by page; memory holds one page.

        Raises:
            FetchError: a page had to be asked for again and differs from what was counted.
        """
        for page, places in found.parts:
            request = self.session.prepare_request(requests.Request("GET", page.url))
            rows, _ = self.transport.rows(request)
            if tuple(map(identifier_of, rows)) != page.identifiers:
                self.forget()
                raise FetchError("the server changed its answers during the fetch; nothing was stored; try again")
            yield from (rows[place] for place in places)

    def forget(self) -> None:
        """Drop all answers kept, for they contradict each other or are in the store."""
        if self.transport.journal is not None:
            self.transport.journal.discard()

    def _tell(self, kind: Kind, before: int, limit: int | None, of: int | None, page: Page) -> None:
        done = before + sum(len(one.identifiers) for one in self.transport.pages)
        total = before + page.total if of is None else of
        self.watch.progress(kind, done, min(total, limit or total))

    def _complete(self, kind: Kind, criteria: dict[str, Any], limit: int | None) -> list[Page]:
        """Search in smaller pages if need be, and once more from the start should the pages not fit together."""
        size = min(self.policy.page_rows, limit or self.policy.page_rows)
        contradictions = 0
        for _ in range(_PAGING_ATTEMPTS):
            try:
                pages = self._pass(kind, criteria, size, limit)
            except ShortPageError as short:
                size, fault = short.rows, str(short)
                continue
            fault = _fault(pages, limit, of=len(criteria.get("material_ids", ())) or None)
            if not fault:
                return pages
            self.forget()
            contradictions += 1
            if contradictions == _CONTRADICTIONS:
                break
            time.sleep(self.policy.backoff_s)
        self.forget()
        raise FetchError(f"{fault}; nothing was stored; try again later or narrow the query")

    def _pass(self, kind: Kind, criteria: dict[str, Any], size: int, limit: int | None) -> list[Page]:
        """Run one search of the client, in pages of so many rows."""
        from mp_api.client.core.exceptions import MPRestError

        apart = {name: ",".join(criteria[name]) for name in ("material_ids", "fields") if name in criteria}
        sent = {name: value for name, value in criteria.items() if name not in apart}
        most = limit or len(criteria.get("material_ids", ())) or None
        chunks = math.ceil(most / size) if most else _ALL_PAGES
        self.session.params = {_PARAMETER.get(name, name): value for name, value in apart.items()}
        self.transport.pages = []
        try:
            getattr(self.rester.materials, kind).search(
                **sent, all_fields=False, chunk_size=size, num_chunks=chunks
            )
        # mp_api lets the errors of reading an unexpected answer through as they come
        except (MPRestError, requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise FetchError(
                f"the Materials Project search failed: {without_key(str(error), self.key)}; "
                "check the query, or try again later; nothing was stored"
            ) from None  # the cause could carry the key
        finally:
            self.session.params = {}
        return self.transport.pages


def _pieces(values: Sequence[str]) -> list[list[str]]:
    """Cut a list, without repeats, into pieces that fit a URL."""
    pieces: list[list[str]] = []
    room = 0
    for value in dict.fromkeys(values):
        length = len(quote(value, safe="")) + len("%2C")
        if length > room:
            pieces.append([])
            room = _LIST_LENGTH
        pieces[-1].append(value)
        room -= length
    return pieces


def _halved(pieces: list[list[str]], *, most: int, all_of_them: bool) -> list[list[str]]:
    """Cut the first piece, or all of them, into pieces of at most so many values."""
    cut = len(pieces) if all_of_them else 1
    shorter = [piece[at : at + most] for piece in pieces[:cut] for at in range(0, len(piece), most)]
    return shorter + pieces[cut:]


def _new_places(page: Page, seen: set[str], limit: int | None) -> tuple[int, ...]:
    """Return the places of rows not seen before, up to the limit, and note them; no identifier is its own."""
    places = []
    for place, identifier in enumerate(page.identifiers):
        name = identifier or f"{page.url} row {place}"
        if name not in seen and (limit is None or len(seen) < limit):
            seen.add(name)
            places.append(place)
    return tuple(places)


def _fault(pages: Sequence[Page], limit: int | None, *, of: int | None) -> str:
    """Say in which way the pages of a search contradict each other; empty when they do not.

    Args:
        pages: all pages of one search.
        limit: documents wanted at most.
        of: identifiers asked for, where the search was by identifier.
    """
    totals = sorted({page.total for page in pages})
    if len(totals) != 1:
        seen = ", ".join(map(str, totals)) or "none"
        return f"the server must announce one total for all pages of a search, got {seen}"
    total, rows = totals[0], sum(len(page.identifiers) for page in pages)
    if of is not None and total > of:
        return f"the server announced {total} materials for {of} identifiers, so it ignores material_ids"
    noted: set[str] = set()
    for page in pages:
        _new_places(page, noted, None)
    wanted = total if limit is None else min(total, limit)
    if len(noted) < wanted or (limit is None and rows != total):
        return f"the server announced {total} materials but delivered {len(noted)} distinct ones in {rows} rows"
    return ""


def open_client(
    key: str, *, endpoint: str | None = None, policy: ClientPolicy | None = None, watch: Watch | None = None
) -> GuardedClient:
    """Open a client that cannot hang.

    Args:
        key: API key, 32 characters.
        endpoint: base URL of the API; None takes ``MP_API_ENDPOINT`` or the public one.
        policy: patience; the default when None.
        watch: who is told about progress; nobody when None.

    Raises:
        InputError: the endpoint is not an http(s) URL.
        FetchError: the server cannot be reached, does not answer in time or is no Materials Project API.
    """
    from mp_api.client import MPRester
    from mp_api.client.core.utils import validate_endpoint

    policy, watch = policy or ClientPolicy(), watch or Watch()
    base = str(validate_endpoint(endpoint)).rstrip("/") + "/"
    parts = urlsplit(base)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise InputError(f"--endpoint must be an http or https URL without a user, got {parts.scheme}://...")
    transport = EndpointAdapter(base, key=key, policy=policy)
    transport.on_wait = watch.wait
    session = _session(transport)
    heartbeat = _heartbeat(session, base)
    rester = _construct(
        lambda: MPRester(
            api_key=key, endpoint=base, session=session, use_document_model=False, mute_progress_bars=True
        ),
        policy=policy,
        key=key,
    )
    version = str(heartbeat.get("db_version") or "")
    return GuardedClient(rester, session, transport, base, version, policy, key, watch)


def without_key(text: str, key: str) -> str:
    """Take the API key out of a message, should a server have echoed it."""
    return text.replace(key, "<key>") if key else text


def _session(transport: EndpointAdapter) -> requests.Session:
    session = requests.Session()
    session.headers["user-agent"] = f"hstore/{hstore.__version__}"
    session.max_redirects = 0  # a redirect would carry the key to wherever it points
    for scheme in ("http://", "https://"):
        session.mount(scheme, transport)
    return session


def _heartbeat(session: requests.Session, base: str) -> dict[str, Any]:
    """Ask once ourselves, with a timeout and repeats, before the client asks without either."""
    try:
        body = session.get(base + "heartbeat").json()
    except requests.RequestException as error:
        raise FetchError(f"no heartbeat from {base}: {error}; check --endpoint and the network") from error
    if not isinstance(body, dict):
        raise FetchError(f"{base}heartbeat is no JSON object; check that --endpoint is a Materials Project API")
    return body


def _construct(make: Callable[[], Any], *, policy: ClientPolicy, key: str) -> Any:
    """Construct in a thread, for its requests have no timeout; repeat, for they have no retry either."""
    causes: list[str] = []
    for attempt in range(_CONSTRUCTION_ATTEMPTS):
        made: list[Any] = []
        failed: list[Exception] = []

        def run(made: list[Any] = made, failed: list[Exception] = failed) -> None:
            try:
                made.append(make())
            except Exception as error:  # noqa: BLE001 - any failure is handed to the waiting thread
                failed.append(error)

        thread = threading.Thread(target=run, daemon=True, name="mp-client")
        thread.start()
        thread.join(2 * policy.timeout_s)
        if made:
            return made[0]
        if not failed:
            raise FetchError(
                f"the server stopped answering: no client after {2 * policy.timeout_s:g} s; try again later"
            )
        causes.append(without_key(f"{type(failed[0]).__name__}: {failed[0]}", key))
        if attempt + 1 < _CONSTRUCTION_ATTEMPTS:
            time.sleep(policy.backoff_s * 2**attempt)
    raise FetchError(f"the Materials Project client cannot be opened: {causes[-1]}; check the key and --endpoint")
