"""The board of a campaign: what is observed, under way, proposed and failed, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from hstore_api.access import MeasureCaller, ReadCaller, RunCaller  # noqa: TC001 - FastAPI reads annotations
from hstore_api.campaign_schemas import ProposalRequest, ResultsRequest, ResultsResponse
from hstore_api.dependencies import ServiceDep, SettingsDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import NotFoundError
from hstore_api.pages.forms import SAID, filled
from hstore_api.pages.rendering import render
from hstore_api.routers import campaigns as routes
from hstore_api.routers.campaigns import Name  # noqa: TC001 - FastAPI reads annotations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from hstore_api.access import Caller
    from hstore_api.campaign_schemas import CampaignDetail
    from hstore_workflows.campaign.report.tables import Cell
    from hstore_workflows.campaign.stopping import Advice
    from hstore_workflows.report.plot import Plot

router = APIRouter(include_in_schema=False)

COLUMNS = {"pending": "Under way", "measured": "Observed", "failed": "Failed"}
"""Column of the board -> its heading; what would be proposed next stands before them."""

_COLUMN_OF = {"pending": "pending", "measured": "measured", "partial": "measured", "failed": "failed"}


@dataclass(frozen=True)
class Card:
    """One experiment on the board."""

    number: int
    """Its number."""
    material_id: str
    """Material of the pool."""
    formula: str
    """Its formula."""
    lab: str
    """Who does it, or did."""
    why: str
    """Why this one."""
    values: Mapping[str, float] = field(default_factory=dict)
    """Measured values by column."""
    stds: Mapping[str, float] = field(default_factory=dict)
    """Their standard deviations, where told."""
    predictions: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """What was predicted before, by column."""
    note: str = ""
    """Cause of a failure, or until when it is kept."""
    best: bool = False
    """True where no other result beats it."""


@dataclass(frozen=True)
class Next:
    """A candidate that would be proposed now."""

    formula: Markup
    """Its formula."""
    why: str
    """Why this one."""
    cells: tuple[Cell, ...]
    """What is predicted of it, by column."""


@dataclass(frozen=True)
class Outlook:
    """How a campaign got on, and what would come next."""

    plots: Sequence[Plot] = ()
    """Progress beside random choice."""
    following: Sequence[Next] = ()
    """Candidates that would be proposed now."""
    columns: Sequence[str] = ()
    """Columns of what is predicted."""
    advice: Advice | None = None
    """Whether to go on."""


@router.get("/campaigns")
def campaigns_page(request: Request, caller: ReadCaller, settings: SettingsDep) -> Response:
    """List the campaigns the reader may see."""
    found = routes.list_campaigns(settings, caller)
    return render(request, "campaigns.html", caller=caller, campaigns=found.items)


@router.get("/campaigns/{name}")
def campaign_page(request: Request, name: Name, caller: ReadCaller, service: ServiceDep) -> Response:
    """Show where a campaign stands."""
    return _board(request, name, caller, service)


@router.get("/campaigns/{name}/progress")
def progress_fragment(request: Request, name: Name, caller: ReadCaller, service: ServiceDep) -> Response:
    """Show the progress beside random choice and what would come next, which takes seconds to work out."""
    routes.get_members(name, service.settings, caller)  # refuses whoever may not see it
    found = Outlook()
    problem = ""
    try:
        with routes.thinking():
            found = _outlook(service.settings, name)
    except SAID as error:
        problem = str(error)
    return render(request, "campaign_progress.html", caller=caller, name=name, outlook=found, problem=problem)


@router.post("/campaigns/{name}/proposals")
def ask(
    request: Request,
    name: Name,
    caller: RunCaller,
    service: ServiceDep,
    n: Annotated[int, Form(ge=1, le=50)] = 1,
    lab: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Ask for the next experiments, and look at the board."""
    try:
        routes.asked(name, filled(ProposalRequest, n=n, lab=lab or None), service, caller)
    except NotFoundError:
        raise
    except SAID as error:
        return _board(request, name, caller, service, problem=str(error))
    return RedirectResponse(f"/campaigns/{name}#board", HTTPStatus.SEE_OTHER)


@router.post("/campaigns/{name}/results")
async def tell(request: Request, name: Name, caller: MeasureCaller, service: ServiceDep) -> Response:
    """Take the result of one experiment from a form, and show its verdict."""
    from starlette.concurrency import run_in_threadpool

    form = {key: str(value) for key, value in (await request.form(max_files=0, max_fields=60)).items()}
    return await run_in_threadpool(_told, request, name, caller, service, form)


def _told(request: Request, name: str, caller: Caller, service: ServiceDep, form: Mapping[str, str]) -> Response:
    row = {key: value for key, value in form.items() if value.strip()}
    try:
        taken = routes.told(name, filled(ResultsRequest, rows=(row,)), service, caller)
    except NotFoundError:
        raise
    except SAID as error:
        return _board(request, name, caller, service, problem=str(error))
    return _board(request, name, caller, service, taken=taken)


def _board(
    request: Request,
    name: str,
    caller: Caller,
    service: ServiceDep,
    *,
    problem: str = "",
    taken: ResultsResponse | None = None,
) -> Response:
    detail = routes.get_campaign(name, service.settings, caller)
    board = _cards(detail)
    names = {card.material_id: card.formula for cards in board.values() for card in cards}
    return render(
        request,
        "campaign.html",
        caller=caller,
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK,
        campaign=detail,
        board=board,
        names=names,
        listed={found.material_id for found in service.store.materials_of(names, scope=caller.scope)},
        columns=COLUMNS,
        asked=_asked(detail),
        problem=problem,
        taken=taken,
    )


def _asked(detail: CampaignDetail) -> list[str]:
    """Return the columns that results are told in."""
    parts = [text.split(":") for text in (*detail.goals, *detail.windows)]
    names = [part[1] if part[0] in {"max", "min"} else part[0] for part in parts]
    return list(dict.fromkeys(names))


def _cards(detail: CampaignDetail) -> dict[str, list[Card]]:
    """Sort the experiments into the columns of the board, newest first."""
    board: dict[str, list[Card]] = {name: [] for name in COLUMNS}
    front = set(detail.front)
    for experiment in reversed(detail.experiments):
        held = dict(experiment)
        column = _COLUMN_OF.get(held["state"])
        if column is not None:
            board[column].append(_card(held, best=held["material_id"] in front))
    return board


def _card(experiment: Mapping[str, Any], *, best: bool) -> Card:
    until = experiment.get("lease_until")
    return Card(
        number=experiment["number"],
        material_id=str(experiment["material_id"]),
        formula=str(experiment.get("formula") or experiment["material_id"]),
        lab=str(experiment.get("lab") or ""),
        why=str(experiment.get("reason") or ""),
        values=experiment.get("values") or {},
        stds=experiment.get("stds") or {},
        predictions=experiment.get("predictions") or {},
        note=str(experiment.get("failed_because") or "") or (f"kept until {str(until)[:10]}" if until else ""),
        best=best,
    )


def _outlook(settings: SettingsDep, name: str) -> Outlook:
    from hstore_workflows.campaign.report import progress_plots, tables
    from hstore_workflows.campaign.report.view import gather

    view = gather(settings, name)
    following = [Next(formula, words, cells) for formula, cells, _, words in tables.next_rows(view)]
    return Outlook(progress_plots(view), following, view.status.objective.columns, view.advice)
