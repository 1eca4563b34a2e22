"""The page to sign in with a key; the session itself begins and ends at ``/session``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response  # noqa: TC002 - FastAPI reads annotations

from hstore_api.pages.rendering import render

router = APIRouter(include_in_schema=False)

Address = Annotated[str, Query(max_length=500, alias="next")]


@router.get("/sign-in")
def sign_in_page(request: Request, leads_to: Address = "/", *, refused: bool = False) -> Response:
    """Ask for a key."""
    plain = leads_to.startswith("/") and not leads_to.startswith(("//", "/\\"))
    return render(request, "sign_in.html", next=leads_to if plain else "/", refused=refused)
