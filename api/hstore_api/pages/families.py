"""Families of storage materials side by side: the same maps and tables as ``hstore explain families``."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from hstore_api.access import ReadCaller  # noqa: TC001 - FastAPI reads annotations
from hstore_api.pages.rendering import render

router = APIRouter(include_in_schema=False)


@router.get("/families", response_class=HTMLResponse)
def families_page(request: Request, caller: ReadCaller) -> HTMLResponse:
    """Show what interstitial, ionic and complex hydrides and sorbents hold, when, and what that hangs on."""
    return render(request, "families.html", caller=caller, **_shown())


@cache
def _shown() -> dict[str, Any]:
    """Return what the page shows; the shipped tables do not change while the service runs."""
    from hstore_workflows.families.page import shown
    from hstore_workflows.families.summary import shipped_sides

    return shown(shipped_sides())
