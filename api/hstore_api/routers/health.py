"""Whether the service answers."""

from __future__ import annotations

from fastapi import APIRouter

import hstore
from hstore_api.dependencies import ServiceDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import problems
from hstore_api.schemas import Health

router = APIRouter(tags=["health"])


@router.get("/healthz", responses=problems())
async def health(service: ServiceDep) -> Health:
    """Say that the service answers.

    Neither the store nor a model is asked: this must not wait behind a training.
    """
    return Health(version=hstore.__version__, materials=service.seeding.state)
