"""Keys and the audit log, for keys with the scope ``admin``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hstore_api.client.paging import walk
from hstore_api.client.transport import Operation, request_of
from hstore_api.key_schemas import AuditItem, AuditPage, KeyInfo, KeyList, KeyRequest, NewKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hstore_api.client.transport import Transport

_LIST = Operation("GET", "/v1/keys")
_CREATE = Operation("POST", "/v1/keys")
_REVOKE = Operation("DELETE", "/v1/keys/{key_id}")
_AUDIT = Operation("GET", "/v1/audit")


class Keys:
    """The keys of the service."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> tuple[KeyInfo, ...]:
        """Return all keys, oldest first, without the keys themselves."""
        return self._transport.read(KeyList, _LIST).items

    def create(self, name: str, scopes: Sequence[str], *, lab: str | None = None, **limits: Any) -> NewKey:
        """Make a key; what is returned is the only answer that holds it.

        Args:
            name: what it is for.
            scopes: what it permits.
            lab: lab in whose name it reads and writes.
            **limits: ``days``, ``requests_per_minute``, ``predictions_per_day``, ``concurrent_jobs``.
        """
        asked = {"name": name, "scopes": list(scopes), "lab": lab, **limits}
        given = {field: value for field, value in asked.items() if value is not None}
        return self._transport.read(NewKey, _CREATE, body=request_of(KeyRequest, given))

    def revoke(self, key_id: str) -> KeyInfo:
        """End a key at once."""
        return self._transport.read(KeyInfo, _REVOKE, names={"key_id": key_id})

    def audit(self, *, lab: str | None = None, limit: int | None = None) -> Iterator[AuditItem]:
        """Iterate over what was written, newest first, at most so many entries."""

        def ask(size: int, before: str | None) -> AuditPage:
            query = {"lab": lab, "limit": size, "before": before}
            return self._transport.read(AuditPage, _AUDIT, query=query)

        return walk(ask, limit)
