"""``hstore image``: pores, grains and cracks of micrographs, and what they have to do with a property."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from hstore_workflows.micrographs.describing import DescribedImage, PropertyRelation


@click.command("image", epilog="Example: hstore image sem/*.png --nm-per-pixel 4.2 --out pores.csv")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--nm-per-pixel", type=float, required=True, metavar="X", help="Length of a pixel.")
@click.option("--nm-per-slice", type=float, metavar="Z", help="Distance of slices; default: a pixel.")
@click.option("--smooth-nm", type=float, metavar="S", help="Smoothing; default: 1.5 pixels.")
@click.option("--flatten-nm", type=float, metavar="S", help="Level brightness; default: 1/4 side.")
@click.option("--dark-fraction", type=float, metavar="F", help="Dark share where it is known.")
@click.option("--cut-bottom", type=click.IntRange(min=0), default=0, metavar="N", help="Rows to cut off below.")
@click.option(
    "--property", "table", type=click.Path(path_type=Path), metavar="TABLE", help="image, COLUMN[, specimen]."
)
@click.option("--target", metavar="COLUMN", help="Property to look for a relation to.")
@click.option("--seed", type=int, default=0, metavar="N", help="Of the permutation test.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes; default: one for each core.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Write descriptors as .csv or .parquet."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(paths: tuple[Path, ...], **options: Any) -> None:
    """Describe micrographs (PNG, TIFF stacks, JPEG, .npy) by their dark and bright phases.

    Brightness and contrast do not matter. An image that cannot be read is told with its cause, and the rest goes
    on. With --property, a small-sample model says whether the images tell anything about it.
    """
    from hstore_models.images.descriptors import ImageSettings
    from hstore_workflows.cli.progress import counting
    from hstore_workflows.micrographs.describing import describe_images, relate_property
    from hstore_workflows.tables import check_destination

    if (options["table"] is None) != (options["target"] is None):
        raise click.UsageError("--property and --target go together")
    settings = ImageSettings(
        nm_per_pixel=options["nm_per_pixel"],
        nm_per_slice=options["nm_per_slice"],
        smooth_nm=options["smooth_nm"],
        flatten_nm=options["flatten_nm"],
        dark_fraction=options["dark_fraction"],
    )
    if options["out"] is not None:
        check_destination(options["out"])
    described = []
    with counting("described", total=len(paths)) as advance:
        for one in describe_images(paths, settings, cut_bottom=options["cut_bottom"], workers=options["workers"]):
            described.append(one)
            advance(1)
    if options["out"] is not None:
        _write(described, options["out"])
    found = None
    if options["table"] is not None:
        found = relate_property(described, options["table"], options["target"], seed=options["seed"])
    if options["as_json"]:
        document = {"settings": asdict(settings), "images": [one.record() for one in described]}
        click.echo(json.dumps(document | ({"property": found.record()} if found else {}), allow_nan=False))
    else:
        _print(described, found, written=options["out"])
    if all(one.descriptors is None for one in described):
        raise click.exceptions.Exit(1)


def _write(described: list[DescribedImage], path: Path) -> None:
    import pandas as pd

    from hstore_models.images.descriptors import COLUMNS
    from hstore_workflows.tables import write_table

    rows = [{"image": one.path.name} | (one.descriptors or {}) | {"cause": one.cause} for one in described]
    write_table(pd.DataFrame(rows, columns=["image", *COLUMNS, "cause"]), path)


def _print(described: list[DescribedImage], found: PropertyRelation | None, *, written: Path | None) -> None:
    for one in described:
        if one.descriptors is None:
            click.echo(f"{one.path}: {one.cause}", err=True)
        elif written is None and found is None:
            click.echo(str(one.path))
            for name, value in one.descriptors.items():
                click.echo(f"  {name:<36} {'-' if isnan(value) else f'{value:.6g}'}")
    done = sum(one.descriptors is not None for one in described)
    click.echo(
        f"{done} described, {len(described) - done} failed" + (f"; written to {written}" if written else "")
    )
    if found is None:
        return
    for note in found.notes:
        click.echo(f"left out: {note}", err=True)
    click.echo(f"{found.target}: {found.relation.words}")
    for name, correlation in found.relation.strongest:
        click.echo(f"  {name:<36} rank correlation {correlation:+.2f}")
