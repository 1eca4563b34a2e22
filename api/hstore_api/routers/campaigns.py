"""Campaigns: the next experiments, and results of labs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path

from hstore.errors import UnknownNameError
from hstore_api.campaign_schemas import (
    CampaignDetail,
    CampaignList,
    CampaignSummary,
    ProposalRequest,
    ProposalsResponse,
    ProposedExperiment,
    ResultsRequest,
    ResultsResponse,
    RowVerdict,
)
from hstore_api.dependencies import SettingsDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import NotFoundError, problems
from hstore_api.schemas import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstore.settings import Settings

router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"])

Name = Annotated[Text, Path(description="Name of the campaign.")]


@router.get("", responses=problems())
def list_campaigns(settings: SettingsDep) -> CampaignList:
    """List the campaigns, by name."""
    from hstore_workflows.campaign.records import status_summary
    from hstore_workflows.campaign.story import statuses

    found = [CampaignSummary.model_validate(status_summary(status)) for status in statuses(settings)]
    return CampaignList(items=tuple(found))


@router.get("/{name}", responses=problems(404, 422))
def get_campaign(name: Name, settings: SettingsDep) -> CampaignDetail:
    """Return where a campaign stands, with its experiments."""
    from hstore_workflows.campaign.records import status_record
    from hstore_workflows.campaign.story import status

    with _existing(settings, name):
        return CampaignDetail.model_validate(status_record(status(settings, name)))


@router.post("/{name}/proposals", responses=problems(400, 404, 413, 422))
def propose_experiments(name: Name, request: ProposalRequest, settings: SettingsDep) -> ProposalsResponse:
    """Propose the next experiments and note them as under way; each material is proposed once."""
    from hstore_workflows.campaign.proposing import propose

    with _existing(settings, name):
        found = propose(settings, name, n=request.n, lab=request.lab, strategy=request.strategy)
    return ProposalsResponse(campaign=name, items=tuple(map(ProposedExperiment.of, found)), note=found.note)


@router.post("/{name}/results", responses=problems(400, 404, 413, 422))
def take_results(name: Name, request: ResultsRequest, settings: SettingsDep) -> ResultsResponse:
    """Take results back; every row gets a verdict, and a bad one does not stop the others."""
    from hstore_workflows.campaign.story import observe

    with _existing(settings, name):
        taken = observe(settings, name, list(request.rows), lab=request.lab)
    return ResultsResponse(
        campaign=name,
        counts=taken.counts,
        verdicts=tuple(map(RowVerdict.of, taken.verdicts)),
        ignored=taken.ignored,
    )


@contextmanager
def _existing(settings: Settings, name: str) -> Iterator[None]:
    """Answer 404 where the address names no campaign; an unknown strategy in the body stays a bad request."""
    try:
        yield
    except UnknownNameError as error:
        from hstore_workflows.campaign.ledger import campaign_names

        if name in campaign_names(settings):
            raise
        raise NotFoundError(f"no campaign {name!r}; /v1/campaigns lists those there are") from error
