"""``hstore batch``: screen any number of candidates in shards."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from hstore.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore_workflows.batch.collecting import Collected
    from hstore_workflows.batch.funnel import StageReport
    from hstore_workflows.batch.plan import Plan
    from hstore_workflows.batch.site import Site
    from hstore_workflows.batch.standing import Standing
    from hstore_workflows.batch.watching import Watch

_EPILOG = """\b
Examples:
  hstore batch alloys.toml --dry-run
  hstore batch alloys.toml --site local --out runs/alloys
  hstore batch site slurm > my-cluster.toml
  hstore batch alloys.toml --site my-cluster.toml --out runs/alloys
  hstore batch status runs/alloys
  hstore batch resume runs/alloys
  hstore batch collect runs/alloys
"""


class _FileOrCommand(click.Group):
    """A group whose first word may be a file: ``hstore batch FILE`` runs it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take a word that is no command for a file."""
        return super().resolve_command(ctx, args if args[0] in self.commands else ["run", *args])


@click.group("batch", cls=_FileOrCommand, epilog=_EPILOG)
def command() -> None:
    """Screen any number of candidates in shards that are done once.

    FILE.toml says what is screened and SITE.toml where. Whatever stops a run, the same command or `resume` goes on
    with the shards that are missing; a finished shard is never done again.
    """


_folder = click.argument("folder", type=click.Path(path_type=Path))
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_site = click.option("--site", default="local", show_default=True, help="A shipped site, or a TOML file with one.")


@command.command(
    "run",
    short_help="Plan a batch, do it and collect it.",
    epilog="Example: hstore batch run alloys.toml --site local --out runs/alloys",
)
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@_site
@click.option("--out", "folder", type=click.Path(path_type=Path), help="Folder of the run.  [default: runs/NAME]")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Say what it would take and print what a scheduler would get; nothing but missing models is made.",
)
@_json
def run(path: Path, site: str, folder: Path | None, *, dry_run: bool, as_json: bool) -> None:
    """Plan a batch, do its shards and collect them; the word `run` may be left out."""
    from hstore.workers import load_ahead
    from hstore_workflows.batch.estimate import estimate
    from hstore_workflows.batch.plan import keep_plan, make_plan
    from hstore_workflows.batch.running import PRELOAD, submit_script
    from hstore_workflows.batch.site import LocalSite, load_site
    from hstore_workflows.batch.spec import load_batch

    settings, where = load_settings(), load_site(site)
    if isinstance(where, LocalSite) and not dry_run:
        load_ahead(PRELOAD)  # while this process plans
    folder = folder or Path("runs") / load_batch(path).name

    def say(line: str) -> None:
        click.echo(line, err=True)

    if dry_run:
        with TemporaryDirectory(prefix="hstore-batch-") as scratch:
            plan = make_plan(path, Path(scratch), settings, say=say)
            found = estimate(plan, where, settings)
        script = "" if isinstance(where, LocalSite) else submit_script(plan, where, folder)
        if as_json:
            click.echo(json.dumps(found.as_json() | {"submit_script": script}))
        else:
            click.echo("\n".join([*found.lines(), *(["", script.rstrip()] if script else [])]))
        return
    plan = make_plan(path, folder, settings, say=say)
    keep_plan(plan, folder)
    _do(plan, folder, where, as_json=as_json)


@command.command(
    "resume", short_help="Do what is missing of a run.", epilog="Example: hstore batch resume runs/alloys"
)
@_folder
@_site
@_json
def resume(folder: Path, site: str, *, as_json: bool) -> None:
    """Do the shards of a run that are missing or damaged, and collect them."""
    from hstore_workflows.batch.plan import read_plan
    from hstore_workflows.batch.site import load_site

    _do(read_plan(folder), folder, load_site(site), as_json=as_json)


@command.command(
    "status", short_help="Say how far a run has come.", epilog="Example: hstore batch status runs/alloys --json"
)
@_folder
@click.option(
    "--watch",
    "every_s",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="Look again so often, until the run ends.",
)
@_json
def status(folder: Path, *, every_s: float | None, as_json: bool) -> None:
    """Say how far a run has come and which machines do it; nothing is changed, and it may be running."""
    from hstore_workflows.batch.funnel import stage_folders
    from hstore_workflows.batch.plan import read_plan
    from hstore_workflows.batch.standing import standing
    from hstore_workflows.batch.watching import watch

    plan = read_plan(folder)
    while True:
        state = standing(plan, folder)
        seen = watch(plan, folder, state)
        if as_json:
            faults = {"damaged": state.damaged, "failures": state.failures}
            click.echo(json.dumps(_numbers(plan, state) | seen.as_json() | faults))
        else:
            _print_status(plan, state, seen)
            for beside in stage_folders(folder):
                own = read_plan(beside)
                click.echo(_sentence(own, standing(own, beside)))
        if every_s is None or not (state.missing and seen.running):
            return
        time.sleep(every_s)


@command.command(
    "site",
    short_help="Print a site to be copied and edited.",
    epilog="Example: hstore batch site slurm > my-cluster.toml",
)
@click.argument("name", required=False)
def site_command(name: str | None) -> None:
    """Print a site to be copied and edited, every field explained; without a name, those there are."""
    from hstore_workflows.batch.site import shipped_sites, site_text

    click.echo("\n".join(shipped_sites()) if name is None else site_text(name), nl=name is None)


@command.command(
    "collect", short_help="Put finished shards together.", epilog="Example: hstore batch collect runs/alloys"
)
@_folder
@_json
def collect_command(folder: Path, *, as_json: bool) -> None:
    """Put the finished shards of a run together; every shard is compared with its checksum."""
    from hstore_workflows.batch.collecting import collect
    from hstore_workflows.batch.funnel import collect_stages
    from hstore_workflows.batch.plan import read_plan

    plan = read_plan(folder)
    found = collect(plan, folder)
    _print(plan, found, folder, collect_stages(plan, folder, found), as_json=as_json)


@command.command(
    "simulate",
    short_help="Say what a batch would cost.",
    epilog="Example: hstore batch simulate alloys.toml --site slurm --candidates 1e10 --seed 0 --json",
)
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@_site
@click.option(
    "--candidates", type=float, help="So many candidates like these, such as 1e10.  [default: as planned]"
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the first simulated run."
)
@click.option("--runs", type=click.IntRange(1, 1000), default=10, show_default=True, help="Simulated runs.")
@click.option(
    "--assumptions", type=click.Path(path_type=Path), help="A TOML file with what is known of your cluster."
)
@click.option(
    "--assume", multiple=True, metavar="NAME=VALUE", help="One of them, such as queue_wait_h=4; repeatable."
)
@click.option("--rates", type=click.Path(path_type=Path), help="Take the rates of an earlier forecast (--json).")
@click.option("--sensitivity", is_flag=True, help="Say what half and twice of each assumed behaviour would do.")
@_json
def simulate(
    path: Path,
    site: str,
    candidates: float | None,
    seed: int,
    runs: int,
    assumptions: Path | None,
    assume: tuple[str, ...],
    rates: Path | None,
    *,
    sensitivity: bool,
    as_json: bool,
) -> None:
    """Say what a batch would cost at a site, and which limits it meets first; nothing is asked of a scheduler."""
    from hstore_workflows.batch.forecast import at_site
    from hstore_workflows.batch.limits import load_assumptions
    from hstore_workflows.batch.site import load_site

    found = at_site(
        path,
        load_site(site),
        load_settings(),
        load_assumptions(assumptions, assume),
        candidates=candidates,
        seed=seed,
        runs=runs,
        vary=sensitivity,
        measured=rates,
        say=lambda line: click.echo(line, err=True),
    )
    click.echo(json.dumps(found.as_json()) if as_json else "\n".join(found.lines()))


def _do(plan: Plan, folder: Path, site: Site, *, as_json: bool) -> None:
    from hstore_workflows.batch.collecting import collect
    from hstore_workflows.batch.funnel import do_stages
    from hstore_workflows.batch.running import Run
    from hstore_workflows.batch.standing import standing
    from hstore_workflows.cli.progress import counting

    # A driver that is asked to end gives its blocks back, as after an interrupt.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    with counting("shards done", total=len(standing(plan, folder).missing)) as count:

        def say(line: str) -> None:
            click.echo(line, err=True)

        def tell(number: int, why: str) -> None:
            if why:
                say(f"shard {number} failed: {why}")
            else:
                count(1)

        settings = load_settings()
        Run(plan, folder, settings, site, tell, say=say)()
        found = collect(plan, folder)
        reports = do_stages(plan, folder, settings, site, found, tell=tell, say=say)
    _print(plan, found, folder, reports, as_json=as_json)


def _numbers(plan: Plan, state: Standing) -> dict[str, Any]:
    return {
        "plan_id": plan.plan_id,
        "shards": state.shards,
        "done": len(state.done),
        "candidates": state.candidates,
        "rejected": state.rejected,
        "core_seconds": round(state.core_seconds, 1),
    }


def _sentence(plan: Plan, state: Standing) -> str:
    rate = f", {state.candidates / state.core_seconds:,.0f} candidates/s a core" if state.core_seconds else ""
    return (
        f"{plan.batch.name}: {len(state.done):,} of {state.shards:,} shards done, {state.candidates:,} candidates"
        f" with an answer, {state.rejected:,} rejected{rate}"
    )


def _print_status(plan: Plan, state: Standing, seen: Watch) -> None:
    from rich.console import Console
    from rich.table import Table

    click.echo(_sentence(plan, state))
    if state.missing or seen.killed:
        left = "" if seen.hours_left is None else f", {seen.hours_left:.2g} h left"
        told = f"; {seen.last_block}" if seen.last_block else ""
        rate = f"{seen.candidates_per_s:,.0f} candidates/s{left}"
        state_of_driver = "running" if seen.running else "killed, to be resumed" if seen.killed else "not running"
        click.echo(f"{state_of_driver}: {rate}, {seen.failed_tries} failed tries{told}")
    if seen.machines:
        table = Table("machine", box=None)
        for heading in ("shards", "candidates", "core-hours", "peak MiB", "last finished"):
            table.add_column(heading, justify="right")
        for row in seen.machines:
            counts = (f"{row.shards:,}", f"{row.candidates:,}")
            used = (f"{row.core_hours:.3g}", f"{row.peak_memory_mib:,.0f}")
            table.add_row(row.host, *counts, *used, row.last_finished_at)
        Console().print(table)
    for number, why in {**state.failures, **state.damaged}.items():
        click.echo(f"  shard {number}: {why}")


def _print(plan: Plan, found: Collected, folder: Path, reports: Sequence[StageReport], *, as_json: bool) -> None:
    if as_json:
        told = {"funnel": [report.as_json() for report in reports]} if reports else {}
        best = json.loads(found.top.head(10).to_json(orient="records"))
        click.echo(json.dumps(found.summary | {"best": best} | told))
        return
    from hstore_workflows.cli.ranking import print_ranking

    title = f"{plan.batch.name}, {plan.target.title}: top ten (mean, 90 % interval)"
    print_ranking(title, found.top.head(10), plan.target.kind)
    click.echo(
        f"\n{found.summary['candidates']:,} candidates ranked, {found.summary['rejected']:,} rejected;"
        f" the best {len(found.top):,} are in {folder / 'top.csv'}"
    )
    if reports:
        click.echo("\n".join(["", *(line for report in reports for line in report.lines())]))
        click.echo(f"\nthe ranking of the last stage is in {folder / 'final.csv'}")
