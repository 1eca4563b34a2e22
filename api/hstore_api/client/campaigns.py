"""Campaigns: the next experiments out, results in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    ProposalRequest,
    ProposalsResponse,
    ResultsRequest,
    ResultsResponse,
    RetractionRequest,
    RowVerdict,
    StopAdvice,
)
from hstore_api.client.idempotency import named
from hstore_api.client.transport import Operation, request_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hstore_api.client.transport import Transport

_LIST = Operation("GET", "/v1/campaigns")
_BEGIN = Operation("POST", "/v1/campaigns")
_GET = Operation("GET", "/v1/campaigns/{name}")
_PROPOSE = Operation("POST", "/v1/campaigns/{name}/proposals")
_TELL = Operation("POST", "/v1/campaigns/{name}/results")
_CORRECT = Operation("POST", "/v1/campaigns/{name}/experiments/{number}/correction")
_RETRACT = Operation("POST", "/v1/campaigns/{name}/experiments/{number}/retraction")
_CONFIRM = Operation("POST", "/v1/campaigns/{name}/held/{row}/confirmation")
_DESCRIBE_LAB = Operation("PUT", "/v1/campaigns/{name}/labs/{lab}")
_MEMBERS = Operation("GET", "/v1/campaigns/{name}/members")
_SET_MEMBERS = Operation("PUT", "/v1/campaigns/{name}/members")
_PROGRESS = Operation("GET", "/v1/campaigns/{name}/progress")
_REPORT = Operation("GET", "/v1/campaigns/{name}/report")
_STOP = Operation("GET", "/v1/campaigns/{name}/stop")


class Campaigns:
    """The campaigns a key may see."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> tuple[CampaignSummary, ...]:
        """Return the campaigns, by name."""
        return self._transport.read(CampaignList, _LIST).items

    def begin(self, name: str, **settings: Any) -> CampaignBegun:
        """Begin a campaign.

        Args:
            name: its name.
            **settings: fields of ``CampaignRequest``: ``maximize``, ``windows``, ``stored`` or ``candidates``, ...
        """
        body = request_of(CampaignRequest, {"name": name, **settings})
        return self._transport.read(CampaignBegun, _BEGIN, body=body)

    def get(self, name: str) -> CampaignDetail:
        """Return where a campaign stands, with its experiments."""
        return self._transport.read(CampaignDetail, _GET, names={"name": name})

    def propose(
        self, name: str, n: int | None = None, *, idempotency_key: str | None = None, **options: Any
    ) -> ProposalsResponse:
        """Ask for the next experiments, noted as under way; after a lost answer the same ones come again.

        Args:
            name: the campaign.
            n: how many; as many as its batch when not given.
            idempotency_key: a name of your own for this request, to ask for its answer again from another process.
            **options: ``lab``, ``strategy``.
        """
        asked = {field: value for field, value in {"n": n, **options}.items() if value is not None}
        body = request_of(ProposalRequest, asked)
        return self._transport.read(
            ProposalsResponse,
            _PROPOSE,
            names={"name": name},
            body=body,
            headers=named(idempotency_key),
            repeatable=True,
        )

    def tell(
        self,
        name: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> ResultsResponse:
        """Send results; every row gets a verdict.

        Args:
            name: the campaign.
            rows: one mapping a row, column -> cell.
            idempotency_key: a name of your own for this write, to send it again from another process.
            **options: ``lab``.
        """
        body = request_of(ResultsRequest, {"rows": [dict(row) for row in rows], **options})
        return self._transport.read(
            ResultsResponse,
            _TELL,
            names={"name": name},
            body=body,
            headers=named(idempotency_key),
            repeatable=True,
        )

    def correct(self, name: str, number: int, **correction: Any) -> RowVerdict:
        """Correct an experiment; fields of ``CorrectionRequest``."""
        body = request_of(CorrectionRequest, correction)
        return self._transport.read(RowVerdict, _CORRECT, names={"name": name, "number": number}, body=body)

    def retract(self, name: str, number: int, **retraction: Any) -> RowVerdict:
        """Take an experiment back; fields of ``RetractionRequest``."""
        body = request_of(RetractionRequest, retraction)
        return self._transport.read(RowVerdict, _RETRACT, names={"name": name, "number": number}, body=body)

    def confirm(self, name: str, row: int) -> RowVerdict:
        """Confirm a result that is held."""
        return self._transport.read(RowVerdict, _CONFIRM, names={"name": name, "row": row})

    def describe_lab(self, name: str, lab: str, **settings: Any) -> LabDescribed:
        """Say what a lab can make; fields of ``LabRequest``."""
        body = request_of(LabRequest, settings)
        return self._transport.read(LabDescribed, _DESCRIBE_LAB, names={"name": name, "lab": lab}, body=body)

    def members(self, name: str) -> Members:
        """Return who takes part."""
        return self._transport.read(Members, _MEMBERS, names={"name": name})

    def set_members(self, name: str, members: Sequence[str]) -> Members:
        """Say which labs take part beside the owner."""
        body = MembersRequest(members=tuple(members))
        return self._transport.read(Members, _SET_MEMBERS, names={"name": name}, body=body)

    def progress(self, name: str) -> CampaignProgress:
        """Return the best result after each experiment, beside choosing at random."""
        return self._transport.read(CampaignProgress, _PROGRESS, names={"name": name})

    def report(self, name: str) -> str:
        """Return the report, HTML."""
        return self._transport.send(_REPORT, names={"name": name}).text

    def advise_stop(self, name: str) -> StopAdvice:
        """Say whether going on is worth it."""
        return self._transport.read(StopAdvice, _STOP, names={"name": name})
