"""A guarded :class:`mp_api.client.MPRester`: timeouts, bounded retries, and a log of what pages arrived.

Facts about mp-api 0.46 that this module answers to: construction asks for the heartbeat twice with no timeout
and no retry; a session that is handed in is used for all queries; the announced number of documents reaches
neither ``search`` nor its caller, so it is read from the answers as they pass.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

import hstore
from hstore.errors import FetchError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

_OK = 200
_RETRIED = (429, 500, 502, 503, 504)
_CONSTRUCTION_ATTEMPTS = 3


@dataclass(frozen=True)
class ClientPolicy:
    """Patience with a server."""

    timeout_s: float = 30.0
    """Longest wait for an answer to begin or go on, seconds."""
    retries: int = 5
    """Repeats of one request after 429, 500, 502, 503, 504 or a lost connection."""
    backoff_s: float = 0.5
    """First wait between repeats, seconds; doubled each time when the server names no wait."""
    retry_after_max_s: int = 60
    """Longest wait that a ``Retry-After`` of the server is followed, seconds."""
    page_rows: int = 500
    """Documents asked for in one page."""


@dataclass
class PageLog:
    """What the pages of one search announced and held."""

    totals: list[int] = field(default_factory=list)
    """Number of matching documents announced by each page that announced one."""
    rows: list[int] = field(default_factory=list)
    """Documents in each page."""

    def record(self, response: Any, **_: Any) -> None:
        """Note one answer, as a response hook; what cannot be read is left to the client to refuse."""
        if response.status_code != _OK or "/summary" not in response.url:
            return
        try:
            body = response.json()
        except ValueError:
            return
        if not isinstance(body, dict) or not isinstance(body.get("data"), list):
            return
        self.rows.append(len(body["data"]))
        meta = body.get("meta")
        total = meta.get("total_doc") if isinstance(meta, dict) else None
        if isinstance(total, int) and not isinstance(total, bool):
            self.totals.append(total)

    def clear(self) -> None:
        """Forget everything, before the next search."""
        self.totals.clear()
        self.rows.clear()


@dataclass(frozen=True)
class GuardedClient:
    """An open client with the log of its pages."""

    rester: Any
    """The :class:`mp_api.client.MPRester`; documents come as dictionaries."""
    pages: PageLog
    """Pages of the search that ran last."""
    database_version: str
    """Version the server states in its heartbeat; empty when it states none."""
    key: str = field(repr=False)
    """The API key, kept to take it out of messages."""

    def search(self, criteria: dict[str, Any]) -> list[dict[str, Any]]:
        """Search the summary documents.

        Args:
            criteria: keyword arguments of ``SummaryRester.search``.

        Raises:
            FetchError: the server refused, failed after all repeats, or answered other than announced.
        """
        from mp_api.client.core.exceptions import MPRestError

        self.pages.clear()
        try:
            documents = self.rester.materials.summary.search(**criteria)
        # mp_api lets the errors of reading an unexpected answer (not JSON, no "data") through as they come
        except (MPRestError, requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise FetchError(
                f"the Materials Project search failed: {without_key(str(error), self.key)}; "
                "check the key and the query, or try again later; nothing was stored"
            ) from None  # the cause could carry the key
        return list(documents)


def open_client(key: str, *, endpoint: str | None = None, policy: ClientPolicy | None = None) -> GuardedClient:
    """Open a client that cannot hang.

    Args:
        key: API key, 32 characters.
        endpoint: base URL of the API; None takes ``MP_API_ENDPOINT`` or the public one.
        policy: patience; the default when None.

    Raises:
        InputError: the endpoint is not an http(s) URL.
        FetchError: the server cannot be reached, does not answer in time or is no Materials Project API.
    """
    from mp_api.client import MPRester
    from mp_api.client.core.utils import validate_endpoint

    policy = policy or ClientPolicy()
    base = str(validate_endpoint(endpoint))
    parts = urlsplit(base)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InputError(f"--endpoint must be an http or https URL, got {endpoint!r}")
    pages = PageLog()
    session = _session(policy, pages)
    heartbeat = _heartbeat(session, base)
    rester = _construct(
        lambda: MPRester(
            api_key=key, endpoint=base, session=session, use_document_model=False, mute_progress_bars=True
        ),
        policy=policy,
        key=key,
    )
    return GuardedClient(rester, pages, str(heartbeat.get("db_version") or ""), key)


def without_key(text: str, key: str) -> str:
    """Take the API key out of a message, should a server have echoed it."""
    return text.replace(key, "<key>") if key else text


class _TimedAdapter(HTTPAdapter):
    """Transport with one timeout for every request, whatever the caller asked for."""

    def __init__(self, *, timeout_s: float, max_retries: Retry) -> None:
        super().__init__(max_retries=max_retries)
        self._timeout_s = timeout_s

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send a request; arguments as of ``HTTPAdapter.send``, the timeout replaced."""
        return super().send(request, *args, **{**options, "timeout": self._timeout_s})


def _session(policy: ClientPolicy, pages: PageLog) -> requests.Session:
    session = requests.Session()
    session.headers["user-agent"] = f"hstore/{hstore.__version__}"
    session.max_redirects = 0  # a redirect would carry the key to wherever it points
    retry = Retry(
        total=policy.retries,
        backoff_factor=policy.backoff_s,
        status_forcelist=_RETRIED,
        respect_retry_after_header=True,
        retry_after_max=policy.retry_after_max_s,
        read=1,  # a server that stalled twice will stall again
    )
    for scheme in ("http://", "https://"):
        session.mount(scheme, _TimedAdapter(timeout_s=policy.timeout_s, max_retries=retry))
    session.hooks["response"].append(pages.record)
    return session


def _heartbeat(session: requests.Session, base: str) -> dict[str, Any]:
    """Ask once ourselves, with a timeout and repeats, before the client asks without either."""
    try:
        response = session.get(base + "heartbeat")
        body = response.json() if response.status_code == _OK else None
    except (requests.RequestException, ValueError) as error:
        raise FetchError(f"no heartbeat from {base}: {error}; check --endpoint and the network") from error
    if not isinstance(body, dict):
        raise FetchError(
            f"{base}heartbeat answered with status {response.status_code} and no JSON object; "
            "check that --endpoint is a Materials Project API"
        )
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
