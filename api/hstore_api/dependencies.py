"""What handlers are given, as typed aliases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Request

from hstore.settings import Settings
from hstore.store import Store
from hstore_api.predictor import Predictor

if TYPE_CHECKING:
    from hstore_api.metrics import Metrics
    from hstore_api.readiness import ModelCheck
    from hstore_api.seeding import Seeding
    from hstore_api.stopping import Stopping


@dataclass(frozen=True)
class Service:
    """What lives as long as the app runs."""

    settings: Settings
    """Settings it was started with."""
    store: Store
    """The open result store."""
    seeding: Seeding
    """The filling of the store, under way or done."""
    predictor: Predictor
    """The property models."""
    metrics: Metrics
    """Figures for Prometheus."""
    model_check: ModelCheck
    """Whether the files of the models can be used."""
    stopping: Stopping
    """Whether the process has been told to end; long answers ask it and end of their own accord."""


async def _service(request: Request) -> Service:
    return cast("Service", request.app.state.service)


async def _settings(request: Request) -> Settings:
    return (await _service(request)).settings


async def _store(request: Request) -> Store:
    return (await _service(request)).store


async def _predictor(request: Request) -> Predictor:
    return (await _service(request)).predictor


ServiceDep = Annotated[Service, Depends(_service)]
SettingsDep = Annotated[Settings, Depends(_settings)]
StoreDep = Annotated[Store, Depends(_store)]
PredictorDep = Annotated[Predictor, Depends(_predictor)]
