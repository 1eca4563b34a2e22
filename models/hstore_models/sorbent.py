"""Hydrogen in porous sorbents: an isotherm model from texture, corrected where simulations exist.

Total uptake is adsorbed hydrogen plus gas in the remaining pore volume. The adsorbed part is a Langmuir-Freundlich
isotherm whose saturation is proportional to surface area and whose affinity follows van 't Hoff, with a few
constants fitted to the curated measurements; so uptake exists at any temperature and pressure, and the usable
capacity is the difference of two states. Where a public set of simulated usable capacities is present, forests
learn what the isotherm misses at exactly the swing of that set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.units import GAS_CONSTANT_J_PER_MOL_K
from hstore_models.domain import Domain, domain_of
from hstore_models.forest import COVERAGE, NORMAL_QUANTILE, CalibratedForest, ForestSettings, fit_forest
from hstore_models.prediction import Predictions, Query, normal_predictions
from hstore_models.splits import grouped_folds

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

PORE_DESCRIPTORS = (
    "density_g_cm3",
    "gsa_m2_g",
    "vsa_m2_cm3",
    "void_fraction",
    "pore_volume_cm3_g",
    "lcd_A",
    "pld_A",
)
"""Descriptor columns of sorbents, units in the names."""

SWING = ("charge_pressure_bar", "charge_temperature_k", "discharge_pressure_bar", "discharge_temperature_k")
"""Columns of the two states of a usable capacity."""

DEFAULT_SWING = (100.0, 77.0, 5.0, 77.0)
"""Swing taken when a table states none: 100 to 5 bar at 77 K."""

_DENSITY_OF_ADSORBED_G_CM3 = 0.07
"""Density of adsorbed hydrogen, near that of the liquid at its normal boiling point (70.8 g/L)."""

MONOLAYER_MG_PER_M2 = 0.0256
"""A monolayer at the density of liquid hydrogen (70.8 g/L), mg/m2: upper bound of the saturation, since measured
uptakes alone cannot tell a high, slow saturation from a low, fast one."""

_MODES = ("h2_uptake_wt_pct", "usable_capacity_wt_pct", "usable_capacity_g_per_l")


@dataclass(frozen=True)
class TextureIsotherm:
    """Uptake from surface area and pore volume."""

    saturation_mg_per_m2: float
    """Adsorbed hydrogen at saturation per surface area, mg/m2."""
    enthalpy_kj_per_mol: float
    """Heat of adsorption (positive)."""
    ln_affinity: float
    """Natural logarithm of the affinity at infinite temperature, 1/bar."""
    heterogeneity: float
    """Freundlich exponent, 0 to 1; 1 is Langmuir."""

    def adsorbed_g_per_g(
        self,
        area_m2_g: NDArray[np.float64],
        temperature_k: NDArray[np.float64],
        pressure_bar: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return the adsorbed (absolute) hydrogen, g per g of sorbent, shape ``(n,)``."""
        rt = GAS_CONSTANT_J_PER_MOL_K * temperature_k
        affinity = np.exp(np.clip(self.ln_affinity + 1000.0 * self.enthalpy_kj_per_mol / rt, -50, 50))
        reduced = np.power(np.maximum(affinity * pressure_bar, 0.0), self.heterogeneity)
        return 1e-3 * self.saturation_mg_per_m2 * area_m2_g * reduced / (1.0 + reduced)

    def uptake_g_per_g(
        self,
        texture: dict[str, NDArray[np.float64]],
        temperature_k: NDArray[np.float64],
        pressure_bar: NDArray[np.float64],
        kind: str | NDArray[np.object_],
    ) -> NDArray[np.float64]:
        """Return the uptake, g per g of sorbent, shape ``(n,)``; ``kind`` is excess, absolute or total."""
        adsorbed = self.adsorbed_g_per_g(texture["gsa_m2_g"], temperature_k, pressure_bar)
        film = adsorbed / _DENSITY_OF_ADSORBED_G_CM3
        pores = np.fmax(texture["pore_volume_cm3_g"], film)
        gas = gas_density_g_cm3(pressure_bar, temperature_k)
        kinds = np.broadcast_to(np.asarray(kind, dtype=object), adsorbed.shape)
        total = adsorbed + gas * (pores - film)
        return np.where(kinds == "total", total, np.where(kinds == "excess", adsorbed - gas * film, adsorbed))


def gas_density_g_cm3(
    pressure_bar: NDArray[np.float64], temperature_k: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the real-gas density of H2, g/cm3, computing each distinct state once."""
    from hstore.gas import h2_density_g_per_l

    states = np.column_stack([np.broadcast_to(pressure_bar, np.shape(temperature_k)), temperature_k])
    distinct, place = np.unique(states, axis=0, return_inverse=True)
    density = np.zeros(len(distinct))
    filled = distinct[:, 0] > 0
    if filled.any():
        density[filled] = np.asarray(h2_density_g_per_l(distinct[filled, 0], distinct[filled, 1])) / 1000.0
    return density[np.ravel(place)]


@dataclass(frozen=True)
class SorbentUptake:
    """Uptake at a state, and usable capacity between two states."""

    isotherm: TextureIsotherm
    """Isotherm from texture."""
    relative_std: dict[str, float]
    """Regime of state (see :func:`regime`) -> relative standard deviation of the isotherm on sorbents left out."""
    corrections: dict[str, CalibratedForest]
    """Property -> forest of the capacity at the swing it was trained on; empty without a public set."""
    trained_swing: tuple[float, ...]
    """The swing of those forests, in the order of ``SWING``; empty without them."""
    domain: Domain
    """Texture and states it was trained on."""
    feature_names: tuple[str, ...]
    """Names of the features of the forests, in order."""

    properties = _MODES

    def predict(self, property_name: str, query: Query) -> Predictions:
        """Predict uptake at ``temperature_k, pressure_bar`` or the usable capacity of the stated swing.

        Wt% are per mass of sorbent plus hydrogen, total uptake. Rows without surface area or pore volume, and
        volumetric capacities without density, answer NaN with the reason.
        """
        texture = complete_texture(query)
        if property_name == "h2_uptake_wt_pct":
            return self._single_state(texture, query)
        mean, std, reasons = self._swing_by_isotherm(property_name, texture, query)
        if property_name in self.corrections:
            self._correct(property_name, texture, query, (mean, std, reasons))
        return normal_predictions(property_name, mean, std, reasons, low=0.0)

    def _single_state(self, texture: dict[str, NDArray[np.float64]], query: Query) -> Predictions:
        temperature_k, pressure_bar = query.column("temperature_k", 77.0), query.column("pressure_bar", 1.0)
        loading = self.isotherm.uptake_g_per_g(texture, temperature_k, pressure_bar, "total")
        mean = 100.0 * loading / (1.0 + loading)
        conditions = {"temperature_k": temperature_k, "pressure_bar": pressure_bar}
        reasons = self._reasons(texture, conditions, needs_density=False)
        return normal_predictions("h2_uptake_wt_pct", mean, self._std(mean, conditions), reasons, low=0.0)

    def _swing_by_isotherm(
        self, property_name: str, texture: dict[str, NDArray[np.float64]], query: Query
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
        charge_bar, charge_k, discharge_bar, discharge_k = swing_columns(query)
        charged = self.isotherm.uptake_g_per_g(texture, charge_k, charge_bar, "total")
        discharged = self.isotherm.uptake_g_per_g(texture, discharge_k, discharge_bar, "total")
        volumetric = property_name == "usable_capacity_g_per_l"
        per_loading = 1000.0 * texture["density_g_cm3"] if volumetric else 100.0 / (1.0 + charged)
        state = {"temperature_k": charge_k, "pressure_bar": charge_bar}
        reasons = self._reasons(texture, state, needs_density=volumetric)
        # The errors of the two states are related, how is not known: the charged state's error stands for both.
        return (charged - discharged) * per_loading, self._std(charged * per_loading, state), reasons

    def _std(self, mean: NDArray[np.float64], conditions: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Standard deviation from the relative error in the regime of each state, shape ``(n,)``."""
        relative = [self.relative_std[name] for name in regime(**conditions)]
        return np.asarray(relative) * np.abs(mean)

    def _reasons(
        self,
        texture: dict[str, NDArray[np.float64]],
        conditions: dict[str, NDArray[np.float64]],
        *,
        needs_density: bool,
    ) -> list[str]:
        needed = ["gsa_m2_g", "pore_volume_cm3_g", *(["density_g_cm3"] if needs_density else [])]
        size = len(texture["gsa_m2_g"])
        judged = {**conditions, **{name: texture[name] for name in needed}}
        notes = self.domain.reasons([{}] * size, np.zeros(size), judged)
        for name in needed:
            for row in np.flatnonzero(np.isnan(texture[name])):
                notes[row] = "; ".join(filter(None, [notes[row], f"{name} is missing"]))
        return notes

    def _correct(
        self,
        property_name: str,
        texture: dict[str, NDArray[np.float64]],
        query: Query,
        answer: tuple[NDArray[np.float64], NDArray[np.float64], list[str]],
    ) -> None:
        """Replace the isotherm's answer by the forest's, in place, for rows at the swing of the forest."""
        mean, std, reasons = answer
        forest = self.corrections[property_name]
        at_swing = np.all(np.isclose(np.column_stack(swing_columns(query)), self.trained_swing), axis=1)
        complete = at_swing & np.all([np.isfinite(texture[n]) for n in PORE_DESCRIPTORS], axis=0)
        features = pore_features(texture)[0][complete]
        if not len(features):
            return
        forest_mean, spread = forest.mean_and_spread(features)
        mean[complete], std[complete] = forest_mean, forest.std_from_spread(spread)
        strange = spread > forest.spread_limit
        for row, odd in zip(np.flatnonzero(complete), strange, strict=True):
            reasons[row] = "unlike the training frameworks (the trees of the forest disagree)" if odd else ""


def swing_columns(query: Query) -> list[NDArray[np.float64]]:
    """Return the four columns of the swing, defaults where the table states none."""
    return [query.column(name, default) for name, default in zip(SWING, DEFAULT_SWING, strict=True)]


def complete_texture(query: Query) -> dict[str, NDArray[np.float64]]:
    """Return the pore descriptors, deriving those that follow from others.

    ``bet_area_m2_g`` stands in for the geometric area; volumetric area, void fraction and density follow from
    their definitions where two of three are known. Void fraction = pore volume x density.
    """
    texture = {name: query.column(name) for name in PORE_DESCRIPTORS}
    texture["gsa_m2_g"] = _first_known(texture["gsa_m2_g"], query.column("bet_area_m2_g"))
    density = texture["density_g_cm3"]
    texture["vsa_m2_cm3"] = _first_known(texture["vsa_m2_cm3"], texture["gsa_m2_g"] * density)
    texture["void_fraction"] = _first_known(texture["void_fraction"], texture["pore_volume_cm3_g"] * density)
    with np.errstate(divide="ignore", invalid="ignore"):
        volume = texture["void_fraction"] / density
    texture["pore_volume_cm3_g"] = _first_known(texture["pore_volume_cm3_g"], volume)
    return texture


def _first_known(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(first), second, first)


def pore_features(texture: dict[str, NDArray[np.float64]]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return pore descriptors and simple combinations, shape ``(n, d)``, and their names."""
    density, area, pores = texture["density_g_cm3"], texture["gsa_m2_g"], texture["pore_volume_cm3_g"]
    with np.errstate(divide="ignore", invalid="ignore"):
        derived = {
            "pore volume per area": np.where(area > 0, pores / np.maximum(area, 1e-9), 0.0),
            "specific volume": 1.0 / np.maximum(density, 1e-3),
            "window to cavity ratio": np.where(
                texture["lcd_A"] > 0, texture["pld_A"] / np.maximum(texture["lcd_A"], 1e-9), 0
            ),
            "void per skeleton": pores * density / np.maximum(1.0 - texture["void_fraction"], 1e-3),
        }
    columns = {**texture, **derived}
    return np.column_stack(list(columns.values())), tuple(columns)


def fit_sorbent(
    measured: pd.DataFrame, simulated: pd.DataFrame | None, *, settings: ForestSettings | None = None
) -> SorbentUptake:
    """Fit the sorbent model.

    Args:
        measured: single-state uptakes with columns ``name``, ``bet_area_m2_g``, ``pore_volume_cm3_g``,
            ``density_g_cm3``, ``temperature_k``, ``pressure_bar``, ``h2_uptake_wt_pct``, ``uptake_kind`` and
            ``mass_basis``.
        simulated: usable capacities at one swing with the pore descriptors, the four columns of ``SWING``,
            ``usable_capacity_wt_pct``, ``usable_capacity_g_per_l`` and ``group``; None when absent.
        settings: size and seed of the forests.
    """
    usable = with_texture(measured)
    isotherm = fit_isotherm(usable)
    relative_std = relative_errors(usable)
    texture = complete_texture(Query.of([{}] * len(usable), usable))
    ranges = {
        **{name: texture[name] for name in ("gsa_m2_g", "pore_volume_cm3_g", "density_g_cm3")},
        "temperature_k": usable["temperature_k"].to_numpy(dtype=float),
        "pressure_bar": np.append(usable["pressure_bar"].to_numpy(dtype=float), [0.0, 100.0]),
    }
    domain = domain_of([], np.inf, ranges)
    if simulated is None or simulated.empty:
        return SorbentUptake(isotherm, relative_std, {}, (), domain, ())
    forests, names = _fit_corrections(simulated, settings)
    swing = tuple(float(simulated[name].iloc[0]) for name in SWING)
    return SorbentUptake(isotherm, relative_std, forests, swing, domain, names)


def _fit_corrections(
    simulated: pd.DataFrame, settings: ForestSettings | None
) -> tuple[dict[str, CalibratedForest], tuple[str, ...]]:
    texture = complete_texture(Query.of([{}] * len(simulated), simulated))
    features, names = pore_features(texture)
    smaller = settings or ForestSettings(n_trees=100, n_fold_trees=50, min_samples_leaf=2)
    groups = simulated["group"].to_numpy(dtype=str)
    return {
        name: fit_forest(features, simulated[name].to_numpy(dtype=float), groups, settings=smaller)
        for name in ("usable_capacity_wt_pct", "usable_capacity_g_per_l")
    }, names


def fit_isotherm(measured: pd.DataFrame) -> TextureIsotherm:
    """Fit the four constants of the isotherm to measured uptakes by robust least squares on ln uptake."""
    from scipy.optimize import least_squares

    texture, state, kind, observed = _observations(measured)

    def residuals(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        modelled = _isotherm(parameters).uptake_g_per_g(texture, state[0], state[1], kind)
        difference: NDArray[np.float64] = np.log(np.maximum(modelled, 1e-6)) - np.log(observed)
        return difference

    start = np.array([0.02, 5.0, -10.0, 0.7])
    bounds = ([0.001, 1.0, -30.0, 0.3], [MONOLAYER_MG_PER_M2, 12.0, 0.0, 1.0])
    fitted: Any = least_squares(
        residuals, start, bounds=bounds, loss="soft_l1", f_scale=0.3, x_scale=[0.01, 2, 2, 0.3]
    )
    return _isotherm(fitted.x)


def _isotherm(parameters: NDArray[np.float64]) -> TextureIsotherm:
    return TextureIsotherm(*(float(value) for value in parameters))


def _observations(measured: pd.DataFrame) -> tuple[Any, Any, Any, Any]:
    """Texture, state, kind and observed uptake in g per g of sorbent.

    Uptakes whose kind is not stated count as excess, which is what volumetric apparatus reports.
    """
    texture = complete_texture(Query.of([{}] * len(measured), measured))
    fraction = measured["h2_uptake_wt_pct"].to_numpy(dtype=float) / 100.0
    whole = measured["mass_basis"].to_numpy() == "sorbent_plus_h2"
    observed = np.maximum(np.where(whole, fraction / (1.0 - fraction), fraction), 1e-5)
    kind = measured["uptake_kind"].replace("unspecified", "excess").to_numpy(dtype=object)
    state = (measured["temperature_k"].to_numpy(dtype=float), measured["pressure_bar"].to_numpy(dtype=float))
    return texture, state, kind, observed


def regime(temperature_k: NDArray[np.float64], pressure_bar: NDArray[np.float64]) -> list[str]:
    """Name the regime of each state: ``cold, low pressure``, ``cold, high pressure`` or ``warm``.

    Cold is below 150 K, low pressure up to 5 bar: there surface chemistry decides, above it the pores fill.
    """
    names = np.where(pressure_bar > 5.0, "cold, high pressure", "cold, low pressure")
    return [str(name) for name in np.where(temperature_k > 150.0, "warm", names)]


def relative_errors(measured: pd.DataFrame) -> dict[str, float]:
    """Return the 90 % quantile of the relative error on sorbents left out, by regime, as standard deviations.

    A regime with fewer than ten rows gets the error of all rows.
    """
    rows = with_texture(measured)
    observed, modelled, _ = left_out_uptakes(measured)
    errors = np.abs(modelled - observed) / np.maximum(modelled, 1e-3)
    names = np.array(regime(rows["temperature_k"].to_numpy(float), rows["pressure_bar"].to_numpy(float)))
    found = {}
    for name in ("cold, low pressure", "cold, high pressure", "warm"):
        own = errors[names == name] if (names == name).sum() >= 10 else errors
        found[name] = float(np.quantile(own, COVERAGE, method="higher")) / NORMAL_QUANTILE
    return found


def with_texture(measured: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that have surface area and pore volume."""
    return measured.dropna(subset=["bet_area_m2_g", "pore_volume_cm3_g"]).reset_index(drop=True)


def left_out_uptakes(
    measured: pd.DataFrame,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Fit the isotherm with whole sorbents left out and return observed, modelled uptakes and the fold.

    Rows without surface area or pore volume are left out. Uptakes are in wt% of the sorbent, as the kind
    (excess, absolute, total) of each row.
    """
    usable = with_texture(measured)
    folds = grouped_folds(usable["name"].to_numpy(dtype=str))
    observed, modelled = np.empty(len(usable)), np.empty(len(usable))
    for fold in np.unique(folds):
        out = folds == fold
        model = fit_isotherm(usable[~out])
        texture, state, kind, observed[out] = _observations(usable[out])
        modelled[out] = model.uptake_g_per_g(texture, state[0], state[1], kind)
    return 100.0 * observed, 100.0 * modelled, folds
