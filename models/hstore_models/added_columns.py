"""Columns of a user's training table: which names are read as what, and in which unit.

Headers are compared without case, brackets, blanks and the word ``per``: ``Enthalpy (kJ/mol H2)`` and
``enthalpy_kj_per_mol_h2`` are one name. A name without a unit is never read as a quantity.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hstore.units import BAR_PER_ATM, H2_MOLAR_MASS_G_PER_MOL, KJ_PER_KCAL, ZERO_CELSIUS_K

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMULA_COLUMNS = ("formula", "composition", "reduced_composition", "composition_formula")
"""Names read as the formula, in this order."""

_KJ_PER_MOL_PER_EV = 96.48533212
_TEMPERATURES = {"k": (1.0, 0.0), "c": (1.0, ZERO_CELSIUS_K), "degc": (1.0, ZERO_CELSIUS_K)}
_PRESSURES = {
    "bar": 1.0, "mbar": 1e-3, "atm": BAR_PER_ATM, "mpa": 10.0, "kpa": 0.01, "pa": 1e-5, "torr": BAR_PER_ATM / 760,
}  # fmt: skip
_ENTHALPIES = {
    "kj_mol_h2": 1.0, "kj_mol": 1.0, "j_mol_h2": 1e-3, "j_mol": 1e-3, "kcal_mol_h2": KJ_PER_KCAL,
    "kcal_mol": KJ_PER_KCAL, "kj_mol_h": 2.0, "kcal_mol_h": 2 * KJ_PER_KCAL, "ev_h2": _KJ_PER_MOL_PER_EV,
}  # fmt: skip
_ENTROPIES = {
    **dict.fromkeys(("j_mol_h2_k", "j_mol_k", "j_k_mol", "j_k_mol_h2", "j_molk"), 1.0),
    **dict.fromkeys(("kj_mol_h2_k", "kj_mol_k"), 1000.0),
    **dict.fromkeys(("cal_mol_h2_k", "cal_mol_k", "cal_k_mol"), KJ_PER_KCAL),
    "j_mol_h_k": 2.0,
}
_MASS_SHARES = {
    **dict.fromkeys(("wt_pct", "wt_percent", "weight_pct", "weight_percent", "mass_pct", "mass_percent"), 1.0),
    **dict.fromkeys(("g_g", "kg_kg", "kg_h2_kg", "g_h2_g", "fraction"), 100.0),
    **dict.fromkeys(("g_kg", "mg_g"), 0.1),
    **dict.fromkeys(("mmol_g", "mol_kg", "mmol_h2_g"), H2_MOLAR_MASS_G_PER_MOL / 10.0),
}
_CONDUCTIVITIES = {
    **dict.fromkeys(("s_cm", "s_cm_1"), 1.0),
    **dict.fromkeys(("ms_cm", "ms_cm_1"), 1e-3),
    **dict.fromkeys(("us_cm", "us_cm_1"), 1e-6),
    **dict.fromkeys(("s_m", "s_m_1"), 1e-2),
}
_ACTIVATION = {
    "ev": 1.0,
    "mev": 1e-3,
    "kj_mol": 1 / _KJ_PER_MOL_PER_EV,
    "kcal_mol": KJ_PER_KCAL / _KJ_PER_MOL_PER_EV,
}

_STEMS: dict[str, tuple[tuple[str, ...], dict[str, float]]] = {
    "desorption_enthalpy_kj_per_mol_h2": (
        ("desorption_enthalpy", "enthalpy", "enthalpy_of_desorption", "delta_h", "dh", "heat_of_desorption"),
        _ENTHALPIES,
    ),
    "desorption_entropy_j_per_mol_h2_k": (
        ("desorption_entropy", "entropy", "entropy_of_desorption", "delta_s", "ds"),
        _ENTROPIES,
    ),
    "h2_capacity_wt_pct": (
        ("h2_capacity", "capacity", "h2", "hydrogen_capacity", "hydrogen_content", "h2_content", "hydrogen"),
        _MASS_SHARES,
    ),
    "h2_uptake_wt_pct": (
        ("h2_uptake", "uptake", "hydrogen_uptake", "excess_uptake", "absolute_uptake", "total_uptake"),
        _MASS_SHARES,
    ),
    "activation_energy_ev": (("activation_energy", "ea", "e_a"), _ACTIVATION),
}
"""Canonical column -> stems of names and unit -> factor to the canonical unit."""

_WORDS: dict[str, tuple[str, ...]] = {
    "capacity_definition": ("capacity_definition", "capacity_type"),
    "mass_basis": ("mass_basis",),
    "uptake_kind": ("uptake_kind", "uptake_type"),
    "reference": ("reference", "citation", "doi", "source_doi"),
    "lab_id": ("lab_id", "lab"),
    "alloy_class": ("alloy_class", "material_class"),
    "family": ("family",),
    "name": ("name", "sorbent", "material"),
    "sorbent_class": ("sorbent_class",),
    "note": ("note", "comment"),
}
"""Canonical column of words -> names it is read from."""


@dataclass(frozen=True)
class Conversion:
    """How a column of a table becomes a canonical one."""

    column: str
    """Canonical column."""
    scale: float = 1.0
    """Factor."""
    offset: float = 0.0
    """Added after the factor."""
    logarithm: bool = False
    """True takes the decimal logarithm of the scaled value."""

    @property
    def changes(self) -> bool:
        """True where the canonical number differs from the one given."""
        return self.logarithm or self.scale != 1.0 or self.offset != 0.0

    def __call__(self, values: pd.Series[float]) -> pd.Series[float]:
        """Convert values; what has no logarithm becomes -inf, which no range allows."""
        scaled = values * self.scale + self.offset
        return (
            scaled.map(lambda v: np.log10(v) if v > 0 else -np.inf, na_action="ignore")
            if self.logarithm
            else scaled
        )


@dataclass
class ReadColumns:
    """A user's table in canonical columns."""

    numbers: pd.DataFrame
    """Canonical column -> numbers, NaN where empty or unreadable."""
    words: pd.DataFrame
    """Canonical column -> words, empty where not given."""
    notes: list[list[str]]
    """What was converted in each row."""
    causes: dict[int, str]
    """Place of a row (from 0) -> why a cell of it cannot be read."""
    bounds: pd.DataFrame
    """Canonical column -> True where the cell is an upper bound such as ``<1e-10``."""
    ignored: tuple[str, ...] = field(default=())
    """Headers that are not read, in table order."""


def normalised(header: str) -> str:
    """Return the name by which a header is compared."""
    text = str(header).strip()
    for symbol, word in (("%", " pct "), ("Δ", "d"), ("°", "deg"), ("σ", "sigma"), ("µ", "u"), ("μ", "u")):
        text = text.replace(symbol, word)
    text = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    text = text.replace("molh2", "mol_h2").replace("permol", "_mol")
    return re.sub(r"_+", "_", re.sub(r"(?<=_)per_", "", text))


@cache
def known_columns() -> dict[str, Conversion]:
    """Return normalised name -> conversion of every quantity that can be read."""
    names = {
        f"{stem}_{unit}": Conversion(column, factor)
        for column, (stems, units) in _STEMS.items()
        for stem in stems
        for unit, factor in units.items()
    }
    names |= {
        f"{stem}_{unit}": Conversion("temperature_k", *pair)
        for stem in ("temperature", "temp", "t")
        for unit, pair in _TEMPERATURES.items()
    }
    for column, stems in (
        (
            "plateau_pressure_bar",
            ("plateau_pressure", "equilibrium_pressure", "desorption_pressure", "peq", "p_eq"),
        ),
        ("pressure_bar", ("pressure", "p")),
    ):
        names |= {f"{s}_{u}": Conversion(column, factor) for s in stems for u, factor in _PRESSURES.items()}
    for stem in ("conductivity", "ionic_conductivity", "sigma"):
        for unit, factor in _CONDUCTIVITIES.items():
            names[f"{stem}_{unit}"] = Conversion("log10_conductivity_s_per_cm", factor, logarithm=True)
            names[f"log10_{stem}_{unit}"] = Conversion(
                "log10_conductivity_s_per_cm", offset=float(np.log10(factor))
            )
    for stem in ("ln_plateau_pressure_25c", "ln_peq_25c"):
        names |= {f"{stem}{unit}": Conversion("ln_plateau_pressure_25c") for unit in ("", "_bar")}
        names[f"{stem}_atm"] = Conversion("ln_plateau_pressure_25c", offset=float(np.log(BAR_PER_ATM)))
    texture = {"bet_area_m2_g": ("bet_area_m2_g", "bet_m2_g", "surface_area_m2_g"), "pore_volume_cm3_g": (),
               "density_g_cm3": (), "gsa_m2_g": (), "weight": ("sample_weight",)}  # fmt: skip
    names |= {name: Conversion(column) for column, others in texture.items() for name in (column, *others)}
    return names


def read_columns(frame: pd.DataFrame, extra: Iterable[str] = ()) -> ReadColumns:
    """Read every column that is known, and the extra ones as they are.

    Of two columns for one quantity the first that is filled in a row counts, which the row's notes say.

    Args:
        frame: the user's table, one row per value.
        extra: names of columns of numbers that are taken without conversion.
    """
    table = {**known_columns(), **{normalised(name): Conversion(name) for name in extra}}
    aliases = {name: column for column, names in _WORDS.items() for name in names}
    empty = pd.DataFrame(index=frame.index)
    read = ReadColumns(empty.copy(), empty.copy(), [[] for _ in range(len(frame))], {}, empty.copy())
    ignored = []
    for header in frame.columns:
        name = normalised(header)
        if name in table:
            _add_numbers(read, str(header), frame[header], table[name])
        elif name in aliases and aliases[name] not in read.words:
            read.words[aliases[name]] = frame[header].astype("string").fillna("").str.strip().astype(object)
        elif name not in FORMULA_COLUMNS:
            ignored.append(str(header))
    read.ignored = tuple(ignored)
    return read


def _add_numbers(read: ReadColumns, header: str, cells: pd.Series[float], conversion: Conversion) -> None:
    text = cells.astype("string").fillna("").str.strip().astype(object)
    text = text.mask(text.str.lower().isin(["nan", "na", "n/a", "none", "null", "-"]), "")
    column = conversion.column
    bound = text.str.startswith("<") if column == "log10_conductivity_s_per_cm" else text == "<"
    values = pd.to_numeric(text.mask(bound, text.str.lstrip("< ")), errors="coerce").astype(float)
    values = values.where(np.isfinite(values))
    for place in np.flatnonzero((values.isna() & (text != "")).to_numpy()):
        read.causes.setdefault(
            int(place), f"{header} is {text.iloc[place]!r}, not a number; give one or leave it empty"
        )
    converted = conversion(values)
    if column in read.numbers:
        taken = read.numbers[column].notna()
        for place in np.flatnonzero((taken & values.notna()).to_numpy()):
            read.notes[place].append(f"{header} not used, another column gives {column}")
        values = values.mask(taken)
        converted, bound = read.numbers[column].fillna(converted), read.bounds[column].where(taken, bound)
    for place in np.flatnonzero(values.notna().to_numpy()) if conversion.changes else ():
        read.notes[place].append(f"{column} {converted.iloc[place]:.6g} from {header} {values.iloc[place]:g}")
    read.numbers[column], read.bounds[column] = converted, bound
