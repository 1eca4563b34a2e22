"""Headers that tell browsers what answers may do, and the order of everything that stands before the routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secure import Secure
from secure.headers import (
    ContentSecurityPolicy,
    CrossOriginOpenerPolicy,
    CrossOriginResourcePolicy,
    PermissionsPolicy,
    ReferrerPolicy,
    StrictTransportSecurity,
    XContentTypeOptions,
    XFrameOptions,
)
from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware

from hstore.deployment import check_deployment
from hstore_api.access import KEY_HEADER
from hstore_api.bodies import BodyMiddleware
from hstore_api.deadline import DeadlineMiddleware
from hstore_api.gate import OPEN_PATHS, GateMiddleware
from hstore_api.idempotency import IDEMPOTENCY_HEADER, REPLAYED_HEADER
from hstore_api.middleware import REQUEST_ID_HEADER
from hstore_api.representation import LICENCE_HEADER, MIXED_HEADER
from hstore_api.sessions import SessionsMiddleware

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from hstore.settings import Settings

PAGE_POLICY = (
    ContentSecurityPolicy()
    .default_src("'self'")
    .script_src("'self'")
    .style_src("'self'", "'unsafe-inline'")  # plotly and 3Dmol set styles on what they draw
    .img_src("'self'", "data:", "blob:")  # plots and structures saved as pictures
    .worker_src("'self'", "blob:")
    .object_src("'none'")
    .base_uri("'none'")
    .form_action("'self'")
    .frame_ancestors("'self'")
    .header_value
)
"""What a page may load: scripts, styles and data of this service only, and no script within the page."""

DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""What an answer that is no page may load, were it opened as one: nothing."""

REPORT_POLICY = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; frame-ancestors 'self'"
)
"""For a report of a screen, one file with its scripts inside: no network, and an origin of its own, so that it
reaches neither the session nor the pages. A route that sends one sets it itself."""

_POLICY = "Content-Security-Policy"
_VARY = f"{KEY_HEADER}, Cookie"


def install_security(app: FastAPI, settings: Settings) -> None:
    """Put everything that guards the routes before them; what is added last is outermost.

    Raises:
        SettingsError: the settings must not be used for a service.
    """
    check_deployment(settings)
    app.add_middleware(DeadlineMiddleware)
    app.add_middleware(BodyMiddleware)
    app.add_middleware(GateMiddleware, settings=settings)
    app.add_middleware(SessionsMiddleware, settings=settings)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=(KEY_HEADER, IDEMPOTENCY_HEADER, REQUEST_ID_HEADER, "Content-Type", "If-None-Match"),
            allow_credentials=False,  # a session is for the pages of this service alone
            expose_headers=(
                *(REQUEST_ID_HEADER, REPLAYED_HEADER, "ETag", "Link", "Location", "Retry-After"),
                *("RateLimit", "RateLimit-Policy", LICENCE_HEADER, MIXED_HEADER),
            ),
        )
    app.add_middleware(SecurityHeadersMiddleware, settings=settings)


class SecurityHeadersMiddleware:
    """Add the headers that do not depend on the route; what a route sets itself stays."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._plain = _headers()
        self._tls = StrictTransportSecurity().max_age(31_536_000).include_subdomains()
        self._production = settings.environment == "production"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                self._guard(headers, scope)
            await send(message)

        await self._app(scope, receive, guarded)

    def _guard(self, headers: MutableHeaders, scope: Scope) -> None:
        headers.raw.extend(self._plain)
        if _POLICY not in headers:
            page = headers.get("Content-Type", "").startswith("text/html")
            headers[_POLICY] = PAGE_POLICY if page else DATA_POLICY
        if self._production and scope["scheme"] == "https":
            headers[self._tls.header_name] = self._tls.header_value
        if not scope["path"].startswith(OPEN_PATHS):
            _keep_private(headers, scope)


def _keep_private(headers: MutableHeaders, scope: Scope) -> None:
    """Keep what depends on a key out of caches that others use."""
    headers.add_vary_header(_VARY)
    caller = scope["state"].get("caller")
    if caller is None or caller.key is None:
        return
    given = headers.get("Cache-Control")
    if given is None:
        headers["Cache-Control"] = "private, no-cache" if "ETag" in headers else "no-store"
    elif "public" in given:
        headers["Cache-Control"] = given.replace("public", "private")


def _headers() -> list[tuple[bytes, bytes]]:
    made = Secure(
        xcto=XContentTypeOptions().nosniff(),
        xfo=XFrameOptions().sameorigin(),
        # not no-referrer: with that, browsers hide the origin of forms, by which sessions are guarded
        referrer=ReferrerPolicy().same_origin(),
        coop=CrossOriginOpenerPolicy().same_origin(),
        corp=CrossOriginResourcePolicy().same_origin(),
        permissions=PermissionsPolicy().camera().microphone().geolocation().payment().usb(),
    )
    return [(name.lower().encode(), value.encode()) for name, value in made.header_items()]
