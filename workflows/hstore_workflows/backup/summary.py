"""What a back-up holds, in a few words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hstore_workflows.backup.manifest import CAMPAIGNS, STORE

if TYPE_CHECKING:
    from pathlib import Path

    from hstore_workflows.backup.manifest import Manifest


def words(manifest: Manifest, file: Path) -> str:
    """Say in one line what is in a back-up."""
    rows = manifest.rows(STORE)
    return (
        f"{file}: {file.stat().st_size:,} bytes, of {manifest.created_at:%Y-%m-%d %H:%M:%S} UTC, hstore "
        f"{manifest.hstore}, {sum(rows.values()):,} rows ({rows.get('materials', 0):,} materials, "
        f"{rows.get('measurements', 0):,} measurements, {rows.get('jobs', 0):,} jobs), "
        f"{manifest.rows(CAMPAIGNS).get('studies', 0):,} campaigns, {len(manifest.files):,} files"
    )


def record(manifest: Manifest, file: Path) -> str:
    """Say the same as JSON, with the rows of every table."""
    found = {
        "file": str(file),
        "bytes": file.stat().st_size,
        "created_at": manifest.created_at.isoformat(),
        "hstore": manifest.hstore,
        "store_schema": manifest.store_schema,
        "store": manifest.rows(STORE),
        "campaigns": manifest.rows(CAMPAIGNS),
        "files": len(manifest.files),
    }
    return json.dumps(found, indent=2)
