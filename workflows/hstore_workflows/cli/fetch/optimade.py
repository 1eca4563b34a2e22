"""``hstore fetch optimade``: candidates from any OPTIMADE provider."""

from __future__ import annotations

import itertools
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from hstore_workflows.cli.fetch.intake_options import finish, intake_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hstore.records import Material
    from hstore.settings import Settings
    from hstore_workflows.sources.intake import Rejected
    from hstore_workflows.sources.optimade.fetch import ProviderFetch
    from hstore_workflows.sources.optimade.paging import Harvest


def _parts(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (value or "").split(",") if part.strip())


@click.command(
    "optimade", epilog="Example: hstore fetch optimade --provider oqmd --provider mp --chemsys Mg-H --json"
)
@click.option(
    "--provider",
    "providers",
    multiple=True,
    required=True,
    metavar="URL|NAME",
    help="Base URL, or the short name of a public database (mp, oqmd, cod, alexandria, ...); may be repeated.",
)
@click.option("--filter", "expression", default="", metavar="FILTER", help="Filter in the language of OPTIMADE.")
@click.option("--elements", callback=_parts, metavar="Mg,H", help="Elements that must all be present.")
@click.option("--chemsys", callback=_parts, metavar="Mg-H,..", help="Exact chemical systems, any of them.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N structures from each provider.")
@click.option(
    "--timeout", type=float, default=30.0, show_default=True, metavar="S", help="Longest silence, seconds."
)
@click.option(
    "--retries", type=int, default=5, show_default=True, metavar="N", help="Repeats of a failed request."
)
@click.option("--page-rows", type=int, default=100, show_default=True, metavar="N", help="Structures on a page.")
@click.option("--restart", is_flag=True, help="Forget what an interrupted fetch received.")
@intake_options
def command(providers: tuple[str, ...], **options: Any) -> None:
    """Fetch structures from OPTIMADE providers, several side by side.

    From each provider either everything it announces is received and stored, or nothing is. The exit code is 1
    when any provider failed; what the others delivered is stored. An interrupted fetch goes on when the same
    command is run again.
    """
    from hstore.settings import load_settings
    from hstore_workflows.sources.optimade.fetch import FetchPlan, fetch_providers, settle
    from hstore_workflows.sources.optimade.providers import resolve_providers
    from hstore_workflows.sources.optimade.query import OptimadeQuery
    from hstore_workflows.sources.optimade.transport import Patience

    query = OptimadeQuery(
        expression=options["expression"],
        elements=options["elements"],
        chemical_systems=options["chemsys"],
        limit=options["limit"],
    )
    patience = Patience(timeout_s=options["timeout"], retries=options["retries"])
    plan = FetchPlan(patience=patience, page_rows=options["page_rows"], restart=options["restart"])
    asked = resolve_providers(providers)
    settings = load_settings()
    with _progress() as on_page:
        fetches = fetch_providers(asked, query, home=settings.home, plan=plan, on_page=on_page)
    _store(fetches, options, settings)
    settle(fetches)
    _fail(fetches)


@contextmanager
def _progress() -> Iterator[Callable[[str, Harvest], None]]:
    """Count the structures of all providers together, from whichever thread they come."""
    from hstore_workflows.cli.progress import counting

    lock = threading.Lock()
    seen: dict[str, int] = {}
    with counting("structures received") as advance:

        def on_page(name: str, harvested: Harvest) -> None:
            with lock:
                fresh = len(harvested.ids) - seen.get(name, 0)
                if fresh > 0:  # fewer when a provider is asked again from the start
                    seen[name] = len(harvested.ids)
                    advance(fresh)

        yield on_page


def _store(fetches: Sequence[ProviderFetch], options: dict[str, Any], settings: Settings) -> None:
    """Take in what came, and say what became of each provider."""
    reports: list[dict[str, Any]] = []

    def items() -> Iterator[Material | Rejected]:
        yield from itertools.chain.from_iterable(fetch.items() for fetch in fetches)
        reports.extend(fetch.report() for fetch in fetches)  # complete before the counts are printed

    total = sum(fetch.received if fetch.harvest.total is None else fetch.harvest.total for fetch in fetches)
    extra: dict[str, Any] = {"providers": reports} if options["as_json"] else {}
    finish(items(), options=options, settings=settings, total=total, **extra)
    if not options["as_json"]:
        for report in reports:
            click.echo(_line(report))


def _line(report: dict[str, Any]) -> str:
    if report["cause"]:
        return f"{report['provider']}: failed after {report['received']} structures, nothing of it is stored"
    total = "an unannounced total" if report["total"] is None else report["total"]
    said = f"{report['provider']}: {report['received']} of {total} received"
    noted = "".join(f"\n  note: {warning}" for warning in report["warnings"])
    return f"{said}, {report['usable']} usable, {report['rejected']} rejected{noted}"


def _fail(fetches: Sequence[ProviderFetch]) -> None:
    """End with exit code 1 when a provider failed."""
    from hstore.errors import FetchError

    failed = [fetch for fetch in fetches if fetch.cause]
    if failed:
        causes = "".join(f"\n  {fetch.source.provider.name}: {fetch.cause}" for fetch in failed)
        others = "what the others delivered is stored" if len(failed) < len(fetches) else "nothing is stored"
        raise FetchError(f"{len(failed)} of {len(fetches)} providers failed; {others}{causes}")
