"""Errors as pages, for browsers; programs get the problem document of :mod:`hstore_api.errors`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstore_api.pages.rendering import is_fragment, render

if TYPE_CHECKING:
    from fastapi import Request
    from fastapi.responses import HTMLResponse

    from hstore_api.schemas import Problem

FOR_PROGRAMS = ("/v1", "/optimade", "/openapi.json", "/healthz", "/readyz", "/metrics")
"""Beginnings of addresses that always answer programs."""


def problem_page(request: Request, problem: Problem) -> HTMLResponse | None:
    """Render a problem; None where a program asked."""
    path = request.url.path
    for_program = any(path == start or path.startswith(f"{start}/") for start in FOR_PROGRAMS)
    if for_program or is_fragment(request) or "text/html" not in request.headers.get("accept", ""):
        return None
    return render(request, "problem.html", status=problem.status, problem=problem)
