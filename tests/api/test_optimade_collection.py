"""The library's own routers over the store, through its plug for databases."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from optimade.server.config import ServerConfig
from optimade.server.mappers import BaseResourceMapper
from optimade.server.routers import references, structures

from hstore_api.optimade.answers import PROVIDER
from hstore_api.optimade.collection import StoreCollection
from tests.api.optimade_pool import fill

pytestmark = [
    # the library's parameters and mappers, with pydantic 2.11 and later
    pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince211"),
    pytest.mark.filterwarnings("ignore:The 'alias' attribute"),
    pytest.mark.filterwarnings("ignore::optimade.warnings.MissingExpectedField"),
]


def test_the_routers_of_the_library_serve_the_same_entries(store):
    fill(store, 40)
    config = ServerConfig(provider=PROVIDER.model_dump(), validate_api_response=False)
    app = FastAPI()
    app.state.config = config
    app.state.base_resource_mapper = BaseResourceMapper(config)
    app.state.entry_collections = {
        name: StoreCollection(name, store, config) for name in ("structures", "references")
    }
    for router in (structures.router, references.router):
        app.include_router(router)
    with TestClient(app) as client:
        first = client.get("/structures?filter=nelements<4&page_limit=7&response_fields=nsites&include=").json()
        found, page = list(first["data"]), first
        while page["links"]["next"]:
            page = client.get(page["links"]["next"]).json()
            found += page["data"]
        assert len(found) == first["meta"]["data_returned"] == len({entry["id"] for entry in found}) > 20
        assert all(set(entry["attributes"]) == {"nsites"} for entry in found)
        one = client.get(f"/structures/{found[0]['id']}?include=").json()["data"]
        assert one["attributes"]["_hstore_composition"]
        works = client.get("/references").json()
        assert (
            len(works["data"]) == works["meta"]["data_available"] == len(app.state.entry_collections["references"])
        )
    with pytest.raises(NotImplementedError, match="add_materials"):
        app.state.entry_collections["structures"].insert([])
