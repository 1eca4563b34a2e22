"""The best candidates as a table in the terminal, the same for screens and batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd


def _pressure(bar: float) -> str:
    """Write a pressure with two digits that count; powers of ten only where they save a reader from zeros."""
    short = f"{bar:.2g}"
    return f"{float(short):g}" if 0 < bar < _PLAIN_BELOW_BAR else short


_PLAIN_BELOW_BAR = 99_500

_SHOWN: Mapping[str, Mapping[str, tuple[str, Callable[[float], str]]]] = {
    "hydride": {
        "h2_capacity_wt_pct": ("capacity\nwt%", "{:.1f}".format),
        "desorption_enthalpy_kj_per_mol_h2": ("dH\nkJ/mol H2", "{:.0f}".format),
        "plateau_pressure_bar": ("plateau when\ndischarged, bar", _pressure),
    },
    "sorbent": {
        "usable_capacity_wt_pct": ("usable\nwt%", "{:.1f}".format),
        "usable_capacity_g_per_l": ("usable\ng/L", "{:.1f}".format),
    },
    "electrolyte": {
        "log10_conductivity_s_per_cm": ("log10 sigma\nS/cm", "{:.1f}".format),
        "activation_energy_ev": ("Ea\neV", "{:.2f}".format),
    },
}
"""Kind of target -> property -> heading, and how a value is written."""

_REMARKS = ("domain_reason", "safety", "cost")
_LEAST_WIDTH = 118
"""Characters without which the columns cannot be read."""

_WHOLE_FORMULA = 20
"""Characters of a formula up to which it stands in one line."""


def print_ranking(title: str, top: pd.DataFrame, kind: str) -> None:
    """Print a ranking.

    Args:
        title: what is ranked.
        top: columns ``rank``, ``score``, ``formula`` or ``name``, and those of
            :func:`hstore_workflows.scoring.score_chunk`, as far as there are any; ``known`` where it is known
            who has been measured.
        kind: kind of the target.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("rank", justify="right")
    labels = [str(row.get("name") or row.get("formula") or "") for row in top.to_dict(orient="records")]
    table.add_column("formula", overflow="fold", min_width=min(_WHOLE_FORMULA, max(map(len, labels), default=0)))
    table.add_column("score", justify="right")
    shown = {name: how for name, how in _SHOWN[kind].items() if f"{name}_mean" in top}
    for heading, _ in shown.values():
        table.add_column(heading, justify="right")
    if "known" in top:
        table.add_column("known")
    table.add_column("remarks", overflow="fold")
    for row, label in zip(top.to_dict(orient="records"), labels, strict=True):
        cells = [
            f"{written(row[f'{name}_mean'])} "
            f"[dim]{written(row[f'{name}_lower'])} to {written(row[f'{name}_upper'])}[/dim]"
            for name, (_, written) in shown.items()
        ]
        if "known" in top:
            cells.append("yes" if row["known"] else "")
        remarks = "; ".join(filter(None, map(row.get, _REMARKS)))
        table.add_row(str(row["rank"]), escape(label), f"{row['score']:.3f}", *cells, escape(remarks))
    console = Console()
    if console.width < _LEAST_WIDTH:
        console = Console(width=_LEAST_WIDTH)
    console.print(table)
