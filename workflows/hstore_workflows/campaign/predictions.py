"""Versions of a pool's predictions: those of its start stay, later ones lie beside them and replace them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from hstore.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hstore.arrays import FloatArray
    from hstore.settings import Settings
    from hstore_workflows.campaign.config import CampaignConfig
    from hstore_workflows.campaign.pool import CampaignPool


@dataclass(frozen=True, eq=False)
class Predicted:
    """Predictions of one column for all candidates, arrays of shape (n,)."""

    mean: FloatArray
    """Predicted values."""
    std: FloatArray
    """Their standard deviations, above 0."""


def write_predictions(
    settings: Settings,
    name: str,
    config: CampaignConfig,
    pool: CampaignPool,
    renewed: Mapping[str, Predicted],
    model_ids: tuple[str, ...],
) -> CampaignConfig:
    """Write a new version of the predictions and return the settings of the campaign that name it.

    Args:
        settings: where campaigns are kept.
        name: of the campaign.
        config: its settings.
        pool: its candidates, with the predictions that were used so far.
        renewed: column -> its new predictions; the others stay.
        model_ids: models behind all predictions.
    """
    from hstore_workflows.campaign.places import campaign_folder

    held = [c for c in pool.frame if str(c).endswith(("_mean", "_std"))]
    frame = pool.frame[["material_id", *held]].copy()
    for column, predicted in renewed.items():
        frame[f"{column}_mean"], frame[f"{column}_std"] = predicted.mean, predicted.std
    folder = campaign_folder(settings, name)
    number = 1 + len(list(folder.glob("predictions-*.parquet")))
    path = folder / f"predictions-{number:03d}.parquet"
    frame.to_parquet(path, index=False)
    return replace(config, priors_file=path.name, priors_sha256=_checksum(path), model_ids=model_ids)


def with_predictions(pool: CampaignPool, path: Path, sha256: str) -> CampaignPool:
    """Return a pool with a later version of its predictions.

    Raises:
        DataError: the file is gone, or was changed.
    """
    if not path.is_file() or _checksum(path) != sha256:
        raise DataError(f"the campaign's predictions {path} are missing or were changed; restore the file")
    held = pd.read_parquet(path).drop(columns="material_id")
    kept = pool.frame.drop(columns=[c for c in held if c in pool.frame])
    return replace(pool, frame=pd.concat([kept, held], axis=1))


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
