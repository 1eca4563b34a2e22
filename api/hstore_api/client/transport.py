"""How requests are sent: with the key, tried again where that is safe, errors told as the service tells them."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, ValidationError

import hstore
from hstore.errors import InputError
from hstore_api.client.errors import ServiceError, ServiceUnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

M = TypeVar("M", bound=BaseModel)

_BUSY = (429, 503)
_REPEATED = ("where",)
"""Parameters that are given once for each value; the values of others are joined by commas."""

_LONGEST_WAIT_S = 60.0
_PATIENCE_S = 600.0
"""Time from the first sending on for which a busy service is asked again as often as it says when: a model that is
trained for the first question takes a minute, and several where other work has the machine."""
_FIRST_WAIT_S = 0.5


@dataclass(frozen=True)
class Operation:
    """One operation of the contract."""

    method: str
    """HTTP method."""
    path: str
    """Address with names in braces, as in ``openapi.json``."""

    @property
    def safe(self) -> bool:
        """Whether doing it twice is as good as once."""
        return self.method in {"GET", "PUT", "DELETE"}

    def address(self, names: Mapping[str, object]) -> str:
        """Return the address with the names filled in."""
        return self.path.format_map({name: quote(str(value), safe="") for name, value in names.items()})


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    name: str
    """What kind of event it is."""
    data: str
    """What it says."""
    number: str | None
    """Its identifier; None where it has none."""


class Transport:
    """One connection to a service."""

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None,
        timeout_s: float,
        retries: int,
        plain_http: bool,
        http: httpx2.BaseTransport | None,
    ) -> None:
        """Take address and key; see :class:`hstore_api.client.Client`."""
        if key is not None:
            _check_key(key, base_url, plain_http=plain_http)
        headers = {"User-Agent": f"hstore-client/{hstore.__version__}"} | ({"X-API-Key": key} if key else {})
        # Redirects are not followed: the key is for this service only.
        self._http = httpx2.Client(base_url=base_url, headers=headers, timeout=timeout_s, transport=http)
        self._retries = retries

    def close(self) -> None:
        """Give back the connections."""
        self._http.close()

    def send(
        self,
        operation: Operation,
        *,
        names: Mapping[str, object] | None = None,
        query: Mapping[str, Any] | None = None,
        body: BaseModel | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> httpx2.Response:
        """Send a request and return the answer, read whole.

        Args:
            operation: what is asked.
            names: names in its address.
            query: parameters after it; those that are None are left out.
            body: sent as JSON; what was not set is left to the service.
            content: sent as it is, in place of ``body``.
            headers: headers of this request.
            repeatable: whether it may be sent again where it is not known what became of it; by default what the
                method says.

        Raises:
            ServiceError: the service refused it, or failed.
            ServiceUnreachableError: there was no answer.
        """
        again = operation.safe if repeatable is None else repeatable
        sent = dict(headers or {})
        if body is not None:
            content = body.model_dump_json(exclude_unset=True).encode()
            sent["Content-Type"] = "application/json"
        request = self._http.build_request(
            operation.method,
            operation.address(names or {}),
            params=_parameters(query or {}),
            content=content,
            headers=sent,
        )
        return self._tried(request, again=again)

    def read(self, answer: type[M], operation: Operation, **arguments: Any) -> M:
        """Send a request and return the answer as a record; fields this version does not know are passed over."""
        return answer.model_validate_json(self.send(operation, **arguments).content, extra="ignore")

    @contextmanager
    def events(
        self, operation: Operation, *, names: Mapping[str, object], after: str | None
    ) -> Iterator[Iterator[Event | None]]:
        """Open a stream of server-sent events; None stands for a sign of life between them.

        Args:
            operation: what is asked.
            names: names in its address.
            after: identifier of the last event that was seen.
        """
        headers = {"Accept": "text/event-stream"} | ({} if after is None else {"Last-Event-ID": after})
        with self._http.stream(operation.method, operation.address(names), headers=headers) as response:
            if not response.is_success:
                response.read()
                raise _error(response)
            yield _events(response.iter_lines())

    def _tried(self, request: httpx2.Request, *, again: bool) -> httpx2.Response:
        began, attempt = time.monotonic(), 0
        while True:
            last = attempt == self._retries
            try:
                response = self._http.send(request)
            except httpx2.TransportError as error:
                # A connection that was refused has carried nothing: what was asked is not done.
                if last or not (again or isinstance(error, httpx2.ConnectError)):
                    raise _unreachable(request, error) from error
                time.sleep(_backoff_s(attempt))
                attempt += 1
                continue
            if response.is_success:
                return response
            found = _error(response)
            waits = self._retries > 0 and _is_under_way(found) and time.monotonic() - began < _PATIENCE_S
            if (last and not waits) or not _worth_trying(found, again=again):
                raise found
            time.sleep(_backoff_s(attempt) if found.retry_after_s is None else found.retry_after_s)
            attempt += not waits


def request_of(kind: type[M], fields: Mapping[str, Any]) -> M:
    """Build a request, or say what of it is not as the contract says.

    Raises:
        InputError: a field is unknown, missing, or has a value that is not allowed.
    """
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors()[:3])
        raise InputError(f"{kind.__name__} does not keep to the contract: {said}") from error


def _events(lines: Iterator[str]) -> Iterator[Event | None]:
    """Read a stream; the reader of httpx2 passes comments over, the only sign of life of a silent stream."""
    name, data, number = "message", list[str](), None
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line and data:
            yield Event(name, "\n".join(data), number)
        if not line:
            name, data, number = "message", [], None
        elif field == "":
            yield None
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id":
            number = value


def _worth_trying(error: ServiceError, *, again: bool) -> bool:
    if error.retry_after_s is not None and error.retry_after_s > _LONGEST_WAIT_S:
        return False
    if error.status == 429:  # refused before anything was done
        return True
    return again and (error.status in _BUSY or error.code == "request_under_way")


def _is_under_way(error: ServiceError) -> bool:
    """Tell whether the service is at work on what was asked, such as a training, and says when to come again."""
    return error.code == "busy" and error.retry_after_s is not None


def _backoff_s(attempt: int) -> float:
    longest: float = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**attempt)
    return longest * (0.5 + 0.5 * random.random())  # noqa: S311 - spreads clients out, guards no secret


def _error(response: httpx2.Response) -> ServiceError:
    try:
        found = response.json()
    except ValueError:
        found = {}
    problem = found if isinstance(found, dict) else {}
    return ServiceError(problem, status=response.status_code, retry_after_s=_retry_after_s(response))


def _retry_after_s(response: httpx2.Response) -> float | None:
    """Read the header, which holds seconds, or from some proxies a date."""
    given = response.headers.get("retry-after", "").strip()
    if given.isdecimal():
        return float(given)
    try:
        return max(0.0, (parsedate_to_datetime(given) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # absent, no date, or a date without a zone
        return None


def _unreachable(request: httpx2.Request, error: httpx2.TransportError) -> ServiceUnreachableError:
    where = f"{request.url.scheme}://{request.url.netloc.decode()}"
    said = str(error) or type(error).__name__
    return ServiceUnreachableError(
        f"{request.method} {request.url.path} at {where}: {said}; check the address, and that the service runs"
    )


def _parameters(query: Mapping[str, Any]) -> httpx2.QueryParams:
    found: list[tuple[str, Any]] = []
    for name, value in query.items():
        if name in _REPEATED and not isinstance(value, str):
            found += [(name, str(one)) for one in value or ()]
        elif value is not None:
            found.append((name, _word(value)))
    return httpx2.QueryParams(found)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _check_key(key: str, base_url: str, *, plain_http: bool) -> None:
    if not key.isascii() or not key.isprintable() or " " in key:
        raise InputError("the key holds characters no key has; was something copied with it?")
    url = httpx2.URL(base_url)
    if url.scheme == "https" or plain_http or _is_this_machine(url.host):
        return
    raise InputError(
        f"the key would travel unencrypted to {url.host}; use https://, or say plain_http=True where "
        "the way is safe"
    )


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
