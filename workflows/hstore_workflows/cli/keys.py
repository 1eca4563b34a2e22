"""``hstore keys``: make, list and revoke keys to the service, and read the audit log."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from hstore.keys import ApiKey
    from hstore.store import Store
    from hstore.store.keys import AuditEntry

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
_PAGE = 500


@click.group(epilog="Example: hstore keys create --name north --scopes read,measure")
def command() -> None:
    """Make, list and revoke keys to the service; read the audit log.

    A key belongs to a lab, in whose name it reads and writes. It is shown once, when it is made; the store keeps
    its hash only.
    """


@command.command(
    "create", epilog="Example: hstore keys create --name north --scopes read,measure --days 365 --json"
)
@click.option("--name", required=True, help="What the key is for, such as the name of the lab.")
@click.option("--lab", help="Lab in whose name it reads and writes; the default is made of --name.")
@click.option("--no-lab", is_flag=True, help="Make a key of no lab: it sees public records only and owns nothing.")
@click.option("--scopes", required=True, metavar="SCOPE,...",
              help="What it permits, some of: read, measure, run, train, admin.")  # fmt: skip
@click.option("--days", type=click.IntRange(1, 36500), help="Days after which it ends; without, it does not end.")
@click.option("--requests-per-minute", type=click.IntRange(1), help="Limit of its own, in place of the settings'.")
@click.option("--predictions-per-day", type=click.IntRange(0), help="Rows it may have predicted in a day of UTC.")
@click.option("--concurrent-jobs", type=click.IntRange(0), help="Jobs it may have queued or running.")
@_JSON
def create(*, name: str, lab: str | None, no_lab: bool, scopes: str, days: int | None, as_json: bool,
           **limits: int | None) -> None:  # fmt: skip
    """Make a key and show it, once."""
    from hstore.keys import lab_of, permissions_of

    if no_lab and lab is not None:
        raise click.UsageError("--lab and --no-lab exclude each other; give one of them")
    permissions = permissions_of(scopes)
    lab_id = None if no_lab else lab_of(lab if lab is not None else name)
    valid_for = None if days is None else timedelta(days=days)
    with _store() as store, store.database.transaction("a key"):
        kept, secret = store.keys.create(name, permissions, lab_id=lab_id, valid_for=valid_for, **limits)
        store.audit.add("keys.create", [kept.key_id], lab_id=lab_id, detail={"scopes": sorted(permissions)})
    if as_json:
        _print_json(_shown(kept) | {"key": secret})
        return
    whose = f"of lab {lab_id}" if lab_id else "of no lab"
    print(f"key {kept.key_id} {whose}, scopes {', '.join(sorted(permissions))}; it is not shown again:\n{secret}")


@command.command("list", epilog="Example: hstore keys list --json")
@_JSON
def list_keys(*, as_json: bool) -> None:
    """List the keys, oldest first, without the keys themselves."""
    with _store() as store:
        keys = store.keys.list()
    if as_json:
        _print_json([_shown(key) for key in keys])
        return
    _print_table(("key id", "name", "lab", "scopes", "made", "state"), map(_line, keys))


@command.command("revoke", epilog="Example: hstore keys revoke 3f9c2a7b10de")
@click.argument("key_id")
@_JSON
def revoke(key_id: str, *, as_json: bool) -> None:
    """End a key at once; KEY_ID is the second part of the key, as the list shows it."""
    with _store() as store, store.database.transaction("a key"):
        kept = store.keys.revoke(key_id)
        store.audit.add("keys.revoke", [key_id], lab_id=kept.lab_id)
    if as_json:
        _print_json(_shown(kept))
        return
    print(f"key {key_id} ({kept.name}) is revoked since {kept.revoked_at:%Y-%m-%d %H:%M:%S} UTC")


@command.command("audit", epilog="Example: hstore keys audit --lab north --limit 20")
@click.option("--lab", help="Only what was written in the name of this lab.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many entries.")
@_JSON
def audit(*, lab: str | None, limit: int, as_json: bool) -> None:
    """Show what was written through the service and by this command, newest first."""
    from hstore.keys import lab_of

    with _store() as store:
        entries = list(_entries(store, None if lab is None else lab_of(lab), limit))
    if as_json:
        _print_json([entry.model_dump(mode="json") for entry in entries])
        return
    _print_table(("when (UTC)", "lab", "key id", "action", "records"), map(_audit_line, entries))


def _store() -> AbstractContextManager[Store]:
    from hstore.settings import load_settings
    from hstore.store import open_store

    return open_store(load_settings().store_url)


def _entries(store: Store, lab_id: str | None, limit: int) -> Iterator[AuditEntry]:
    before, left = None, limit
    while left:
        page = store.audit.entries(lab_id=lab_id, before=before, limit=min(left, _PAGE))
        if not page:
            return
        yield from page
        before, left = page[-1].entry_id, left - len(page)


def _shown(key: ApiKey) -> dict[str, Any]:
    shown = key.model_dump(mode="json", exclude={"permissions", "lab_id"})
    return shown | {"lab": key.lab_id, "scopes": sorted(key.permissions), "usable": key.usable()}


def _line(key: ApiKey) -> tuple[str, ...]:
    state = "usable" if key.usable() else "revoked" if key.revoked_at else "ended"
    if key.expires_at and state == "usable":
        state = f"until {key.expires_at:%Y-%m-%d}"
    made = f"{key.created_at:%Y-%m-%d}"
    return key.key_id, key.name, key.lab_id or "", ",".join(sorted(key.permissions)), made, state


def _audit_line(entry: AuditEntry) -> tuple[str, ...]:
    subjects = ", ".join(entry.subjects[:3]) + (
        f" and {len(entry.subjects) - 3} more" if entry.subjects[3:] else ""
    )
    return f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.lab_id or "", entry.key_id or "", entry.action, subjects


def _print_table(columns: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")  # an identifier that is cut off is of no use
    for row in rows:
        table.add_row(*map(escape, row))
    Console().print(table)


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))
