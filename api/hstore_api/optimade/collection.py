"""The store as a collection of the OPTIMADE library, so that the library's own routers can serve it.

The service has routers of its own, for the library's know nothing of scopes and gather warnings of all requests in
one place. This is for whoever runs those routers, as a comparison of speeds does: public entries only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from lark import Transformer
from optimade.models import ReferenceResource, StructureResource
from optimade.server.entry_collections import EntryCollection
from optimade.server.mappers import BaseResourceMapper, ReferenceMapper, StructureMapper

from hstore.records import PUBLIC_SCOPE
from hstore.store.optimade.conditions import Compare
from hstore.store.optimade.entries import Wanted
from hstore_api.optimade.properties import described
from hstore_api.optimade.queries import Notes, read_fields, read_listing
from hstore_api.optimade.resources import reference_resource, structure_resource

if TYPE_CHECKING:
    from optimade.server.config import ServerConfig

    from hstore.store import Store

_PLACES = ("page_offset", "page_number", "page_above")


class StoreCollection(EntryCollection):  # type: ignore[misc]  # the library ships no types
    """Public entries of one type."""

    def __init__(self, entry_type: str, store: Store, config: ServerConfig) -> None:
        """Take the type of entries and the store they are in.

        Args:
            entry_type: ``structures`` or ``references``.
            store: read at each request.
            config: of the library's app; its provider must have the prefix ``hstore``.
        """
        mapper: type[BaseResourceMapper] = StructureMapper if entry_type == "structures" else ReferenceMapper
        resource = StructureResource if entry_type == "structures" else ReferenceResource
        super().__init__(resource, mapper(config), Transformer(), config)
        self._entry_type = entry_type
        self._store = store

    def __len__(self) -> int:
        """Count the entries."""
        return int(self._search(Wanted(1))[1].available)

    def count(self, **_: Any) -> int:
        """Count the entries."""
        return len(self)

    def insert(self, data: Any) -> NoReturn:
        """Refuse: entries are written as materials."""
        raise NotImplementedError("entries are materials of a store; write those with Store.add_materials")

    def find(self, params: Any) -> tuple[Any, int, bool, set[str], set[str]]:
        """Return entries, how many match, whether more follow, and the fields to leave out and to have."""
        notes = Notes()
        fields = read_fields(self._entry_type, params.response_fields, notes)
        single = not hasattr(params, "page_limit")
        if single:
            name = params.filter.removeprefix('id="').removesuffix('"')  # which is how the library asks for one
            wanted = Wanted(1, Compare("id", "=", name), with_structures=fields.need_sites)
        else:
            given = {place: "" for place in _PLACES if getattr(params, place)}
            wanted = read_listing(self._entry_type, params, given, fields, notes)
        data, found = self._search(wanted)
        chosen = fields.chosen or frozenset()
        left_out = set(described(self._entry_type)) - chosen if chosen else set()
        one = data[0] if data else None
        return (one if single else data), found.matching, found.more, left_out, set(chosen)

    def get_next_query_params(self, params: Any, results: Any) -> dict[str, list[str]]:  # noqa: ARG002 - as it calls
        """Return the parameters of the page behind these entries."""
        return {"page_above": [results[-1]["id"]]} if results else {}

    def _search(self, wanted: Wanted) -> tuple[list[dict[str, Any]], Any]:
        entries = self._store.optimade
        if self._entry_type == "structures":
            structures = entries.structures(wanted, scope=PUBLIC_SCOPE)
            return [structure_resource(entry) for entry in structures.entries], structures
        works = entries.references(wanted, scope=PUBLIC_SCOPE)
        return [reference_resource(entry) for entry in works.entries], works

    def _run_db_query(self, criteria: Any, single_entry: bool = False) -> NoReturn:
        """Refuse: :meth:`find` asks the store itself."""
        raise NotImplementedError("ask with find")
