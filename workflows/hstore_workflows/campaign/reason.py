"""Say in words why an experiment is proposed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore_models.calibration import NORMAL_QUANTILE

if TYPE_CHECKING:
    from hstore.arrays import FloatArray
    from hstore_workflows.campaign.objective import Objective
    from hstore_workflows.campaign.pool import CampaignPool
    from hstore_workflows.campaign.strategy import History, Pick

_ALIKE = 1e-9
_SURE = 0.995


def interval(pick: Pick) -> tuple[float, float] | None:
    """Return the central 90 % interval of a pick, or None where nothing is known."""
    if pick.mean is None or pick.std is None:
        return None
    return pick.mean - NORMAL_QUANTILE * pick.std, pick.mean + NORMAL_QUANTILE * pick.std


def reason_for(
    pick: Pick, pool: CampaignPool, features: FloatArray, history: History, objective: Objective
) -> str:
    """Write the reason of one pick: aim, prediction, odds, nearest known material, warnings."""
    parts = [_aim(pick, history, objective)]
    bounds = interval(pick)
    if bounds:
        parts.append(
            f"predicted {objective.maximize} {pick.mean:.3g} (90 % interval {bounds[0]:.3g} to {bounds[1]:.3g})"
        )
    if pick.p_windows is not None:
        windows = " and ".join(str(window) for window in objective.windows)
        parts.append(f"probability {pick.p_windows:.2f} of meeting {windows}")
    if pick.p_success < _SURE:
        parts.append(f"synthesis succeeds with probability {pick.p_success:.2f}, judging by failures nearby")
    parts.append(_nearest(pick, pool, features, history, objective))
    if pool.frame["known"].iloc[pick.row]:
        parts.append("reported in the literature already")
    note = pool.frame["domain_note"].iloc[pick.row]
    if note:
        parts.append(f"the screen's model is outside its domain here: {note}")
    return "; ".join(part for part in parts if part)


def _aim(pick: Pick, history: History, objective: Objective) -> str:
    if pick.why == "spread":
        return "nothing is known yet, so it was chosen to cover the pool"
    if pick.why == "explore":
        return "chosen for what it teaches: it may turn out well, and few predictions are less certain"
    measured = [values[objective.maximize] for values in history.results.values() if objective.maximize in values]
    if not measured:
        return "promises most by the screen's prediction"
    return f"expected to improve on the results by {pick.gain:.2g} on average (best so far {max(measured):.3g})"


def _nearest(pick: Pick, pool: CampaignPool, features: FloatArray, history: History, objective: Objective) -> str:
    """Name the nearest measured material, or before there is one the nearest reported in the literature."""
    measured = list(history.results)
    rows = measured or [int(row) for row in np.flatnonzero(pool.frame["known"]) if row != pick.row]
    if not rows:
        return ""
    distances = np.linalg.norm(features[rows] - features[pick.row], axis=1) / np.sqrt(features.shape[1])
    place = int(np.argmin(distances))
    formula = pool.frame["formula"].iloc[rows[place]]
    apart = "of the same composition" if distances[place] < _ALIKE else f"at distance {distances[place]:.2f}"
    if not measured:
        return f"nearest reported material {formula} {apart}"
    value = history.results[rows[place]].get(objective.maximize)
    return f"nearest result {formula}{'' if value is None else f' ({value:.3g})'} {apart}"
