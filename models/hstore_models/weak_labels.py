"""Rows of low weight for the hydride models, from sets that say less than they should, or say it of the hydride.

Most entries of the listing give one plateau point (T, P) and no enthalpy. With the entropy of hydrogen in the
gas, which hydrides share to within their class, the van 't Hoff law turns the point into an enthalpy,

    dH = T (dS_class - R ln P),

and into the pressure at 25 degC, which near 25 degC hardly depends on the entropy assumed. Both get a weight that
follows from the spread of the entropies within the class. Entries that state an enthalpy keep it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hstore.formula import canonical_formula, parse_amounts
from hstore.pairing import dehydriding
from hstore.units import GAS_CONSTANT_J_PER_MOL_K, STANDARD_TEMPERATURE_K

if TYPE_CHECKING:
    from collections.abc import Mapping

CLASS_ENTROPY_J_PER_MOL_H2_K: Mapping[str, tuple[float, float]] = {
    "A2B": (118.0, 15.0),
    "AB": (112.0, 15.0),
    "AB2": (102.0, 21.0),
    "AB5": (112.0, 10.0),
    "MIC": (114.0, 17.0),
    "Mg": (125.0, 15.0),
    "SS": (103.0, 26.0),
}
"""Class of the listing -> desorption entropy and its standard deviation, J/(mol H2 K).

Medians and robust spreads (1.4826 x median absolute deviation) of dH/T + R ln P where the listing's point and a
reported enthalpy of the same composition exist, drawn towards 110 by ten pseudo-rows and rounded; the spread of
A2B, 5 from 40 rows of few systems, is set to that of AB. ``Complex`` is left out: its points are mostly
temperatures of decomposition, and its releases have several steps.
"""

WEAK_COLUMNS = (
    "formula",
    "amounts",
    "composition",
    "chemical_system",
    "alloy_class",
    "desorption_enthalpy_kj_per_mol_h2",
    "desorption_entropy_j_per_mol_h2_k",
    "ln_plateau_pressure_25c",
    "temperature_k",
    "pressure_bar",
    "source",
    "reference",
    "row",
    "weight",
    "pressure_weight",
    "weak",
    "derived",
)
"""Columns of :func:`weak_rows`."""

LISTED_WEIGHT = 0.5
"""Weight of an enthalpy which the listing states and no other set repeats."""

TRUST = 0.5
"""Factor on all weights: the listing also holds misprints; chosen on whole chemical systems held out."""

CAPACITY_WEIGHT = 0.35
"""Weight of capacities of sets that do not state their conditions; chosen on whole chemical systems held out."""

HOST_WEIGHT = 0.5
"""Weight of the capacity of an alloy that is known as its hydride alone; of 0, 0.5 and 0.9 the best for
whole chemical systems of the curated table held out."""

_CAPACITY = "h2_capacity_wt_pct"
_CAPACITY_RANGE = (0.1, 8.0)
_ENTHALPY = "desorption_enthalpy_kj_per_mol_h2"
_LN_PRESSURE = "ln_plateau_pressure_25c"
_R_KJ = GAS_CONSTANT_J_PER_MOL_K / 1000.0
_RELATIVE_ENTHALPY_NOISE = 0.10
_LN_PRESSURE_NOISE = 0.66
_ENTHALPY_RANGE_KJ = (5.0, 200.0)
_TEMPERATURE_RANGE_K = (190.0, 950.0)
_PRESSURE_RANGE_BAR = (1e-3, 300.0)
_ENTROPY_RANGE = (50.0, 180.0)
_NOT_A_PLATEAU = "absorption|dynamic|deuterium"


def weak_rows(listed: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Turn rows of the US DOE listing into training rows of low weight.

    Left out are class ``Complex``, points marked as absorption, dynamic or of deuterium, points outside 190-950 K
    or 0.001-300 bar, enthalpies outside 5-200 kJ/mol, listed enthalpies whose point implies an entropy outside
    50-180 J/(mol H2 K), repeats within the listing, and whatever a training row already says: the same
    composition with the same point (to 1 K and 2 %), or with the same enthalpy (to 0.1 kJ/mol).

    Args:
        listed: ``formula``, ``composition``, ``alloy_class``, ``desorption_enthalpy_kj_per_mol_h2``,
            ``temperature_k``, ``pressure_bar``, ``reference``, ``row`` and, where known, ``comment``.
        known: training rows: ``composition``, ``desorption_enthalpy_kj_per_mol_h2``, ``temperature_k`` and
            ``pressure_bar`` (NaN where not stated).

    Returns:
        The columns ``WEAK_COLUMNS``, sorted as listed. ``desorption_enthalpy_kj_per_mol_h2`` is listed or derived
        (``derived`` true); the entropy is the one that the listed enthalpy and point give, empty for derived
        rows. ``weight`` (0..1) belongs to the enthalpy, ``pressure_weight`` (0..1) to ``ln_plateau_pressure_25c``
        (ln bar): a point near 25 degC gives the pressure well even where it gives the enthalpy badly; without a
        point it is 0 and the pressure is NaN. ``weak`` is true throughout.
    """
    frame = listed[listed["alloy_class"].isin(list(CLASS_ENTROPY_J_PER_MOL_H2_K))].copy()
    comment = frame["comment"] if "comment" in frame else pd.Series("", index=frame.index)
    frame = frame[~comment.str.contains(_NOT_A_PLATEAU, case=False)]
    frame = _with_labels(_with_believable_points(frame))
    frame = frame[frame[_ENTHALPY].between(*_ENTHALPY_RANGE_KJ)]
    frame = frame[~_is_known(frame, known)]
    frame = frame.drop_duplicates(["composition", "temperature_k", "pressure_bar", _ENTHALPY])
    return _as_training_rows(frame)


def weak_capacity_rows(listed: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Turn capacities of other sets into training rows of low weight, where no training row has the composition.

    The sets mix states and kinds of capacity that they do not state, and temperatures of plateaux with those of
    capacities. Left out are class ``Complex``, formulas with hydrogen and capacities outside 0.1-8 wt%.

    Args:
        listed: ``formula``, ``composition``, ``alloy_class``, ``h2_capacity_wt_pct``, ``reference``, ``row`` and
            ``source``.
        known: training rows, of which ``composition`` is looked at.

    Returns:
        The columns of capacity rows, with ``weight`` and ``weak``; the temperature is not known.
    """
    frame = listed[(listed["alloy_class"] != "Complex") & listed[_CAPACITY].between(*_CAPACITY_RANGE)]
    frame = frame[~frame["composition"].isin(set(known["composition"]))]
    frame = frame.drop_duplicates(["composition", _CAPACITY])
    amounts = [parse_amounts(text) for text in frame["formula"]]
    found = frame.assign(
        amounts=pd.Series(amounts, index=frame.index, dtype=object),
        chemical_system=["-".join(sorted(a)) for a in amounts],
        capacity_definition="maximum",
        mass_basis="hydrogenated_material",
        reversible=0.0,
        weight=CAPACITY_WEIGHT,
        weak=True,
    )
    columns = [
        "formula", "amounts", "composition", "chemical_system", "alloy_class", _CAPACITY, "capacity_definition",
        "mass_basis", "reversible", "source", "reference", "row", "weight", "weak",
    ]  # fmt: skip
    return found.loc[["H" not in a for a in amounts], columns].reset_index(drop=True)


def host_rows(known: pd.DataFrame) -> pd.DataFrame:
    """Turn hydrides into training rows of the alloys they are made from, where no row has the alloy.

    Mg2Ni takes up what Mg2NiH4 holds, but tables of hydrides name the second alone. Left out are hydrides that
    leave no host (complex anions, salts whose binary hydrides stay, see :func:`hstore.pairing.dehydriding`) and
    those with aluminium, which no lab makes from metal and hydrogen gas.

    Args:
        known: training rows of capacities: ``amounts``, ``composition``, ``h2_capacity_wt_pct`` and the others.

    Returns:
        The columns of ``known`` with ``weight``, and ``weak`` and ``as_alloy`` which are true; formula and
        composition are those of the host.
    """
    hydrides = [place for place, amounts in enumerate(known["amounts"]) if "H" in amounts and "Al" not in amounts]
    found = known.iloc[hydrides]
    found = found.assign(composition=[dehydriding(amounts).host or "" for amounts in found["amounts"]])
    found = found[~found["composition"].isin({"", *known["composition"]})]
    return found.assign(
        formula=found["composition"],
        amounts=pd.Series([parse_amounts(text) for text in found["composition"]], index=found.index, dtype=object),
        weight=HOST_WEIGHT,
        weak=True,
        as_alloy=True,
    ).reset_index(drop=True)


def _with_believable_points(frame: pd.DataFrame) -> pd.DataFrame:
    """Empty points outside the range in which the ideal van 't Hoff law and the listing can be believed."""
    believable = frame["temperature_k"].between(*_TEMPERATURE_RANGE_K) & frame["pressure_bar"].between(
        *_PRESSURE_RANGE_BAR
    )
    return frame.assign(
        temperature_k=frame["temperature_k"].where(believable),
        pressure_bar=frame["pressure_bar"].where(believable),
    )


def _with_labels(frame: pd.DataFrame) -> pd.DataFrame:
    """Add enthalpy, entropy, ln P at 25 degC and their weights; rows without any enthalpy are left out."""
    temperature, log = frame["temperature_k"], np.log(frame["pressure_bar"])
    centre = frame["alloy_class"].map({name: pair[0] for name, pair in CLASS_ENTROPY_J_PER_MOL_H2_K.items()})
    spread = frame["alloy_class"].map({name: pair[1] for name, pair in CLASS_ENTROPY_J_PER_MOL_H2_K.items()})
    stated = frame[_ENTHALPY].notna()
    enthalpy = frame[_ENTHALPY].fillna(temperature * (centre / 1000.0 - _R_KJ * log))
    entropy = 1000.0 * (enthalpy / temperature + _R_KJ * log)
    believable = entropy.between(*_ENTROPY_RANGE) | entropy.isna()
    enthalpy_noise = (temperature * spread / 1000.0).mask(stated, _RELATIVE_ENTHALPY_NOISE * enthalpy)
    away = (1.0 / temperature - 1.0 / STANDARD_TEMPERATURE_K) / _R_KJ
    labelled = frame.assign(
        **{_ENTHALPY: enthalpy, _LN_PRESSURE: log + enthalpy * away},
        desorption_entropy_j_per_mol_h2_k=entropy.where(stated),
        weight=TRUST * np.where(stated, LISTED_WEIGHT, _weight(spread / centre, _RELATIVE_ENTHALPY_NOISE)),
        pressure_weight=TRUST * _weight(enthalpy_noise * away.abs(), _LN_PRESSURE_NOISE).fillna(0.0),
        derived=~stated,
        weak=True,
    )
    kept: pd.DataFrame = labelled[believable & enthalpy.notna()]
    return kept


def _weight(deviation: pd.Series[float], noise: float) -> pd.Series[float]:
    """Weight of a value against one that carries the usual noise alone: the ratio of their variances."""
    return noise**2 / (noise**2 + deviation**2)


def _is_known(frame: pd.DataFrame, known: pd.DataFrame) -> pd.Series[bool]:
    """Mark rows whose point, or whose listed enthalpy, stands in the training rows for the same composition."""
    numbers = [_ENTHALPY, "temperature_k", "pressure_bar"]
    pairs = frame.reset_index(names="place")[["place", "composition", "derived", *numbers]].merge(
        known[["composition", *numbers]], on="composition", suffixes=("", "_known")
    )
    same_point = (pairs["temperature_k"] - pairs["temperature_k_known"]).abs() <= 1.0
    ratio = pairs["pressure_bar"] / pairs["pressure_bar_known"]
    same_point &= ratio.between(1.0 / 1.02, 1.02)
    same_enthalpy = (pairs[_ENTHALPY] - pairs[f"{_ENTHALPY}_known"]).abs() <= 0.1 + 1e-9
    repeated = pairs.loc[same_point | (same_enthalpy & ~pairs["derived"]), "place"]
    return pd.Series(frame.index.isin(repeated), index=frame.index)


def _as_training_rows(frame: pd.DataFrame) -> pd.DataFrame:
    amounts = [parse_amounts(text) for text in frame["formula"]]
    complete = frame.assign(
        amounts=pd.Series(amounts, index=frame.index, dtype=object),
        composition=[canonical_formula(a) for a in amounts],
        chemical_system=["-".join(sorted(el for el in a if el != "H")) for a in amounts],
        source="doe_hydride",
    )
    return complete.reindex(columns=list(WEAK_COLUMNS)).reset_index(drop=True)
