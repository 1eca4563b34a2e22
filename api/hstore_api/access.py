"""Who is asking: a key in the header ``X-API-Key``, a session of the pages, or nobody.

:class:`hstore_api.gate.GateMiddleware` finds out, once for every request; handlers say what they need by the type
of an argument, such as ``caller: MeasureCaller``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader

from hstore.keys import Permission
from hstore.records import Access, Scope, Visibility
from hstore_api.errors import ForbiddenError, UnauthenticatedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import date

    from hstore.keys import ApiKey
    from hstore.store import Store

KEY_HEADER = "X-API-Key"
"""Header with the key."""

SESSION_KEY = "key_id"
"""Entry of a session of the pages that holds the public identifier of the key it began with."""

NO_KEY = f"this service answers with a key only; send one as {KEY_HEADER}"
"""What callers without a key are told where they may not read."""

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


def caller_with(key: ApiKey | None, request_id: str) -> Caller:
    """Return the caller of a request that came with a key, or without any."""
    return Caller(key, request_id, Scope(lab_id=key.lab_id) if key else Scope())


def note_write(store: Store, caller: Caller, action: str, subject: str, detail: dict[str, Any]) -> None:
    """Note in the audit log what a caller wrote.

    Args:
        store: holds the log.
        caller: who wrote.
        action: what was done, such as ``jobs.cancel``.
        subject: identifier of the record.
        detail: counts and settings; no values.
    """
    store.audit.add(
        action, [subject], key_id=caller.key_id, lab_id=caller.lab_id, request_id=caller.request_id, detail=detail
    )


def find_caller(request: Request) -> Caller:
    """Return who is asking.

    Raises:
        UnauthenticatedError: the key is unknown, expired or revoked, or there is none where one is needed.
    """
    found: Caller | None = getattr(request.state, "caller", None)
    if found is None:
        raise getattr(request.state, "refusal", None) or UnauthenticatedError(NO_KEY)
    return found


def require(caller: Caller, permission: Permission) -> None:
    """Let only keys with a permission through; reading may be open to everybody.

    Raises:
        UnauthenticatedError: there is no key.
        ForbiddenError: the key does not permit it.
    """
    if caller.key is None and permission is not Permission.READ:
        raise UnauthenticatedError(f"this needs a key with the scope {permission.value!r}, sent as {KEY_HEADER}")
    if caller.key is not None and permission not in caller.key.permissions:
        has = ", ".join(sorted(caller.key.permissions))
        raise ForbiddenError(f"this needs the scope {permission.value!r}; the key has {has}")


async def _caller(request: Request, _shown: Annotated[str | None, Security(_HEADER)]) -> Caller:
    """Return who is asking; asynchronous, as the rest here, so that no thread is taken for it."""
    return find_caller(request)


def _permitted(permission: Permission) -> Callable[[Caller], Awaitable[Caller]]:
    async def check(caller: AnyCaller) -> Caller:
        require(caller, permission)
        return caller

    return check


async def _scope(caller: ReadCaller) -> Scope:
    return caller.scope


AnyCaller = Annotated[Caller, Depends(_caller)]
ReadCaller = Annotated[Caller, Depends(_permitted(Permission.READ))]
MeasureCaller = Annotated[Caller, Depends(_permitted(Permission.MEASURE))]
RunCaller = Annotated[Caller, Depends(_permitted(Permission.RUN))]
AdminCaller = Annotated[Caller, Depends(_permitted(Permission.ADMIN))]
ScopeDep = Annotated[Scope, Depends(_scope)]
