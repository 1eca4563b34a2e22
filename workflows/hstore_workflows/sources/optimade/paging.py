"""All pages of one provider's answer, or an error.

``links.next`` is followed and never believed: it must stay with the provider, lead to a page not seen, and that
page must bring something new. In the end the distinct structures received must be as many as
``meta.data_returned`` announced; that member is optional, and where it is absent the result says so. Each page is
kept in a journal as it comes, so a fetch that was killed asks again only for what it has not got.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin

from hstore.errors import FetchError
from hstore_workflows.sources.optimade.energies import energy_fields
from hstore_workflows.sources.optimade.page import About, InconsistentError, Page, keyed
from hstore_workflows.sources.optimade.providers import Provider, trusted
from hstore_workflows.sources.optimade.transport import RefusedError, Transport, read_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hstore_workflows.sources.journal import Journal
    from hstore_workflows.sources.optimade.query import OptimadeQuery

FIELDS = (
    "chemical_formula_reduced", "lattice_vectors", "dimension_types", "nperiodic_dimensions", "nsites", "species",
    "species_at_sites", "cartesian_site_positions", "structure_features", "assemblies", "last_modified",
)  # fmt: skip
"""Standard fields asked for by name."""
MOST_PAGES = 50_000
"""Pages after which a server that announces no total is taken to have no end."""
_SMALLER_PAGES_ATTEMPTS = 3


class _ShortError(InconsistentError):
    """Less came than was announced."""


@dataclass
class Harvest:
    """What came from one provider so far; complete once :func:`harvest` has returned it."""

    about: About = field(default_factory=About)
    """What the provider says about itself."""
    total: int | None = None
    """Structures announced for the filter, at most the limit; None when the provider does not say."""
    ids: set[str] = field(default_factory=set)
    """Distinct structures received."""
    urls: list[str] = field(default_factory=list)
    """Pages, in order; their bodies are in the journal."""
    rows: int = 0
    """Rows received, repeated ones included."""
    warnings: list[str] = field(default_factory=list)
    """What the provider warned of, and what could not be checked."""

    def warn(self, text: str) -> None:
        """Note something once."""
        if text not in self.warnings:
            self.warnings.append(text)


@dataclass(frozen=True)
class Source:
    """A provider with the means to ask it."""

    provider: Provider
    """Whom to ask."""
    transport: Transport
    """How to ask."""
    journal: Journal
    """Where answers are kept."""

    def ask(self, url: str) -> tuple[date, dict[str, Any]]:
        """Return the answer to a request with the day it came, from the journal where it is there.

        Raises:
            FetchError: there is none in the journal and the provider gives none.
        """
        held = self.kept(url)
        if held is not None:
            return held
        body = self.transport.get(url)
        today = datetime.now(UTC).date()
        self.journal.keep(_request(url), f"{today.isoformat()}\n".encode() + body)
        answer = read_object(body)
        assert answer is not None  # the transport has looked
        return today, answer

    def kept(self, url: str) -> tuple[date, dict[str, Any]] | None:
        """Return an answer from the journal; None when it is not there."""
        content = self.journal.answer(_request(url))
        if content is None:
            return None
        day, _, body = content.partition(b"\n")
        answer = read_object(body)
        return None if answer is None else (date.fromisoformat(day.decode()), answer)


def harvest(
    source: Source,
    query: OptimadeQuery,
    *,
    page_rows: int,
    into: Harvest,
    on_page: Callable[[Harvest], None] = lambda _: None,
) -> None:
    """Receive everything that matches a query.

    A provider that gives shorter pages than asked for, yet advances by what was asked for, is asked again in pages
    of the size it gives.

    Args:
        source: whom to ask, and the journal.
        query: what to ask for.
        page_rows: structures on a page, as far as the provider agrees.
        into: filled page by page.
        on_page: called after each page.

    Raises:
        InconsistentError: pages lead in a circle, or their number of structures is not the one announced.
        FetchError: the provider failed or refused.
    """
    into.about = _about(source)
    size: int | None = min(page_rows, query.limit or page_rows)
    for attempt in range(1, _SMALLER_PAGES_ATTEMPTS + 1):
        walk = _Walk(source, query, into, on_page)
        try:
            first_rows, size = walk.first(size)
            walk.others()
            break
        except _ShortError:
            if size is None or not 0 < first_rows < size or attempt == _SMALLER_PAGES_ATTEMPTS:
                raise
            size = first_rows


def entries(source: Source, harvested: Harvest, *, limit: int | None) -> Iterator[tuple[str, date, Any]]:
    """Read the distinct structures of a complete harvest again, page by page from the journal.

    Yields:
        What identifies an entry, the day it came, and the entry as it was delivered.

    Raises:
        FetchError: a page has gone from the journal.
    """
    seen: set[str] = set()
    for number, url in enumerate(harvested.urls):
        held = source.kept(url)
        if held is None:
            raise FetchError(
                f"a page of {source.provider.name} has gone from {source.journal.folder}; fetch again"
            )
        day, answer = held
        for key, entry in keyed(answer["data"] or [], page=number):
            if key not in seen and (limit is None or len(seen) < limit):
                seen.add(key)
                yield key, day, entry


class _Walk:
    """One way through the pages, from the first to the last."""

    def __init__(
        self, source: Source, query: OptimadeQuery, into: Harvest, on_page: Callable[[Harvest], None]
    ) -> None:
        self._source = source
        self._query = query
        self._got = into
        self._on_page = on_page
        self._announced: int | None = None
        self._next: str | None = None
        into.total, into.rows = None, 0
        into.ids.clear()
        into.urls.clear()

    def first(self, size: int | None) -> tuple[int, int | None]:
        """Take the first page; return its rows and the size that the provider agreed to."""
        try:
            self._take(self._url(size))
        except RefusedError:
            if size is None:
                raise
            size = None  # a page limit above its own makes a provider refuse; its own size always works
            self._take(self._url(size))
        return self._got.rows, size

    def others(self) -> None:
        """Take the pages that follow and compare the sum with what was announced."""
        while self._next:
            if self._next in self._got.urls:
                if self._complete:
                    self._got.warn("the last page links to an earlier one")
                    break
                raise InconsistentError(
                    f"page {len(self._got.urls)} of {self._name} links to a page that was received already "
                    f"({self._next}); {self._counts}; nothing of it is stored"
                )
            if len(self._got.urls) >= MOST_PAGES:
                raise InconsistentError(f"{self._name} has no end after {MOST_PAGES} pages; narrow the filter")
            self._take(self._next)
        self._conclude()

    @property
    def _name(self) -> str:
        return self._source.provider.name

    @property
    def _counts(self) -> str:
        announced = "an unknown number" if self._announced is None else self._announced
        return f"{announced} structures announced, {len(self._got.ids)} distinct ones received"

    @property
    def _complete(self) -> bool:
        return self._announced is not None and len(self._got.ids) == self._announced

    def _url(self, size: int | None) -> str:
        wanted = (*FIELDS, *energy_fields(self._got.about.prefix))
        parameters = {"filter": self._query.filter, "response_fields": ",".join(wanted)}
        if size is not None:
            parameters["page_limit"] = str(size)
        return f"{self._source.provider.structures_url}?{urlencode(parameters)}"

    def _take(self, url: str) -> None:
        _, answer = self._source.ask(url)
        page = Page.read(answer, url)
        self._note(page)
        number = len(self._got.urls)
        keys = [key for key, _ in keyed(page.rows, page=number)]
        fresh = set(keys) - self._got.ids
        if page.rows and not fresh and not self._complete:
            raise InconsistentError(
                f"page {number + 1} of {self._name} repeats structures received before; {self._counts}; "
                "nothing of it is stored"
            )
        self._got.urls.append(url)
        self._got.rows += len(page.rows)
        self._got.ids |= fresh
        if self._announced is not None and len(self._got.ids) > self._announced:
            raise InconsistentError(
                f"{self._name} delivers more than it announced: {self._counts}; nothing of it is stored"
            )
        self._next = self._following(page, url, fresh=bool(fresh))
        self._on_page(self._got)
        if self._next:
            self._source.transport.pause(page.delay_s)

    def _note(self, page: Page) -> None:
        """Take the total and the warnings from a page."""
        for warning in page.warnings:
            self._got.warn(warning)
        if page.announced is None:
            return
        if self._announced not in {None, page.announced}:
            raise InconsistentError(
                f"{self._name} announced {self._announced} structures, then {page.announced}; "
                "if it is being updated, fetch again; nothing of it is stored"
            )
        self._announced = page.announced
        self._got.total = min(page.announced, self._query.limit or page.announced)

    def _following(self, page: Page, url: str, *, fresh: bool) -> str | None:
        """Return the address of the next page, None after the last."""
        if self._query.limit and len(self._got.ids) >= self._query.limit:
            return None
        if page.next is None:
            if page.more and self._announced is None:
                raise InconsistentError(
                    f"{self._name} says that more follows page {len(self._got.urls)} but not where; "
                    f"{self._counts}; nothing of it is stored"
                )
            return None
        if self._complete and (page.more is False or not fresh):
            return None
        if not page.rows:
            if self._announced is None and page.more is not True:
                return None  # the page after the last
            raise InconsistentError(
                f"page {len(self._got.urls)} of {self._name} is empty and links to another; {self._counts}; "
                "nothing of it is stored"
            )
        target = urljoin(url, page.next)
        followed = trusted(self._source.provider.base_url, target)
        if followed is None:
            raise InconsistentError(
                f"page {len(self._got.urls)} of {self._name} links to {target}, which is not the provider's; "
                f"{self._counts}; nothing of it is stored"
            )
        return followed

    def _conclude(self) -> None:
        """Compare what came with what was announced."""
        received = len(self._got.ids)
        wanted = min(self._announced if self._announced is not None else math.inf, self._query.limit or math.inf)
        if self._announced is None:
            if self._query.limit is None or received < self._query.limit:
                self._got.warn(
                    "the provider does not announce how many structures match; completeness is unchecked"
                )
            if self._got.rows > received:
                raise InconsistentError(
                    f"{self._name} repeated {self._got.rows - received} of {self._got.rows} rows and announces no "
                    "total, so others may be missing; nothing of it is stored"
                )
        elif self._got.rows > received:
            self._got.warn(f"{self._got.rows - received} rows came more than once")
        if self._announced is not None and received < wanted:
            raise _ShortError(
                f"{self._name} announced {self._announced} structures but delivered {received} distinct ones in "
                f"{self._got.rows} rows; nothing of it is stored; try fewer --page-rows or a narrower filter"
            )


def _request(url: str) -> str:
    return f"GET {url}"


def _about(source: Source) -> About:
    """Ask a provider about itself; it need not answer, for nothing depends on it."""
    try:
        _, answer = source.ask(f"{source.provider.base_url}/info")
    except RefusedError:
        return About()
    return About.read(answer)
