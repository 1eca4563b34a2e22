"""Measured values of the curated tables, found by composition, or by name for sorbents."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any

from hstore.errors import FormulaError
from hstore.formula import canonical_formula, parse_amounts
from hstore.records import Family, Kind
from hstore_api.pages import words
from hstore_api.pages.shown import Shown, at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hstore.records import Material

_HYDRIDE_COLUMNS = ("h2_capacity_wt_pct", "desorption_enthalpy_kj_per_mol_h2", "desorption_entropy_j_per_mol_h2_k")
_CURATED = "hstore curated table"


def known_values(material: Material) -> list[Shown]:
    """Return the measured values of the literature on a material."""
    if material.family is Family.SORBENT:
        return list(_sorbents().get(material.name.casefold(), ()))
    try:
        composition = canonical_formula(parse_amounts(material.formula))
    except FormulaError:
        return []
    table = _electrolytes() if material.family is Family.ELECTROLYTE else _hydrides()
    return list(table.get(composition, ()))


@cache
def _hydrides() -> Mapping[str, list[Shown]]:
    found: dict[str, list[Shown]] = defaultdict(list)
    for row in _rows("hydrides"):
        values = list(_hydride_values(row))
        for composition in {row["composition"], row["host_composition"]} - {""}:
            found[composition] += values
    return found


def _hydride_values(row: Mapping[str, Any]) -> Iterator[Shown]:
    about: dict[str, Any] = _about(row)
    for name in _HYDRIDE_COLUMNS:
        if _there(row[name]):
            basis = ""
            if name == "h2_capacity_wt_pct":
                parts = (row["capacity_definition"], words.mass_words(row["mass_basis"] or ""))
                basis = ", ".join(str(part).replace("_", " ") for part in parts if part)
            yield Shown(name, Kind.MEASURED, float(row[name]), basis=basis, **about)
    if _there(row["pressure_bar"]) and _there(row["temperature_k"]):
        temperature_k = float(row["temperature_k"])
        about |= {"state": at(temperature_k), "temperature_k": temperature_k}
        yield Shown("plateau_pressure_bar", Kind.MEASURED, float(row["pressure_bar"]), **about)


@cache
def _electrolytes() -> Mapping[str, list[Shown]]:
    found: dict[str, list[Shown]] = defaultdict(list)
    for row in _rows("electrolytes"):
        about: dict[str, Any] = _about(row)
        if _there(row["log10_conductivity_s_per_cm"]):
            found[row["composition"]].append(
                Shown(
                    "log10_conductivity_s_per_cm",
                    Kind.MEASURED,
                    float(row["log10_conductivity_s_per_cm"]),
                    sign="< " if row["censored"] else "",
                    state=at(float(row["temperature_k"])),
                    basis=f"{row['conductivity_kind']} conductivity" if row["conductivity_kind"] else "",
                    **about,
                )
            )
        if _there(row["activation_energy_ev"]):
            energy = Shown("activation_energy_ev", Kind.MEASURED, float(row["activation_energy_ev"]), **about)
            found[row["composition"]].append(energy)
    return found


@cache
def _sorbents() -> Mapping[str, list[Shown]]:
    found: dict[str, list[Shown]] = defaultdict(list)
    for row in _rows("sorbents"):
        if _there(row["h2_uptake_wt_pct"]):
            found[str(row["name"]).casefold()].append(
                Shown(
                    "h2_uptake_wt_pct",
                    Kind.MEASURED,
                    float(row["h2_uptake_wt_pct"]),
                    state=at(float(row["temperature_k"]), float(row["pressure_bar"])),
                    basis=f"{row['uptake_kind']}, {words.mass_words(row['mass_basis'])}".replace("_", " "),
                    **_about(row),
                )
            )
    return found


def _rows(name: str) -> list[dict[str, Any]]:
    from hstore_data.curated import curated_table

    rows = curated_table(name).frame.to_dict("records")
    return [{str(column): cell for column, cell in row.items()} for row in rows]


def _about(row: Mapping[str, Any]) -> dict[str, Any]:
    citation = str(row["citation"])
    return {
        "source": f"{citation} ({_CURATED}, CC-BY-4.0)",
        "link": words.reference_link(citation),
        "note": str(row["note"] or ""),
    }


def _there(value: Any) -> bool:
    return value is not None and value == value  # noqa: PLR0124 - NaN is not equal to itself
