"""Every error leaves in one shape: RFC 9457, made here and nowhere else."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from hstore.errors import (
    DataError,
    FormulaError,
    HstoreError,
    InputError,
    MissingExtraError,
    ModelError,
    StoreError,
    UnknownNameError,
)
from hstore.store.idempotency import KeyReusedError, RequestUnderWayError
from hstore.store.lab_records import RecordStateError
from hstore_api.middleware import REQUEST_ID_HEADER
from hstore_api.schemas import InvalidPart, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import FastAPI, Request, Response

PROBLEM_JSON = "application/problem+json"
"""Media type of every error."""

_log = logging.getLogger(__name__)


class NotFoundError(UnknownNameError):
    """An address names a record that is not there, or that the reader may not see."""


class UnauthenticatedError(HstoreError):
    """A request needs a key and has none that can be used."""


class ForbiddenError(HstoreError):
    """The key of a request does not permit what it asks for."""


class NotAcceptableError(InputError):
    """A caller accepts none of the forms in which an answer can be had."""


class ConflictError(InputError):
    """What a request asks for contradicts what is there."""


class SlowAnswerError(HstoreError):
    """An answer takes longer than a caller is kept waiting."""


class LimitError(HstoreError):
    """A key has used up what it may have for now."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        """Take the message, and the time after which the request may be made again, s."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BusyError(HstoreError):
    """A model is being trained, or others wait for the same; who asks for it has to come again."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        """Take the message, and the time after which to ask again, s."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class _Kind:
    status: int
    code: str
    title: str
    detail: str | None = None
    """What to say when the message of the error itself is for the operator, not the caller. That of a missing
    package names the package and nothing else, so the caller can pass it on."""


_INTERNAL = _Kind(500, "internal", "Internal error", "an unexpected error; tell the operator the correlation id")
_OF_ERROR: dict[type[HstoreError], _Kind] = {
    UnauthenticatedError: _Kind(401, "unauthenticated", "Key needed"),
    ForbiddenError: _Kind(403, "forbidden", "Not permitted"),
    NotFoundError: _Kind(404, "not_found", "Not found"),
    NotAcceptableError: _Kind(406, "not_acceptable", "Not acceptable"),
    ConflictError: _Kind(409, "conflict", "Conflict"),
    RecordStateError: _Kind(409, "conflict", "Conflict"),
    RequestUnderWayError: _Kind(409, "request_under_way", "Request under way"),
    KeyReusedError: _Kind(422, "idempotency_mismatch", "Idempotency key used before"),
    LimitError: _Kind(429, "limit_reached", "Limit reached"),
    UnknownNameError: _Kind(422, "unknown_name", "Unknown name"),
    FormulaError: _Kind(422, "invalid_formula", "Formula cannot be read"),
    InputError: _Kind(422, "invalid_input", "Input cannot be used"),
    MissingExtraError: _Kind(501, "not_installed", "Not installed on this server"),
    SlowAnswerError: _Kind(503, "slow_answer", "Answer takes too long", "the answer takes too long; ask for less"),
    StoreError: _Kind(
        503,
        "store_unavailable",
        "Store unavailable",
        "the result store does not answer; try again, or tell the operator the correlation id",
    ),
    BusyError: _Kind(
        503,
        "busy",
        "Not yet",
        "the model is being trained, or others wait for the same; ask again after the time in Retry-After",
    ),
    ModelError: _Kind(
        503,
        "model_unavailable",
        "Model unavailable",
        "the property model cannot be used; tell the operator the correlation id",
    ),
    DataError: _Kind(
        503,
        "data_unavailable",
        "Data unavailable",
        "the data of the property model cannot be used; tell the operator the correlation id",
    ),
}
"""Class of error -> what the caller is told; a class without an entry is told as its nearest parent."""

_OF_STATUS = {
    400: _Kind(400, "bad_request", "Bad request", "the body cannot be read; send JSON in UTF-8"),
    404: _Kind(404, "no_such_address", "No such address", "no such address; /openapi.json lists them"),
    405: _Kind(
        405,
        "method_not_allowed",
        "Method not allowed",
        "the address does not take this method; the header Allow lists those it takes",
    ),
    408: _Kind(408, "too_slow", "Request too slow"),
    413: _Kind(413, "too_large", "Request too large"),
    414: _Kind(414, "address_too_long", "Address too long"),
    415: _Kind(415, "unsupported_media_type", "Unsupported media type"),
}
_INVALID = _Kind(
    422,
    "invalid_request",
    "Request does not keep to the contract",
    "parts of the request are not as /openapi.json says; errors lists them",
)
_OTHER_STATUS_CODE = "http_error"
_RETRY_AFTER_S = "10"
_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


def install_handlers(app: FastAPI) -> None:
    """Make the app answer every error with a problem."""
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(HstoreError, _answer_hstore)
    app.add_exception_handler(Exception, _answer_unexpected)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Declare, for the contract, the errors of a route; those any route may give go without saying."""
    return {
        status: {"model": Problem, "description": HTTPStatus(status).phrase}
        for status in sorted({*statuses, 401, 403, 429, 500, 503})
    }


def error_codes() -> dict[str, tuple[int | None, str, str]]:
    """Return what the service may answer when it refuses: code -> status, title, and what it means.

    The status is None where a code stands for several.
    """
    told: dict[str, tuple[int | None, str, str]] = {}
    for error, kind in _OF_ERROR.items():
        told.setdefault(kind.code, (kind.status, kind.title, (error.__doc__ or "").strip()))
    for kind in (*_OF_STATUS.values(), _INVALID, _INTERNAL):
        told[kind.code] = (kind.status, kind.title, kind.detail or kind.title)
    told[_OTHER_STATUS_CODE] = (None, "Other", "The status of HTTP says what is wrong.")
    return told


def answer(request: Request, error: Exception) -> Response:
    """Answer an error of hstore, or of HTTP, that arises before there is a route, in the shape of the address."""
    if request.url.path.startswith("/optimade/"):
        from hstore_api.optimade.answers import answer as optimade_answer  # which builds on this module

        return optimade_answer(request, error)
    return problem_answer(request, error)


def problem_answer(request: Request, error: Exception) -> Response:
    """Return the problem for an error of hstore, or of HTTP."""
    return _answer_hstore(request, error) if isinstance(error, HstoreError) else _answer_http(request, error)


def _answer_hstore(request: Request, error: Exception) -> Response:
    kind = next((_OF_ERROR[c] for c in type(error).__mro__ if c in _OF_ERROR), _INTERNAL)
    if kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, BusyError):
        _log.error("request %s: %s", _request_id(request), error, exc_info=error)
    headers = {}
    if kind.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = _RETRY_AFTER_S
    if kind.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'ApiKey realm="hstore"'
    if isinstance(error, LimitError | RequestUnderWayError | BusyError):
        headers["Retry-After"] = str(error.retry_after_s)
    return _problem(request, kind, str(error), headers=headers)


def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    other = _Kind(error.status_code, _OTHER_STATUS_CODE, HTTPStatus(error.status_code).phrase)
    kind = _OF_STATUS.get(error.status_code, other)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed(request)) or headers.get("Allow", "")
    return _problem(request, kind, error.detail, headers=headers)


def _allowed(request: Request) -> list[str]:
    """Return the methods an address takes: routers name only those of the first of its routes."""
    routes, path = request.app.router.routes, request.url.path

    def takes(method: str) -> bool:
        scope = {"type": "http", "path": path, "root_path": "", "headers": [], "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in routes)

    return [method for method in _METHODS if takes(method)]


def _answer_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    parts = tuple(
        InvalidPart(location=".".join(map(str, found["loc"])), message=found["msg"]) for found in error.errors()
    )
    return _problem(request, _INVALID, "", parts=parts)


def _answer_unexpected(request: Request, error: Exception) -> Response:
    """Answer with 500 and nothing of the cause, which the server logs under the correlation id."""
    _log.error("request %s: %s", _request_id(request), type(error).__name__)
    return _problem(request, _INTERNAL, "")


def _problem(
    request: Request,
    kind: _Kind,
    detail: str,
    *,
    parts: tuple[InvalidPart, ...] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    request_id = _request_id(request)
    problem = Problem(
        type=f"urn:hstore:problem:{kind.code}",
        title=kind.title,
        status=kind.status,
        detail=kind.detail or detail,
        code=kind.code,
        instance=quote(request.url.path, safe="/:@"),
        correlation_id=request_id,
        errors=parts,
    )
    response = _page(request, problem) or JSONResponse(
        problem.model_dump(mode="json"), status_code=kind.status, media_type=PROBLEM_JSON
    )
    # Answers to unexpected errors leave outside the middleware, so the identifier is added here too.
    response.headers.update({**(headers or {}), REQUEST_ID_HEADER: request_id})
    return response


def _page(request: Request, problem: Problem) -> Response | None:
    """Return the problem as a page, where the pages are installed and a browser asked for one."""
    render: Callable[[Request, Problem], Response | None] | None = getattr(request.app.state, "problem_page", None)
    return render(request, problem) if render else None


def _request_id(request: Request) -> str:
    return str(request.state.request_id)
