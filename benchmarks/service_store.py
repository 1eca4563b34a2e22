"""A store of many varied materials, to measure the service on: families, elements and numbers as in real pools.

Everything is drawn from a seed and written through the store's own methods, so all its tables are as in use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.records import Family, Kind, Material, Measurement, Prediction, PropertyValue, Provenance
from hstore.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.random import Generator

_SHARES = {
    Family.INTERSTITIAL: 0.35,
    Family.ELECTROLYTE: 0.25,
    Family.COMPLEX: 0.15,
    Family.SORBENT: 0.15,
    Family.IONIC: 0.10,
}
_RARE_EARTHS = ("La", "Ce", "Pr", "Nd", "Y", "Gd", "Er", "Mm")[:-1]
_FORMERS = ("Ti", "Zr", "V", "Mg", "Ca", "Hf", "Nb", *_RARE_EARTHS)
_OTHERS = ("Ni", "Fe", "Mn", "Co", "Al", "Cr", "Cu", "Sn", "Mo", "Zn", "Si")
_SALTS = ("Li", "Na", "K", "Mg", "Ca", "Sr", "Ba", "Rb", "Cs", "Y", "La")
_CENTRES = ("Al", "B", "N", "Ni", "Fe", "Co", "Pd", "Pt", "Ru", "Mn", "Zn")
_CARRIERS = ("Li", "Na", "K", "Mg", "Ca")
_NETWORK = ("P", "Ge", "Si", "La", "Zr", "Ti", "Al", "Sn", "Ta", "Nb", "Y", "Sc", "In", "B")
_ANIONS = ("O", "S", "Cl", "Br", "F", "I", "N", "Se")
_NODES = ("Zn", "Cu", "Zr", "Cr", "Al", "Co", "Ni", "Mg", "Cd", "Fe", "Mn", "V", "Ti", "Eu", "Tb")
_SOURCES = ("hstore enumeration", "Materials Project", "OQMD", "CoRE MOF 2019", "literature", "north-lab")
_SOURCE_SHARES = (0.45, 0.30, 0.12, 0.08, 0.04, 0.01)
_STRUCTURE_SHARE, _MEASURED_SHARE, _PREDICTED_SHARE = 0.1, 0.03, 0.8
_CHUNK = 5000


def fill(url: str, rows: int, *, seed: int = 0, say: Callable[[str], None] = lambda _: None) -> None:
    """Write so many materials with their descriptors, structures, measurements and predictions."""
    rng = np.random.default_rng(seed)
    with open_store(url) as store:
        for start in range(0, rows, _CHUNK):
            materials = [draw_material(rng, number) for number in range(start, min(rows, start + _CHUNK))]
            store.add_materials(materials, chunk_size=_CHUNK)
            store.add_predictions(found for m in materials for found in draw_predictions(rng, m))
            store.add_measurements(found for m in materials for found in draw_measurements(rng, m))
            say(f"{start + len(materials):,} of {rows:,} materials")
        with store.database.writing("statistics") as connection:
            connection.exec_driver_sql("ANALYZE")


def draw_material(rng: Generator, number: int) -> Material:
    """Draw one material."""
    family = Family(str(rng.choice([f.value for f in _SHARES], p=list(_SHARES.values()))))
    formula = draw_formula(rng, family)
    return Material(
        material_id=f"bench:{family}:{number:07}",
        formula=formula,
        name=f"frame-{number}" if family is Family.SORBENT else "",
        family=family,
        known=bool(rng.random() < 0.2),
        reason="drawn for a benchmark",
        structure=draw_structure(rng, formula) if rng.random() < _STRUCTURE_SHARE else None,
        descriptors=draw_descriptors(rng, family),
        provenance=Provenance(
            source=str(rng.choice(_SOURCES, p=_SOURCE_SHARES)), reference=f"b-{number}", licence="CC-BY-4.0"
        ),
    )


def draw_formula(rng: Generator, family: Family) -> str:
    """Draw a formula as they are in a family, most of them no two times."""
    if family is Family.SORBENT:
        node, amounts = rng.choice(_NODES), rng.integers(1, [5, 60, 40, 20], endpoint=True)
        extra = "N6" if rng.random() < 0.3 else ""
        return f"{node}{amounts[0]}C{amounts[1] + 6}H{amounts[2] + 2}O{amounts[3]}{extra}"
    if family is Family.INTERSTITIAL:
        formers = rng.choice(_FORMERS, rng.integers(1, 3), replace=False)
        others = rng.choice(_OTHERS, rng.integers(1, 4), replace=False)
        return _joined(rng, (*formers, *others), decimals=2)
    if family is Family.COMPLEX:
        salts, centres = rng.choice(_SALTS, 2, replace=False), rng.choice(_CENTRES, 1)
        return _joined(rng, (*salts[: rng.integers(1, 3)], *centres), decimals=0) + f"H{rng.integers(2, 13)}"
    if family is Family.IONIC:
        salts = rng.choice(_SALTS, rng.integers(1, 4), replace=False)
        return _joined(rng, salts, decimals=1) + f"H{rng.integers(1, 5)}"
    carrier, former = rng.choice(_CARRIERS, 1), rng.choice(_NETWORK, rng.integers(1, 3), replace=False)
    return _joined(rng, (*carrier, *former, *rng.choice(_ANIONS, 1)), decimals=1)


def _joined(rng: Generator, symbols: tuple[Any, ...] | Any, *, decimals: int) -> str:
    amounts = np.maximum(rng.uniform(0.3, 8.0, len(symbols)).round(decimals), 0.5)
    return "".join(f"{symbol}{amount:g}" for symbol, amount in zip(symbols, amounts, strict=True))


def draw_descriptors(rng: Generator, family: Family) -> dict[str, float]:
    """Draw what a source supplies."""
    if family is Family.SORBENT:
        area, density = rng.uniform(300, 6000), rng.uniform(0.3, 2.0)
        pores = {
            "void_fraction": rng.uniform(0.2, 0.9),
            "lcd_A": rng.uniform(4, 30),
            "pld_A": rng.uniform(2.4, 12),
            "gsa_m2_g": area,
            "vsa_m2_cm3": area * density,
            "density_g_cm3": density,
        }
        return {name: round(float(value), 4) for name, value in pores.items()}
    if rng.random() < 0.3:
        return {}
    return {
        "energy_above_hull_ev_per_atom": round(float(rng.exponential(0.06)), 4),
        "formation_energy_ev_per_atom": round(float(rng.normal(-0.6, 0.5)), 4),
    }


def draw_structure(rng: Generator, formula: str) -> dict[str, Any]:
    """Draw a crystal with the elements of a formula, as a pymatgen dictionary of a few kilobytes."""
    from hstore.formula import parse_formula

    symbols = list(parse_formula(formula).amounts)
    side = float(rng.uniform(4, 12))
    matrix = [[side, 0.0, 0.0], [0.0, side, 0.0], [0.0, 0.0, side]]
    sites = []
    for _ in range(int(rng.integers(2, 40))):
        symbol, place = str(rng.choice(symbols)), [round(float(x), 5) for x in rng.random(3)]
        sites.append(
            {
                "species": [{"element": symbol, "occu": 1}],
                "abc": place,
                "xyz": [round(side * x, 5) for x in place],
                "properties": {},
                "label": symbol,
            }
        )
    lattice = {"matrix": matrix, "pbc": [True] * 3, "a": side, "b": side, "c": side}
    angles = {"alpha": 90.0, "beta": 90.0, "gamma": 90.0, "volume": side**3}
    return {
        "@module": "pymatgen.core.structure",
        "@class": "Structure",
        "charge": 0,
        "lattice": {**lattice, **angles},
        "properties": {},
        "sites": sites,
    }


_PREDICTED = {
    Family.SORBENT: {"usable_capacity_wt_pct": (4.0, 1.5, 0.1), "usable_capacity_g_per_l": (28.0, 8.0, 1.0)},
    Family.ELECTROLYTE: {"log10_conductivity_s_per_cm": (-6.0, 2.0, -15.0)},
}
_HYDRIDE = {
    "h2_capacity_wt_pct": (2.5, 1.5, 0.1),
    "desorption_enthalpy_kj_per_mol_h2": (40.0, 15.0, 5.0),
}
"""Mean, standard deviation and least value of what is drawn."""


def draw_predictions(rng: Generator, material: Material) -> Iterator[Prediction]:
    """Draw what models say of a material."""
    if rng.random() > _PREDICTED_SHARE:
        return
    for name, value in _values(rng, material):
        number = PropertyValue(
            property=name,
            value=value,
            kind=Kind.PREDICTED,
            lower=value - 1.0,
            upper=value + 1.0,
            provenance=Provenance(source="benchmark model"),
        )
        yield Prediction(material_id=material.material_id, value=number, model_id="bench-1", in_domain=True)


def draw_measurements(rng: Generator, material: Material) -> Iterator[Measurement]:
    """Draw what labs measured of a material."""
    if rng.random() > _MEASURED_SHARE:
        return
    for name, value in _values(rng, material):
        number = PropertyValue(
            property=name, value=value, kind=Kind.MEASURED, provenance=Provenance(source="north-lab")
        )
        identifier = f"{material.material_id}:{name}"
        yield Measurement(measurement_id=identifier, material_id=material.material_id, value=number)


def _values(rng: Generator, material: Material) -> Iterator[tuple[str, float]]:
    for name, (mean, deviation, least) in _PREDICTED.get(material.family, _HYDRIDE).items():
        yield name, round(float(np.clip(rng.normal(mean, deviation), least, mean + 5 * deviation)), 3)
