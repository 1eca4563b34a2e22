"""``hstore physics hydride-set``: the computed hydrides, as shipped or computed anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas as pd


@click.command("hydride-set", epilog="Example: hstore physics hydride-set --out hydrides.csv")
@click.option("--compute", is_flag=True, help="Compute it anew, or go on where a run ended; needs the extra mlip.")
@click.option(
    "--potential", default="chgnet", show_default=True, metavar="NAME", help="Potential to compute with."
)
@click.option("--size", type=click.IntRange(min=1), default=1150, show_default=True, help="Hydrides to compute.")
@click.option("--hours", type=click.FloatRange(min=0), help="End after so long; 0 takes what is done.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--formula", help="Only this composition, one line for each structure.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write .csv or .parquet.")
@click.option("--json", "as_json", is_flag=True, help="Print counts as JSON.")
def command(*, formula: str | None, out: Path | None, as_json: bool, **options: Any) -> None:
    """Write the prototype hydrides relaxed and scored by one potential; without --compute, those of the package.

    Columns carry their units; desorption_enthalpy_kj_per_mol_h2 and std_kj_per_mol_h2 are corrected by the known
    hydrides. A row that failed has its cause. Reading the shipped set needs no potential.
    """
    from hstore_data.computed import computed_hydrides

    frame = _computed(options) if options["compute"] else computed_hydrides()
    if formula is not None:
        frame = _of_composition(frame, formula)
    if out is not None:
        _write(frame, out)
    potentials = sorted(str(name) for name in frame["potential"].unique())
    counts = {
        "rows": len(frame),
        "relaxed": int((frame["cause"] == "").sum()),
        "scored": int(frame["desorption_enthalpy_kj_per_mol_h2"].notna().sum()),
        "potentials": potentials,
    }
    if as_json:
        click.echo(json.dumps(counts))
        return
    if formula is not None:
        for row in frame.to_dict("records"):
            click.echo(_line(row))
    where = f"; written to {out}" if out is not None else ""
    click.echo(
        f"{counts['rows']} hydrides, {counts['relaxed']} relaxed, {counts['scored']} with an enthalpy of release, "
        f"by {', '.join(potentials)}{where}"
    )


def _computed(options: dict[str, Any]) -> pd.DataFrame:
    import math

    from hstore.settings import load_settings
    from hstore_workflows.cli.progress import counting
    from hstore_workflows.physics.hydride_set import make_set

    with counting("relaxed") as advance:
        return make_set(
            load_settings(),
            potential=options["potential"],
            size=options["size"],
            workers=options["workers"],
            seconds=math.inf if options["hours"] is None else options["hours"] * 3600,
            progress=advance,
        )


def _of_composition(frame: pd.DataFrame, formula: str) -> pd.DataFrame:
    from hstore.errors import InputError
    from hstore_workflows.physics.phases import canonical

    wanted = canonical(formula)
    found = frame[[canonical(str(one)) == wanted for one in frame["formula"]]]
    if found.empty:
        raise InputError(
            f"the set holds no {formula}; price it with hstore physics enthalpy, or list the set with --out"
        )
    return found


def _line(row: dict[Any, Any]) -> str:
    if row["cause"]:
        return f"{row['material_id']}: {row['cause']}"
    return (
        f"{row['material_id']}: {row['first_step']}  {row['desorption_enthalpy_kj_per_mol_h2']:.1f} +- "
        f"{row['std_kj_per_mol_h2']:.1f} kJ/mol H2, {row['energy_above_products_ev_per_atom']:+.3f} eV/atom "
        "against its products"
    )


def _write(frame: pd.DataFrame, out: Path) -> None:
    from hstore.errors import InputError

    if out.suffix == ".csv":
        frame.to_csv(out, index=False)
    elif out.suffix == ".parquet":
        frame.to_parquet(out, index=False, compression="zstd")
    else:
        raise InputError(f"tables are written as .csv or .parquet, got {out.name}")
