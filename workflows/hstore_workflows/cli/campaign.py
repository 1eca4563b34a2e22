"""``hstore campaign``: propose the next experiments and take results back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

_PATH = click.Path(path_type=Path, exists=True)
_SHOWN_REJECTS = 10


@click.group(epilog="Example: hstore campaign propose alloys --n 5")
def command() -> None:
    """Propose the next experiments and take results back."""


@command.command(
    epilog="Example: hstore campaign new alloys --pool runs/onboard --maximize h2_capacity_wt_pct "
    "--window desorption_enthalpy_kj_per_mol_h2:25:45 --batch 5"
)
@click.argument("name")
@click.option("--pool", type=_PATH, required=True, help="Folder of a screen, or a table with a formula column.")
@click.option("--maximize", metavar="COLUMN", required=True, help="Property to maximise, or score.")
@click.option("--window", "windows", multiple=True, metavar="COL:LOW:HIGH", help="Range a property must meet.")
@click.option("--batch", default=5, show_default=True, type=click.IntRange(min=1), help="Experiments at a time.")
@click.option("--keep-outside", is_flag=True, help="Also take candidates outside the models' domain.")
def new(name: str, pool: Path, maximize: str, windows: tuple[str, ...], batch: int, *, keep_outside: bool) -> None:
    """Begin the campaign NAME over a pool of candidates."""
    from hstore.settings import load_settings
    from hstore_workflows.campaign.objective import Objective, Window
    from hstore_workflows.campaign.story import begin

    objective = Objective(maximize, tuple(Window.parse(text) for text in windows))
    made = begin(load_settings(), name, pool, objective, batch=batch, keep_outside=keep_outside)
    _show_rejects((f"row {r.row} ({r.formula})", r.cause) for r in made.rejects)
    if made.left_out:
        click.echo(f"left out the {made.left_out:,} lowest-ranked rows of the screen", err=True)
    if made.outside:
        click.echo(f"left out {made.outside:,} outside the models' domain (--keep-outside takes them)", err=True)
    predicted = "with" if made.prior(maximize) else "without"
    click.echo(f"campaign {name}: {len(made):,} candidates {predicted} predictions of {maximize}, batch {batch}")


@command.command(epilog="Example: hstore campaign propose alloys --n 5 --lab north --json")
@click.argument("name")
@click.option("--n", type=click.IntRange(min=1), help="Number of experiments; default: the campaign's batch.")
@click.option("--lab", help="Who will do them.")
@click.option("--json", "as_json", is_flag=True, help="Print the proposals as JSON.")
def propose(name: str, n: int | None, lab: str | None, *, as_json: bool) -> None:
    """Propose the next experiments of campaign NAME; each material is proposed once."""
    from hstore.settings import load_settings
    from hstore_workflows.campaign.story import proposal_record
    from hstore_workflows.campaign.story import propose as decide

    proposals = decide(load_settings(), name, n=n, lab=lab)
    if as_json:
        records = [proposal_record(proposal) for proposal in proposals]
        click.echo(json.dumps({"campaign": name, "proposals": records}, ensure_ascii=False))
        return
    if not proposals:
        click.echo("the pool is exhausted: every candidate is measured, failed or under way")
    for p in proposals:
        value = "" if p.predicted_mean is None else f"  {p.predicted_mean:.3g} [{p.lower:.3g}, {p.upper:.3g}]"
        click.echo(f"{p.number:>4}  {p.formula:<28} {p.material_id}{value}\n      {p.reason}")


@command.command(epilog="Example: hstore campaign observe alloys --results results.csv")
@click.argument("name")
@click.option(
    "--results",
    type=_PATH,
    required=True,
    help="Table with material_id or formula, value (a number or 'failed'), and columns of the windows.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts and rejects as JSON.")
@click.pass_context
def observe(context: click.Context, name: str, results: Path, *, as_json: bool) -> None:
    """Take results back into campaign NAME; exit code 1 when no row could be used."""
    from hstore.settings import load_settings
    from hstore_workflows.campaign.results import as_record
    from hstore_workflows.campaign.story import observe as take

    taken = take(load_settings(), name, results)
    if as_json:
        rejected = [as_record(reject, file=results.name) for reject in taken.rejected]
        counts = {"campaign": name, "measured": taken.measured, "failed": taken.failed, "rejected": rejected}
        click.echo(json.dumps(counts, ensure_ascii=False))
    else:
        _show_rejects((f"row {r.row} ({r.material})", r.cause) for r in taken.rejected)
        click.echo(
            f"{taken.measured} results, {taken.failed} failed syntheses, {len(taken.rejected)} rows rejected"
        )
    if not taken.measured and not taken.failed:
        context.exit(1)


@command.command(epilog="Example: hstore campaign status alloys")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def status(name: str, *, as_json: bool) -> None:
    """Show where campaign NAME stands."""
    from hstore.settings import load_settings
    from hstore_workflows.campaign.story import status as look

    now = look(load_settings(), name)
    best = now.best and {"material_id": now.best.material_id, "value": now.best.value, "number": now.best.number}
    if as_json:
        experiments = [
            {"number": e.number, "state": e.state, "material_id": e.material_id, "value": e.value, **e.attributes}
            for e in now.entries
        ]
        summary = {
            "campaign": name,
            "maximize": now.objective.maximize,
            "windows": [str(window) for window in now.objective.windows],
            "pool": now.pool_size,
            **now.counts,
            "rejected_results": now.rejected_results,
            "best": best,
            "experiments": experiments,
        }
        click.echo(json.dumps(summary, ensure_ascii=False))
        return
    counts = ", ".join(f"{count} {state}" for state, count in now.counts.items())
    click.echo(f"campaign {name}: maximise {now.objective.maximize} over {now.pool_size:,} candidates")
    click.echo(f"{counts}, {now.rejected_results} result rows rejected")
    if best:
        click.echo(f"best so far: {best['material_id']} with {best['value']:.4g}")
    for entry in now.entries:
        if entry.state == "pending":
            lab = f" ({entry.attributes['lab']})" if "lab" in entry.attributes else ""
            click.echo(
                f"  under way: {entry.number} {entry.attributes.get('formula', '')} {entry.material_id}{lab}"
            )


def _show_rejects(rejects: Iterable[tuple[str, str]]) -> None:
    shown = list(rejects)
    for place, cause in shown[:_SHOWN_REJECTS]:
        click.echo(f"rejected {place}: {cause}", err=True)
    if len(shown) > _SHOWN_REJECTS:
        click.echo(f"... and {len(shown) - _SHOWN_REJECTS} more rejected", err=True)
