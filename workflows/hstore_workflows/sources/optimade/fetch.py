"""Several providers side by side, one thread each; the failure of one is recorded and the others go on."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hstore.errors import FetchError, InputError
from hstore_workflows.sources.intake import Rejected
from hstore_workflows.sources.journal import Journal
from hstore_workflows.sources.optimade.documents import EntryReader
from hstore_workflows.sources.optimade.page import InconsistentError
from hstore_workflows.sources.optimade.paging import Harvest, Source, entries, harvest
from hstore_workflows.sources.optimade.transport import Patience, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from hstore.records import Material
    from hstore_workflows.sources.optimade.providers import Provider
    from hstore_workflows.sources.optimade.query import OptimadeQuery

MOST_PAGE_ROWS = 10_000
_MOST_AT_ONCE = 16


@dataclass(frozen=True)
class FetchPlan:
    """How to fetch."""

    patience: Patience = field(default_factory=Patience)
    """How long to wait for a provider, how often to ask again."""
    page_rows: int = 100
    """Structures on a page, as far as a provider agrees."""
    restart: bool = False
    """True to forget what an interrupted fetch received."""

    def __post_init__(self) -> None:
        """Refuse pages that hold nothing or everything."""
        if not 1 <= self.page_rows <= MOST_PAGE_ROWS:
            raise InputError(f"a page has 1 to {MOST_PAGE_ROWS} rows, got {self.page_rows}")


@dataclass
class ProviderFetch:
    """What became of one provider."""

    source: Source
    """Whom was asked, and the journal."""
    limit: int | None = None
    """At most so many structures."""
    harvest: Harvest = field(default_factory=Harvest)
    """What came; complete when there is no cause."""
    cause: str = ""
    """Why it failed; empty when it did not."""
    usable: int = 0
    """Materials handed out by :meth:`items`."""
    rejected: int = 0
    """Entries handed out by :meth:`items` as unusable."""

    @property
    def received(self) -> int:
        """Distinct structures received, at most the limit."""
        return min(len(self.harvest.ids), self.limit or len(self.harvest.ids))

    def items(self) -> Iterator[Material | Rejected]:
        """Hand out everything that came, in order; nothing where the provider failed."""
        if self.cause:
            return
        reader = EntryReader(self.source.provider, self.harvest.about)
        for key, day, entry in entries(self.source, self.harvest, limit=self.limit):
            item = reader.read(key, entry, retrieved=day)
            if isinstance(item, Rejected):
                self.rejected += 1
            else:
                self.usable += 1
            yield item

    def report(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return {
            "provider": self.source.provider.name,
            "base_url": self.source.provider.base_url,
            "api_version": self.harvest.about.api_version or None,
            "total": self.harvest.total,
            "received": self.received,
            "usable": self.usable,
            "rejected": self.rejected,
            "cause": self.cause or None,
            "warnings": self.harvest.warnings,
        }


def fetch_providers(
    providers: Sequence[Provider],
    query: OptimadeQuery,
    *,
    home: Path,
    plan: FetchPlan | None = None,
    on_page: Callable[[str, Harvest], None] = lambda *_: None,
) -> list[ProviderFetch]:
    """Receive what matches from every provider; what an interrupted fetch received is not asked for again.

    Args:
        providers: whom to ask, each in a thread of its own.
        query: what to ask for.
        home: ``HSTORE_HOME``, where pages are kept until :func:`settle`.
        plan: how to fetch.
        on_page: called after each page with the provider's name and what came so far, from the provider's thread.

    Returns:
        What became of each, in the order given; a failure has its cause.
    """
    plan = plan or FetchPlan()
    stop = threading.Event()
    fetches = [_open(provider, query, home, plan, stop) for provider in providers]
    with ThreadPoolExecutor(min(len(fetches), _MOST_AT_ONCE) or 1, thread_name_prefix="optimade") as pool:
        running = [pool.submit(_run, fetch, query, plan, on_page) for fetch in fetches]
        try:
            for finished in as_completed(running):
                finished.result()
        except BaseException:  # such as an interrupt: threads end at the next page or wait
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return fetches


def settle(fetches: Sequence[ProviderFetch]) -> None:
    """Drop the kept pages of all that succeeded; call it once their materials are stored."""
    for fetch in fetches:
        if not fetch.cause:
            fetch.source.journal.discard()


def _open(
    provider: Provider, query: OptimadeQuery, home: Path, plan: FetchPlan, stop: threading.Event
) -> ProviderFetch:
    identity = {"base_url": provider.base_url, "filter": query.filter}
    journal = Journal.open(home, source=f"optimade {provider.name}", identity=identity)
    if plan.restart:
        journal.discard()
    return ProviderFetch(Source(provider, Transport(provider.base_url, plan.patience, stop), journal), query.limit)


def _run(
    fetch: ProviderFetch, query: OptimadeQuery, plan: FetchPlan, on_page: Callable[[str, Harvest], None]
) -> None:
    name = fetch.source.provider.name
    try:
        harvest(
            fetch.source,
            query,
            page_rows=plan.page_rows,
            into=fetch.harvest,
            on_page=lambda harvested: on_page(name, harvested),
        )
    except InconsistentError as error:
        fetch.source.journal.discard()  # going on from pages that contradict each other would fail again
        fetch.cause = str(error)
    except FetchError as error:
        fetch.cause = str(error)
