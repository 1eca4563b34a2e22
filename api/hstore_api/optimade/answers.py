"""Answers in the shape of OPTIMADE: what stands in ``meta``, and errors."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from optimade import __api_version__
from optimade.exceptions import OptimadeHTTPException
from optimade.models import ErrorResponse, Implementation, OptimadeError, Provider, ResponseMeta, ResponseMetaQuery
from starlette.exceptions import HTTPException

import hstore
from hstore.errors import HstoreError, InputError
from hstore.store.optimade.fields import UnsupportedFilterError
from hstore_api.errors import problem_answer
from hstore_api.middleware import REQUEST_ID_HEADER

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from optimade.models import Warnings

API_VERSION = __api_version__
"""Version of the specification that is followed."""

BASE = "/optimade"
"""Address under which all of this stands."""

PROVIDER = Provider(
    name="hstore",
    description="Candidates for hydrogen storage and solid electrolytes, with what is known of them",
    prefix="hstore",
)
"""Who provides the entries."""

_IMPLEMENTATION = Implementation(name="hstore", version=hstore.__version__)
_SCHEMA = f"https://schemas.optimade.org/openapi/v{API_VERSION}/optimade.json"
_VERSIONED = re.compile(rf"{BASE}/v[0-9.]+")
_KEPT_HEADERS = ("Retry-After", "WWW-Authenticate")
_log = logging.getLogger(__name__)


class JsonApiResponse(JSONResponse):
    """JSON with the media type of JSON API."""

    media_type = "application/vnd.api+json"


def meta(
    request: Request,
    *,
    returned: int = 0,
    available: int = 0,
    more: bool = False,
    warnings: list[Warnings] | None = None,
) -> dict[str, Any]:
    """Return the ``meta`` of an answer.

    Args:
        request: what is answered.
        returned: entries that match the filter, on all pages.
        available: entries that the reader may see.
        more: whether pages follow.
        warnings: what the reader should know.
    """
    path = _VERSIONED.sub("", request.url.path, count=1).removeprefix(BASE)
    query = f"?{request.url.query}" if request.url.query else ""
    found = ResponseMeta(
        query=ResponseMetaQuery(representation=f"{path or '/'}{query}"),
        api_version=API_VERSION,
        more_data_available=more,
        time_stamp=datetime.now(UTC).replace(microsecond=0),
        data_returned=returned,
        data_available=available,
        provider=PROVIDER,
        implementation=_IMPLEMENTATION,
        schema=_SCHEMA,
        **({"warnings": warnings} if warnings else {}),
    )
    dumped: dict[str, Any] = found.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dumped


def install_handlers(app: FastAPI) -> None:
    """Make the app answer every error in the shape of OPTIMADE."""
    app.add_exception_handler(OptimadeHTTPException, _answer_optimade)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(HstoreError, _answer_hstore)
    app.add_exception_handler(Exception, _answer_unexpected)


def error_answer(
    request: Request, status: int, title: str, details: list[str], headers: dict[str, str] | None = None
) -> JSONResponse:
    """Answer with an error."""
    errors = [OptimadeError(status=str(status), title=title, detail=detail) for detail in details]
    body = ErrorResponse(meta=ResponseMeta.model_validate(meta(request)), errors=errors)
    return JsonApiResponse(
        body.model_dump(mode="json", by_alias=True, exclude_none=True),
        status_code=status,
        # Answers to unexpected errors leave outside the middleware, so the identifier is added here too.
        headers={**(headers or {}), REQUEST_ID_HEADER: str(request.state.request_id)},
    )


def answer(request: Request, error: Exception) -> JSONResponse:
    """Answer an error of hstore, or of HTTP."""
    return _answer_hstore(request, error) if isinstance(error, HstoreError) else _answer_http(request, error)


def _answer_hstore(request: Request, error: Exception) -> JSONResponse:
    """Answer an error of hstore; what cannot be asked is a bad request here, or not implemented."""
    if isinstance(error, UnsupportedFilterError):
        return error_answer(request, HTTPStatus.NOT_IMPLEMENTED, "Not Implemented", [str(error)])
    if isinstance(error, InputError):
        return error_answer(request, HTTPStatus.BAD_REQUEST, "Bad Request", [str(error)])
    as_problem = problem_answer(request, error)
    told = json.loads(bytes(as_problem.body))
    kept = {name: as_problem.headers[name] for name in _KEPT_HEADERS if name in as_problem.headers}
    return error_answer(request, told["status"], told["title"], [told["detail"]], kept)


def _answer_optimade(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, OptimadeHTTPException)
    return error_answer(request, error.status_code, error.title, [str(error)])


def _answer_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    if error.status_code == HTTPStatus.NOT_FOUND:
        return error_answer(request, error.status_code, title, [f"no such address; {BASE}/v1/info lists them"])
    return error_answer(request, error.status_code, title, [error.detail], dict(error.headers or {}))


def _answer_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    details = {f"{found['loc'][-1]}: {found['msg']}" for found in error.errors()}
    return error_answer(request, HTTPStatus.BAD_REQUEST, "Bad Request", sorted(details))


def _answer_unexpected(request: Request, error: Exception) -> JSONResponse:
    """Answer with 500 and nothing of the cause, which the server logs under the correlation id."""
    _log.error("request %s: %s", request.state.request_id, type(error).__name__)
    detail = "an unexpected error; tell the operator the correlation id"
    return error_answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error", [detail])
