"""``hstore physics hull``: what hydrides fall apart into, and in which steps they lose hydrogen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hstore_models.physics.entry import Computed


@click.command("hull", epilog="Example: hstore physics hull NaAlH4 MgH2 --entries phases.csv --json")
@click.argument("formulas", metavar="FORMULA...", nargs=-1, required=True)
@click.option(
    "--entries",
    metavar="FILE|set",
    help="Phases: CSV, a fetched diagram, or the shipped set.  [default: the store]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(formulas: tuple[str, ...], *, entries: str | None, as_json: bool) -> None:
    """Place hydrides on the hull of formation energies that were computed before, without a potential.

    A CSV has formula, formation_energy_ev_per_atom and energy_kind; a JSON file is what hstore fetch mp
    --phase-diagram --json prints; "set" is the computed hydrides of the package. Without it, phases with formation
    energies in the store are taken. Energies of several kinds are refused, for they have no common scale.
    Enthalpies of release are those of the entries: mostly at 0 K, without vibrations and without a correction.
    """
    from hstore_workflows.physics.hulls import hull_in_words, hulls

    found = list(hulls(_entries(entries, formulas), formulas))
    if as_json:
        click.echo(json.dumps({"rows": found}))
    else:
        for record in found:
            for line in hull_in_words(record):
                click.echo(line)
    if all(record["cause"] for record in found):
        raise SystemExit(1)


def _entries(given: str | None, formulas: tuple[str, ...]) -> list[Computed]:
    from hstore_workflows.physics.entries import entries_of_file, entries_of_set, entries_of_stored

    if given is None:
        return entries_of_stored(formulas)
    return entries_of_set() if given == "set" else entries_of_file(Path(given))
