"""Clients of OPTIMADE that know nothing of hstore, and hstore's own fetch, against the running service."""

from __future__ import annotations

import pytest
from optimade.client import OptimadeClient

from hstore.records import Material, Scope
from hstore.settings import Settings
from hstore.store import open_store
from hstore.store.optimade.entries import Wanted
from hstore_api.optimade.resources import structure_resource
from hstore_workflows.sources.optimade.query import OptimadeQuery
from hstore_workflows.sources.optimade.transport import Patience
from tests.api.optimade_pool import fill, served
from tests.workflows.optimade_server import fetch_one


@pytest.fixture(scope="module")
def service(trained, tmp_path_factory):
    """The address of a service over the pool, and its store."""
    url = f"sqlite:///{tmp_path_factory.mktemp('optimade') / 'store.sqlite'}"
    with open_store(url) as store:
        fill(store, 100)
        with served(Settings(home=trained.home, database_url=url, data_mirror=None)) as address:
            yield f"{address}/optimade", store


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the client leaves its connections to the collector
def test_the_client_of_the_library_finds_and_counts(service):
    address, store = service
    expected = store.optimade.structures(Wanted(500), scope=Scope()).entries
    with_hydrogen = [entry for entry in expected if "H" in structure_resource(entry)["attributes"]["elements"]]
    question = 'elements HAS "H"'
    client = OptimadeClient(base_urls=[address], max_results_per_provider=1000, silent=True)
    assert client.count(question) == {"structures": {question: {address: len(with_hydrogen)}}}
    found = client.get(question, response_fields=["nelements", "_hstore_family"])
    data = found["structures"][question][address]["data"]
    assert [entry["id"] for entry in data] == [entry.material_id for entry in with_hydrogen]
    assert all(set(entry["attributes"]) == {"nelements", "_hstore_family"} for entry in data)
    assert "_hstore_h2_capacity_wt_pct" in client.list_properties("structures")[address]


def test_our_own_fetch_reads_it_back(service, tmp_path):
    """All structures that have a position for each atom come back with the same composition."""
    address, store = service
    whole = [
        entry
        for entry in store.optimade.structures(Wanted(500), scope=Scope()).entries
        if entry.nsites is not None and not entry.implicit_atoms and not entry.disorder
    ]
    assert len(whole) > 20
    query = OptimadeQuery('nsites IS KNOWN AND NOT structure_features HAS ANY "implicit_atoms","disorder"')
    fetched, items = fetch_one(tmp_path, f"{address}/v1", query=query, patience=Patience(timeout_s=60.0))
    assert (fetched.cause, fetched.report()["total"]) == ("", len(whole))
    got = {item.provenance.reference: item.composition for item in items if isinstance(item, Material)}
    assert got == {entry.material_id: entry.composition for entry in whole}, items
