"""Keys, their owner's view of them, and the audit log, as the service takes and gives them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from hstore.keys import Permission, lab_of
from hstore_api.schemas import AnyText, PageSize, Schema, Text, quantity

if TYPE_CHECKING:
    from hstore.keys import ApiKey
    from hstore.store.keys import AuditEntry
    from hstore_api.access import Caller
    from hstore_api.limits import Rate

_MOST = 2**31
_KEY_ID = Field(examples=["3f9c2a7b10de"])
_NAME = Field(examples=["north, glove box 2"])
_LAB = Field(examples=["north"])
_REQUESTS: Any = quantity("requests per minute", 600, ge=1, le=_MOST)
_PREDICTIONS: Any = quantity("rows per day", 20_000, ge=0, le=_MOST)
_JOBS: Any = quantity("jobs", 2, ge=0, le=_MOST)

KeyName = Annotated[
    AnyText, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")
]
LabId = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(lab_of)]


class KeyRequest(Schema):
    """A key that is to be made."""

    name: KeyName = _NAME
    """What it is for."""
    lab: LabId | None = Field(default=None, examples=["north"])
    """Lab in whose name it reads and writes; without one it sees public records only and owns nothing."""
    scopes: Annotated[tuple[Permission, ...], Field(min_length=1, max_length=5, examples=[["read", "measure"]])]
    """What it permits; none includes another."""
    days: Annotated[int, quantity("days", 365, ge=1, le=36_500)] | None = None
    """Time after which it ends; null for never."""
    requests_per_minute: Annotated[int, _REQUESTS] | None = None
    """Requests it may make in a minute; null for what the service grants every key."""
    predictions_per_day: Annotated[int, _PREDICTIONS] | None = None
    """Rows it may have predicted in a day of UTC; null for no limit."""
    concurrent_jobs: Annotated[int, _JOBS] | None = None
    """Jobs it may have queued or running; null for what the service grants every key."""

    def settings(self) -> dict[str, Any]:
        """Return what :meth:`hstore.store.keys.Keys.create` takes."""
        return {
            "lab_id": self.lab,
            "valid_for": None if self.days is None else timedelta(days=self.days),
            "requests_per_minute": self.requests_per_minute,
            "predictions_per_day": self.predictions_per_day,
            "concurrent_jobs": self.concurrent_jobs,
        }


class KeyInfo(Schema):
    """A key, without the key itself, which is shown once."""

    key_id: str = _KEY_ID
    """Public identifier, the second part of the key."""
    name: str = _NAME
    """What it is for."""
    lab: str | None = _LAB
    """Lab in whose name it reads and writes."""
    scopes: tuple[Permission, ...] = Field(examples=[["measure", "read"]])
    """What it permits."""
    created_at: AwareDatetime = Field(examples=["2026-03-01T09:30:00Z"])
    """When it was made."""
    expires_at: AwareDatetime | None = Field(examples=["2027-03-01T09:30:00Z"])
    """When it ends; null for never."""
    revoked_at: AwareDatetime | None = Field(examples=["2026-05-01T12:00:00Z"])
    """When it was revoked; null while it was not."""
    requests_per_minute: Annotated[int, _REQUESTS] | None
    """Requests it may make in a minute; null for what the service grants every key."""
    predictions_per_day: Annotated[int, _PREDICTIONS] | None
    """Rows it may have predicted in a day of UTC; null for no limit."""
    concurrent_jobs: Annotated[int, _JOBS] | None
    """Jobs it may have queued or running; null for what the service grants every key."""

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """Show a key."""
        return cls(**_shown(key))


class NewKey(KeyInfo):
    """A key that was just made, with the key itself."""

    key: str = Field(examples=["hsk_3f9c2a7b10de_..."])
    """The key, to be sent as `X-API-Key`; it cannot be shown again."""

    @classmethod
    def made(cls, key: ApiKey, secret: str) -> Self:
        """Show a new key."""
        return cls(**_shown(key), key=secret)


class KeyList(Schema):
    """All keys, oldest first, those that have ended among them."""

    items: tuple[KeyInfo, ...]
    """The keys."""


class Me(Schema):
    """Who is asking, what they may do, and what is left of it."""

    name: str = _NAME
    """Name of the key; `anonymous` without one."""
    key_id: str | None = _KEY_ID
    """Public identifier of the key."""
    lab: str | None = _LAB
    """Lab in whose name requests read and write."""
    scopes: tuple[Permission, ...] = Field(examples=[["measure", "read"]])
    """What is permitted."""
    expires_at: AwareDatetime | None = Field(examples=["2027-03-01T09:30:00Z"])
    """When the key ends; null for never."""
    requests_per_minute: Annotated[int, _REQUESTS] | None
    """Requests in a minute, of the process that answered; null for no limit."""
    requests_left: Annotated[int, quantity("requests", 599, ge=0)] | None
    """Requests left of them now; null for no limit."""
    predictions_per_day: Annotated[int, _PREDICTIONS] | None
    """Rows that may be predicted in a day of UTC; null for no limit."""
    predictions_left: Annotated[int, quantity("rows", 19_000, ge=0)] | None
    """Rows left of them today; null for no limit."""
    concurrent_jobs: Annotated[int, _JOBS]
    """Jobs that may be queued or running."""
    jobs_open: Annotated[int, quantity("jobs", 1, ge=0)]
    """Jobs that are."""

    @classmethod
    def of(
        cls, caller: Caller, rate: Rate | None, *, predictions_left: int | None, most_jobs: int, jobs_open: int
    ) -> Self:
        """Show a caller."""
        key = caller.key
        return cls(
            name=key.name if key else caller.name,
            key_id=caller.key_id,
            lab=caller.lab_id,
            scopes=_ordered(key.permissions) if key else (Permission.READ,),
            expires_at=key.expires_at if key else None,
            requests_per_minute=rate.limit if rate else None,
            requests_left=rate.left if rate else None,
            predictions_per_day=key.predictions_per_day if key else None,
            predictions_left=predictions_left,
            concurrent_jobs=most_jobs,
            jobs_open=jobs_open,
        )


class AuditQuery(Schema):
    """Which entries of the audit log are asked for."""

    lab: LabId | None = Field(default=None, examples=["north"])
    """Only of this lab; a key without the scope `admin` sees those of its own lab only."""
    before: Text | None = Field(default=None, examples=["20260301T093000.000000-3f9c2a7b10de"])
    """Only entries older than this one: `next` of the page before."""
    limit: PageSize = 50
    """Most entries on the page."""


class AuditItem(Schema):
    """One write: who, when, what."""

    entry_id: str = Field(examples=["20260301T093000.000000-3f9c2a7b10de"])
    """Identifier; later entries have greater ones."""
    at: AwareDatetime = Field(examples=["2026-03-01T09:30:00Z"])
    """When."""
    key_id: str | None = _KEY_ID
    """Key that wrote; null for the command line."""
    lab: str | None = _LAB
    """Lab in whose name."""
    action: str = Field(examples=["measurements.create"])
    """What was done."""
    subjects: tuple[str, ...] = Field(examples=[["north:m-17"]])
    """Identifiers of the records, a thousand at most."""
    request_id: str = Field(examples=["4f1c2a0c9d7b4c0e8a55c1f0a3b9d2e6"])
    """Identifier of the request; empty for the command line."""
    detail: dict[str, Any] = Field(examples=[{"rows": 12}])
    """Counts and settings."""

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """Show an entry."""
        return cls(lab=entry.lab_id, **entry.model_dump(exclude={"lab_id"}))


class AuditPage(Schema):
    """Entries of the audit log, newest first."""

    items: tuple[AuditItem, ...]
    """The entries."""
    limit: PageSize
    """Most entries on a page."""
    next: str | None = Field(examples=["20260301T093000.000000-3f9c2a7b10de"])
    """`before` of the next page; null on the last."""


def _shown(key: ApiKey) -> dict[str, Any]:
    shown = key.model_dump(exclude={"lab_id", "permissions"})
    return shown | {"lab": key.lab_id, "scopes": _ordered(key.permissions)}


def _ordered(permissions: frozenset[Permission]) -> tuple[Permission, ...]:
    return tuple(sorted(permissions))
