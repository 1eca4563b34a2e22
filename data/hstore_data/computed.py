"""Computed data sets that ship with the package: read without the codes that made them."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from hstore.errors import DataError
from hstore_data.catalog import datasets, file_sha256

if TYPE_CHECKING:
    import pandas as pd

HYDRIDES = "computed_hydrides"
"""Prototype hydrides relaxed and scored by one potential."""


def computed_hydrides() -> pd.DataFrame:
    """Return the prototype hydrides relaxed and scored by one potential; columns and units as its card states.

    Raises:
        DataError: the file is missing, or is not the one its card describes.
    """
    import pandas as pd

    with as_file(files("hstore_data") / "tables" / f"{HYDRIDES}.parquet") as path:
        if not path.is_file():
            raise DataError(
                f"{path.name} is not in this package; make it with: hstore physics hydride-set --out FILE"
            )
        found, stated = file_sha256(path), datasets()[HYDRIDES].sha256
        if found != stated:
            raise DataError(f"{path.name} has SHA-256 {found}, its card states {stated}; install the package anew")
        return pd.read_parquet(path)
