"""Fit models to one isotherm, and choose among them.

An excess uptake is the adsorbed amount less the gas that its volume would hold anyway, so at high pressure it has
a maximum and falls. Models of the adsorbed amount only rise: they then take a volume of the adsorbed phase as one
more parameter, excess = model - gas density x volume, and without it they are refused. Total uptakes take the
volume of gas beside the adsorbed phase in the same way, with the other sign. Gas densities are those of the real
gas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError
from hstore.sorption import gas_in_volume_wt_pct
from hstore_workflows.fit.isotherm_models import UNITS, IsothermModel, isotherm_models
from hstore_workflows.fit.least_squares import Solution, solve

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hstore.arrays import FloatArray

LEAST_POINTS = 5
"""Points of an isotherm from which a model can be fitted."""
GAS_SIGN = {"excess": -1.0, "absolute": 0.0, "total": 1.0}
"""Kind of an uptake -> sign of the gas in it that is not adsorbed."""
MOST_VOLUME_CM3_PER_G = 10.0
"""Larger volumes of gas are no pores."""

_FALL = 0.02
"""An excess uptake that falls by more than this share of its maximum has one."""
_GAS_COUNTS = 0.02
"""Gas counts where 1 cm3/g of it is more than this share of the largest uptake."""
_FOLDS = 5
_AS_GOOD_AICC = 2.0
"""Models within this of the best are as good (Burnham and Anderson 2004, doi 10.1177/0049124104268644); the one
with fewest parameters is taken."""
VOLUME = {"excess": "adsorbed_volume", "total": "gas_volume"}
"""Kind of an uptake -> name of the volume fitted with it."""


@dataclass(frozen=True)
class Points:
    """Points of one isotherm in canonical units."""

    temperature_k: float
    """Temperature, K."""
    uptake_kind: str
    """excess, absolute or total."""
    pressure_bar: FloatArray
    """Pressures, above 0, rising, shape ``(n,)``."""
    uptake_wt_pct: FloatArray
    """Uptakes, 100 x g H2 / g sorbent, shape ``(n,)``."""

    @property
    def maximum(self) -> int | None:
        """Place of the maximum of an excess uptake that falls behind it; None where it only rises."""
        top = int(np.argmax(self.uptake_wt_pct))
        falls = self.uptake_wt_pct[-1] < (1.0 - _FALL) * self.uptake_wt_pct[top]
        return top if self.uptake_kind == "excess" and falls else None


@dataclass(frozen=True)
class Estimate:
    """A parameter."""

    name: str
    """Its name in the model."""
    value: float
    """Its value."""
    unit: str
    """Its unit; empty for exponents."""
    interval: tuple[float, float] | None
    """90 % interval; None where the points do not fix it."""


@dataclass(frozen=True)
class ModelFit:
    """One model fitted to one isotherm."""

    name: str
    """Name of the model, with " + volume" where the gas's volume is fitted too."""
    model: IsothermModel
    """The model."""
    points: Points
    """What it was fitted to."""
    solution: Solution
    """Its parameters; the last is the volume, cm3/g, where there is one."""
    held_out_rmse: float
    """Root mean square error, wt%, of points left out of the fit, a fifth at a time."""
    doubt: str
    """Why it is not to be chosen; empty where nothing speaks against it."""

    @property
    def has_volume(self) -> bool:
        """Whether the volume of the gas is fitted."""
        return len(self.solution.theta) > len(self.model.parameters)

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """Parameters with intervals."""
        names, kinds = [*self.model.parameters], [UNITS[kind] for kind in self.model.kinds]
        if self.has_volume:
            names, kinds = [*names, VOLUME[self.points.uptake_kind]], [*kinds, "cm3/g"]
        loose, intervals = self.solution.loose, self.solution.intervals
        return tuple(
            Estimate(name, float(value), unit, None if place in loose else (float(low), float(high)))
            for place, (name, unit, value, (low, high)) in enumerate(
                zip(names, kinds, self.solution.theta, intervals, strict=True)
            )
        )

    def adsorbed(self, pressure_bar: FloatArray, theta: FloatArray | None = None) -> FloatArray:
        """Return the part that is the model alone, wt%: the adsorbed amount where a volume is fitted."""
        parameters = self.solution.theta if theta is None else theta
        return self.model.uptake(pressure_bar, parameters[: len(self.model.parameters)])

    def uptake(self, pressure_bar: FloatArray, theta: FloatArray | None = None) -> FloatArray:
        """Return the uptake of the kind that was measured, wt%, shape of the pressures."""
        parameters = self.solution.theta if theta is None else theta
        held = self.adsorbed(pressure_bar, parameters)
        if not self.has_volume:
            return held
        gas = gas_in_volume_wt_pct(1.0, pressure_bar=pressure_bar, temperature_k=self.points.temperature_k)
        return np.asarray(held + GAS_SIGN[self.points.uptake_kind] * gas * parameters[-1])

    def std(self, pressure_bar: FloatArray) -> FloatArray:
        """Return the standard error of the curve, wt%, shape of the pressures."""
        return self.solution.std_of(lambda theta: self.uptake(pressure_bar, theta))

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "model": self.name,
            "parameters": [vars(estimate) for estimate in self.estimates],
            "rmse_wt_pct": self.solution.rmse,
            "held_out_rmse_wt_pct": self.held_out_rmse,
            "aicc": self.solution.aicc,
            "bic": self.solution.bic,
            "doubt": self.doubt,
        }


@dataclass(frozen=True)
class IsothermFit:
    """All models of one isotherm."""

    points: Points
    """What was fitted."""
    fits: tuple[ModelFit, ...]
    """Models fitted, the chosen one first, the others by AICc."""
    refused: tuple[tuple[str, str], ...]
    """Models that cannot be fitted, and why."""

    @property
    def chosen(self) -> ModelFit:
        """The model chosen."""
        return self.fits[0]


def fit_isotherm(points: Points, models: Sequence[IsothermModel] | None = None) -> IsothermFit:
    """Fit models to one isotherm and choose one.

    Chosen is, of the models whose parameters the points fix, the one with fewest parameters within 2 of the lowest
    AICc; where no model is fixed, of all.

    Args:
        points: the isotherm.
        models: models to try; all of :func:`isotherm_models` when None.

    Raises:
        InputError: there are too few points, or no model can be fitted.
        MissingExtraError: pyGAPS is not installed.
    """
    if len(points.pressure_bar) < LEAST_POINTS:
        raise InputError(
            f"an isotherm needs at least {LEAST_POINTS} points to be fitted, got {len(points.pressure_bar)}"
        )
    if points.uptake_wt_pct.max() <= 0:
        raise InputError("no uptake is above 0, so there is nothing to fit")
    found: list[ModelFit] = []
    refused: list[tuple[str, str]] = []
    for model in isotherm_models() if models is None else models:
        for volume in (False, True) if gas_counts(points) else (False,):
            name = f"{model.name} + volume" if volume else model.name
            try:
                found.append(_fit(name, model, points, volume=volume))
            except InputError as error:
                refused.append((name, str(error)))
    if not found:
        raise InputError("no model can be fitted: " + "; ".join(f"{name}: {why}" for name, why in refused[:3]))
    sound = [fit for fit in found if not fit.doubt] or found
    best = min(fit.solution.aicc for fit in sound)
    good = [fit for fit in sound if fit.solution.aicc <= best + _AS_GOOD_AICC]
    chosen = min(good, key=lambda fit: (len(fit.solution.theta), fit.solution.aicc))
    others = sorted((fit for fit in found if fit is not chosen), key=lambda fit: fit.solution.aicc)
    return IsothermFit(points, (chosen, *others), tuple(refused))


def gas_counts(points: Points) -> bool:
    """Tell whether the gas in the pores is more than noise beside the uptake at the highest pressure."""
    if GAS_SIGN[points.uptake_kind] == 0.0:
        return False
    last = float(points.pressure_bar[-1])
    gas = float(gas_in_volume_wt_pct(1.0, pressure_bar=last, temperature_k=points.temperature_k))
    return gas > _GAS_COUNTS * float(points.uptake_wt_pct.max())


def _fit(name: str, model: IsothermModel, points: Points, *, volume: bool) -> ModelFit:
    if points.maximum is not None and not volume:
        at = points.pressure_bar[points.maximum]
        raise InputError(
            f"the excess uptake falls beyond {at:.3g} bar, and this model only rises; it needs the adsorbed volume"
        )
    p, q = points.pressure_bar, points.uptake_wt_pct
    gas = gas_in_volume_wt_pct(1.0, pressure_bar=p, temperature_k=points.temperature_k)
    share = GAS_SIGN[points.uptake_kind] * np.asarray(gas)
    count = len(model.parameters)

    def curve(inside: Any) -> Callable[[FloatArray], FloatArray]:
        def values(theta: FloatArray) -> FloatArray:
            held = model.uptake(p[inside], theta[:count])
            return np.asarray(held + share[inside] * theta[-1]) if volume else held

        return values

    top = float(q.max()) * (1.1 if volume else 1.0)
    half = float(p[np.argmax(q >= 0.5 * q.max())])
    starts = [list(start) for start in model.starts(top, 1.0 / half, float(p[-1]))]
    if volume:
        starts = [[*start, 0.5] for start in starts]
    solution = solve(curve(slice(None)), q, starts)
    errors = np.full(len(q), np.nan)
    for fold in range(_FOLDS):
        out = np.arange(len(q)) % _FOLDS == fold
        if out.any() and (~out).sum() >= len(starts[0]) + 2:
            other = solve(curve(~out), q[~out], [solution.theta.tolist()])
            errors[out] = curve(out)(other.theta) - q[out]
    held_out = float(np.sqrt(np.nanmean(errors**2))) if np.isfinite(errors).any() else float("nan")
    fit = ModelFit(name, model, points, solution, held_out, "")
    return ModelFit(name, model, points, solution, held_out, _doubt(fit))


def _doubt(fit: ModelFit) -> str:
    loose = [estimate.name for estimate in fit.estimates if estimate.interval is None]
    if loose:
        return f"the points do not fix {', '.join(loose)}"
    if fit.has_volume and fit.solution.theta[-1] > MOST_VOLUME_CM3_PER_G:
        return f"a volume of {fit.solution.theta[-1]:.3g} cm3/g is no pore"
    if fit.solution.points <= len(fit.solution.theta) + 3:
        return "there are hardly more points than parameters"
    return ""
