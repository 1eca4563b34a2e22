"""Campaigns: begin one, ask for the next experiments, tell results, mend what was told, look how it gets on."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Response

from hstore.errors import InputError, UnknownNameError
from hstore.records import Visibility
from hstore_api.access import (
    Caller,
    MeasureCaller,
    ReadCaller,
    RunCaller,
    note_write,
)
from hstore_api.campaign_schemas import (
    CampaignBegun,
    CampaignDetail,
    CampaignList,
    CampaignProgress,
    CampaignRequest,
    CampaignSummary,
    CorrectionRequest,
    LabDescribed,
    LabRequest,
    Members,
    MembersRequest,
    Progress,
    ProposalRequest,
    ProposalsResponse,
    ProposedExperiment,
    ResultsRequest,
    ResultsResponse,
    RetractionRequest,
    RowVerdict,
    StopAdvice,
)
from hstore_api.dependencies import ServiceDep, SettingsDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import ForbiddenError, LimitError, NotFoundError, problems
from hstore_api.idempotency import Answer, Once
from hstore_api.schemas import Text
from hstore_api.security import REPORT_POLICY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path as FilePath
    from typing import Any

    from pandas import DataFrame

    from hstore.settings import Settings
    from hstore.store import Store
    from hstore_api.dependencies import Service
    from hstore_workflows.campaign.config import CampaignConfig
    from hstore_workflows.campaign.results import Verdict

router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"])

Name = Annotated[Text, Path(description="Name of the campaign; that of a lab's begins with the lab.")]
Number = Annotated[
    int,
    Path(
        description="Number of the experiment.",
        ge=0,
        le=10**9,
        examples=[12],
        json_schema_extra={"unit": "number of an experiment"},
    ),
]

_THINKING = threading.BoundedSemaphore(4)
"""Requests of one process that may think about proposals at a time; the others are asked to come again."""
_BUSY_S = 5

_LINKS = {
    operation: {"operationId": operation, "parameters": {"name": "$response.body#/campaign"}}
    for operation in (
        "get_campaign", "propose_experiments", "take_results", "describe_lab", "set_members", "get_members",
        "advise_stop", "get_progress", "get_report",
    )
}  # fmt: skip
"""What can be done with a campaign that has begun."""


@router.get("", responses=problems())
def list_campaigns(settings: SettingsDep, caller: ReadCaller) -> CampaignList:
    """List the campaigns the caller sees, by name."""
    from hstore_workflows.campaign.access import visible_names
    from hstore_workflows.campaign.records import status_summary
    from hstore_workflows.campaign.story import status

    found = [status_summary(status(settings, name)) for name in visible_names(settings, caller.scope)]
    return CampaignList(items=tuple(map(CampaignSummary.model_validate, found)))


@router.post("", status_code=201, responses={**problems(400, 404, 413, 422), 201: {"links": _LINKS}})
def begin_campaign(request: CampaignRequest, service: ServiceDep, caller: RunCaller) -> CampaignBegun:
    """Begin a campaign of the caller's lab; its pool is frozen."""
    from hstore_workflows.campaign.access import full_name
    from hstore_workflows.campaign.config import DAY_S
    from hstore_workflows.campaign.objective import Goal, Objective, Window
    from hstore_workflows.campaign.story import begin
    from hstore_workflows.campaign.strategies import DEFAULT

    goals = (*map(Goal, request.maximize), *(Goal(column, minimize=True) for column in request.minimize))
    access = caller.access(Visibility.LAB)
    with _pool(request, service.settings, service.store, caller) as source:
        made = begin(
            service.settings,
            request.name,
            source,
            Objective(goals, tuple(map(Window.parse, request.windows))),
            keep_outside=request.keep_outside,
            access=access,
            members=_labs(request.members, access.lab_id),
            batch=request.batch,
            strategy=request.strategy or DEFAULT,
            lease_s=request.lease_days * DAY_S,
            conditions=dict(request.conditions),
            budget=request.budget,
        )
    name = full_name(request.name, access)
    _note(service.store, caller, "campaigns.begin", name, candidates=len(made))
    return CampaignBegun(
        campaign=name,
        pool=len(made),
        predicted=tuple(goal.column for goal in goals if made.prior(goal.column) is not None),
        outside=made.outside,
        rejected=tuple({"row": r.row, "formula": r.formula, "cause": r.cause} for r in made.rejects[:100]),
    )


@router.get("/{name}", responses=problems(404, 422))
def get_campaign(name: Name, settings: SettingsDep, caller: ReadCaller) -> CampaignDetail:
    """Return where a campaign stands, with its experiments."""
    from hstore_workflows.campaign.records import status_record
    from hstore_workflows.campaign.story import status

    _seen(settings, name, caller)
    return CampaignDetail.model_validate(status_record(status(settings, name)))


@router.post("/{name}/proposals", response_model=ProposalsResponse, responses=problems(400, 404, 409, 413, 422))
def propose_experiments(
    name: Name, request: ProposalRequest, service: ServiceDep, caller: RunCaller, once: Once
) -> Response:
    """Propose the next experiments and note them as under way; each material is proposed once.

    They are kept for the lab of the key; a key without a lab says for whom.
    """
    return once.write_elsewhere(request, lambda token: Answer(asked(name, request, service, caller, token)))


@router.post("/{name}/results", response_model=ResultsResponse, responses=problems(400, 404, 409, 413, 422))
def take_results(
    name: Name, request: ResultsRequest, service: ServiceDep, caller: MeasureCaller, once: Once
) -> Response:
    """Take results back; every row gets a verdict, and a bad one does not stop the others.

    What is told twice is there once: a repeated row is a duplicate, so a request may be sent again.
    """
    return once.write_elsewhere(request, lambda _: Answer(told(name, request, service, caller)))


@router.post("/{name}/experiments/{number}/correction", responses=problems(400, 404, 413, 422))
def correct_experiment(
    name: Name, number: Number, request: CorrectionRequest, service: ServiceDep, caller: MeasureCaller
) -> RowVerdict:
    """Put other values in the place of those an experiment was told; the old ones stay in its history."""
    from hstore_workflows.campaign.story import correct

    _seen(service.settings, name, caller)
    verdict = correct(
        service.settings,
        name,
        number,
        dict(request.values),
        why=request.why,
        lab=_acting(caller, None),
        acting=caller.lab_id,
    )
    return _mended(service.store, caller, "campaigns.correct", name, verdict)


@router.post("/{name}/experiments/{number}/retraction", responses=problems(400, 404, 413, 422))
def retract_experiment(
    name: Name, number: Number, request: RetractionRequest, service: ServiceDep, caller: MeasureCaller
) -> RowVerdict:
    """Take back what an experiment was told; one that is under way is given back to the pool."""
    from hstore_workflows.campaign.story import retract

    _seen(service.settings, name, caller)
    lab = _acting(caller, None)
    verdict = retract(service.settings, name, number, why=request.why, lab=lab, acting=caller.lab_id)
    return _mended(service.store, caller, "campaigns.retract", name, verdict)


@router.post("/{name}/held/{row}/confirmation", responses=problems(404, 422))
def confirm_result(
    name: Name,
    row: Annotated[
        int,
        Path(
            description="Number of the held row.",
            ge=0,
            le=10**9,
            examples=[3],
            json_schema_extra={"unit": "number of a kept row"},
        ),
    ],
    service: ServiceDep,
    caller: MeasureCaller,
) -> RowVerdict:
    """Take a row that was held as hardly true."""
    from hstore_workflows.campaign.story import confirm

    _seen(service.settings, name, caller)
    verdict = confirm(service.settings, name, row, acting=caller.lab_id)
    return _mended(service.store, caller, "campaigns.confirm", name, verdict)


@router.put("/{name}/labs/{lab}", responses=problems(400, 404, 413, 422))
def describe_lab(
    name: Name,
    lab: Annotated[Text, Path(description="Name of the lab.")],
    request: LabRequest,
    service: ServiceDep,
    caller: RunCaller,
) -> LabDescribed:
    """Say what a lab has and how much it does in a week; it is then proposed only what it can make."""
    from hstore_workflows.campaign.labs import Lab
    from hstore_workflows.campaign.story import describe_lab as describe

    config = _seen(service.settings, name, caller)
    if caller.lab_id not in {None, lab, config.access.lab_id}:
        raise ForbiddenError(f"lab {lab!r} is described by itself or by the owner of the campaign")
    described = Lab(lab, request.elements, request.without, request.per_week, request.precursors)
    makeable = describe(service.settings, name, described)
    _note(service.store, caller, "campaigns.lab", name, lab=lab)
    return LabDescribed(lab=lab, makeable=makeable, **request.model_dump())


@router.put("/{name}/members", responses=problems(400, 404, 413, 422))
def set_members(name: Name, request: MembersRequest, service: ServiceDep, caller: RunCaller) -> Members:
    """Say which labs besides the owner see a lab's campaign and work on it; only the owner may."""
    from hstore_workflows.campaign.access import set_members as change

    config = _seen(service.settings, name, caller)
    if config.access.lab_id is None or config.access.lab_id != caller.lab_id:
        raise ForbiddenError("only the lab that owns a campaign says who works on it")
    changed = change(service.settings, name, _labs(request.members, caller.lab_id))
    _note(service.store, caller, "campaigns.members", name, members=list(changed.members))
    return Members(campaign=name, owner=changed.access.lab_id, members=changed.members)


@router.get("/{name}/members", responses=problems(404, 422))
def get_members(name: Name, settings: SettingsDep, caller: ReadCaller) -> Members:
    """Return whose a campaign is and who works on it."""
    config = _seen(settings, name, caller)
    return Members(campaign=name, owner=config.access.lab_id, members=config.members)


@router.get("/{name}/stop", responses=problems(404, 422))
def advise_stop(name: Name, settings: SettingsDep, caller: ReadCaller) -> StopAdvice:
    """Say whether the campaign should go on: what the next batch may bring, and what is left to find."""
    from hstore_workflows.campaign.stopping import advice_on
    from hstore_workflows.campaign.story import status

    _seen(settings, name, caller)
    with thinking():
        advice = advice_on(settings, status(settings, name)).as_json()
    return StopAdvice(**{field: advice[field] for field in StopAdvice.model_fields})


@router.get("/{name}/progress", responses=problems(404, 422))
def get_progress(name: Name, settings: SettingsDep, caller: ReadCaller) -> CampaignProgress:
    """Return how the campaign got on, beside random choice over the same pool."""
    from hstore_workflows.campaign.report import figures
    from hstore_workflows.campaign.report.view import gather

    _seen(settings, name, caller)
    with thinking():
        found = figures(gather(settings, name))
    curves = found["progress"]
    kept = None if curves is None else {field: curves[field] for field in Progress.model_fields}
    return CampaignProgress(campaign=name, progress=kept, next=tuple(found["next"]))


@router.get(
    "/{name}/report",
    responses={**problems(404, 422), 200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
    response_class=Response,
)
def get_report(name: Name, settings: SettingsDep, caller: ReadCaller) -> Response:
    """Return the report of the campaign: one HTML page with everything it needs inside."""
    from hstore_workflows.campaign.report import campaign_report

    _seen(settings, name, caller)
    with thinking():
        page = campaign_report(settings, name)
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": REPORT_POLICY})


def asked(
    name: str, request: ProposalRequest, service: Service, caller: Caller, token: str = ""
) -> ProposalsResponse:
    """Propose experiments for a caller; asked again with the same token it gives what it gave."""
    from hstore_workflows.campaign.proposing import propose

    _seen(service.settings, name, caller)
    lab = _acting(caller, request.lab) or None
    with thinking():
        found = propose(service.settings, name, n=request.n, lab=lab, strategy=request.strategy, token=token)
    _note(service.store, caller, "campaigns.propose", name, experiments=len(found))
    return ProposalsResponse(campaign=name, items=tuple(map(ProposedExperiment.of, found)), note=found.note)


def told(name: str, request: ResultsRequest, service: Service, caller: Caller) -> ResultsResponse:
    """Take the results of a caller."""
    from hstore_workflows.campaign.story import observe

    _seen(service.settings, name, caller)
    lab = _acting(caller, request.lab)
    taken = observe(service.settings, name, list(request.rows), lab=lab, acting=caller.lab_id)
    _note(service.store, caller, "campaigns.results", name, **taken.counts)
    verdicts = tuple(map(RowVerdict.of, taken.verdicts))
    return ResultsResponse(campaign=name, counts=taken.counts, verdicts=verdicts, ignored=taken.ignored)


def _seen(settings: Settings, name: str, caller: Caller) -> CampaignConfig:
    """Return the settings of a campaign, which does not exist for those who may not see it."""
    from hstore_workflows.campaign.access import visible_config

    try:
        return visible_config(settings, name, caller.scope)
    except UnknownNameError as error:
        raise NotFoundError(str(error)) from None


def _acting(caller: Caller, stated: object) -> str:
    """Return the lab a caller acts for: that of its key; only a key without a lab may state one."""
    named = "" if stated is None else str(stated)
    if caller.lab_id is None:
        return named
    if named not in {"", caller.lab_id}:
        raise ForbiddenError(f"the key acts for lab {caller.lab_id!r} and not for {named!r}; leave lab out")
    return caller.lab_id


def _labs(names: tuple[str, ...], owner: str | None) -> tuple[str, ...]:
    from hstore.keys import lab_of

    if names and owner is None:
        raise InputError("a campaign without an owner is open to everybody and has no members; leave them out")
    return tuple(sorted({lab_of(name) for name in names} - {owner or ""}))


@contextmanager
def thinking() -> Iterator[None]:
    """Let a few requests of this process think about a campaign at a time, and ask the others to come again."""
    if not _THINKING.acquire(blocking=False):
        raise LimitError("others are asking for proposals; ask again", retry_after_s=_BUSY_S)
    try:
        yield
    finally:
        _THINKING.release()


@contextmanager
def _pool(
    request: CampaignRequest, settings: Settings, store: Store, caller: Caller
) -> Iterator[FilePath | DataFrame]:
    """Yield the candidates a request names."""
    import pandas as pd

    given = [request.candidates is not None, request.stored is not None, request.job_id is not None]
    if sum(given) != 1:
        raise InputError("give exactly one of candidates, stored and job_id")
    if request.candidates is not None:
        yield pd.DataFrame(list(request.candidates))
    elif request.stored is not None:
        wanted = request.stored
        found = store.materials(
            scope=caller.scope,
            family=wanted.family,
            elements=wanted.elements,
            chemical_system=wanted.chemical_system,
            known=wanted.known,
            limit=wanted.limit,
        )
        rows = [{"material_id": m.material_id, "formula": m.formula, "known": m.known} for m in found]
        if not rows:
            raise InputError("no stored material that you may see fits; ask for others")
        yield pd.DataFrame(rows)
    else:
        folder = _screened(settings, store, str(request.job_id), caller)
        try:
            yield folder
        except InputError as error:
            if str(folder) not in str(error):
                raise
            raise InputError(str(error).replace(str(folder), f"job {request.job_id}")) from None


def _screened(settings: Settings, store: Store, job_id: str, caller: Caller) -> FilePath:
    """Return the folder of a finished screening job that the caller sees."""
    from hstore_workflows.jobs.kind import FILES

    job = store.jobs.get(job_id, scope=caller.scope)
    if job is None:
        raise NotFoundError(f"no job {job_id!r} that you may see; /v1/jobs lists those there are")
    folder = settings.jobs_dir / job.job_id / FILES
    if job.kind != "screen" or not (folder / "candidates.parquet").is_file():
        raise InputError(f"job {job_id!r} is no finished screening; start one with kind 'screen'")
    return folder


def _mended(store: Store, caller: Caller, action: str, name: str, verdict: Verdict) -> RowVerdict:
    _note(store, caller, action, name, experiment=verdict.experiment)
    return RowVerdict.of(verdict)


def _note(store: Store, caller: Caller, action: str, name: str, **detail: Any) -> None:
    note_write(store, caller, action, name, detail)
