"""``hstore physics window``: at which potentials a compound takes up no ion and gives none off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click


@click.command(
    "window", epilog="Example: hstore physics window Li3PS4 Li6PS5Cl --ion Li --entries phases.csv --json"
)
@click.argument("formulas", metavar="FORMULA...", nargs=-1, required=True)
@click.option("--ion", required=True, metavar="ION", help="Mobile ion, such as Li, Na or Mg.")
@click.option(
    "--entries",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Phases, CSV or a fetched diagram.  [default: the store]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(formulas: tuple[str, ...], *, ion: str, entries: Path | None, as_json: bool) -> None:
    """Compute electrochemical windows against the hull of formation energies at 0 K.

    A CSV has formula, formation_energy_ev_per_atom and energy_kind; a JSON file is what hstore fetch mp
    --phase-diagram --json prints. Without a file, phases with formation energies in the store are taken. Energies
    of several kinds are refused, for they have no common scale.
    """
    from hstore_models.physics.window import Window
    from hstore_workflows.physics.entries import entries_of_file, entries_of_stored
    from hstore_workflows.physics.window import window_in_words, windows

    phases = entries_of_stored(formulas, ion) if entries is None else entries_of_file(entries)
    found = list(windows(phases, formulas, ion))
    if as_json:
        rows: list[dict[str, Any]] = [
            one.as_json() if isinstance(one, Window) else {"formula": one[0], "cause": one[1]} for one in found
        ]
        click.echo(json.dumps({"ion": ion, "rows": rows}))
    else:
        for one in found:
            for line in window_in_words(one) if isinstance(one, Window) else [f"{one[0]}: {one[1]}"]:
                click.echo(line)
    if not any(isinstance(one, Window) for one in found):
        raise SystemExit(1)
