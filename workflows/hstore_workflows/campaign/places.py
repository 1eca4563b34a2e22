"""Where the files of a campaign are, under ``HSTORE_HOME``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstore_workflows.campaign.pool import load_pool
from hstore_workflows.campaign.predictions import with_predictions

if TYPE_CHECKING:
    from pathlib import Path

    from hstore.settings import Settings
    from hstore_workflows.campaign.config import CampaignConfig
    from hstore_workflows.campaign.pool import CampaignPool


def campaign_folder(settings: Settings, name: str) -> Path:
    """Return the folder of a campaign."""
    return settings.home / "campaigns" / name


def pool_path(settings: Settings, name: str) -> Path:
    """Return the file of a campaign's candidates."""
    return campaign_folder(settings, name) / "pool.parquet"


def literature_path(settings: Settings, name: str) -> Path:
    """Return the file of what the literature says of a campaign's columns."""
    return campaign_folder(settings, name) / "literature.parquet"


def open_pool(settings: Settings, name: str, config: CampaignConfig) -> CampaignPool:
    """Read the candidates of a campaign.

    Their predictions are those of the last retraining that renewed them.

    Raises:
        DataError: they are gone, or not those the campaign began with.
    """
    pool = load_pool(pool_path(settings, name), sha256=config.pool_sha256, model_ids=config.model_ids)
    if not config.priors_file:
        return pool
    return with_predictions(pool, campaign_folder(settings, name) / config.priors_file, config.priors_sha256)
