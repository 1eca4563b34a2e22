"""Who is asking: a key in the header ``X-API-Key``, a session of the pages, or nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader

from hstore.keys import Permission
from hstore.records import Access, Scope, Visibility
from hstore_api.errors import ForbiddenError, UnauthenticatedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from hstore.keys import ApiKey
    from hstore.settings import Settings
    from hstore.store import Store

KEY_HEADER = "X-API-Key"
"""Header with the key."""

SESSION_KEY = "key_id"
"""Entry of a session of the pages that holds the public identifier of the key it began with."""

_HEADER = APIKeyHeader(
    name=KEY_HEADER,
    scheme_name="key",
    description="A key made with `hstore keys create`; without one only what is public can be read, where the "
    "operator allows it.",
    auto_error=False,
)


@dataclass(frozen=True)
class Caller:
    """In whose name a request runs."""

    key: ApiKey | None
    """Key it came with; None for an anonymous reader."""
    request_id: str
    """Identifier of the request, for the audit log."""
    scope: Scope
    """What it may see, as of today: embargoes end while the service runs."""

    @property
    def lab_id(self) -> str | None:
        """Lab in whose name it writes; None for anonymous readers and keys without a lab."""
        return self.key.lab_id if self.key else None

    @property
    def key_id(self) -> str | None:
        """Public identifier of its key."""
        return self.key.key_id if self.key else None

    @property
    def name(self) -> str:
        """Name under which what it did is kept apart from what others did: its key, or ``anonymous``."""
        return self.key.key_id if self.key else "anonymous"

    def permits(self, permission: Permission) -> bool:
        """Tell whether its key permits something."""
        return self.key is not None and permission in self.key.permissions

    def access(self, visibility: Visibility = Visibility.LAB, embargo_until: date | None = None) -> Access:
        """Return the access of a record it writes: its lab's own, unless said otherwise.

        A caller without a lab can only write what everybody may see.
        """
        if self.lab_id is None:
            return Access()
        return Access(lab_id=self.lab_id, visibility=visibility, embargo_until=embargo_until)


def find_caller(request: Request, key: str | None, *, settings: Settings, store: Store) -> Caller:
    """Return who is asking.

    Raises:
        UnauthenticatedError: the key is unknown, expired or revoked, or there is none where one is needed.
    """
    request_id = str(request.state.request_id)
    found = store.keys.find(key) if key else _of_session(request, store)
    if key and found is None:
        raise UnauthenticatedError(
            f"the key in {KEY_HEADER} is unknown, has expired or was revoked; ask the operator for another"
        )
    if found is None:
        if not settings.reads_anonymously:
            raise UnauthenticatedError(f"this service answers with a key only; send one as {KEY_HEADER}")
        return Caller(None, request_id, Scope())
    return Caller(found, request_id, Scope(lab_id=found.lab_id))


def requires(permission: Permission) -> Callable[[Caller], Caller]:
    """Make the dependency that lets only keys with a permission through; reading may be open to everybody."""

    def check(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
        if caller.key is None and permission is not Permission.READ:
            raise UnauthenticatedError(
                f"this needs a key with the scope {permission.value!r}, sent as {KEY_HEADER}"
            )
        if caller.key is not None and permission not in caller.key.permissions:
            has = ", ".join(sorted(caller.key.permissions))
            raise ForbiddenError(f"this needs the scope {permission.value!r}; the key has {has}")
        return caller

    return check


def _caller(request: Request, key: Annotated[str | None, Security(_HEADER)]) -> Caller:
    service = request.app.state.service
    caller = find_caller(request, key, settings=service.settings, store=service.store)
    request.state.caller = caller
    return caller


def _of_session(request: Request, store: Store) -> ApiKey | None:
    key_id = request.scope.get("session", {}).get(SESSION_KEY)
    found = store.keys.get(key_id) if key_id else None
    return found if found and found.usable() else None


def _scope(caller: ReadCaller) -> Scope:
    return caller.scope


AnyCaller = Annotated[Caller, Depends(_caller)]
ReadCaller = Annotated[Caller, Depends(requires(Permission.READ))]
MeasureCaller = Annotated[Caller, Depends(requires(Permission.MEASURE))]
RunCaller = Annotated[Caller, Depends(requires(Permission.RUN))]
TrainCaller = Annotated[Caller, Depends(requires(Permission.TRAIN))]
AdminCaller = Annotated[Caller, Depends(requires(Permission.ADMIN))]
ScopeDep = Annotated[Scope, Depends(_scope)]
