"""``hstore physics uptake``: hydrogen in frameworks by grand-canonical Monte Carlo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from hstore_workflows.physics.uptake import GasState


@click.command(
    "uptake", epilog="Example: hstore physics uptake MOF-5.cif --temperature-k 77 --pressure-bar 1,100 --json"
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--temperature-k", "temperatures", default="77", metavar="K,..", help="Temperatures.  [default: 77]")
@click.option(
    "--pressure-bar", "pressures", default="1,100", metavar="BAR,..", help="Pressures.  [default: 1,100]"
)
@click.option(
    "--swing", "swings", multiple=True, metavar="P@T:P@T", help="Usable capacity, such as 100@77:5@160; repeat."
)
@click.option("--error", default=0.02, show_default=True, help="Share of the uptake that its 95 % error may be.")
@click.option("--cycles", default=20_000, show_default=True, help="Most cycles of a state.")
@click.option("--seed", default=0, show_default=True, help="Seed of the random numbers.")
@click.option(
    "--framework", default="uff", show_default=True, help="Parameters of framework atoms: uff or dreiding."
)
@click.option(
    "--hydrogen", default="buch", show_default=True, help="Model of hydrogen: buch, michels or fischer-77k."
)
@click.option("--cutoff-angstrom", default=12.8, show_default=True, help="Cut-off of pairs.")
@click.option("--no-tail", is_flag=True, help="Leave out what lies beyond the cut-off.")
@click.option("--no-blocking", is_flag=True, help="Fill cavities that no channel leads to.")
@click.option(
    "--sampler", default="raspa", show_default=True, help="What does the Monte Carlo: raspa, or compiled (faster)."
)
@click.option("--minutes", default=60.0, show_default=True, help="Most minutes of a state.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes; default: one for each core.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(paths: tuple[Path, ...], *, as_json: bool, workers: int | None, **options: Any) -> None:
    """Simulate hydrogen in frameworks: excess, absolute and total uptake, with and without quantum correction.

    Each state goes on until its error is small enough. What does not converge, cannot be read or fails is told
    with its cause, and the rest goes on.
    """
    from hstore_models.physics.force_field import ForceField
    from hstore_models.physics.monte_carlo import Effort
    from hstore_workflows.physics.uptake import GasState, Question, text_of, uptakes_of
    from hstore_workflows.sources.files.source import read_files

    states = [
        GasState(temperature, pressure)
        for temperature in _numbers("--temperature-k", options["temperatures"])
        for pressure in _numbers("--pressure-bar", options["pressures"])
    ]
    question = Question(
        states=tuple(states),
        swings=tuple(_swing(text) for text in options["swings"]),
        force_field=ForceField(
            options["framework"],
            options["hydrogen"],
            cutoff_angstrom=options["cutoff_angstrom"],
            tail=not options["no_tail"],
        ),
        effort=Effort(options["error"], most_cycles=options["cycles"], seed=options["seed"]),
        blocking=not options["no_blocking"],
        sampler=options["sampler"],
        seconds=60.0 * options["minutes"],
    )
    failed = []
    told = []
    for found in uptakes_of(read_files(paths, workers=workers), question, workers=workers):
        failed.append(bool(found.cause))
        told.append(found.as_json())
        if not as_json:
            click.echo("\n".join(text_of(found)))
    if as_json:
        click.echo(json.dumps(told, allow_nan=False))
    if all(failed):
        raise click.exceptions.Exit(1)


def _numbers(option: str, text: str) -> list[float]:
    from hstore.errors import InputError

    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise InputError(
            f"{option} takes numbers with commas between them, such as 1,5,100; got {text!r}"
        ) from error


def _swing(text: str) -> tuple[GasState, GasState]:
    from hstore.errors import InputError
    from hstore_workflows.physics.uptake import GasState

    try:
        charged, discharged = (
            GasState(float(temperature), float(pressure))
            for pressure, temperature in (side.split("@") for side in text.split(":"))
        )
    except ValueError as error:
        raise InputError(
            f"--swing takes two states, pressure in bar @ temperature in K, such as 100@77:5@160; got {text!r}"
        ) from error
    return charged, discharged
