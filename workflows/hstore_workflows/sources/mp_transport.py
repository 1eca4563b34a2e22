"""How requests of the Materials Project client travel: to the endpoint only, with patience, and never twice.

mp-api is handed a session with the :class:`EndpointAdapter` of this module. Facts about mp-api 0.46 that it
answers to: pages are asked for without checking what came back, so a server that caps pages makes it skip rows;
an answer that breaks off is not repeated; the announced number of documents reaches no caller; bulk downloads
begin with a request for a ``batch_id``; all documents of a search are held in memory at once. Therefore every
answer is read to its end here, kept in the journal, counted, and handed on with the identifiers alone; the
documents are read back from the journal (:meth:`EndpointAdapter.rows`).
"""

from __future__ import annotations

import io
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from hstore.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hstore_workflows.sources.journal import Journal

_OK = 200
_RETRIED = frozenset({429, 500, 502, 503, 504})
_UNPROCESSABLE = 422
_TOO_LONG = frozenset({414, _UNPROCESSABLE, 431})
_STALLS = 2  # a request that stalled twice will stall again
_READ_BYTES = 1 << 16
_BODY_MAX_BYTES = 1 << 29
_BODY_PATIENCE = 10  # an answer that drips must end within so many times the timeout
_BACKOFF_MAX_S = 60.0
_DETAIL_LENGTH = 300
_CAUSE_LENGTH = 80


@dataclass(frozen=True)
class ClientPolicy:
    """Patience with a server."""

    timeout_s: float = 30.0
    """Longest silence of the server, seconds; an answer must be complete within ten times that."""
    retries: int = 5
    """Repeats of one request after 429, 500, 502, 503, 504 or a lost connection; after silence, one at most."""
    backoff_s: float = 0.5
    """First wait between repeats, seconds; doubled each time when the server names no wait."""
    retry_after_max_s: int = 120
    """Longest ``Retry-After`` that is waited for, seconds; a longer one ends the fetch, to be continued."""
    page_rows: int = 500
    """Documents asked for in one page."""


@dataclass(frozen=True)
class Page:
    """One answered request of a search."""

    url: str
    """The request."""
    identifiers: tuple[str | None, ...]
    """``material_id`` of each row; None where the row has none."""
    total: int
    """Number of matching documents announced."""
    skipped: int
    """Rows before this page, as asked for."""
    asked: int
    """Rows asked for."""


class TooLongError(FetchError):
    """The server found a request too long, or refused a list in it."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.of_the_url = status != _UNPROCESSABLE
        """True for the length of the URL; False where a value of the list may be to blame."""


class ShortPageError(FetchError):
    """A page holds fewer rows than asked for though more were announced."""

    def __init__(self, page: Page) -> None:
        super().__init__(
            f"the server announced {page.total} materials but a page of {page.asked} rows after the first "
            f"{page.skipped} holds {len(page.identifiers)}"
        )
        self.rows = len(page.identifiers)
        """Rows that came."""


class EndpointAdapter(HTTPAdapter):
    """Transport of one endpoint: nothing goes elsewhere, nothing hangs, nothing answered is asked again."""

    journal: Journal | None = None
    """Where answers are kept; needed for searches."""
    on_page: Callable[[Page], None] = staticmethod(lambda _page: None)
    """Called with each page of a search."""
    on_wait: Callable[[float, str], None] = staticmethod(lambda _seconds, _cause: None)
    """Called before each wait with its seconds and cause."""

    def __init__(self, endpoint: str, *, key: str, policy: ClientPolicy) -> None:
        """Serve one endpoint.

        Args:
            endpoint: base URL, ending in a slash.
            key: API key, taken out of every answer that echoes it.
            policy: patience.
        """
        super().__init__()
        self._endpoint = requests.Request("GET", endpoint).prepare().url or endpoint
        self._key = key.encode()
        self._policy = policy
        self.pages: list[Page] = []
        """Pages of the search that ran last."""

    def send(  # type: ignore[override]  # the options are passed on as they come
        self, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        """Answer a request from the journal or the endpoint; options as of ``HTTPAdapter.send``.

        Raises:
            FetchError: the request leads elsewhere, or the server refused, fell silent, or sent nonsense.
            ShortPageError: a page holds less than was asked for and announced.
        """
        url = request.url or ""
        self._guard(request.method or "", url)
        if not url.startswith(f"{self._endpoint}materials/"):
            return self._answer(request, self._fetch(request, options)[0])
        rows, total = self.rows(request, **options)
        page = _page(url, rows, total)
        self.pages.append(page)
        self.on_page(page)
        if 0 < len(rows) < min(page.asked, total - page.skipped):
            raise ShortPageError(page)
        light = {"data": [{"material_id": i} for i in page.identifiers], "meta": {"total_doc": total}}
        return self._answer(request, json.dumps(light).encode())

    def rows(self, request: requests.PreparedRequest, **options: Any) -> tuple[list[dict[str, Any]], int]:
        """Return the documents on a page and the total it announces, from the journal if they are there."""
        assert self.journal is not None, "searches need a journal"
        url = request.url or ""
        kept = self.journal.answer(url)
        if kept is not None:
            return rows_of(json.loads(kept))
        body, answer = self._fetch(request, options)
        found = rows_of(answer)
        self.journal.keep(url, body)
        return found

    def _guard(self, method: str, url: str) -> None:
        asked = f"{method} {url.partition('?')[0]}"
        if method != "GET" or not url.startswith(self._endpoint):
            raise FetchError(f"{asked} was not sent: only GET requests below {self._endpoint} are")
        if "batch_id" in parse_qs(urlsplit(url).query):
            raise FetchError(f"{asked} was not sent: it is the beginning of a bulk download past the endpoint")

    def _fetch(self, request: requests.PreparedRequest, options: dict[str, Any]) -> tuple[bytes, Any]:
        """Ask until there is a whole answer, with bounded patience; return it as it came and as parsed."""
        path = urlsplit(request.url or "").path
        stalls = 0
        for attempt in range(self._policy.retries + 1):
            wait = min(self._policy.backoff_s * 2**attempt, _BACKOFF_MAX_S)
            try:
                response, body = self._ask(request, options)
                if response.status_code == _OK:
                    return body, json.loads(body)
            except (ValueError, RecursionError) as error:
                cause = f"an answer that is no JSON ({str(error)[:_CAUSE_LENGTH]})"
            except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
                cause = _words_of(error)
                stalls += isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError))
                if stalls >= _STALLS:
                    break
            else:
                if response.status_code not in _RETRIED:
                    raise _refusal(response, body)
                cause = f"status {response.status_code}"
                wait = self._told_wait(response, wait)
            if attempt < self._policy.retries:
                self.on_wait(wait, cause)
                time.sleep(wait)
        raise FetchError(
            f"{path} of {self._endpoint} failed {attempt + 1} times, at last with {cause}; nothing was stored; "
            "run the same command again later, what was answered so far is kept"
        )

    def _ask(self, request: requests.PreparedRequest, options: dict[str, Any]) -> tuple[requests.Response, bytes]:
        """Send once and read the answer to its end; the key is taken out, should the server have echoed it."""
        timeout = self._policy.timeout_s
        response = super().send(request, **{**options, "stream": True, "timeout": timeout})
        deadline = time.monotonic() + _BODY_PATIENCE * timeout
        content = bytearray()
        try:
            while part := response.raw.read1(_READ_BYTES, decode_content=True):
                content += part
                if time.monotonic() > deadline:
                    raise requests.Timeout(f"an answer that was not complete after {_BODY_PATIENCE * timeout:g} s")
                if len(content) > _BODY_MAX_BYTES:
                    raise FetchError(
                        f"an answer of {self._endpoint} exceeds {_BODY_MAX_BYTES >> 20} MiB; lower --page-rows"
                    )
        finally:
            response.close()
        return response, bytes(content).replace(self._key, b"<key>")

    def _told_wait(self, response: requests.Response, otherwise: float) -> float:
        told = response.headers.get("Retry-After")
        if told is None:
            return otherwise
        try:
            wait = Retry().parse_retry_after(told)
        except urllib3.exceptions.InvalidHeader:
            return otherwise
        if wait > self._policy.retry_after_max_s:
            raise FetchError(
                f"the server answered with status {response.status_code} and asks to wait {wait:.0f} s; run the "
                "same command again after that, what was answered so far is kept"
            )
        return wait

    def _answer(self, request: requests.PreparedRequest, body: bytes) -> requests.Response:
        headers = {"content-type": "application/json"}
        raw = urllib3.HTTPResponse(io.BytesIO(body), headers=headers, status=_OK, preload_content=False)
        return self.build_response(request, raw)


def rows_of(answer: Any) -> tuple[list[dict[str, Any]], int]:
    """Return the documents of an answer and the total it announces.

    Raises:
        FetchError: it is not of the layout of the Materials Project API, or announces no total.
    """
    rows = answer.get("data") if isinstance(answer, dict) else None
    meta = answer.get("meta") if isinstance(answer, dict) else None
    total = meta.get("total_doc") if isinstance(meta, dict) else None
    if not isinstance(rows, list):
        raise FetchError(
            "the server answered a search without a list named data; check that --endpoint is a Materials "
            "Project API; nothing was stored"
        )
    for place, row in enumerate(rows):
        if not isinstance(row, dict):
            raise FetchError(f"row {place} of an answer is no object but {str(row)[:80]!r}; nothing was stored")
    if not isinstance(total, int) or isinstance(total, bool) or total < 0:
        raise FetchError(
            f"the server must announce the number of documents (meta.total_doc), got {total!r}; without it "
            "nobody can tell whether all arrived; nothing was stored"
        )
    return rows, total


def _page(url: str, rows: list[dict[str, Any]], total: int) -> Page:
    query = {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
    identifiers = tuple(identifier_of(row) for row in rows)
    return Page(url, identifiers, total, skipped=int(query.get("_skip", 0)), asked=int(query.get("_limit", 0)))


def identifier_of(row: dict[str, Any]) -> str | None:
    """Return the opaque identifier of a document, None where it has none."""
    identifier = row.get("material_id")
    return identifier if isinstance(identifier, str) and identifier else None


def _refusal(response: requests.Response, body: bytes) -> FetchError:
    status = response.status_code
    detail = " ".join(body[: 4 * _DETAIL_LENGTH].decode("utf-8", "replace").split())[:_DETAIL_LENGTH]
    path = urlsplit(response.url).path
    if response.is_redirect:
        return FetchError(
            f"{path} redirects to {response.headers['location'][:200]}; that was not followed, for it would carry "
            "the key there; give that address as --endpoint if it is right; nothing was stored"
        )
    advice = {
        401: "check the key in HSTORE_MP_API_KEY or MP_API_KEY",
        403: "check the key in HSTORE_MP_API_KEY or MP_API_KEY",
        404: "check --endpoint",
    }.get(status, "check the query")
    message = f"{path} was refused with status {status}: {detail}; {advice}; nothing was stored"
    return TooLongError(message, status) if status in _TOO_LONG else FetchError(message)


def _words_of(error: Exception) -> str:
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)):
        return f"silence ({type(error).__name__})"
    return f"a broken connection ({type(error).__name__}: {str(error)[:_CAUSE_LENGTH]})"
