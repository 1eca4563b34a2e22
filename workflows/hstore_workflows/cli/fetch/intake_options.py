"""Options and last step that all ``hstore fetch`` commands share."""

from __future__ import annotations

import csv
import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hstore.records import Material
    from hstore.settings import Settings
    from hstore_workflows.sources.intake import Intake, Rejected

_SHOWN = 10


def intake_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options which :func:`finish` understands: features, features_out, rejects_out, workers, as_json."""
    for option in (
        click.option(
            "--rejects-out",
            type=click.Path(path_type=Path),
            metavar="FILE.csv",
            help="Write what could not be used, with causes; default: a file under HSTORE_HOME/fetch.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON."),
        click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes; default: all cores."),
        click.option(
            "--features-out",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Write the features to FILE (.csv or .parquet).",
        ),
        click.option("--features", metavar="GROUP,..", help="Compute features of what is stored, such as tier-1."),
    ):
        function = option(function)
    return function


def finish(
    items: Iterable[Material | Rejected],
    *,
    options: dict[str, Any],
    settings: Settings | None = None,
    total: int | None = None,
    at_once: bool = False,
    **extra: Any,
) -> Intake:
    """Deduplicate, store and describe what a source delivers, and print the counts.

    Args:
        items: what the source delivers.
        options: values of :func:`intake_options`; others are ignored.
        settings: where the store is; read anew when None.
        total: items announced by the source; None where it announces none, then all received are the total.
        at_once: store everything in one transaction or nothing.
        **extra: further keys of the JSON output.

    Returns:
        The counts, for an exit code that depends on them.
    """
    from hstore.errors import InputError
    from hstore.settings import load_settings
    from hstore.store import open_store
    from hstore_workflows.cli.progress import counting
    from hstore_workflows.sources.intake import take_in

    settings = settings or load_settings()
    if options.get("features_out") and not options.get("features"):
        raise InputError("--features-out needs --features; name the groups, such as --features tier-1")
    with ExitStack() as stack:
        store = stack.enter_context(open_store(settings.store_url))
        advance = stack.enter_context(counting("taken in", total=total))
        taken = take_in(
            items,
            store,
            at_once=at_once,
            workers=options.get("workers"),
            progress=advance,
            **_describing(stack, options, settings),
        )
    name = click.get_current_context().info_name or "fetch"
    listed = _list_rejects(taken, options.get("rejects_out") or settings.fetch_dir / f"{name}-rejects.csv")
    _report(taken, total, extra, options)
    if listed:
        click.echo(f"all causes are listed in {listed}", err=True)
    return taken


def _describing(stack: ExitStack, options: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Open what computes and writes the features, where they are asked for."""
    if not options.get("features"):
        return {}
    from hstore_models.features.cache import FeatureCache
    from hstore_models.features.structure.compute import Describer
    from hstore_models.features.structure.menu import groups_of
    from hstore_workflows.describe import DescriptorFile

    featurizers = groups_of(part.strip() for part in options["features"].split(",") if part.strip())
    out = options.get("features_out")
    sink = stack.enter_context(DescriptorFile(out)) if out else None
    cache = FeatureCache(settings.features_dir)
    describer = stack.enter_context(Describer(featurizers, cache=cache, workers=options.get("workers")))
    return {"describer": describer, "sink": sink}


def _list_rejects(taken: Intake, path: Path) -> Path | None:
    """Write everything that could not be used or described; nothing where there is nothing."""
    rows = [("rejected", r) for r in taken.rejected] + [("not described", r) for r in taken.undescribed]
    if not rows:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    with scratch.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("what", "reference", "cause"))
        writer.writerows((what, reject.reference, reject.cause) for what, reject in rows)
    scratch.replace(path)
    return path


def _report(taken: Intake, total: int | None, extra: dict[str, Any], options: dict[str, Any]) -> None:
    _show("rejected", taken.rejected)
    _show("not described", taken.undescribed)
    for note in taken.notes[:_SHOWN]:
        click.echo(f"note {note}", err=True)
    counts = {
        "total": taken.received if total is None else total,
        "received": taken.received,
        "stored": taken.stored,
        "merged": taken.merged,
        "rejected": len(taken.rejected),
        **extra,
    }
    if options.get("features"):
        counts |= {"described": taken.described, "not_described": len(taken.undescribed)}
    if options.get("as_json"):
        click.echo(json.dumps(counts))
        return
    said = (
        f"{counts['received']} of {counts['total']} received, {taken.stored} stored, {taken.merged} merged into "
    )
    said += f"records of the same material, {len(taken.rejected)} rejected"
    if options.get("features"):
        said += f"; {taken.described} described, {len(taken.undescribed)} groups without values"
    click.echo(said + "".join(f"; {name.replace('_', ' ')}: {_plain(v)}" for name, v in extra.items() if v))


def _plain(value: Any) -> str:
    """Write a value of the JSON output for a reader."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(part)}" for name, part in value.items())
    return ", ".join(map(_plain, value)) if isinstance(value, (list, tuple)) else str(value)


def _show(word: str, rejects: Sequence[Rejected]) -> None:
    for reject in rejects[:_SHOWN]:
        click.echo(f"{word} {reject.reference or '(no reference)'}: {reject.cause}", err=True)
    if len(rejects) > _SHOWN:
        click.echo(f"... and {len(rejects) - _SHOWN} more {word}", err=True)
