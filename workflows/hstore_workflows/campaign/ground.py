"""The pool as a strategy sees it: standardised descriptors, predictions, effort, and what a lab can make."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hstore_workflows.campaign.descriptors import MAGPIE, column_blocks, composition_blocks, or_nothing
from hstore_workflows.campaign.landscape import Landscape
from hstore_workflows.campaign.pool import EFFORT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hstore.arrays import FloatArray
    from hstore_models.features.composition import CompositionBatch
    from hstore_workflows.campaign.config import CampaignConfig
    from hstore_workflows.campaign.effort import Effort
    from hstore_workflows.campaign.labs import Lab
    from hstore_workflows.campaign.pool import CampaignPool

KEPT = 1_000
"""Candidates from which on what was read from formulas is kept beside the pool."""


@dataclass(frozen=True, eq=False)
class Ground:
    """A pool made ready for choosing."""

    pool: CampaignPool
    """The candidates."""
    landscape: Landscape
    """The candidates as arrays."""
    compositions: CompositionBatch | None
    """Their compositions; None where the pool has no formulas."""
    effort: Effort | None
    """What they take to make and measure; None where the pool has no formulas."""

    def for_lab(self, lab: Lab | None) -> Ground:
        """Mark the candidates that a lab can make; all where its means, or the compositions, are not known."""
        if lab is None or self.compositions is None:
            return self
        return replace(self, landscape=replace(self.landscape, makeable=lab.makeable(self.compositions)))


def make_ground(pool: CampaignPool, config: CampaignConfig, folder: Path) -> Ground:
    """Make a pool ready for choosing.

    Args:
        pool: the candidates.
        config: what the campaign looks for, and which descriptors it uses.
        folder: where what large pools need again is kept.
    """
    from hstore_workflows.campaign.effort import effort

    priors = {column: prior for column in config.objective.columns if (prior := pool.prior(column)) is not None}
    stated = pool.frame[EFFORT].to_numpy(dtype=float) if EFFORT in pool.frame else None
    compositions = _compositions(pool, folder / f"compositions-{config.pool_sha256[:12]}.npz")
    found = effort(compositions, own=stated) if compositions is not None else None
    relative = found.relative if found is not None else None if stated is None else stated / stated.mean()
    blocks = _blocks(pool, config, compositions)
    landscape = Landscape(blocks, config.objective, priors=priors, effort=relative)
    return Ground(pool, landscape, compositions, found)


def _blocks(
    pool: CampaignPool, config: CampaignConfig, compositions: CompositionBatch | None
) -> Mapping[str, FloatArray]:
    found: dict[str, FloatArray] = {}
    if compositions is not None and (not config.features or MAGPIE in config.features):
        found |= composition_blocks(compositions)
    names = pool.descriptor_names
    if names:
        found |= column_blocks(pool.descriptors(), names)
    return or_nothing(found, len(pool))


def _compositions(pool: CampaignPool, kept: Path) -> CompositionBatch | None:
    from hstore_models.features.composition import CompositionBatch

    if not pool.has_formulas:
        return None
    if kept.is_file():
        with np.load(kept) as held:
            return CompositionBatch(held["atomic_numbers"].astype(np.intp), held["amounts"])
    batch = CompositionBatch.from_formulas(pool.frame["formula"].tolist())[0]
    if len(batch) > KEPT and kept.parent.is_dir():
        scratch = kept.with_suffix(".part.npz")
        np.savez(scratch, atomic_numbers=batch.atomic_numbers.astype(np.int16), amounts=batch.amounts)
        scratch.replace(kept)
    return batch
