"""Keys, their owner's view of them, and the audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from hstore.errors import UnknownNameError
from hstore.keys import Permission
from hstore_api.access import (
    AdminCaller,
    AnyCaller,
    Caller,
    require,
)
from hstore_api.dependencies import SettingsDep, StoreDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import ForbiddenError, NotFoundError, UnauthenticatedError, problems
from hstore_api.key_schemas import AuditItem, AuditPage, AuditQuery, KeyInfo, KeyList, KeyRequest, Me, NewKey
from hstore_api.limits import PREDICTIONS
from hstore_api.schemas import Text  # noqa: TC001 - FastAPI reads annotations

router = APIRouter(prefix="/v1", tags=["access"])


@router.get("/me", responses=problems())
def get_me(request: Request, caller: AnyCaller, store: StoreDep, settings: SettingsDep) -> Me:
    """Say who is asking, what they may do, and what is left of it."""
    key = caller.key
    left, most_jobs = None, 0
    if key is not None:
        most_jobs = settings.concurrent_jobs if key.concurrent_jobs is None else key.concurrent_jobs
        if key.predictions_per_day is not None:
            left = max(0, key.predictions_per_day - store.keys.used(key.key_id, PREDICTIONS))
    jobs_open = store.jobs.count_open(key.key_id) if key else 0
    rate = request.state.rate
    return Me.of(caller, rate, predictions_left=left, most_jobs=most_jobs, jobs_open=jobs_open)


@router.get("/keys", responses=problems())
def list_keys(_caller: AdminCaller, store: StoreDep) -> KeyList:
    """List all keys; the keys themselves are not kept and cannot be shown."""
    return KeyList(items=tuple(map(KeyInfo.of, store.keys.list())))


@router.post("/keys", status_code=201, responses=problems(400, 413, 422))
def create_key(request: KeyRequest, caller: AdminCaller, store: StoreDep) -> NewKey:
    """Make a key; this answer is the only one that holds it.

    It takes no idempotency key, because its answer must not be kept: where the answer was lost, revoke the key and
    make another.
    """
    with store.database.transaction("a key"):
        kept, secret = store.keys.create(request.name, request.scopes, **request.settings())
        store.audit.add(
            "keys.create",
            [kept.key_id],
            key_id=caller.key_id,
            lab_id=kept.lab_id,
            request_id=caller.request_id,
            detail={"scopes": sorted(kept.permissions)},
        )
    return NewKey.made(kept, secret)


@router.delete("/keys/{key_id}", responses=problems(404, 422))
def revoke_key(
    key_id: Annotated[Text, Path(description="Public identifier of the key.")],
    caller: AdminCaller,
    store: StoreDep,
) -> KeyInfo:
    """End a key at once; ending it again changes nothing."""
    with store.database.transaction("a key"):
        try:
            kept = store.keys.revoke(key_id)
        except UnknownNameError as error:
            raise NotFoundError(f"no key {key_id!r}; /v1/keys lists those there are") from error
        store.audit.add(
            "keys.revoke", [key_id], key_id=caller.key_id, lab_id=kept.lab_id, request_id=caller.request_id
        )
    return KeyInfo.of(kept)


@router.get("/audit", responses=problems(422))
def list_audit(query: Annotated[AuditQuery, Query()], caller: AnyCaller, store: StoreDep) -> AuditPage:
    """List what was written, newest first: everything for the scope `admin`, else what the own lab wrote."""
    found = store.audit.entries(lab_id=_lab(query.lab, caller), before=query.before, limit=query.limit + 1)
    items = tuple(map(AuditItem.of, found[: query.limit]))
    return AuditPage(items=items, limit=query.limit, next=items[-1].entry_id if len(found) > query.limit else None)


def _lab(asked: str | None, caller: Caller) -> str | None:
    """Return the lab whose entries a caller sees; None for all.

    Raises:
        UnauthenticatedError: there is no key.
        ForbiddenError: the key is neither of that lab nor of an admin.
    """
    if caller.permits(Permission.ADMIN):
        return asked
    if caller.key is None:
        raise UnauthenticatedError("the audit log needs a key of the lab whose entries are asked for")
    require(caller, Permission.READ)
    if caller.lab_id is None or asked not in {None, caller.lab_id}:
        raise ForbiddenError("a key sees the audit log of its own lab; that of others needs the scope 'admin'")
    return caller.lab_id
