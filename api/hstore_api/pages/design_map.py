"""The design map and Pareto explorer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from hstore_api.access import ReadCaller  # noqa: TC001 - FastAPI reads annotations
from hstore_api.dependencies import ServiceDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import NotFoundError
from hstore_api.pages.landscape import MOST_POINTS, guides, landscapes_of
from hstore_api.pages.rendering import render

if TYPE_CHECKING:
    from hstore_api.pages.landscape import Landscape
    from hstore_workflows.target import Target

router = APIRouter(include_in_schema=False)

AXES = {
    "hydride": ("plateau_pressure_bar", "h2_capacity_wt_pct", "desorption_enthalpy_kj_per_mol_h2", "p_window"),
    "sorbent": ("usable_capacity_g_per_l", "usable_capacity_wt_pct", "p_capacity", "score"),
    "electrolyte": ("activation_energy_ev", "log10_conductivity_s_per_cm", "p_feasible", "score"),
}
"""Kind of target -> x and y of the first plot, x and y of the second."""

_ROWS = 50

TargetName = Annotated[str, Query(max_length=100)]


@router.get("/map", response_class=HTMLResponse)
def map_page(
    request: Request, caller: ReadCaller, service: ServiceDep, target: TargetName = "onboard"
) -> HTMLResponse:
    """Show the materials of a target in the two quantities that decide."""
    from hstore_workflows.target import shipped_targets

    asked = _target(target)
    pools = landscapes_of(service, request.app.state)
    pool = pools.get(asked, caller.scope)
    return render(
        request,
        "map.html",
        caller=caller,
        target=asked,
        targets=shipped_targets(),
        pool=pool,
        failed=pools.failed(asked, caller.scope),
        axes=AXES[asked.kind],
        guides=guides(asked),
        rows=_rows(pool),
        most=MOST_POINTS,
    )


@router.get("/map/data")
def map_data(
    request: Request, caller: ReadCaller, service: ServiceDep, target: TargetName = "onboard"
) -> Response:
    """Send what the map draws: columns of numbers, compressed."""
    pool = landscapes_of(service, request.app.state).get(_target(target), caller.scope, wait=True)
    if pool is None:
        raise NotFoundError("the map of this target cannot be made; the page says why")
    headers = {"Content-Encoding": "gzip", "Cache-Control": "private, max-age=60"}
    return Response(pool.payload, media_type="application/json", headers=headers)


def _target(name: str) -> Target:
    """Return a shipped target; files of the machine are not targets of the service."""
    from hstore_workflows.target import load_target, shipped_targets

    if name not in shipped_targets():
        raise NotFoundError(f"no target {name!r}; there are {', '.join(shipped_targets())}")
    return load_target(name)


def _rows(pool: Landscape | None) -> list[dict[str, Any]]:
    """Return the best candidates, for readers without scripts."""
    if pool is None or not pool.shown:
        return []
    rows = pool.table.head(_ROWS).to_dict("records")
    return [{str(column): cell for column, cell in row.items()} for row in rows]
