"""Read the public data sets into canonical columns.

Every reader drops what cannot be used into :attr:`DataTable.rejects` with its cause, converts units
(atm to bar, degrees Celsius to K, S/cm to its decimal logarithm), and keeps the row of the file, the
reference and, for sets of compositions, the canonical composition and the chemical system.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstore.errors import unknown_name
from hstore_data.catalog import file_sha256, get_card, require
from hstore_data.readers import electrolyte, hydride, sorbent
from hstore_data.table import DataTable, RejectedRow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hstore.settings import Settings
    from hstore_data.readers.sheet import Rows

__all__ = ["READERS", "DataTable", "RejectedRow", "read"]

READERS: dict[str, Callable[[Path], Rows]] = {
    "doe_hydride": hydride.read_doe_hydride,
    "hystor": hydride.read_hystor,
    "isodb_h2": sorbent.read_isodb_h2,
    "liverpool_liion": electrolyte.read_liverpool_liion,
    "ml_hydpark": hydride.read_ml_hydpark,
    "mof_h2_usable": sorbent.read_mof_h2_usable,
    "nasicon_na": electrolyte.read_nasicon_na,
    "obelix": electrolyte.read_obelix,
    "sorbmeta_h2_gcmc": sorbent.read_sorbmeta_h2_gcmc,
}
"""Public set -> function of its folder that reads it."""


def read(name: str, settings: Settings) -> DataTable:
    """Read a public data set from the mirror or the home folder.

    Args:
        name: name of the set, such as ``"ml_hydpark"``.
        settings: where to look (:func:`hstore_data.catalog.locate`).

    Returns:
        Usable rows in canonical columns, the rejected rows, and the checksum of what was read.

    Raises:
        UnknownNameError: no such public set.
        DataError: the set is not on this machine, is damaged, or does not have the columns of its card.
    """
    if name not in READERS:
        raise unknown_name("public data set", name, READERS)
    folder = require(name, settings)
    needed = get_card(name).required_files
    before = {file.path: file_sha256(folder / file.path) for file in needed}
    frame, rejects = READERS[name](folder)
    warnings = tuple(
        f"{name}/{file.path} has SHA-256 {before[file.path]}, the card states {file.sha256}: "
        "this copy differs from the one the card describes"
        for file in needed
        if before[file.path] not in {file.sha256, file.url_sha256}
    )
    return DataTable(name, frame, rejects, before, warnings)
