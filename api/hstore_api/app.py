"""The app: made by :func:`create_app`, nothing at import."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

import hstore
from hstore.settings import Settings, load_settings
from hstore.store import open_store
from hstore_api import sessions
from hstore_api.dependencies import Service
from hstore_api.errors import PROBLEM_JSON, install_handlers
from hstore_api.metrics import Metrics
from hstore_api.middleware import REQUEST_ID_HEADER, RequestIdMiddleware
from hstore_api.observing import ObservingMiddleware, RequestLog
from hstore_api.optimade.service import make_optimade_app
from hstore_api.pages.install import install_pages
from hstore_api.predictor import Predictor
from hstore_api.readiness import ModelCheck
from hstore_api.routers import (
    campaigns,
    datasets,
    health,
    isotherms,
    jobs,
    keys,
    materials,
    measurements,
    models,
    predictions,
    properties,
    screens,
)
from hstore_api.security import install_security
from hstore_api.seeding import SEEDED_WITHIN_S, Seeding, embedded_candidates
from hstore_api.stopping import Stopping

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from fastapi.routing import APIRoute

_RESOURCES = (
    *(health, materials, predictions, models, datasets, screens, properties),
    *(campaigns, keys, jobs, measurements, isotherms, sessions),
)
_DESCRIPTION = """Candidates for hydrogen storage and solid electrolytes, predictions with intervals, and finished
screens. The unit of every number is in its name or beside it. Errors are problems as in RFC 9457. The header
X-Request-ID names a request in the server's log."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Make the service; its store is opened when it starts and closed when it ends.

    Args:
        settings: where store, models and data are; read from the environment when not given.

    Raises:
        SettingsError: a setting has a value that is not allowed.
    """
    settings = settings or load_settings()
    metrics = Metrics()
    app = _Contracted(
        title="hstore",
        version=hstore.__version__,
        description=_DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=_lifespan(settings, metrics),
        generate_unique_id_function=_operation_id,
        docs_url=None,  # the pages FastAPI has load their scripts from a content network
        redoc_url=None,
    )
    install_security(app, settings)
    app.add_middleware(ObservingMiddleware, observers=(metrics, RequestLog()))  # refusals by the others too
    app.add_middleware(RequestIdMiddleware)  # added last, so outermost: refusals have an identifier too
    install_handlers(app)
    for resource in _RESOURCES:
        app.include_router(resource.router)
    app.mount("/optimade", make_optimade_app(app.state))
    install_pages(app)
    return app


def _lifespan(settings: Settings, metrics: Metrics) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with open_store(settings.store_url) as store:
            seeding = Seeding(store, partial(embedded_candidates, settings.seed))
            stopping = Stopping()
            predictor = Predictor(settings, tell=metrics.predicted)
            app.state.service = Service(
                settings=settings,
                store=store,
                seeding=seeding,
                predictor=predictor,
                metrics=metrics,
                model_check=ModelCheck(),
                stopping=stopping,
            )
            seeding.start()
            predictor.start()
            try:
                with stopping.by_signal(seeding.give_up):
                    await run_in_threadpool(seeding.wait, SEEDED_WITHIN_S)
                    yield
            finally:
                stopping.tell()
                predictor.stop()
                seeding.stop()

    return lifespan


def _operation_id(route: APIRoute) -> str:
    return route.name


class _Contracted(FastAPI):
    """An app whose contract says what FastAPI leaves out."""

    def openapi(self) -> dict[str, Any]:
        """Return the contract: errors with their media type, the identifier in every response."""
        if self.openapi_schema is None:
            for path in super().openapi()["paths"].values():
                for operation in path.values():
                    for status, response in operation["responses"].items():
                        _complete_response(response, failed=int(status) >= 400)
        return super().openapi()


def _complete_response(response: dict[str, Any], *, failed: bool) -> None:
    response["headers"] = {
        REQUEST_ID_HEADER: {"description": "Identifier of the request.", "schema": {"type": "string"}}
    }
    if failed:
        response["content"] = {PROBLEM_JSON: response["content"]["application/json"]}
