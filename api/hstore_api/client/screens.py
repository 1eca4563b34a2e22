"""Finished screening runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstore_api.client.paging import walk
from hstore_api.client.transport import Operation
from hstore_api.screen_schemas import ScreenDetail, ScreenPage, ScreenResults, ScreenSummary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstore_api.client.transport import Transport

_LIST = Operation("GET", "/v1/screens")
_GET = Operation("GET", "/v1/screens/{screen_id}")
_RESULTS = Operation("GET", "/v1/screens/{screen_id}/results")


class Screens:
    """The screens."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, target: str | None = None, limit: int | None = None) -> Iterator[ScreenSummary]:
        """Iterate over screens, newest first.

        Args:
            target: only those ranked for this target.
            limit: at most so many in all.
        """

        def ask(size: int, after: str | None) -> ScreenPage:
            query = {"target": target, "limit": size, "after": after}
            return self._transport.read(ScreenPage, _LIST, query=query)

        return walk(ask, limit)

    def get(self, screen_id: str) -> ScreenDetail:
        """Return a screen with its best candidates and its manifest."""
        return self._transport.read(ScreenDetail, _GET, names={"screen_id": screen_id})

    def results(self, screen_id: str) -> ScreenResults:
        """Return the best candidates of a screen, best first."""
        return self._transport.read(ScreenResults, _RESULTS, names={"screen_id": screen_id})
