"""``hstore physics enthalpy``: what a potential says of the enthalpy at which hydrides release hydrogen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hstore_workflows.cli.physics.options import potential_options

if TYPE_CHECKING:
    from hstore.crystal import Crystal
    from hstore_models.physics.entry import Computed
    from hstore_workflows.physics.enthalpy import Asked
    from hstore_workflows.physics.pricing import Pricing


@click.command(
    "enthalpy", epilog="Example: hstore physics enthalpy --set known --potential chgnet,sevennet --json"
)
@click.argument("materials", metavar="[FORMULA|FILE]...", nargs=-1)
@click.option("--set", "which", type=click.Choice(["known"]), help="Price all known hydrides and tell the errors.")
@potential_options(several=True)
@click.option("--reaction", help="Reaction of one material, such as 'NaAlH4 -> NaH + Al + 3/2 H2'.")
@click.option(
    "--footing",
    type=click.Choice(["as-trained", "uncorrected", "mp2020"]),
    default="uncorrected",
    show_default=True,
    help="MP2020 corrections out or in.",
)
@click.option(
    "--vibrations",
    type=click.Choice(["none", "einstein", "phonons"]),
    default="einstein",
    show_default=True,
    help="Zero point and warming.",
)
@click.option("--temperature-k", type=float, default=298.15, show_default=True, help="Temperature, K.")
@click.option("--correct/--raw", default=True, show_default=True, help="Correct by the known hydrides.")
@click.option(
    "--rival",
    "rivals",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    help="Structure of one more phase of the hull; repeat.",
)
@click.option("--entries", metavar="FILE|set", help="More phases of the hull: a table, or the shipped set.")
@click.option("--by-products", is_flag=True, help="Compute NH3 and B2H6 too, where there is N or B.")
@click.option("--against-composition", is_flag=True, help="Compare with a composition model too.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    materials: tuple[str, ...], which: str | None, potentials: tuple[str, ...], *, as_json: bool, **options: Any
) -> None:
    """Price the release of hydrogen, per mole of H2, against hosts and elements by the same potential.

    A formula takes the structure of the known hydrides, a file its own. The reaction is the one that is known of
    the composition, else the release down to the elements. Relaxations are kept under HSTORE_HOME, so a run that
    was stopped goes on. Entries are a CSV with formula, formation_energy_ev_per_atom and energy_kind, which must
    be the one that --json prints here; "set" takes the computed hydrides, for chgnet with --vibrations none.
    """
    if (which is None) == (not materials):
        raise click.UsageError("give formulas or files, or --set known")
    pricings = [_pricing(name, options) for name in potentials]
    if which is not None:
        _tell_known(pricings, against=options["against_composition"], as_json=as_json)
    else:
        _tell_materials(materials, pricings, options, as_json=as_json)


def _pricing(name: str, options: dict[str, Any]) -> Pricing:
    from hstore_models.physics.corrections import Footing
    from hstore_models.physics.vibrations import Vibrations
    from hstore_workflows.physics.pricing import Pricing

    return Pricing(
        name,
        Footing(options["footing"]),
        Vibrations(options["vibrations"]),
        options["temperature_k"],
        workers=options["workers"],
        weights=options["weights"],
        sha256=options["sha256"],
    )


def _tell_known(pricings: list[Pricing], *, against: bool, as_json: bool) -> None:
    from hstore.settings import load_settings
    from hstore_workflows.physics import against_composition
    from hstore_workflows.physics.known_hydrides import evaluate_known, lines

    found = {pricing.potential: evaluate_known(pricing, load_settings()) for pricing in pricings}
    compared = (
        {name: against_composition.compare_with_composition(one) for name, one in found.items()} if against else {}
    )
    if as_json:
        potentials = {name: one.as_json() for name, one in found.items()}
        for name, errors in compared.items():
            potentials[name]["against_composition"] = errors
        click.echo(json.dumps({"potentials": potentials}))
        return
    for name, one in found.items():
        click.echo("\n".join(lines([one])))
        if name in compared:
            click.echo("\n".join(against_composition.lines(compared[name])))


def _tell_materials(
    materials: tuple[str, ...], pricings: list[Pricing], options: dict[str, Any], *, as_json: bool
) -> None:
    from hstore.settings import load_settings
    from hstore_workflows.physics.enthalpy import EnthalpyDesk, lines

    entries, rivals = _entries(options["entries"]), _rivals(options["rivals"])
    asked = [one for text in materials for one in _asked(text, options["reaction"])]
    if options["reaction"] and len(asked) != 1:
        raise click.UsageError("--reaction goes with one material")
    records = []
    for pricing in pricings:
        desk = EnthalpyDesk(
            pricing,
            load_settings(),
            calibrate=options["correct"],
            rivals=rivals,
            entries=entries,
            by_products=options["by_products"],
        )
        records += [one if isinstance(one, dict) else desk.record(one) for one in asked]
    if as_json:
        click.echo(json.dumps({"rows": records}))
        return
    for record in records:
        click.echo("\n".join(lines(record)))


def _entries(text: str | None) -> list[Computed]:
    from hstore_workflows.physics.entries import entries_of_file, entries_of_set

    if text is None:
        return []
    return entries_of_set() if text == "set" else entries_of_file(Path(text))


def _rivals(paths: tuple[Path, ...]) -> list[Crystal]:
    from hstore.errors import InputError
    from hstore_workflows.physics.relaxed_files import crystals_of_files

    found = []
    for reference, crystal in crystals_of_files(paths) if paths else ():
        if isinstance(crystal, str):  # a phase left out would change the hull unseen
            raise InputError(f"{reference}: {crystal}")
        found.append(crystal)
    return found


def _asked(text: str, reaction: str | None) -> list[Asked | dict[str, Any]]:
    from hstore.formula import parse_amounts
    from hstore_workflows.physics.enthalpy import Asked, stated
    from hstore_workflows.physics.relaxed_files import crystals_of_files

    path = Path(text)
    if not path.exists():
        parse_amounts(text)  # says what is wrong with it
        return [Asked(text, text, reaction=stated(reaction, text))]
    found: list[Asked | dict[str, Any]] = []
    for reference, crystal in crystals_of_files([path]):
        if isinstance(crystal, str):
            found.append({"name": reference, "formula": "", "cause": crystal})
        else:
            found.append(Asked(reference, crystal.formula, crystal, stated(reaction, crystal.formula)))
    return found
