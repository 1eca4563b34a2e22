"""Put a finished screen into the store, where the service shows it."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hstore.records import Access, Screen
from hstore.store import open_store

if TYPE_CHECKING:
    import pandas as pd

    from hstore.settings import Settings
    from hstore_workflows.screen import ScreenResult

TOP_ROWS = 50
"""Rows of the result table that are kept."""


def publish_screen(result: ScreenResult, settings: Settings, *, access: Access | None = None) -> str:
    """Store the manifest and the best rows of a screen; doing it again changes nothing.

    Args:
        result: a finished screen.
        settings: where the store is.
        access: who may see it; everybody when not given, the command line in the manifest included.

    Returns:
        Identifier of the stored screen: target, and a hash of the manifest and the rows.

    Raises:
        StoreError: the store cannot be opened or written.
    """
    screen = screen_record(result, access=access or Access())
    with open_store(settings.store_url) as store:
        store.add_screen(screen)
    return screen.screen_id


def screen_record(result: ScreenResult, *, access: Access) -> Screen:
    """Build the record of a screen that has just been run."""
    return record_of(
        result.target.name, result.manifest, result.candidates, n_rejected=len(result.rejects), access=access
    )


def record_of(
    target: str, manifest: dict[str, Any], candidates: pd.DataFrame, *, n_rejected: int, access: Access
) -> Screen:
    """Build the record of a screen; numbers that are not finite become null.

    Args:
        target: name of the target.
        manifest: its manifest.
        candidates: its candidates, best first.
        n_rejected: rows that could not be used.
        access: who may see it.
    """
    top: list[dict[str, Any]] = json.loads(
        candidates.head(TOP_ROWS).to_json(orient="records", double_precision=15)
    )
    content = json.dumps([manifest, top], sort_keys=True)
    return Screen(
        screen_id=f"{target}-{hashlib.sha256(content.encode()).hexdigest()[:12]}",
        target=target,
        created_at=datetime.fromisoformat(manifest["finished_at"]),
        n_candidates=len(candidates),
        n_rejected=n_rejected,
        manifest=manifest,
        top=tuple(top),
        access=access,
    )
