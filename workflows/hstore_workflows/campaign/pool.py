"""The pool of a campaign: candidates frozen at its start, with what was predicted for them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hstore.errors import DataError
from hstore_workflows.campaign.landscape import Prior

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_data.table import RejectedRow

EFFORT = "effort"
"""Column of a pool with the effort that its table states."""
FEATURE = "feature:"
"""Beginning of the names of columns of a pool that describe candidates."""


@dataclass(frozen=True, eq=False)
class CampaignPool:
    """Candidates of a campaign; row numbers stand for materials in its arrays."""

    frame: pd.DataFrame
    """Columns ``material_id, formula, composition, known, domain_note, licence``; where the screen predicted a
    column, ``COLUMN_mean`` and ``COLUMN_std``; where the table describes candidates, ``feature:COLUMN``; where it
    says what they take to make, ``effort``."""
    model_ids: tuple[str, ...] = ()
    """Models behind the predictions."""
    source: str = ""
    """File or screen it was made from."""
    rejects: tuple[RejectedRow, ...] = ()
    """Rows that could not be used."""
    left_out: int = 0
    """Rows of a screen below the best-ranked ones."""
    outside: int = 0
    """Candidates left out because they lie outside the domain of the screen's models."""

    def __len__(self) -> int:
        """Return the number of candidates, n."""
        return len(self.frame)

    def prior(self, column: str) -> Prior | None:
        """Return the screen's prediction of a column, or None where there is none."""
        if f"{column}_mean" not in self.frame:
            return None
        return Prior(
            self.frame[f"{column}_mean"].to_numpy(dtype=float), self.frame[f"{column}_std"].to_numpy(dtype=float)
        )

    @cached_property
    def rows(self) -> dict[str, int]:
        """Material -> its row."""
        return {str(material): row for row, material in enumerate(self.frame["material_id"])}

    def of_composition(self, composition: str) -> NDArray[np.intp]:
        """Return the rows of a canonical formula."""
        return np.flatnonzero((self.frame["composition"] == composition).to_numpy())

    @property
    def has_formulas(self) -> bool:
        """False for tables that describe their candidates by columns alone."""
        return bool((self.frame["composition"] != "").any())

    @property
    def descriptor_names(self) -> list[str]:
        """Names of the columns that describe candidates, as the table had them."""
        return [str(name).removeprefix(FEATURE) for name in self.frame if str(name).startswith(FEATURE)]

    def descriptors(self) -> FloatArray:
        """Return the columns that describe candidates, shape (n, d), NaN where missing."""
        return self.frame[[f"{FEATURE}{name}" for name in self.descriptor_names]].to_numpy(dtype=float)


def write_pool(pool: CampaignPool, path: Path) -> str:
    """Write a pool as Parquet and return its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pool.frame.to_parquet(path, index=False)
    return _checksum(path)


def load_pool(path: Path, *, sha256: str, model_ids: tuple[str, ...] = ()) -> CampaignPool:
    """Read a pool that :func:`write_pool` wrote.

    Raises:
        DataError: it is gone, or not the one the campaign began with.
    """
    if not path.is_file():
        raise DataError(
            f"the campaign's pool {path} is missing; restore it, or use the HSTORE_HOME it was made in"
        )
    if _checksum(path) != sha256:
        raise DataError(f"the campaign's pool {path} was changed since the start (checksum differs); restore it")
    return CampaignPool(pd.read_parquet(path), model_ids, str(path))


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
