"""``hstore describe``: descriptors of structure or formula files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore_models.features.cache import FeatureCache
    from hstore_models.features.structure.featurizer import StructureFeaturizer
    from hstore_workflows.describe import DescribedMaterials

_SHOWN_VALUES = 24


@click.command("describe", epilog="Example: hstore describe MgH2.cif --features hydrogen,density --json")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "--features", "groups", default="structure", metavar="GROUP,..", help="Groups or tiers; --list shows them."
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Write .csv or .parquet instead of printing."
)
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes; default: one for each core.")
@click.option("--no-cache", is_flag=True, help="Compute everything again and keep nothing.")
@click.option("--drift", is_flag=True, help="Compare with values kept by older versions of the libraries.")
@click.option("--list", "show_menu", is_flag=True, help="Show the groups with their cost and columns.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(paths: tuple[Path, ...], groups: str, *, as_json: bool, **options: Any) -> None:
    """Compute descriptors of structures (CIF, POSCAR, extXYZ, ASE, JSON, archives) or formulas (CSV, Parquet).

    What cannot be read or computed is reported with its cause, and the rest goes on. Results are kept under
    HSTORE_HOME and not computed twice.
    """
    from hstore.settings import load_settings
    from hstore_models.features.cache import FeatureCache
    from hstore_models.features.structure.menu import groups_of

    if options["show_menu"]:
        _show_menu(as_json=as_json)
        return
    featurizers = groups_of(part.strip() for part in groups.split(",") if part.strip())
    cache = None if options["no_cache"] else FeatureCache(load_settings().features_dir)
    if not paths and not options["drift"]:
        raise click.UsageError("give at least one FILE, or --list to see the groups")
    if paths:
        _describe(paths, featurizers, cache, as_json=as_json, out=options["out"], workers=options["workers"])
    if options["drift"] and cache is not None:
        _show_drift(cache, featurizers, as_json=as_json)


def _describe(
    paths: Sequence[Path],
    featurizers: Sequence[StructureFeaturizer],
    cache: FeatureCache | None,
    *,
    as_json: bool,
    out: Path | None,
    workers: int | None,
) -> None:
    from contextlib import ExitStack

    from hstore.records import Material
    from hstore_models.features.structure.compute import Describer
    from hstore_workflows.cli.progress import counting
    from hstore_workflows.describe import DescriptorFile, describe, in_batches
    from hstore_workflows.sources.files.source import read_files

    records: list[dict[str, Any]] = []
    rejected: list[dict[str, str]] = []
    described = 0
    with ExitStack() as stack:
        sink = stack.enter_context(DescriptorFile(out)) if out else None
        describer = stack.enter_context(Describer(featurizers, cache=cache, workers=workers))
        advance = stack.enter_context(counting("described"))
        for batch in in_batches(read_files(paths, workers=workers)):
            rejected += [
                {"reference": r.reference, "cause": r.cause} for r in batch if not isinstance(r, Material)
            ]
            found = describe([m for m in batch if isinstance(m, Material)], describer, progress=advance)
            described += len(found.materials)
            if sink and found.materials:
                sink.add(found)
            elif as_json:
                rows = range(len(found.materials))
                records += [found.record(row) | found.beside(row, featurizers) for row in rows]
            else:
                _print(found)
    if as_json:
        click.echo(json.dumps({"described": described, "rejected": rejected, "materials": records}))
        return
    for reject in rejected:
        click.echo(f"rejected {reject['reference']}: {reject['cause']}", err=True)
    click.echo(f"{described} described, {len(rejected)} rejected" + (f"; written to {out}" if out else ""))


def _print(found: DescribedMaterials) -> None:
    for row, material in enumerate(found.materials):
        record = found.record(row)
        click.echo(f"{material.material_id}  {material.formula}")
        values = list(record["features"].items())
        for name, value in values[:_SHOWN_VALUES]:
            click.echo(f"  {name:<58} {'-' if value is None else f'{value:.6g}'}")
        if len(values) > _SHOWN_VALUES:
            click.echo(f"  ... and {len(values) - _SHOWN_VALUES} more; --out FILE.csv or --json gives all")
        for group, cause in record["failures"].items():
            click.echo(f"  {group}: {cause}", err=True)


def _show_menu(*, as_json: bool) -> None:
    from hstore_models.features.structure.menu import featurizers

    menu = featurizers()
    if as_json:
        entries = [
            {"name": f.name, "tier": f.tier, "columns": list(f.columns), "summary": f.summary, "source": f.source}
            for f in menu
        ]
        click.echo(json.dumps(entries))
        return
    for f in menu:
        click.echo(f"tier {f.tier}  {f.name:<26} {len(f.columns):>5} columns  {f.summary}")


def _show_drift(cache: FeatureCache, featurizers: Sequence[StructureFeaturizer], *, as_json: bool) -> None:
    drifts = [drift for f in featurizers if f.compute_amounts is None for drift in cache.drift(f)]
    if as_json:
        click.echo(json.dumps({"drift": [vars(d) for d in drifts]}))
        return
    changed = [d for d in drifts if d.changed]
    for d in changed:
        click.echo(
            f"{d.featurizer}.{d.column}: {d.changed} of {d.n} changed, at most by {d.largest_difference:.3g}"
        )
    click.echo(f"{len(drifts)} columns compared with older versions, {len(changed)} changed")
