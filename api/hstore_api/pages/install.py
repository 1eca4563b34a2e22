"""Put the pages into the app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstore_api.pages import (
    assets,
    campaigns,
    compare,
    design_map,
    families,
    home,
    jobs,
    materials,
    measure,
    models,
    screens,
    search,
    session,
    try_it,
)
from hstore_api.pages.problem import problem_page

if TYPE_CHECKING:
    from fastapi import FastAPI

_MODULES = (
    *(assets, home, search, materials, compare, design_map, families, try_it),
    *(screens, campaigns, models, jobs, measure, session),
)


def install_pages(app: FastAPI) -> None:
    """Add the pages and what they load; none of it is part of the contract."""
    for module in _MODULES:
        app.include_router(module.router)
    app.state.problem_page = problem_page
