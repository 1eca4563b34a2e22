"""``hstore fetch mp``: candidates from the Materials Project."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hstore_workflows.cli.fetch.intake_options import finish, intake_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hstore.records import Material
    from hstore.settings import Settings
    from hstore_workflows.sources.intake import Rejected
    from hstore_workflows.sources.materials_project import Fetched, MPAccess
    from hstore_workflows.sources.mp_client import Watch
    from hstore_workflows.sources.mp_phase_diagram import FetchedDiagram
    from hstore_workflows.sources.mp_query import MPQuery

_TOLD_WAIT_S = 2.0
_SHOWN = 10
_QUERY = ("elements", "exclude_elements", "family", "ids", "limit", "energy_above_hull_max", "fields", "export")
_NOT_IN_DIAGRAM = (*_QUERY, "features")
_NOT_WITH_SNAPSHOT = ("chemsys", *_QUERY, "thermo_type", "phase_diagram", "restart")


def _words(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (value or "").split(",") if part.strip())


def _identifiers(context: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    if value and Path(value).is_file():
        value = ",".join(Path(value).read_text(encoding="utf-8").split())
    return _words(context, option, value)


@click.command("mp", epilog="Example: hstore fetch mp --chemsys La-Ni-H --energy-above-hull-max 0.1")
@click.option("--endpoint", metavar="URL", help="Base URL of the API; default: that of the installed client.")
@click.option("--elements", callback=_words, metavar="La,Ni", help="Elements that must all be present.")
@click.option("--chemsys", callback=_words, metavar="La-Ni-H,..", help="Exact chemical systems, any of them.")
@click.option("--exclude-elements", callback=_words, metavar="O,F", help="Elements that must be absent.")
@click.option(
    "--family",
    type=click.Choice([
        "hydride", "hydride_electrolyte", "alloy_host", "electrolyte",
        "li_conductor", "na_conductor", "mg_conductor",
    ]),
    help="hydride: with H, without O and C; hydride_electrolyte: H and a mobile ion (Li unless another is named), "
    "without O and transition metals; alloy_host: metals without H; electrolyte: without H, with a mobile ion; "
    "li_, na_, mg_conductor: an electrolyte of that ion.",
)  # fmt: skip
@click.option("--energy-above-hull-max", type=float, metavar="EV", help="Highest energy above hull, eV/atom.")
@click.option(
    "--ids", callback=_identifiers, metavar="FILE|ID,..", help="Materials by identifier, or a file of such."
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Fetch at most N materials.")
@click.option(
    "--thermo-type",
    type=click.Choice(["GGA_GGA+U", "GGA_GGA+U_R2SCAN", "R2SCAN"]),
    help="Take energies from the thermo documents of this type; default: those of the summary documents.",
)
@click.option("--fields", callback=_words, metavar="NAME,..", help="Further fields, such as band_gap,density.")
@click.option(
    "--phase-diagram",
    is_flag=True,
    help="Build the phase diagram of the one system in --chemsys from its thermo entries, and store nothing.",
)
@click.option(
    "--phase-diagram-out",
    type=click.Path(dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Write the phase diagram to FILE.json or, as a plot, FILE.html; may be given twice.",
)
@click.option(
    "--export",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.jsonl.gz",
    help="Write a snapshot too.",
)
@click.option(
    "--snapshot",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.jsonl.gz",
    help="Read a snapshot made with --export; no network, no key, no query.",
)
@click.option("--restart", is_flag=True, help="Forget what an interrupted fetch of this query has received.")
@click.option(
    "--timeout", type=click.FloatRange(0, min_open=True), default=30.0, show_default=True, metavar="S",
    help="Longest silence of the server, seconds.",
)  # fmt: skip
@click.option(
    "--retries", type=click.IntRange(0, 100), default=5, show_default=True, metavar="N",
    help="Repeats of a request that failed.",
)  # fmt: skip
@click.option(
    "--page-rows", type=click.IntRange(1, 1000), default=500, show_default=True, metavar="N",
    help="Documents asked for at a time.",
)  # fmt: skip
@intake_options
def command(**options: Any) -> None:
    """Fetch materials from the Materials Project.

    The key is read from HSTORE_MP_API_KEY or MP_API_KEY. Either everything announced by the server is
    received and stored, or nothing is and the exit code is 1. A fetch that was interrupted goes on where it was
    when the same command runs again.
    """
    from hstore.settings import load_settings

    settings = load_settings()
    if options["snapshot"]:
        _from_snapshot(settings, options)
    elif options["phase_diagram"]:
        _phase_diagram(settings, options)
    else:
        _materials(settings, options)


def _materials(settings: Settings, options: dict[str, Any]) -> None:
    from hstore_workflows.sources import snapshot
    from hstore_workflows.sources.materials_project import SOURCE, fetch_materials
    from hstore_workflows.sources.mp_query import MPQuery

    query = MPQuery(
        elements=options["elements"],
        chemical_systems=options["chemsys"],
        exclude_elements=options["exclude_elements"],
        family=options["family"],
        energy_above_hull_max=options["energy_above_hull_max"],
        limit=options["limit"],
        ids=options["ids"],
        thermo_type=options["thermo_type"],
        fields=options["fields"],
    )
    with _access(settings, options) as access:
        fetched = fetch_materials(query, access)
    items: Iterable[Material | Rejected] = fetched.items()
    with ExitStack() as stack:
        if options["export"]:
            add = stack.enter_context(
                snapshot.writing(
                    options["export"], source=SOURCE, query=query.text(), version=fetched.database_version
                )
            )
            items = _passing(items, add)
        finish(
            items, options=options, settings=settings, total=fetched.total, at_once=True, **_extra(fetched, query)
        )
    fetched.forget()


def _extra(fetched: Fetched, query: MPQuery) -> dict[str, Any]:
    extra: dict[str, Any] = {"database_version": fetched.database_version}
    if query.ids:
        extra["not_found"] = list(fetched.not_found)
    if query.thermo_type:
        extra["thermo_type"] = query.thermo_type
    if query.filters_here:
        extra["beyond_hull"] = fetched.beyond_hull
    return extra


def _passing(
    items: Iterable[Material | Rejected], add: Callable[[Material], None]
) -> Iterator[Material | Rejected]:
    from hstore.records import Material

    for item in items:
        if isinstance(item, Material):
            add(item)
        yield item


def _from_snapshot(settings: Settings, options: dict[str, Any]) -> None:
    from hstore.errors import InputError
    from hstore_workflows.sources.snapshot import open_snapshot

    if given := _given(options, _NOT_WITH_SNAPSHOT):
        raise InputError(f"a snapshot is read as it is; leave out {given}")
    snapshot = open_snapshot(options["snapshot"])
    finish(
        snapshot.materials(),
        options=options,
        settings=settings,
        total=snapshot.count,
        at_once=True,
        database_version=snapshot.version,
        snapshot_of=snapshot.created.date().isoformat(),
    )


def _given(options: dict[str, Any], names: tuple[str, ...]) -> str:
    return ", ".join("--" + name.replace("_", "-") for name in names if options[name])


@contextmanager
def _access(settings: Settings, options: dict[str, Any]) -> Iterator[MPAccess]:
    """Give the way to the server, with progress on standard error while the block runs."""
    from hstore_workflows.sources.materials_project import MPAccess, api_key
    from hstore_workflows.sources.mp_transport import ClientPolicy

    policy = ClientPolicy(timeout_s=options["timeout"], retries=options["retries"], page_rows=options["page_rows"])
    with _watching() as watch:
        yield MPAccess(
            api_key(settings),
            settings.home,
            endpoint=options["endpoint"],
            policy=policy,
            watch=watch,
            restart=options["restart"],
        )


@contextmanager
def _watching() -> Iterator[Watch]:
    from hstore_workflows.cli.progress import counting
    from hstore_workflows.sources.mp_client import Watch

    with ExitStack() as stack:
        shown: dict[str, tuple[Callable[[int], None], int]] = {}

        def progress(kind: str, done: int, total: int) -> None:
            if kind not in shown:
                stack.close()
                shown[kind] = stack.enter_context(counting(f"{kind} documents received", total=total)), 0
            advance, before = shown[kind]
            if done > before:
                advance(done - before)
                shown[kind] = advance, done

        def wait(seconds: float, cause: str) -> None:
            if seconds >= _TOLD_WAIT_S:
                click.echo(f"waiting {seconds:.0f} s after {cause}", err=True)

        yield Watch(progress, wait, lambda text: click.echo(text, err=True))


def _phase_diagram(settings: Settings, options: dict[str, Any]) -> None:
    from hstore.errors import InputError
    from hstore_workflows.sources.mp_phase_diagram import fetch_phase_diagram

    given = _given(options, _NOT_IN_DIAGRAM)
    if given or len(options["chemsys"]) != 1:
        raise InputError(
            "--phase-diagram takes one chemical system, such as --chemsys La-Ni-H, and stores nothing; "
            f"{f'leave out {given}' if given else 'give one'}"
        )
    for path in options["phase_diagram_out"]:
        if path.suffix not in {".json", ".html"}:
            raise InputError(f"--phase-diagram-out writes .json and .html files, got {path}")
    with _access(settings, options) as access:
        fetched = fetch_phase_diagram(options["chemsys"][0], access, thermo_type=options["thermo_type"])
    text = json.dumps(fetched.to_dict(), indent=1)
    for path in options["phase_diagram_out"]:
        if path.suffix == ".json":
            path.write_text(text + "\n", encoding="utf-8")
        else:
            fetched.diagram.write_plot(path)
        click.echo(f"written: {path}", err=True)
    if options["as_json"]:
        click.echo(text)
    else:
        _show_diagram(fetched)


def _show_diagram(fetched: FetchedDiagram) -> None:
    from rich.console import Console
    from rich.table import Table

    diagram = fetched.diagram
    table = Table(title=f"{diagram.system}, {fetched.thermo_type}, energies in eV/atom")
    for heading in ("id", "formula", "formation", "above hull", "served", "decomposes to (part of the atoms)"):
        table.add_column(heading, justify="left" if heading[0] in "idf" and heading != "formation" else "right")
    for phase in diagram.phases:
        served = "" if phase.served_ev_per_atom is None else f"{phase.served_ev_per_atom:.4f}"
        table.add_row(
            phase.identifier,
            phase.formula,
            f"{phase.formation_energy_ev_per_atom:.4f}",
            f"{phase.energy_above_hull_ev_per_atom:.4f}",
            served + ("" if phase.agrees is not False else " !"),
            " + ".join(f"{p.atom_fraction:.3f} {p.formula}" for p in phase.decomposes_to) or "stable",
        )
    Console().print(table)
    compared = sum(phase.agrees is not None for phase in diagram.phases)
    click.echo(
        f"{fetched.received} of {fetched.total} thermo documents received, {len(fetched.rejected)} rejected; "
        f"{compared - len(diagram.disagreements)} of {compared} served hull values agree within 1 meV/atom "
        f"(database version {fetched.database_version or 'not stated'})"
    )
    for reject in fetched.rejected[:_SHOWN]:
        click.echo(f"rejected {reject.reference or '(no id)'}: {reject.cause}", err=True)
