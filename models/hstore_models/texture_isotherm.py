"""Hydrogen uptake from texture: one isotherm for all sorbents, scaled by surface area and pore volume.

Adsorbed hydrogen follows a Langmuir-Freundlich isotherm. Its saturation is proportional to surface area and never
more than the pores hold of the liquid; its affinity follows van 't Hoff and falls with a power of the surface
area: large area per mass means thin walls with few atoms behind each site and wide pores, so weak binding, and at
77 K and 1 bar a carbon of 800 m2/g holds about as much as a framework of 4000. Gas fills the rest of the pores.
With an affinity independent of area, uptakes of sorbents left out are wrong by half as much again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.units import GAS_CONSTANT_J_PER_MOL_K
from hstore_models.calibration import COVERAGE, NORMAL_QUANTILE
from hstore_models.features.pores import MONOLAYER_MG_PER_M2, PORE_DESCRIPTORS
from hstore_models.prediction import Query
from hstore_models.splits import grouped_folds

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray, IntArray

REGIMES = ("cold, low pressure", "cold, high pressure", "warm")
"""Names of the regimes of state, see :func:`regime`."""

_DENSITY_OF_ADSORBED_G_CM3 = 0.07
"""Density of adsorbed hydrogen, near that of the liquid at its normal boiling point (70.8 g/L)."""
_USUAL_AREA_M2_G = 1500.0
_SMALLEST_AREA_M2_G, _LARGEST_AREA_M2_G = 50.0, 8000.0
"""Areas outside these count as these in the affinity; the measured ones lie inside."""
_START = (0.02, 5.0, -10.0, 0.7, 1.0)
_LOWEST = (0.001, 1.0, -30.0, 0.3, 0.0)
_HIGHEST = (MONOLAYER_MG_PER_M2, 12.0, 0.0, 1.0, 4.0)
"""Bounds of the constants; the saturation is at most a monolayer, since measured uptakes alone cannot tell a high,
slow saturation from a low, fast one."""
_STEPS = (0.01, 2.0, 2.0, 0.3, 0.5)
_LEAST_ROWS = 10
_USUAL_CORRELATION = 0.3
"""Correlation of the errors of two states where too few sorbents were measured at both."""


@dataclass(frozen=True)
class TextureIsotherm:
    """Uptake from surface area and pore volume."""

    saturation_mg_per_m2: float
    """Adsorbed hydrogen at saturation per surface area, mg/m2."""
    enthalpy_kj_per_mol: float
    """Heat of adsorption (positive)."""
    ln_affinity: float
    """Natural logarithm of the affinity of a sorbent of 1500 m2/g at infinite temperature, 1/bar."""
    heterogeneity: float
    """Freundlich exponent, 0 to 1; 1 is Langmuir."""
    area_exponent: float
    """The affinity falls with this power of the surface area."""

    def adsorbed_g_per_g(
        self,
        texture: dict[str, FloatArray],
        temperature_k: FloatArray,
        pressure_bar: FloatArray,
    ) -> FloatArray:
        """Return the adsorbed (absolute) hydrogen, g per g of sorbent, shape ``(n,)``."""
        area, pores = texture["gsa_m2_g"], texture["pore_volume_cm3_g"]
        rt = GAS_CONSTANT_J_PER_MOL_K * temperature_k
        weaker = np.log(np.clip(area, _SMALLEST_AREA_M2_G, _LARGEST_AREA_M2_G) / _USUAL_AREA_M2_G)
        ln_affinity = self.ln_affinity + 1000.0 * self.enthalpy_kj_per_mol / rt - self.area_exponent * weaker
        reduced = np.power(np.exp(np.clip(ln_affinity, -50, 50)) * np.maximum(pressure_bar, 0), self.heterogeneity)
        adsorbed = 1e-3 * self.saturation_mg_per_m2 * area * reduced / (1.0 + reduced)
        return np.asarray(np.minimum(adsorbed, _DENSITY_OF_ADSORBED_G_CM3 * pores))

    def uptake_g_per_g(
        self,
        texture: dict[str, FloatArray],
        temperature_k: FloatArray,
        pressure_bar: FloatArray,
        kind: str | NDArray[np.object_],
    ) -> FloatArray:
        """Return the uptake, g per g of sorbent, shape ``(n,)``; ``kind`` is excess, absolute or total."""
        adsorbed = self.adsorbed_g_per_g(texture, temperature_k, pressure_bar)
        film = adsorbed / _DENSITY_OF_ADSORBED_G_CM3
        gas = gas_density_g_cm3(pressure_bar, temperature_k)
        kinds = np.broadcast_to(np.asarray(kind, dtype=object), adsorbed.shape)
        total = adsorbed + gas * (texture["pore_volume_cm3_g"] - film)
        return np.where(kinds == "total", total, np.where(kinds == "excess", adsorbed - gas * film, adsorbed))


@dataclass(frozen=True)
class UptakeErrors:
    """How wrong the isotherm is on sorbents left out."""

    relative_std: dict[str, float]
    """Regime of state -> relative standard deviation of the uptake."""
    correlation: float
    """Correlation of the relative errors of a charged and a discharged state of one sorbent."""

    def relative(self, temperature_k: FloatArray, pressure_bar: FloatArray) -> FloatArray:
        """Return the relative standard deviation at each state, shape ``(n,)``."""
        return np.array([self.relative_std[name] for name in regime(temperature_k, pressure_bar)])

    def of_difference(self, charged_std: FloatArray, discharged_std: FloatArray) -> FloatArray:
        """Return the standard deviation of the difference of two states, shape ``(n,)``."""
        shared = 2.0 * self.correlation * charged_std * discharged_std
        return np.asarray(np.sqrt(np.maximum(charged_std**2 + discharged_std**2 - shared, 0.0)))


def gas_density_g_cm3(pressure_bar: FloatArray, temperature_k: FloatArray) -> FloatArray:
    """Return the real-gas density of H2, g/cm3, computing each distinct state once."""
    from hstore.gas import h2_density_g_per_l

    states = np.column_stack([np.broadcast_to(pressure_bar, np.shape(temperature_k)), temperature_k])
    distinct, place = np.unique(states, axis=0, return_inverse=True)
    density = np.zeros(len(distinct))
    filled = distinct[:, 0] > 0
    if filled.any():
        density[filled] = np.asarray(h2_density_g_per_l(distinct[filled, 0], distinct[filled, 1])) / 1000.0
    return density[np.ravel(place)]


def complete_texture(query: Query) -> dict[str, FloatArray]:
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


def _first_known(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.where(np.isnan(first), second, first)


def fit_isotherm(measured: pd.DataFrame) -> TextureIsotherm:
    """Fit the constants of the isotherm to measured uptakes by robust least squares on ln uptake.

    Args:
        measured: rows with texture (:func:`with_texture`), columns as in ``fit_sorbent``.
    """
    from scipy.optimize import least_squares

    texture, state, kind, observed = observations(measured)

    def residuals(parameters: FloatArray) -> FloatArray:
        modelled = _isotherm(parameters).uptake_g_per_g(texture, state[0], state[1], kind)
        return np.asarray(np.log(np.maximum(modelled, 1e-6)) - np.log(observed))

    fitted: Any = least_squares(
        residuals, _START, bounds=(_LOWEST, _HIGHEST), loss="soft_l1", f_scale=0.3, x_scale=_STEPS
    )
    return _isotherm(fitted.x)


def _isotherm(parameters: FloatArray) -> TextureIsotherm:
    return TextureIsotherm(*(float(value) for value in parameters))


def observations(
    measured: pd.DataFrame,
) -> tuple[dict[str, FloatArray], tuple[FloatArray, FloatArray], NDArray[np.object_], FloatArray]:
    """Return texture, state (K, bar), kind and observed uptake in g per g of sorbent.

    Uptakes whose kind is not stated count as excess, which is what volumetric apparatus reports.
    """
    texture = complete_texture(Query.of([{}] * len(measured), measured))
    fraction = measured["h2_uptake_wt_pct"].to_numpy(dtype=float) / 100.0
    whole = measured["mass_basis"].to_numpy() == "sorbent_plus_h2"
    observed = np.maximum(np.where(whole, fraction / (1.0 - fraction), fraction), 1e-5)
    kind = measured["uptake_kind"].replace("unspecified", "excess").to_numpy(dtype=object)
    state = (measured["temperature_k"].to_numpy(dtype=float), measured["pressure_bar"].to_numpy(dtype=float))
    return texture, state, kind, observed


def regime(temperature_k: FloatArray, pressure_bar: FloatArray) -> list[str]:
    """Name the regime of each state: ``cold, low pressure``, ``cold, high pressure`` or ``warm``.

    Cold is below 150 K, low pressure up to 5 bar: there surface chemistry decides, above it the pores fill.
    """
    names = np.where(pressure_bar > 5.0, "cold, high pressure", "cold, low pressure")
    return [str(name) for name in np.where(temperature_k > 150.0, "warm", names)]


def with_texture(measured: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that have surface area and pore volume."""
    return measured.dropna(subset=["bet_area_m2_g", "pore_volume_cm3_g"]).reset_index(drop=True)


def uptake_errors(measured: pd.DataFrame) -> UptakeErrors:
    """Measure the errors of the isotherm on sorbents left out.

    The relative standard deviation of a regime is the 90 % quantile of its relative errors over the half-width of
    a normal interval; a regime with fewer than ten rows gets that of all rows. The correlation is that of the
    errors at 77 K, up to and above 5 bar, of sorbents measured at both.
    """
    rows = with_texture(measured)
    observed, modelled, _ = left_out_uptakes(measured)
    signed = (observed - modelled) / np.maximum(modelled, 1e-3)
    names = np.array(regime(rows["temperature_k"].to_numpy(float), rows["pressure_bar"].to_numpy(float)))
    found = {}
    for name in REGIMES:
        own = np.abs(signed[names == name] if (names == name).sum() >= _LEAST_ROWS else signed)
        level = min(1.0, np.ceil((len(own) + 1) * COVERAGE) / len(own))
        found[name] = float(np.quantile(own, level, method="higher")) / NORMAL_QUANTILE
    return UptakeErrors(found, _correlation(rows["name"].to_numpy(dtype=str), names, signed))


def _correlation(sorbents: NDArray[np.str_], regimes: NDArray[np.str_], errors: FloatArray) -> float:
    """Return the rank correlation of the mean errors at low and high pressure of sorbents measured at both."""
    from scipy.stats import spearmanr

    low, high = (
        {name: errors[(sorbents == name) & (regimes == r)] for name in np.unique(sorbents)} for r in REGIMES[:2]
    )
    both = [name for name in low if len(low[name]) and len(high[name])]
    if len(both) < _LEAST_ROWS:
        return _USUAL_CORRELATION
    pairs = [[errors_of[name].mean() for name in both] for errors_of in (low, high)]
    return float(np.clip(spearmanr(*pairs).statistic, 0.0, 0.95))


def left_out_uptakes(measured: pd.DataFrame) -> tuple[FloatArray, FloatArray, IntArray]:
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
        texture, state, kind, observed[out] = observations(usable[out])
        modelled[out] = model.uptake_g_per_g(texture, state[0], state[1], kind)
    return 100.0 * observed, 100.0 * modelled, folds
