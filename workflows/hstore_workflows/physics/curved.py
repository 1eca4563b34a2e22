"""Adsorption beside curvature: what each side of each atom of carbons holds, and the law behind it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore.records import Material
from hstore_models.physics.curved_adsorption import BendingLaw, SideWells, bending_law, wells_of
from hstore_workflows.physics.row import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from hstore_models.physics.force_field import ForceField
    from hstore_workflows.sources.intake import Rejected

_FLAT_PER_A = 1e-3
"""Mean curvatures below it count as flat, 1/angstrom."""
_SHOWN_POINTS = 3000
"""Points of a figure; more are thinned evenly."""
_COLUMNS = (
    "site",
    "bend_per_a",
    "gaussian_per_a2",
    "area_a2",
    "depth_kj_per_mol",
    "distance_angstrom",
)


@dataclass(frozen=True)
class CurvedCarbon:
    """Wells and curvature of one carbon."""

    name: str
    atoms: int
    wells: SideWells
    henry_g_per_l_bar: float
    """Henry constant at the temperature asked for, g of hydrogen in a litre of crystal for each bar."""
    heat_at_zero_kj_per_mol: float
    """Isosteric heat of the first molecules, kJ/mol."""
    law: BendingLaw | None
    """Depth as a function of curvature within this carbon; None where its curvature does not vary."""

    def mean_depth(self, bend: int) -> float:
        """Mean depth of wells on sides that bend to the molecule (1), away from it (-1) or not at all (0); NaN."""
        sign = np.where(np.abs(self.wells.bend_per_a) < _FLAT_PER_A, 0, np.sign(self.wells.bend_per_a))
        chosen = sign == bend
        if not chosen.any():
            return float("nan")
        return float(np.average(self.wells.depth_kj_per_mol[chosen], weights=self.wells.area_a2[chosen]))

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data, with a row for each well."""
        return {
            "name": self.name,
            "atoms": self.atoms,
            "sides": self.wells.sides,
            "wells": len(self.wells),
            "mean_gaussian_per_a2": _mean(self.wells.gaussian_per_a2, self.wells),
            "mean_abs_bend_per_a": _mean(np.abs(self.wells.bend_per_a), self.wells),
            "depth_towards_kj_per_mol": _number(self.mean_depth(1)),
            "depth_away_kj_per_mol": _number(self.mean_depth(-1)),
            "depth_flat_kj_per_mol": _number(self.mean_depth(0)),
            "henry_g_per_l_bar": _number(self.henry_g_per_l_bar),
            "heat_at_zero_kj_per_mol": _number(self.heat_at_zero_kj_per_mol),
            "law": asdict(self.law) if self.law else None,
            "rows": {name: getattr(self.wells, name).tolist() for name in _COLUMNS},
        }


def _mean(values: Any, wells: SideWells) -> float | None:
    return float(np.average(values, weights=wells.area_a2)) if len(wells) else None


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def curved_carbons(
    materials: Iterable[Material | Rejected], temperature_k: float, force_field: ForceField
) -> list[Row[CurvedCarbon]]:
    """Find wells and curvature of materials, in their order; what has no carbon sheet is a row with its cause.

    Args:
        materials: as a source reads them.
        temperature_k: temperature of Henry constants and quantum correction, K, above 0.
        force_field: potentials.
    """
    return [_row(one, temperature_k, force_field) for one in materials]


def _row(one: Material | Rejected, temperature_k: float, force_field: ForceField) -> Row[CurvedCarbon]:
    from hstore_models.features.structure.geometry import Geometry
    from hstore_models.physics.adsorption import look_into

    if not isinstance(one, Material):
        return Row(one.reference, None, one.cause)
    try:
        if one.structure is None:
            raise InputError(f"{one.formula} has no structure: give a CIF or the like")  # noqa: TRY301 - one way out
        crystal = Crystal.from_dict(one.structure)
        wells = wells_of(Geometry(crystal), temperature_k, force_field)
        void = look_into(crystal, temperature_k, force_field)
    except InputError as error:
        return Row(one.material_id, None, str(error))
    found = CurvedCarbon(
        one.name or one.material_id,
        len(crystal),
        wells,
        void.henry_g_per_l_bar,
        void.heat_at_zero_kj_per_mol,
        bending_law([wells]),
    )
    return Row(one.material_id, found)


def law_over(rows: Sequence[Row[CurvedCarbon]]) -> BendingLaw | None:
    """Fit the depth of the wells of all carbons; None where no curvature varies."""
    wells = [row.found.wells for row in rows if row.found and len(row.found.wells)]
    return bending_law(wells) if wells else None


def text_of(rows: Sequence[Row[CurvedCarbon]]) -> Iterator[str]:
    """Yield the carbons as a table, and the law over all of them."""
    yield (f"{'':<34}{'atoms':>6}{'K':>9}{'|H|':>7}{'towards':>9}{'away':>7}{'flat':>7}{'heat':>7}{'Henry':>10}")
    for row in rows:
        if row.found is None:
            yield f"{row.reference}: {row.cause}"
            continue
        one = row.found
        told = one.as_json()
        depths = "".join(f"{_shown(one.mean_depth(bend)):>{width}}" for bend, width in ((1, 9), (-1, 7), (0, 7)))
        yield (
            f"{one.name[:33]:<34}{one.atoms:>6}{round(told['mean_gaussian_per_a2'] or 0.0, 4) + 0.0:>9.4f}"
            f"{told['mean_abs_bend_per_a'] or 0.0:>7.3f}{depths}{_shown(one.heat_at_zero_kj_per_mol):>7}"
            f"{one.henry_g_per_l_bar:>10.3g}"
        )
    yield "K, 1/A^2, and |H|, 1/A: curvature; wells, kJ/mol, where the sheet bends towards the molecule, away, or"
    yield "is flat, opposite walls included; heat of the first molecules, kJ/mol; Henry constant, g/(L bar)"
    if law := law_over(rows):
        yield (
            f"depth = {law.flat_kj_per_mol:.2f} {law.per_bend_kj_angstrom_per_mol:+.1f} H "
            f"{law.per_gaussian_kj_angstrom2_per_mol:+.1f} K kJ/mol over {law.wells} wells: explains "
            f"{100 * law.r2:.0f} % of the variance; rank correlation with H {law.spearman:.2f}"
        )


def _shown(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "-"


def draw(rows: Sequence[Row[CurvedCarbon]], path: Path) -> None:
    """Draw depth against the curvature seen from the molecule, a colour for each carbon.

    Args:
        rows: what was found.
        path: PNG, PDF or SVG.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    from hstore_workflows.fit.figure import style

    found = [row.found for row in rows if row.found and len(row.found.wells)]
    with style():
        figure = Figure(figsize=(5.2, 3.4), layout="constrained")
        axis = figure.subplots()
        each = max(_SHOWN_POINTS // max(len(found), 1), 50)
        for number, one in enumerate(found):
            kept = np.unique(np.linspace(0, len(one.wells) - 1, min(each, len(one.wells))).astype(int))
            bends, depths = one.wells.bend_per_a[kept], one.wells.depth_kj_per_mol[kept]
            axis.plot(bends, depths, ".", color=colormaps["tab20"](number % 20), label=one.name, alpha=0.7)
        if law := law_over(rows):
            bends = np.concatenate([one.wells.bend_per_a for one in found])
            line = np.linspace(bends.min(), bends.max(), 50)
            depth = law.flat_kj_per_mol + law.per_bend_kj_angstrom_per_mol * line
            axis.plot(line, depth, color="black", linewidth=1, label="K = 0")
        axis.set(
            xlabel="mean curvature seen from the molecule (1/$\\mathrm{\\AA}$)",
            ylabel="depth of the well (kJ/mol)",
        )
        axis.legend(fontsize=6, loc="upper left", bbox_to_anchor=(1, 1))
        figure.savefig(path, dpi=200)


def known_carbons() -> Iterator[Material | Rejected]:
    """Yield carbons to compare with: graphene, tubes of four widths, and three Schwarzites."""
    from hstore_workflows.sources.carbon.source import CarbonQuery, CarbonSource

    tubes = ((6, 6), (8, 8), (10, 10), (15, 15))
    yield from CarbonSource(CarbonQuery(surfaces=("p", "d", "g"), edges_angstrom=(30.0,), tubes=tubes, sheet=True))
