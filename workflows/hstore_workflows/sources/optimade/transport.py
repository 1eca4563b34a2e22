"""Requests that end: with an answer or with an error, within a stated time.

A request is repeated after 408, 425, 429 and 5xx, lost connections, silence, and bodies that are cut short. There
is a deadline for the whole answer too, for a server that sends a byte now and then is never silent.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import requests
import urllib3
from urllib3.util.retry import Retry

import hstore
from hstore.errors import FetchError, InputError
from hstore_workflows.sources.optimade.providers import trusted

if TYPE_CHECKING:
    from collections.abc import Mapping

_REPEATED = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTED = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_MOST_SILENCES = 2
"""A server that was silent so often will be silent again."""
_WHOLE_ANSWER_FACTOR = 10
"""The whole answer may take so many times the wait for a silent server."""
_LONGEST_PAUSE_S = 10.0
_MOST_BYTES = 256 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True)
class Patience:
    """Patience with a server."""

    timeout_s: float = 30.0
    """Longest silence of a server, seconds."""
    retries: int = 5
    """Repeats of one request."""
    backoff_s: float = 1.0
    """First wait between repeats, seconds; doubled each time when the server names no wait."""
    longest_wait_s: float = 120.0
    """Longest wait between repeats; a server that asks for more is left alone."""

    def __post_init__(self) -> None:
        """Refuse times that cannot be waited."""
        if not (self.timeout_s > 0 and self.retries >= 0 and self.backoff_s >= 0 and self.longest_wait_s >= 0):
            raise InputError(f"the timeout must be above 0, retries and waits at least 0, got {self}")


class RefusedError(FetchError):
    """The server understood the request and will not answer it, however often it is asked."""


class _Again(Exception):  # noqa: N818 - not an error yet
    """One attempt failed in a way that may pass."""

    def __init__(self, cause: str, *, wait_s: float | None = None, silent: bool = False) -> None:
        super().__init__(cause)
        self.wait_s = wait_s
        """What the server asked for, seconds."""
        self.silent = silent


@dataclass
class Transport:
    """Requests to one provider; not shared between threads."""

    base_url: str
    """Base URL; answers may come from its registrable domain alone."""
    patience: Patience = field(default_factory=Patience)
    """How long to wait, how often to repeat."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set it to end waits and requests to come."""

    def __post_init__(self) -> None:
        """Open a session."""
        self._session = requests.Session()
        self._session.headers.update(
            {
                "user-agent": f"hstore/{hstore.__version__}",
                "accept": "application/vnd.api+json, application/json",
            }
        )

    def get(self, url: str) -> bytes:
        """Return the body of an answer; it holds a JSON object.

        Raises:
            RefusedError: the server answered with a status that repeating does not change.
            FetchError: no usable answer after all repeats, or one from elsewhere.
        """
        silences = 0
        for attempt in range(self.patience.retries + 1):
            if self.stop.is_set():
                raise FetchError("stopped; what was received is kept, run the same command to go on")
            try:
                return self._follow(url)
            except _Again as failed:
                cause = failed
            silences += cause.silent
            if silences >= _MOST_SILENCES or attempt == self.patience.retries:
                break
            wait_s = cause.wait_s if cause.wait_s is not None else self.patience.backoff_s * 2**attempt
            if cause.wait_s is not None and wait_s > self.patience.longest_wait_s:
                raise FetchError(
                    f"{_place(url)}: {cause}; the server asks to wait {wait_s:g} s, so run the same command "
                    "after that; what was received is kept"
                )
            self.stop.wait(min(wait_s, self.patience.longest_wait_s))
        raise FetchError(
            f"{_place(url)}: {cause} (asked {attempt + 1} times); what was received is kept, "
            "run the same command to go on"
        )

    def pause(self, seconds: float) -> None:
        """Wait between two requests as the server asked, within reason."""
        self.stop.wait(min(seconds, _LONGEST_PAUSE_S))

    def _follow(self, url: str) -> bytes:
        """Follow redirects within the provider's domain."""
        for _ in range(_MOST_REDIRECTS + 1):
            status, headers, body = self._once(url)
            if status not in _REDIRECTED:
                return _usable(url, status, headers, body)
            target = urljoin(url, headers.get("location") or "")
            followed = trusted(self.base_url, target)
            if followed is None:
                raise FetchError(
                    f"{_place(url)}: redirects to {target}, which is not the provider's; check the base URL"
                )
            url = followed
        raise FetchError(f"{_place(url)}: more than {_MOST_REDIRECTS} redirects; check the base URL")

    def _once(self, url: str) -> tuple[int, Mapping[str, str], bytes]:
        whole_s = _WHOLE_ANSWER_FACTOR * self.patience.timeout_s
        deadline = time.monotonic() + whole_s
        chunks: list[bytes] = []
        size = 0
        try:
            with self._session.get(
                url, stream=True, timeout=self.patience.timeout_s, allow_redirects=False
            ) as response:
                # read1 returns what has come; iter_content would wait for a full chunk, however slowly it comes
                while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
                    chunks.append(chunk)
                    size += len(chunk)
                    if size > _MOST_BYTES:
                        raise FetchError(
                            f"{_place(url)}: an answer above {_MOST_BYTES:.0e} bytes; use fewer --page-rows"
                        )
                    if time.monotonic() > deadline or self.stop.is_set():
                        raise _Again(f"the answer was not complete after {whole_s:g} s", silent=True)
                return response.status_code, response.headers, b"".join(chunks)
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise _Again(f"no answer within {self.patience.timeout_s:g} s", silent=True) from error
        except (requests.ConnectionError, urllib3.exceptions.HTTPError) as error:
            raise _Again(f"the connection failed ({_reason(error)})") from error
        except (requests.RequestException, OSError) as error:
            raise FetchError(f"{_place(url)}: cannot be asked ({_reason(error)}); check the base URL") from error


def _usable(url: str, status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    if status in _REPEATED:
        raise _Again(f"status {status}: {_detail(body)}", wait_s=_wanted_wait_s(headers))
    if status != requests.codes.ok:
        raise RefusedError(f"{_place(url)}: status {status}: {_detail(body)}; check the base URL and the filter")
    if read_object(body) is None:
        raise _Again(f"the answer is no JSON object but {_short(body[:1000].decode(errors='replace'))!r}")
    return body


def read_object(body: bytes) -> dict[str, Any] | None:
    """Read a JSON object; None when it is cut short, nested beyond reason, or something else."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _wanted_wait_s(headers: Mapping[str, str]) -> float | None:
    """Read ``Retry-After``, in seconds or as a date; None when there is none that can be read."""
    told = headers.get("retry-after")
    try:
        return None if told is None else float(Retry().parse_retry_after(told))
    except urllib3.exceptions.InvalidHeader:
        return None


def _reason(error: BaseException) -> str:
    """Return what lies at the bottom of a failed connection, without the layers around it."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return _short(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def _place(url: str) -> str:
    """Return an address without its query, for messages."""
    return url.partition("?")[0]


def _detail(body: bytes) -> str:
    """Return what a JSON:API error says, or the beginning of whatever came."""
    errors = (read_object(body) or {}).get("errors")
    if isinstance(errors, list):
        return _short("; ".join(error_text(error) for error in errors))
    return _short(body[:1000].decode(errors="replace")) or "no text"


def error_text(error: Any) -> str:
    """Return one entry of ``errors`` or ``meta.warnings`` as text."""
    if not isinstance(error, dict):
        return _short(str(error))
    return _short(": ".join(str(error[key]) for key in ("title", "detail") if error.get(key)) or str(error))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
