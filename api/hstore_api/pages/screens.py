"""Screens and what they ranked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse

from hstore_api.access import ReadCaller  # noqa: TC001 - FastAPI reads annotations
from hstore_api.dependencies import StoreDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import NotFoundError
from hstore_api.pages.rendering import render
from hstore_api.schemas import WITHOUT_NUL, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.records import Screen

router = APIRouter(include_in_schema=False)

_LISTED = 100
_MEAN = "_mean"


@router.get("/screens", response_class=HTMLResponse)
def screens_page(
    request: Request,
    caller: ReadCaller,
    store: StoreDep,
    target: Annotated[str, Query(max_length=100, pattern=WITHOUT_NUL)] = "",
) -> HTMLResponse:
    """List the latest screens."""
    found = store.screens(scope=caller.scope, target=target or None, limit=_LISTED)
    return render(request, "screens.html", caller=caller, screens=found, target=target)


@router.get("/screens/{screen_id}", response_class=HTMLResponse)
def screen_page(
    request: Request, screen_id: Annotated[Text, Path()], caller: ReadCaller, store: StoreDep
) -> HTMLResponse:
    """Show one screen with its best candidates."""
    screen = store.screen(screen_id, scope=caller.scope)
    if screen is None:
        raise NotFoundError(f"no screen {screen_id!r} that you may see; /screens lists those there are")
    return render(
        request,
        "screen.html",
        caller=caller,
        screen=screen,
        quantities=_quantities(screen),
        row_numbers=_row_numbers,
        manifest=json.dumps(screen.manifest, indent=2, ensure_ascii=False, sort_keys=True),
        stages=_stages(screen),
    )


def _quantities(screen: Screen) -> list[str]:
    """Return the predicted properties of the rows, in the order of their columns."""
    first = screen.top[0] if screen.top else {}
    return [name.removesuffix(_MEAN) for name in first if name.endswith(_MEAN)]


def _row_numbers(row: Mapping[str, Any], name: str) -> tuple[float | None, float | None, float | None]:
    """Return mean and ends of the interval of a property in a row; None for what is not a number."""
    mean, lower, upper = (row.get(f"{name}{part}") for part in (_MEAN, "_lower", "_upper"))
    return _number(mean), _number(lower), _number(upper)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _stages(screen: Screen) -> list[tuple[str, str]]:
    """Return what the run says of itself, in words."""
    manifest = screen.manifest
    models = manifest.get("models")
    times = manifest.get("time_s")
    found = [
        ("Command", manifest.get("command")),
        ("Candidates from", manifest.get("pool")),
        ("Models", ", ".join(map(str, models.values())) if isinstance(models, dict) else None),
        ("Seed", manifest.get("seed")),
        ("Time", ", ".join(f"{k} {v} s" for k, v in times.items()) if isinstance(times, dict) else None),
    ]
    return [(words, str(value)) for words, value in found if value not in {None, ""}]
