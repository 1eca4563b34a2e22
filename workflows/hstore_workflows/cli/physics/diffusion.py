"""``hstore physics diffusion``: how an ion diffuses in a structure, by molecular dynamics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from hstore_workflows.cli.physics.options import potential_options

_positive = click.FloatRange(min=0, min_open=True)


@click.command(
    "diffusion",
    epilog="Example: hstore physics diffusion Li3N.relaxed.cif --ion Li --temperature-k 600,800,1000 --json",
)
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--ion", required=True, metavar="ION", help="Mobile ion, such as Li.")
@click.option("--temperature-k", "temperatures", required=True, metavar="K,...", help="Temperatures, K.")
@potential_options()
@click.option("--ps", "picoseconds", type=_positive, default=20.0, show_default=True, help="Length of a run, ps.")
@click.option("--step-fs", type=_positive, default=2.0, show_default=True, help="Time step, fs.")
@click.option(
    "--edge",
    "least_edge_angstrom",
    type=_positive,
    default=9.0,
    show_default=True,
    help="Least thickness, angstrom.",
)
@click.option("--seconds", type=_positive, default=3600.0, show_default=True, help="Time of a run at most, s.")
@click.option("--target-k", type=_positive, default=300.0, show_default=True, help="Extrapolate to this, K.")
@click.option("--haven-ratio", type=_positive, default=1.0, show_default=True, help="Assumed Haven ratio.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of a run.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    path: Path,
    *,
    ion: str,
    temperatures: str,
    potential: str,
    weights: Path | None,
    sha256: str | None,
    target_k: float,
    haven_ratio: float,
    workers: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Run molecular dynamics of a structure, and tell diffusion coefficients with intervals.

    Two temperatures or more give an activation energy and a conductivity by Nernst and Einstein with the Haven
    ratio assumed. Relax the structure with the same potential first. Needs kinisi and a potential.
    """
    from hstore_models.physics.diffusion import MotionSettings
    from hstore_models.physics.potential import load_potential
    from hstore_workflows.physics.motion import motion_in_file

    settings = MotionSettings(**options)
    found = motion_in_file(
        path,
        ion,
        _kelvins(temperatures),
        potential,
        settings,
        target_k=target_k,
        haven_ratio=haven_ratio,
        workers=workers,
        weights=weights,
        sha256=sha256,
    )
    if as_json:
        used = load_potential(potential, weights=weights, sha256=sha256).as_json()
        click.echo(json.dumps({"potential": used, "settings": vars(settings), **found.as_json()}))
    else:
        for line in found.text():
            click.echo(line)
    if found.failed:
        raise SystemExit(1)


def _kelvins(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise click.BadParameter(f"--temperature-k takes numbers such as 600,800,1000; got {text!r}") from error
