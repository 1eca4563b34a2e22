"""Whether the service answers, whether it is ready, and how it fares."""

from __future__ import annotations

from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

import hstore
from hstore.keys import Permission
from hstore_api.access import KEY_HEADER, find_caller, require
from hstore_api.dependencies import ServiceDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import PROBLEM_JSON, problems
from hstore_api.health_schemas import NotReady, Readiness
from hstore_api.readiness import readiness
from hstore_api.schemas import Health

if TYPE_CHECKING:
    from hstore_api.dependencies import Service

router = APIRouter(tags=["health"])

_NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"model": NotReady, "description": "Not ready; the checks say why"}
}
_METRICS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "All figures"}
}


@router.get("/healthz", responses=problems())
async def health(service: ServiceDep) -> Health:
    """Say that the service answers.

    Neither the store nor a model is asked: this must not wait behind a training.
    """
    return Health(version=hstore.__version__, materials=service.seeding.state)


@router.get("/readyz", response_model=Readiness, responses=problems() | _NOT_READY)
def ready(request: Request, service: ServiceDep) -> Readiness | JSONResponse:
    """Say whether the service has all it needs: database, schema, materials, models, worker.

    Models that were never trained are no fault (the first question trains them); a worker has to be alive only
    where the service was started to have one.
    """
    checks = readiness(service.store, service.settings, service.seeding.state, service.model_check)
    if all(check.ok for check in checks):
        return Readiness(version=hstore.__version__, checks=checks)
    wrong = ", ".join(check.name for check in checks if not check.ok)
    problem = NotReady(
        type="urn:hstore:problem:not_ready",
        title="Not ready",
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        detail=f"not as it should be: {wrong}; checks says more, the log of the service most",
        code="not_ready",
        instance=quote(request.url.path),
        correlation_id=str(request.state.request_id),
        checks=checks,
    )
    return JSONResponse(problem.model_dump(mode="json"), problem.status, {"Retry-After": "5"}, PROBLEM_JSON)


@router.get(
    "/metrics",
    response_class=Response,
    responses=problems() | _METRICS,
    openapi_extra={"security": [{}, {"key": []}]},
)
def metrics(request: Request, service: ServiceDep) -> Response:
    """Return figures for Prometheus: requests, predictions, jobs, sizes; nothing of single records or keys.

    Unless the operator opened it, this machine and keys with the scope `admin` may read it.
    """
    _check_metrics_reader(request, service)
    return Response(service.metrics.text(service.store), media_type=CONTENT_TYPE_LATEST)


def _check_metrics_reader(request: Request, service: Service) -> None:
    """Let through whom the settings allow.

    Raises:
        UnauthenticatedError: a key is needed and there is none, or none that can be used.
        ForbiddenError: the key lacks the scope admin.
    """
    access, key = service.settings.metrics_access, request.headers.get(KEY_HEADER)
    if key is None and (access == "open" or (access == "loopback" and _is_local(request))):
        return
    require(find_caller(request), Permission.ADMIN)


def _is_local(request: Request) -> bool:
    """Tell whether a request comes from this machine; what a proxy passes on does not."""
    if request.client is None or "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:  # a test client, or a socket that is no address
        return False
