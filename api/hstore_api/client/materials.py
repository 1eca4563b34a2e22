"""Materials, and what is known of them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from hstore_api.client.paging import walk
from hstore_api.client.transport import Operation
from hstore_api.material_schemas import MaterialDetail, MaterialPage, MaterialSummary

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from hstore_api.client.transport import Transport

_LIST = Operation("GET", "/v1/materials")
_GET = Operation("GET", "/v1/materials/{material_id}")
_STRUCTURE = Operation("GET", "/v1/materials/{material_id}/structure")


class Materials:
    """The candidates."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, limit: int | None = None, **filters: Any) -> Iterator[MaterialSummary]:
        """Iterate over materials; pages are asked for as they are needed.

        Args:
            limit: at most so many in all.
            **filters: parameters of ``GET /v1/materials``: ``family``, ``elements=["La", "Ni"]``,
                ``where=["h2_capacity_wt_pct>=5"]``, ``sort="-h2_capacity_wt_pct"``, ...

        Raises:
            ServiceError: a filter is unknown or has a value that is not allowed.
        """

        def ask(size: int, after: str | None) -> MaterialPage:
            return self._transport.read(MaterialPage, _LIST, query=filters | {"limit": size, "after": after})

        return walk(ask, limit)

    def frame(self, **filters: Any) -> pd.DataFrame:
        """Return all materials that keep the filters as one table; needs pandas and pyarrow.

        Args:
            **filters: as for :meth:`list`.
        """
        import pandas as pd

        tables, query = [], filters | {"format": "parquet", "all": True}
        while True:
            found = self._transport.send(_LIST, query=query)
            tables.append(pd.read_parquet(io.BytesIO(found.content)))
            if "next" not in found.links:  # a table has 100,000 rows at most
                return pd.concat(tables, ignore_index=True)
            query["after"] = parse_qs(urlsplit(found.links["next"]["url"]).query)["after"][0]

    def get(self, material_id: str) -> MaterialDetail:
        """Return one material with its structure, sources and values."""
        return self._transport.read(MaterialDetail, _GET, names={"material_id": material_id})

    def structure(self, material_id: str, form: str = "cif") -> str:
        """Return the structure of a material as text.

        Args:
            material_id: the material.
            form: ``cif``, ``poscar``, ``xyz`` or ``json``.

        Raises:
            ServiceError: it has none, or not in this form.
        """
        return self._transport.send(_STRUCTURE, names={"material_id": material_id}, query={"format": form}).text
