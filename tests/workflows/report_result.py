"""Small invented screens, one of each kind, with all that the report reads."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from hstore.hydride import swing_probability
from hstore.objective import probability_at_least
from hstore.thermo import ln_plateau_pressure, ln_plateau_pressure_std
from hstore_data.table import RejectedRow
from hstore_models.card import ModelCard
from hstore_models.score import Score
from hstore_workflows.screen import ScreenResult, rank
from hstore_workflows.target import load_target

Z_90 = 1.6448536269514722
HOSTILE = "<script>window.hacked=1</script><img src=x onerror=window.hacked=1>&'\""
"""Text which must reach the page as text."""

_HYDRIDES = {
    # formula: family, capacity, dH, dS
    "LaNi5": ("interstitial", 1.5, 30.8, 108.0),
    "TiFe": ("interstitial", 1.8, 28.1, 106.0),
    "Ti0.5Zr0.5Mn2": ("interstitial", 1.9, 27.0, 110.0),
    "TiVCrNb": ("interstitial", 3.1, 36.0, 122.0),
    "Mg2Ni": ("interstitial", 3.6, 64.0, 122.0),
    "MgH2": ("ionic", 7.6, 75.0, 135.0),
    "NaAlH4": ("complex", 5.6, 38.0, 123.0),
    "LiBH4": ("complex", 14.9, 67.0, 115.0),
    "Sm2Fe17": ("interstitial", 0.9, 40.0, 112.0),
}
_SORBENTS = {"MOF-5": (7.0, 32.0), "MOF-177": (8.1, 30.0), "ZIF-8": (2.1, 25.0), "no density": (4.0, np.nan)}
_ELECTROLYTES = {
    "Li10GeP2S12": (-2.0, 0.24),
    "Li7La3Zr2O12": (-3.5, 0.32),
    "Li3YCl6": (-3.3, 0.40),
    "Na3PS4": (-3.9, 0.3),
}


def hydride_result(target_name="onboard"):
    """Nine hydrides; the enthalpy and entropy errors have a correlation of 0.8."""
    target = load_target(target_name)
    swing = target.swing.as_swing()
    family, capacity, enthalpy, entropy = (np.array(column) for column in zip(*_HYDRIDES.values(), strict=True))
    capacity, enthalpy, entropy = (column.astype(float) for column in (capacity, enthalpy, entropy))
    spread = {
        "enthalpy_std_kj_per_mol_h2": np.full(len(capacity), 3.0),
        "entropy_std_j_per_mol_h2_k": np.full(len(capacity), 9.0),
        "correlation": 0.8,
    }
    discharge_k = target.swing.discharge_temperature_k
    ln_bar = ln_plateau_pressure(enthalpy, entropy, discharge_k)
    ln_std = ln_plateau_pressure_std(discharge_k, **spread)
    frame = _identity(list(_HYDRIDES), list(family))
    frame |= _normal("h2_capacity_wt_pct", capacity, 0.3)
    frame |= _normal("desorption_enthalpy_kj_per_mol_h2", enthalpy, 3.0)
    frame |= _normal("desorption_entropy_j_per_mol_h2_k", entropy, 9.0)
    frame |= {
        "plateau_pressure_bar_mean": np.exp(ln_bar),
        "plateau_pressure_bar_std": ln_std,
        "plateau_pressure_bar_lower": np.exp(ln_bar - Z_90 * ln_std),
        "plateau_pressure_bar_upper": np.exp(ln_bar + Z_90 * ln_std),
        "h2_density_g_per_l_mean": np.where(family == "interstitial", 60.0 * capacity, np.nan),
        "p_window": swing_probability(enthalpy, entropy, swing=swing, **spread),
    }
    needed = target.capacity_requirement()[0]
    frame["p_capacity"] = probability_at_least(capacity, np.full(len(capacity), 0.3), needed)
    frame["p_feasible"] = frame["p_window"] * frame["p_capacity"]
    frame["score"] = frame["p_window"] * np.minimum(capacity / needed, 1.0)
    frame |= _marks(len(capacity))
    models = (
        ("hydride_capacity", "h2_capacity_wt_pct"),
        ("hydride_thermodynamics", "desorption_enthalpy_kj_per_mol_h2"),
    )
    return _result(target, frame, models)


def sorbent_result():
    """Four sorbents, one of them without density and so without volumetric capacity."""
    target = load_target("cryo-sorbent")
    wt_pct, g_per_l = (np.array(column) for column in zip(*_SORBENTS.values(), strict=True))
    frame = _identity(["Zn4O"] * len(wt_pct), ["sorbent"] * len(wt_pct))
    frame["material_id"] = [f"hstore:mof:{name}" for name in _SORBENTS]
    frame |= _normal("usable_capacity_wt_pct", wt_pct, 1.5) | _normal("usable_capacity_g_per_l", g_per_l, 6.0)
    frame |= {
        "p_capacity": wt_pct / 20,
        "p_density": g_per_l / 100,
        "p_feasible": wt_pct / 50,
        "score": wt_pct / 20,
    }
    return _result(target, frame | _marks(len(wt_pct)), [("sorbent_uptake", "h2_uptake_wt_pct")])


def electrolyte_result():
    """Four electrolytes."""
    target = load_target("electrolyte")
    log_sigma, energy = (np.array(column) for column in zip(*_ELECTROLYTES.values(), strict=True))
    frame = _identity(list(_ELECTROLYTES), ["electrolyte"] * len(energy))
    frame |= _normal("log10_conductivity_s_per_cm", log_sigma, 0.9) | _normal("activation_energy_ev", energy, 0.08)
    frame["p_feasible"] = probability_at_least(log_sigma, np.full(len(energy), 0.9), -3.0)
    frame["score"] = frame["p_feasible"]
    result = _result(target, frame | _marks(len(energy)), [("conductivity", "log10_conductivity_s_per_cm")])
    result.models["conductivity"].model = SimpleNamespace(correlation=-0.4)
    return result


BUILDERS = {"hydride": hydride_result, "sorbent": sorbent_result, "electrolyte": electrolyte_result}
"""Kind -> function that builds a screen of it."""


def hostile_result():
    """A screen of a user's sorbents in which every text of theirs tries to be markup."""
    result = sorbent_result()
    candidates = result.candidates.assign(
        material_id=[f"row:{row}" for row in result.candidates["rank"]],
        formula=HOSTILE,
        reason=f"from your table: {HOSTILE}",
        domain_reason=HOSTILE,
        in_domain=False,
        safety=HOSTILE,
        cost=HOSTILE,
    )
    target = result.target.model_copy(update={"title": HOSTILE, "description": HOSTILE})
    rejects = [RejectedRow(3, HOSTILE, f"unexpected {HOSTILE}")]
    manifest = result.manifest | {"command": HOSTILE, "pool": HOSTILE}
    sanity = result.sanity.assign(label=HOSTILE)
    return ScreenResult(target, candidates, rejects, result.models, sanity, manifest)


def _identity(formulas, families):
    rows = range(len(formulas))
    return {
        "material_id": [f"hstore:test:{row}" for row in rows],
        "formula": formulas,
        "family": families,
        "known": [row % 3 == 0 for row in rows],
        "reason": [f"made up for a test, number {row}" for row in rows],
    }


def _marks(n):
    """Everything in the domain and harmless, but for the last row."""
    last = np.arange(n) == n - 1
    return {
        "in_domain": ~last,
        "domain_reason": np.where(
            last, "few training materials contain Sm (1); no training material contains Sm", ""
        ),
        "safety": np.where(last, "cobalt: carcinogenic", ""),
        "cost": np.where(last, "critical raw material: Sm", ""),
    }


def _normal(name, mean, std):
    half = Z_90 * std
    return {
        f"{name}_mean": mean,
        f"{name}_std": np.full(len(mean), std),
        f"{name}_lower": np.maximum(mean - half, -50.0),
        f"{name}_upper": mean + half,
    }


def _result(target, frame, models):
    candidates = rank(pd.DataFrame(frame), target)
    rejects = [
        RejectedRow(4, "Xx2", "unknown element 'Xx' in formula 'Xx2'"),
        RejectedRow(9, "Zz5", "unknown element 'Zz' in formula 'Zz5'"),
        RejectedRow(11, "", "formula is empty (got ''); write one such as LaNi5 or Ca(BH4)2"),
    ]
    loaded = {name: SimpleNamespace(card=_card(name, prop)) for name, prop in models}
    sanity = pd.concat([_sanity(prop) for _, prop in models], ignore_index=True)
    return ScreenResult(target, candidates, rejects, loaded, sanity, _manifest(target, models))


def _sanity(property_name):
    """Ten known materials, of which the last two lie outside their interval."""
    measured = np.arange(10.0)
    predicted = measured + np.array([0.1, -0.2, 0.3, 0.0, 0.2, -0.1, 0.0, 0.1, 2.0, -2.0])
    labels = ["Ni5La", "FeTi", "MOF-5, 77 K, 1 bar", "Li7La3Zr2O12", "A5", "Pd", "V", "LiBH4", "MgH2", "NaAlH4"]
    return pd.DataFrame(
        {
            "property": property_name,
            "unit": "wt%",
            "label": labels,
            "source": "curated",
            "measured": measured,
            "predicted": predicted,
            "lower": predicted - 1.0,
            "upper": predicted + 1.0,
        }
    )


def _card(name, property_name):
    score = Score(
        n=100, unit="wt%", mae=0.31, median_error=0.2, rmse=0.4, r2=0.7, spearman=0.8, mae_mean_predictor=0.62,
        coverage=0.9, mean_width=1.4,
    )  # fmt: skip
    return ModelCard(
        model=name,
        model_id=f"{name}-0123456789ab",
        properties=(property_name,),
        summary="A model for a test.",
        rows_by_source={"hydrides": 257},
        checksums={"hydrides/hydrides.csv": "0" * 64},
        duplicates_removed=0,
        grouping="chemical system without H",
        split_hash="abc",
        scores={property_name: score},
        importances={"MagpieData mean Electronegativity": 0.4, "b_share_ni": 0.3, "a_fraction": 0.1},
        n_features=225,
        code_version="1",
        parameters={"seed": 0},
        domain="elements La Ni",
        limits=("Only a test.",),
        versions={"hstore": "0.1.0"},
        wall_time_s=1.0,
    )


def _manifest(target, models):
    absent = {"hydride_capacity": ["hystor"], "hydride_thermodynamics": ["ml_hydpark"]}
    return {
        "command": f"hstore screen {target.name} --out runs/{target.name}",
        "pool": "invented rows",
        "seed": 0,
        "finished_at": "2025-01-01T00:00:00+00:00",
        "versions": {"hstore": "0.1.0", "python": "3.11.7"},
        "absent_public_sets": {name: absent[name] for name, _ in models if name in absent},
    }
