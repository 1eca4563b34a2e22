"""Materials, and what is known of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hstore_api.client.transport import Operation
from hstore_api.material_schemas import MaterialDetail, MaterialPage, MaterialSummary
from hstore_api.schemas import MAX_PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from hstore_api.client.transport import Transport

_LIST = Operation("GET", "/v1/materials")
_GET = Operation("GET", "/v1/materials/{material_id}")


class Materials:
    """The candidates."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, limit: int | None = None, **filters: Any) -> Iterator[MaterialSummary]:
        """Iterate over materials; pages are asked for as they are needed.

        Args:
            limit: at most so many in all.
            **filters: parameters of ``GET /v1/materials``, such as ``family`` and ``elements``; several values as
                a list.

        Raises:
            ServiceError: a filter is unknown or has a value that is not allowed.
        """
        left, after = limit, None
        while left is None or left > 0:
            size = MAX_PAGE if left is None else min(MAX_PAGE, left)
            page = self._transport.read(MaterialPage, _LIST, query=filters | {"limit": size, "after": after})
            yield from page.items
            after = page.next
            if after is None:
                return
            left = None if left is None else left - len(page.items)

    def frame(self, *, limit: int | None = None, **filters: Any) -> pd.DataFrame:
        """Return materials as a table, descriptors as columns; needs pandas."""
        import pandas as pd

        rows = [self._row(material) for material in self.list(limit=limit, **filters)]
        return pd.DataFrame(rows)

    def get(self, material_id: str) -> MaterialDetail:
        """Return one material with its structure and sources."""
        return self._transport.read(MaterialDetail, _GET, names={"material_id": material_id})

    @staticmethod
    def _row(material: MaterialSummary) -> dict[str, Any]:
        plain = material.model_dump(mode="json", exclude={"descriptors", "provenance"})
        return plain | dict(material.descriptors or {})
