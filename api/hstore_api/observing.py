"""Every request is seen once, from outside: what it asked, in whose name, and how it ended."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from structlog.contextvars import bound_contextvars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNMATCHED = "unmatched"
"""Route of a request whose address names none."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answered:
    """One request, when it is over."""

    method: str
    """Method; ``OTHER`` for any that is not one of the usual ones."""
    route: str
    """Template of the address, such as ``/v1/materials/{material_id}``; never the address itself."""
    status: int
    """Status of the answer; 499 where the caller went away before there was one."""
    duration_s: float
    """Time from the first byte of the request to the last of the answer, s."""
    key_id: str | None
    """Public identifier of the key it came with."""
    lab_id: str | None
    """Lab of that key."""
    client: str
    """Address it came from."""
    error: BaseException | None
    """What was not foreseen, where the answer is a 500 for that."""


class Observer(Protocol):
    """Whoever wants to know of requests."""

    def began(self) -> None:
        """Be told that a request has begun."""

    def ended(self, answered: Answered) -> None:
        """Be told that a request is over."""


class ObservingMiddleware:
    """Tell the observers of every request, and put its identifier into all that is logged meanwhile."""

    def __init__(self, app: ASGIApp, observers: Sequence[Observer]) -> None:
        self._app = app
        self._observers = observers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started = 499, time.perf_counter()
        caught: BaseException | None = None

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        for observer in self._observers:
            observer.began()
        with bound_contextvars(request_id=scope["state"]["request_id"]):
            try:
                await self._app(scope, receive, watched)
            except Exception as error:
                status, caught = 500, error
                raise
            finally:
                answered = _answered(scope, status, time.perf_counter() - started, caught)
                for observer in self._observers:
                    observer.ended(answered)


class RequestLog:
    """One line in the log for every request."""

    def began(self) -> None:
        """Say nothing yet."""

    def ended(self, answered: Answered) -> None:
        """Write the line; with the traceback where something was not foreseen."""
        level = logging.INFO if answered.status < 500 else logging.WARNING
        if answered.error is not None:
            level = logging.ERROR
        fields = {
            "method": answered.method,
            "route": answered.route,
            "status": answered.status,
            "duration_ms": round(answered.duration_s * 1000, 1),
            "key_id": answered.key_id,
            "lab": answered.lab_id,
            "client": answered.client,
        }
        _log.log(level, "request", extra=fields, exc_info=answered.error)


def _answered(scope: Scope, status: int, duration_s: float, error: BaseException | None) -> Answered:
    caller = scope["state"].get("caller")
    method = scope["method"]
    return Answered(
        method=method if method in _METHODS else "OTHER",
        route=route_of(scope),
        status=status,
        duration_s=duration_s,
        key_id=caller.key_id if caller else None,
        lab_id=caller.lab_id if caller else None,
        client=(scope.get("client") or ("",))[0],
        error=error,
    )


def route_of(scope: Scope) -> str:
    """Return the template of the address that a handled request matched, mounted apps included."""
    # FastAPI keeps the prefix under which a router was included beside the route, not in it
    found: Any = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    path = getattr(found, "path_format", None)
    mounted = str(scope.get("root_path", "")).removeprefix(str(scope.get("app_root_path", "")))
    if path is not None:
        return f"{mounted}{path}"
    return f"{mounted}/*" if mounted else UNMATCHED
