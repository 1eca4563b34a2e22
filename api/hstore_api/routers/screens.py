"""Finished screening runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from hstore_api.access import ScopeDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.dependencies import StoreDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import NotFoundError, problems
from hstore_api.schemas import ScreenDetail, ScreenPage, ScreenQuery, ScreenSummary, Text

router = APIRouter(prefix="/v1/screens", tags=["screens"])


@router.get("", responses=problems(422))
def list_screens(query: Annotated[ScreenQuery, Query()], store: StoreDep, scope: ScopeDep) -> ScreenPage:
    """List the latest screens, newest first."""
    found = store.screens(scope=scope, target=query.target, limit=query.limit)
    return ScreenPage(items=tuple(map(ScreenSummary.of, found)), limit=query.limit)


@router.get("/{screen_id}", responses=problems(404, 422))
def get_screen(
    screen_id: Annotated[Text, Path(description="Identifier.")], store: StoreDep, scope: ScopeDep
) -> ScreenDetail:
    """Return one screen with its best candidates."""
    screen = store.screen(screen_id, scope=scope)
    if screen is None:
        raise NotFoundError(f"no screen {screen_id!r} that you may see; /v1/screens lists those there are")
    return ScreenDetail.of(screen)
