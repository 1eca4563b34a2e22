"""Put the pages into the app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstore_api.pages import assets, home, materials, search

if TYPE_CHECKING:
    from fastapi import FastAPI


def install_pages(app: FastAPI) -> None:
    """Add the pages and what they load; none of it is part of the contract."""
    for module in (assets, home, search, materials):
        app.include_router(module.router)
