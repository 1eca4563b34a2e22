"""The page to sign in with a key; the session itself begins and ends at ``/session``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from hstore_api.pages.rendering import render

router = APIRouter(include_in_schema=False)


@router.get("/sign-in", response_class=HTMLResponse)
def sign_in_page(request: Request, next: Annotated[str, Query(max_length=500)] = "/") -> HTMLResponse:  # noqa: A002 - the word in the address
    """Ask for a key."""
    return render(
        request, "sign_in.html", next=next if next.startswith("/") and not next.startswith("//") else "/"
    )
