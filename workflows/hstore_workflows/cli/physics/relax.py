"""``hstore physics relax``: relax structures with a machine-learning potential."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hstore_workflows.cli.physics.options import potential_options

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.command("relax", epilog="Example: hstore physics relax MgH2.cif --potential chgnet --json")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@potential_options()
@click.option(
    "--force",
    type=click.FloatRange(min=0, min_open=True),
    default=0.03,
    show_default=True,
    help="Largest force left, eV/angstrom.",
)
@click.option("--steps", type=click.IntRange(min=1), default=300, show_default=True, help="Steps at most.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=120.0,
    show_default=True,
    help="Time at most, s.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the rattle.  [default: HSTORE_SEED, else 0]")
@click.option("--fixed-cell", is_flag=True, help="Move positions only.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write a CIF of each into a folder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(paths: tuple[Path, ...], *, as_json: bool, out: Path | None, **options: Any) -> None:
    """Relax cell and positions from a rattled, symmetry-free start.

    Prints energy, volume and largest force, with the potential and the checksum of its weights. What diverges,
    loses its hydrogen or does not converge is told with its cause, and the rest goes on.
    """
    from hstore_models.physics.potential import load_potential
    from hstore_workflows.physics.relaxed_files import relax_files, write_cif

    settings = _settings(options)
    potential = load_potential(options["potential"], weights=options["weights"], sha256=options["sha256"])
    records = []
    for row in relax_files(
        paths,
        options["potential"],
        settings=settings,
        workers=options["workers"],
        weights=options["weights"],
        sha256=options["sha256"],
    ):
        if row.found is None:
            records.append({"converged": False, **row.as_json()})
        else:
            records.append({"reference": row.reference, **row.found.as_json(structure=as_json)})
            if out is not None:
                write_cif(row.found, out, row.reference)
    if as_json:
        click.echo(json.dumps({"potential": potential.as_json(), "settings": settings.as_json(), "rows": records}))
    else:
        click.echo(f"{potential.model}, weights {potential.weights_sha256[:12]}")
        for line in _lines(records):
            click.echo(line)
    if not any(record["converged"] for record in records):
        raise SystemExit(1)


def _settings(options: dict[str, Any]) -> Any:
    from hstore.settings import load_settings
    from hstore_models.physics.relaxing import RelaxSettings

    return RelaxSettings(
        force_most_ev_per_angstrom=options["force"],
        steps=options["steps"],
        seconds=options["seconds"],
        seed=load_settings().seed if options["seed"] is None else options["seed"],
        fixed_cell=options["fixed_cell"],
    )


def _lines(records: list[dict[str, Any]]) -> Iterator[str]:
    for record in records:
        if record.get("energy_ev_per_atom") is None:
            yield f"{record['reference']}: {record['cause']}"
            continue
        yield (
            f"{record['reference']}: {record['formula']}  {record['energy_ev_per_atom']:.4f} eV/atom  "
            f"{record['volume_angstrom3']:.2f} A3 ({record['volume_ratio']:.3f} of the start)  "
            f"{record['force_most_ev_per_angstrom']:.3f} eV/A  {record['steps']} steps"
            + (f"  not to be used: {record['cause']}" if record["cause"] else "")
        )
