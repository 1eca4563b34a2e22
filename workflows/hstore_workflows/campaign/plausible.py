"""What a result of a campaign should be about: the pool's prediction, or what was measured so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore_workflows.evaluate.target import PRESSURE
from hstore_workflows.measure.plausible import Expectation, logarithms

if TYPE_CHECKING:
    from hstore_workflows.campaign.pool import CampaignPool
    from hstore_workflows.campaign.standing import Standing

_MIN_VALUES = 8
_SMALLEST_SPAN_SHARE = 0.5
_SMALLEST_STD_SHARE = 0.02


def expectation(pool: CampaignPool, standing: Standing, row: int, column: str) -> Expectation | None:
    """Return what is expected of one material: the pool's prediction, or what was measured so far.

    Without a prediction eight materials must have been measured, and their span counts as at least half of their
    middle, so that a few equal results do not make the next one doubtful.
    """
    logarithm = column == PRESSURE
    prior = pool.prior(column)
    if prior is not None:
        means = logarithms(prior.mean) if logarithm else prior.mean
        span = float(np.ptp(means))
        return Expectation(float(means[row]), float(prior.std[row]), span, "predicted", logarithm)
    held = (standing.values(material) for material in standing.materials)
    known = np.array([values[column] for values in held if column in values])
    if len(known) < _MIN_VALUES:
        return None
    known = logarithms(known) if logarithm else known
    middle, span = float(np.median(known)), float(np.ptp(known))
    span = max(span, _SMALLEST_SPAN_SHARE * abs(middle))
    std = max(float(known.std()), _SMALLEST_STD_SHARE * span)
    return Expectation(middle, std, span, "measured so far", logarithm)
