"""The validator of the OPTIMADE library against the running service, on both databases."""

from __future__ import annotations

import random

import pytest
from optimade.validator import ImplementationValidator

from hstore.records import Scope
from hstore.settings import Settings
from hstore.store import open_store
from tests.api.optimade_pool import fill, served


@pytest.fixture
def service(database_url, trained):
    """A service over the pool."""
    with open_store(database_url) as store:
        fill(store)
    settings = Settings(home=trained.home, database_url=database_url, data_mirror=None)
    with served(settings) as address:
        yield address


@pytest.mark.filterwarnings(
    "ignore::pydantic.PydanticDeprecatedSince211"
)  # the library's own models, with pydantic 2.11
@pytest.mark.parametrize("chosen", ["composition", "structure"])
def test_all_mandatory_and_optional_tests_pass(service, database_url, chosen, monkeypatch, capsys):
    """The validator draws one of the first entries and builds its filters of it; both kinds are to be drawn."""
    with open_store(database_url) as store:
        first = list(store.materials(scope=Scope(), limit=20))
    drawn = next(place for place, m in enumerate(first) if (m.structure is not None) == (chosen == "structure"))
    monkeypatch.setattr(random, "randint", lambda _, high: min(drawn, high))
    validator = ImplementationValidator(base_url=f"{service}/optimade/v1", verbosity=0, respond_json=False)
    validator.validate_implementation()
    told = capsys.readouterr().out
    results = validator.results
    assert validator.valid, told
    assert (results.failure_count, results.internal_failure_count, results.optional_failure_count) == (0, 0, 0), (
        told
    )
    assert results.success_count > (60 if chosen == "structure" else 50)
    assert results.optional_success_count > 8
