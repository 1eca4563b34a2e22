"""Tables that users have added to training, kept as they were given so that a model can be made anew from them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pandas as pd

from hstore.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from hstore.settings import Settings


def save_table(frame: pd.DataFrame, settings: Settings) -> str:
    """Keep a table, as text, under its checksum.

    Returns:
        SHA-256 of the table written as CSV.
    """
    content = frame.to_csv(index=False, lineterminator="\n").encode()
    digest = hashlib.sha256(content).hexdigest()
    path = _path(digest, settings)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".part")
        scratch.write_bytes(content)
        scratch.chmod(0o600)  # unpublished measurements are nobody else's business
        scratch.replace(path)
    return digest


def load_table(digest: str, settings: Settings) -> pd.DataFrame:
    """Return a table that was kept; cells are text.

    Raises:
        DataError: it is gone, or was changed.
    """
    path = _path(digest, settings)
    if not path.is_file():
        raise DataError(f"{path} is gone, rows that a model was trained on; add the table again with --data")
    if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        raise DataError(f"{path} was changed since a model was trained on it; restore it, or add the table again")
    return pd.read_csv(path, dtype=str)


def _path(digest: str, settings: Settings) -> Path:
    return settings.home / "added_rows" / f"{digest[:16]}.csv"
