"""``hstore batch``: screen any number of candidates in shards."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from hstore.settings import load_settings

if TYPE_CHECKING:
    from hstore_workflows.batch.collecting import Collected
    from hstore_workflows.batch.plan import Plan
    from hstore_workflows.batch.site import Site
    from hstore_workflows.batch.standing import Standing

_EPILOG = """\b
Examples:
  hstore batch alloys.toml --dry-run
  hstore batch alloys.toml --site local --out runs/alloys
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


@command.command("run", epilog="Example: hstore batch run alloys.toml --site local --out runs/alloys")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@_site
@click.option("--out", "folder", type=click.Path(path_type=Path), help="Folder of the run.  [default: runs/NAME]")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Say what it would take; nothing but missing models is made.",
)
@_json
def run(path: Path, site: str, folder: Path | None, *, dry_run: bool, as_json: bool) -> None:
    """Plan a batch, do its shards and collect them; the word `run` may be left out."""
    from hstore_workflows.batch.estimate import estimate
    from hstore_workflows.batch.plan import keep_plan, make_plan
    from hstore_workflows.batch.site import load_site
    from hstore_workflows.batch.spec import load_batch

    settings, where = load_settings(), load_site(site)
    folder = folder or Path("runs") / load_batch(path).name

    def say(line: str) -> None:
        click.echo(line, err=True)

    if dry_run:
        with TemporaryDirectory(prefix="hstore-batch-") as scratch:
            found = estimate(make_plan(path, Path(scratch), settings, say=say), where, settings)
        click.echo(json.dumps(found.as_json()) if as_json else "\n".join(found.lines()))
        return
    plan = make_plan(path, folder, settings, say=say)
    keep_plan(plan, folder)
    _do(plan, folder, where, as_json=as_json)


@command.command("resume", epilog="Example: hstore batch resume runs/alloys")
@_folder
@_site
@_json
def resume(folder: Path, site: str, *, as_json: bool) -> None:
    """Do the shards of a run that are missing or damaged, and collect them."""
    from hstore_workflows.batch.plan import read_plan
    from hstore_workflows.batch.site import load_site

    _do(read_plan(folder), folder, load_site(site), as_json=as_json)


@command.command("status", epilog="Example: hstore batch status runs/alloys --json")
@_folder
@_json
def status(folder: Path, *, as_json: bool) -> None:
    """Say how far a run has come; nothing is changed, and it may be running."""
    from hstore_workflows.batch.plan import read_plan
    from hstore_workflows.batch.standing import standing

    plan = read_plan(folder)
    state = standing(plan, folder)
    if as_json:
        click.echo(json.dumps(_numbers(plan, state) | {"damaged": state.damaged, "failures": state.failures}))
        return
    click.echo(_sentence(plan, state))
    for number, why in {**state.failures, **state.damaged}.items():
        click.echo(f"  shard {number}: {why}")


@command.command("collect", epilog="Example: hstore batch collect runs/alloys")
@_folder
@_json
def collect_command(folder: Path, *, as_json: bool) -> None:
    """Put the finished shards of a run together; every shard is compared with its checksum."""
    from hstore_workflows.batch.collecting import collect
    from hstore_workflows.batch.plan import read_plan

    plan = read_plan(folder)
    _print(collect(plan, folder), folder, as_json=as_json)


@command.command(
    "simulate", epilog="Example: hstore batch simulate alloys.toml --site slurm --candidates 1e10 --seed 0 --json"
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
    from hstore_workflows.batch.running import Run
    from hstore_workflows.batch.standing import standing
    from hstore_workflows.cli.progress import counting

    with counting("shards done", total=len(standing(plan, folder).missing)) as count:

        def tell(number: int, why: str) -> None:
            if why:
                click.echo(f"shard {number} failed: {why}", err=True)
            else:
                count(1)

        Run(plan, folder, load_settings(), site, tell)()
    _print(collect(plan, folder), folder, as_json=as_json)


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


def _print(found: Collected, folder: Path, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found.summary | {"best": json.loads(found.top.head(10).to_json(orient="records"))}))
        return
    for row in found.top.head(10).to_dict(orient="records"):
        click.echo(f"{row['rank']:>5}  {row['score']:.4f}  {row.get('formula') or row.get('name', '')}")
    click.echo(
        f"\n{found.summary['candidates']:,} candidates ranked, {found.summary['rejected']:,} rejected;"
        f" the best {len(found.top):,} are in {folder / 'top.csv'}"
    )
