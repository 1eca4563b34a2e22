"""``hstore fetch mp``: candidates from the Materials Project."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from hstore_workflows.sources.materials_project import Fetched

_SHOWN_REJECTS = 10


def _symbols(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (value or "").split(",") if part.strip())


@click.command("mp", epilog="Example: hstore fetch mp --chemsys La-Ni-H --energy-above-hull-max 0.1")
@click.option("--endpoint", metavar="URL", help="Base URL of the API; default: that of the installed client.")
@click.option("--elements", callback=_symbols, metavar="La,Ni", help="Elements that must all be present.")
@click.option("--chemsys", callback=_symbols, metavar="La-Ni-H,..", help="Exact chemical systems, any of them.")
@click.option("--exclude-elements", callback=_symbols, metavar="O,F", help="Elements that must be absent.")
@click.option(
    "--family",
    type=click.Choice(["hydride", "alloy_host", "electrolyte"]),
    help="hydride: with H, without O and C; alloy_host: metals without H; electrolyte: without H, with a "
    "mobile ion (Li unless elements or systems name another).",
)
@click.option("--energy-above-hull-max", type=float, metavar="EV", help="Highest energy above hull, eV/atom.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Fetch at most N materials.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def command(endpoint: str | None, as_json: bool, **options: Any) -> None:
    """Fetch materials from the Materials Project.

    The key is read from HSTORE_MP_API_KEY or MP_API_KEY. Either everything announced by the server is
    received and stored, or nothing is and the exit code is 1.
    """
    from hstore.settings import load_settings
    from hstore.store import open_store
    from hstore_workflows.sources.materials_project import MPQuery, api_key, fetch_materials

    query = MPQuery(
        elements=options["elements"],
        chemical_systems=options["chemsys"],
        exclude_elements=options["exclude_elements"],
        family=options["family"],
        energy_above_hull_max=options["energy_above_hull_max"],
        limit=options["limit"],
    )
    settings = load_settings()
    fetched = fetch_materials(query, api_key(settings), endpoint=endpoint)
    with open_store(settings.store_url) as store:
        stored = fetched.store_in(store)
    _report(fetched, stored, as_json=as_json)


def _report(fetched: Fetched, stored: int, *, as_json: bool) -> None:
    for reject in fetched.rejected[:_SHOWN_REJECTS]:
        click.echo(f"rejected {reject.material_id or '(no id)'}: {reject.cause}", err=True)
    if len(fetched.rejected) > _SHOWN_REJECTS:
        click.echo(f"... and {len(fetched.rejected) - _SHOWN_REJECTS} more rejected", err=True)
    counts = {
        "total": fetched.total,
        "received": fetched.received,
        "stored": stored,
        "rejected": len(fetched.rejected),
        "database_version": fetched.database_version,
    }
    if as_json:
        click.echo(json.dumps(counts))
        return
    click.echo(
        f"{fetched.received} of {fetched.total} materials received, {stored} stored, "
        f"{len(fetched.rejected)} rejected (database version {fetched.database_version or 'not stated'})"
    )
