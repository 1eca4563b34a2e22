"""The gate every request passes: who asks, how often, and from which site."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request

from hstore.errors import HstoreError
from hstore_api.access import KEY_HEADER, NO_KEY, SESSION_KEY, caller_with
from hstore_api.errors import ForbiddenError, UnauthenticatedError, answer
from hstore_api.limits import RequestLimits

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from hstore.settings import Settings
    from hstore.store import Store
    from hstore_api.limits import Rate

OPEN_PATHS = ("/healthz", "/readyz", "/static/")
"""Beginnings of addresses whose answers do not depend on who asks: no key is looked at and nothing counted."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class GateMiddleware:
    """Find out who asks, count the request, and refuse what another site sends with a visitor's session.

    The caller stands in the state of the request afterwards, or the reason why there is none, which is raised by
    whatever needs a caller.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._limits = RequestLimits(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or scope["path"].startswith(OPEN_PATHS):
            await self._app(scope, receive, send)
            return
        try:
            rate = await self._admit(scope)
        except HstoreError as error:
            await answer(Request(scope), error)(scope, receive, send)
            return
        await self._app(scope, receive, _telling(rate, send) if rate else send)

    async def _admit(self, scope: Scope) -> Rate | None:
        """Put the caller, or the reason why there is none, into the state of the request.

        Raises:
            LimitError: it comes too often.
            ForbiddenError: another site sent it with a visitor's session.
        """
        headers, state = Headers(scope=scope), scope["state"]
        address = (scope.get("client") or ("",))[0]
        store: Store = scope["app"].state.service.store
        key, given = None, headers.get(KEY_HEADER)
        if given:
            key = await self._limits.find_key(given, address, store)
        elif (key_id := scope.get("session", {}).get(SESSION_KEY)) is not None:
            key = await run_in_threadpool(store.keys.usable, str(key_id))
            if key is not None and scope["method"] not in _SAFE_METHODS:
                check_site(headers)
        state["limits"] = self._limits
        state["rate"] = rate = self._limits.take(key, address)
        if given and key is None:
            state["refusal"] = UnauthenticatedError(
                f"the key in {KEY_HEADER} is unknown, has expired or was revoked; ask the operator for another"
            )
        elif key is None and not self._settings.reads_anonymously:
            state["refusal"] = UnauthenticatedError(NO_KEY)
        else:
            state["caller"] = caller_with(key, state["request_id"])
        return rate


def check_site(headers: Headers) -> None:
    """Refuse what a browser sends from another site with the session of its visitor.

    Browsers say where a request comes from in Sec-Fetch-Site, older ones in Origin. A program that says neither
    has no business with a session: it sends its key.

    Raises:
        ForbiddenError: it does not come from a page of this service.
    """
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    own = site == "same-origin" if site else bool(origin) and urlsplit(origin or "").netloc == headers.get("Host")
    if not own:
        raise ForbiddenError(
            f"a session writes from the pages of this service only; programs send a key as {KEY_HEADER}"
        )


def _telling(rate: Rate, send: Send) -> Send:
    """Add to an answer where the caller stands (headers of the IETF draft ratelimit-headers-10)."""

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["RateLimit-Policy"] = f'"minute";q={rate.limit};w=60'
            headers["RateLimit"] = f'"minute";r={rate.left};t={rate.reset_s}'
        await send(message)

    return told
