"""The OPTIMADE app, mounted at ``/optimade``: its own contract and errors, the callers of the service."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from optimade.exceptions import NotFound, VersionNotSupported
from optimade.models import ErrorResponse
from starlette.datastructures import URL

from hstore_api.access import ReadCaller  # noqa: TC001 - FastAPI reads annotations
from hstore_api.optimade.answers import API_VERSION, BASE, JsonApiResponse, install_handlers
from hstore_api.optimade.routes import router

if TYPE_CHECKING:
    from starlette.datastructures import State

_MAJOR = API_VERSION.partition(".")[0]
_SERVED = tuple(f"v{API_VERSION.rsplit('.', cut)[0] if cut else API_VERSION}" for cut in (2, 1, 0))
_HINT = re.compile(r"v(\d{1,9})(\.\d{1,9}){0,2}")
_DESCRIPTION = """Structures and references in the form of OPTIMADE. Fields of hstore begin with `_hstore_` and are
described by `/info/structures`. A key is sent as X-API-Key; without one only what is public can be read, where the
operator allows it."""


def make_optimade_app(state: State) -> FastAPI:
    """Make the app.

    Args:
        state: of the app it is mounted in, which it shares: store and settings are the same.
    """
    app = FastAPI(
        title="hstore OPTIMADE",
        version=API_VERSION,
        description=_DESCRIPTION,
        default_response_class=JsonApiResponse,
        openapi_url=f"/v{_MAJOR}/openapi.json",
        docs_url=None,  # the pages FastAPI has load their scripts from a content network
        redoc_url=None,
        responses={status: {"model": ErrorResponse} for status in (400, 401, 403, 404, 429, 500, 501, 503, 553)},
    )
    app.state = state
    install_handlers(app)
    for place, version in enumerate(_SERVED):
        app.include_router(router, prefix=f"/{version}", include_in_schema=place == 0)
    app.include_router(_unversioned)
    return app


_unversioned = APIRouter()


@_unversioned.get("/versions", response_class=PlainTextResponse, tags=["versions"])
def get_versions(_: ReadCaller) -> Response:
    """List the major versions that are served, as CSV."""
    return Response(f"version\n{_MAJOR}\n", media_type="text/csv; header=present")


@_unversioned.get("/{path:path}", include_in_schema=False)
def get_unversioned(
    request: Request, path: str, _: ReadCaller, api_hint: Annotated[str, Query()] = ""
) -> RedirectResponse:
    """Lead an address without a version to the version that is served.

    Raises:
        VersionNotSupported: address or hint name a version that is not.
        NotFound: there is no such address.
    """
    first = path.partition("/")[0]
    hint = _HINT.fullmatch(api_hint)
    newer = hint is not None and int(hint[1]) > int(_MAJOR)
    if newer or (_HINT.fullmatch(first) and first not in _SERVED):
        raise VersionNotSupported(
            f"version {api_hint if newer else first} is not served; {', '.join(_SERVED)} are"
        )
    if first not in {"", "info", "links", "structures", "references"}:
        raise NotFound(f"no such address; {BASE}/v{_MAJOR}/info lists them")
    return RedirectResponse(URL(scope=request.scope).replace(path=f"{BASE}/v{_MAJOR}/{path or 'info'}"))
