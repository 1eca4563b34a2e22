"""Known hydrides as a test of a potential: reactions with measured enthalpies, and how far off it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore_models.physics.calibrated import Calibration, Priced, error_of, fit_calibration, left_out
from hstore_models.physics.reaction import Reaction, parse_reaction
from hstore_workflows.physics.phases import canonical, phase
from hstore_workflows.physics.pricing import PricedPhases, Pricing, as_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore.arrays import FloatArray
    from hstore.settings import Settings

WINDOW_KJ_PER_MOL_H2 = (15.0, 80.0)
"""Measured enthalpies within which a hydride is of use for storage."""


@dataclass(frozen=True)
class KnownReaction:
    """A reaction with its measured enthalpy."""

    formula: str
    """Hydride."""
    chemistry: str
    """Kind of hydride."""
    reaction: Reaction
    """What the measurement stands for."""
    measured_kj_per_mol_h2: float
    """Measured desorption enthalpy, kJ/mol H2."""
    citation: str
    """Who measured it."""


@cache
def known_reactions() -> tuple[KnownReaction, ...]:
    """Return the reactions of the table ``hydride_reactions`` with the enthalpies of the table ``hydrides``."""
    from hstore_data.curated import curated_table

    hydrides = curated_table("hydrides").frame.set_index("formula")
    found = []
    for row in curated_table("hydride_reactions").frame.to_dict("records"):
        measured: Any = hydrides.loc[str(row["enthalpy_of"])]
        found.append(
            KnownReaction(
                str(row["formula"]),
                str(row["chemistry"]),
                parse_reaction(str(row["reaction"])),
                float(measured["desorption_enthalpy_kj_per_mol_h2"]),
                str(measured["citation"]),
            )
        )
    return tuple(found)


@dataclass(frozen=True)
class KnownSet:
    """What one potential makes of the known hydrides."""

    potential: dict[str, Any]
    """Potential, weights and versions."""
    pricing: dict[str, Any]
    """How reactions were priced."""
    rows: tuple[Priced, ...]
    """Reactions that have a price."""
    causes: dict[str, str]
    """Formula -> why it has none."""
    one_out: FloatArray
    """Corrected enthalpy by a calibration without that row, kJ/mol H2, shape (n,)."""
    one_out_std: FloatArray
    """Its standard deviation, kJ/mol H2, shape (n,)."""
    chemistry_out: FloatArray
    """Corrected enthalpy by a calibration without that chemistry, kJ/mol H2, shape (n,)."""
    calibration: Calibration
    """Fitted to all rows."""

    @property
    def measured(self) -> FloatArray:
        """Measured enthalpies, kJ/mol H2, shape (n,)."""
        return np.array([row.measured_kj_per_mol_h2 for row in self.rows])

    def errors(self) -> dict[str, Any]:
        """Return the errors: raw, shifted by one constant, one row left out, one chemistry left out."""
        raw = np.array([row.raw_kj_per_mol_h2 for row in self.rows])
        inside = _inside(self.measured)
        useful = [row for row, within in zip(self.rows, inside, strict=True) if within]
        shifted = raw + _constant_left_out(self.measured - raw)
        kinds = {
            "raw": raw,
            "constant": shifted,
            "loo": self.one_out,
            "chemistry_out": self.chemistry_out,
        }
        return {
            name: {"all": error_of(self.rows, value), "window": error_of(useful, value[inside])}
            for name, value in kinds.items()
        }

    def chemistries(self) -> dict[str, dict[str, Any]]:
        """Return the leave-one-out and the left-out error of each chemistry."""
        found: dict[str, dict[str, Any]] = {}
        for name in dict.fromkeys(row.chemistry for row in self.rows):
            mine = np.array([row.chemistry == name for row in self.rows])
            rows = [row for row in self.rows if row.chemistry == name]
            found[name] = {
                "loo": error_of(rows, self.one_out[mine]),
                "chemistry_out": error_of(rows, self.chemistry_out[mine]),
            }
        return found

    def as_json(self) -> dict[str, Any]:
        """Return figures and rows."""
        from scipy.stats import spearmanr

        errors = self.errors()
        within = np.abs(self.one_out - self.measured) <= self.one_out_std
        return {
            **self.potential,
            "pricing": self.pricing,
            "n": len(self.rows),
            "loo_mae_kj_per_mol_h2": errors["loo"]["all"]["mae"],
            "loo_window_mae_kj_per_mol_h2": errors["loo"]["window"]["mae"],
            "chemistry_out_mae_kj_per_mol_h2": errors["chemistry_out"]["all"]["mae"],
            "chemistry_out_window_mae_kj_per_mol_h2": errors["chemistry_out"]["window"]["mae"],
            "spearman": float(spearmanr(self.measured, self.one_out)[0]),
            "raw_spearman": float(spearmanr(self.measured, [row.raw_kj_per_mol_h2 for row in self.rows])[0]),
            "within_one_std": float(within.mean()),
            "errors": errors,
            "chemistries": self.chemistries(),
            "correction": self.calibration.parameters(),
            "rows": [self._row(i) for i in range(len(self.rows))],
            "failed": self.causes,
        }

    def _row(self, i: int) -> dict[str, Any]:
        row = self.rows[i]
        return {
            "formula": row.formula,
            "chemistry": row.chemistry,
            "reaction": row.reaction.text,
            "measured_kj_per_mol_h2": row.measured_kj_per_mol_h2,
            "raw_kj_per_mol_h2": row.raw_kj_per_mol_h2,
            "loo_kj_per_mol_h2": float(self.one_out[i]),
            "loo_std_kj_per_mol_h2": float(self.one_out_std[i]),
            "chemistry_out_kj_per_mol_h2": float(self.chemistry_out[i]),
            "potential": row.potential,
        }


def evaluate_known(pricing: Pricing, home: Settings) -> KnownSet:
    """Price all known reactions with a potential and leave each out in turn.

    Raises:
        InputError: so few reactions have a price that nothing can be fitted.
    """
    phases = PricedPhases(pricing, home)
    rows, causes = price_known(phases)
    one, groups = left_out(rows), left_out(rows, [row.chemistry for row in rows])
    return KnownSet(
        phases.potential.as_json(),
        as_json(pricing),
        tuple(rows),
        causes,
        one.kj_per_mol_h2,
        one.std_kj_per_mol_h2,
        groups.kj_per_mol_h2,
        fit_calibration(rows),
    )


def price_known(phases: PricedPhases) -> tuple[list[Priced], dict[str, str]]:
    """Price the known reactions: those that have a price, and formula -> cause of the others."""
    known = known_reactions()
    wanted = {canonical(name): phase(name) for one in known for name in one.reaction.phases}
    phases.add(dict(sorted(wanted.items(), key=lambda item: len(item[1]))))
    rows, causes = [], {}
    for one in known:
        found = phases.price(one.formula, one.chemistry, one.reaction, one.measured_kj_per_mol_h2)
        if isinstance(found, str):
            causes[one.formula] = found
        else:
            rows.append(found)
    return rows, causes


def lines(found: Sequence[KnownSet]) -> list[str]:
    """Return the figures of some potentials as text."""
    text = []
    for one in found:
        record = one.as_json()
        text.append(
            f"{record['model']}, weights {record['weights_sha256'][:12]}, {record['n']} hydrides, kJ/mol H2"
        )
        text.append(f"  {'':28}  {'all':>6}  {'15-80':>6}")
        for name, words in (
            ("raw", "as the potential gives it"),
            ("constant", "one constant, row left out"),
            ("loo", "corrected, row left out"),
            ("chemistry_out", "corrected, chemistry left out"),
        ):
            errors = record["errors"][name]
            text.append(f"  MAE {words:<29}{errors['all']['mae']:6.1f}  {errors['window']['mae']:6.1f}")
        text.append(f"  Spearman {record['spearman']:.3f} (raw {record['raw_spearman']:.3f})")
        text.append("  MAE by chemistry: hydride left out, chemistry left out")
        text += [
            f"  {name:<14}{kind['loo']['mae']:6.1f}{kind['chemistry_out']['mae']:8.1f}  of {kind['loo']['n']}"
            for name, kind in record["chemistries"].items()
        ]
        text.append(
            f"  {record['within_one_std']:.0%} of the measured lie within one standard deviation, hydride left out"
        )
        text.append(f"  {'':12}{'measured':>9}{'raw':>8}{'corrected':>11}{'std':>6}  (row left out)")
        text += [
            f"  {row['formula']:<14}{row['measured_kj_per_mol_h2']:7.1f}{row['raw_kj_per_mol_h2']:8.1f}"
            f"{row['loo_kj_per_mol_h2']:11.1f}{row['loo_std_kj_per_mol_h2']:6.1f}  {row['reaction']}"
            for row in record["rows"]
        ]
        text += [f"  {formula}: {cause}" for formula, cause in one.causes.items()]
    return text


def _inside(measured: FloatArray) -> Any:
    low, high = WINDOW_KJ_PER_MOL_H2
    return (measured >= low) & (measured <= high)


def _constant_left_out(errors: FloatArray) -> FloatArray:
    """Return the mean error of the other rows, shape (n,): a correction by one constant."""
    n = len(errors)
    return np.full(n, math.nan) if n < 2 else (errors.sum() - errors) / (n - 1)
