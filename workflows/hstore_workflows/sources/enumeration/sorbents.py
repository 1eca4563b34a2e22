"""Physisorbents of the curated table, one material per name, with the texture their uptake follows from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hstore.errors import FormulaError
from hstore.formula import parse_amounts
from hstore.records import Family, Material, Provenance
from hstore_data.catalog import get_card

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

SKELETONS = {"carbon": "C", "COF": "C", "polymer": "C", "zeolite": "SiO2"}
"""Formula of a class whose members have no exact one: the atoms that make up most of the framework."""


def enumerate_sorbents() -> Iterator[Material]:
    """Yield every curated sorbent whose composition is given or follows from its class.

    Metal-organic frameworks without a formula of elements in the table (some rows abbreviate the ligand) are left
    out: nothing says what they are made of.
    """
    from hstore_data.curated import curated_table

    for name, rows in curated_table("sorbents").frame.groupby("name", sort=False):
        row = rows.iloc[0]
        formula = row["formula"] if _readable(row["formula"]) else SKELETONS.get(row["sorbent_class"], "")
        if formula:
            yield _material(str(name), formula, row)


def descriptors(row: pd.Series[Any]) -> dict[str, float]:
    """Return the texture of one row in the columns of user tables.

    ``gsa_m2_g`` takes the table's area; ``vsa_m2_cm3`` and ``void_fraction`` follow from the density where known.
    Missing values have no key.
    """
    area, volume, density = (
        float(row[column]) for column in ("bet_area_m2_g", "pore_volume_cm3_g", "density_g_cm3")
    )
    found = {
        "gsa_m2_g": area,
        "vsa_m2_cm3": area * density,
        "pore_volume_cm3_g": volume,
        "density_g_cm3": density,
        "void_fraction": volume * density,
    }
    return {name: round(value, 6) for name, value in found.items() if not math.isnan(value)}


def _readable(formula: str) -> bool:
    try:
        return bool(parse_amounts(formula))
    except FormulaError:
        return False


def _material(name: str, formula: str, row: pd.Series[Any]) -> Material:
    known = descriptors(row)
    remarks = [f"reported {row['sorbent_class']} sorbent {name}"]
    if "gsa_m2_g" in known:
        remarks.append(_area_remark(row))
    if "void_fraction" in known:
        remarks.append("void fraction is pore volume times density")
    if not known:
        remarks.append("texture not given")
    if formula != row["formula"]:
        remarks.append(f"no formula of elements given, {formula} stands for the framework")
    return Material(
        material_id=f"hstore:{row['sorbent_class'].lower()}:{'_'.join(name.split())}",
        formula=formula,
        name=name,
        family=Family.SORBENT,
        descriptors=known,
        known=True,
        reason="; ".join(remarks),
        provenance=Provenance(
            source="hstore curated table sorbents",
            reference=row["citation"],
            licence=get_card("sorbents").row_licence,
            note=row["texture_source"] or None,
        ),
    )


def _area_remark(row: pd.Series[Any]) -> str:
    source = row["texture_source"]
    if "geometric" in source and ("BET" not in source or "not BET" in source):
        return "area is geometric"
    return f"{'BET' if 'BET' in source else 'published'} area stands for the geometric one"
