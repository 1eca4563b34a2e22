"""``hstore fit``: what measured curves say, with intervals and a figure."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hstore.thermo import State


@click.group("fit", epilog="Example: hstore fit pct lani5.csv --figure lani5.pdf")
def command() -> None:
    """Fit measured curves the way a paper would: values with 90 % intervals, and a figure.

    Tables are CSV, one point in a row, with units in the header (pressure_bar, temperature_c, uptake_wt_pct). What
    cannot be fitted is told with its cause, and the rest goes on.
    """


_file = click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
_figure = click.option(
    "--figure", type=click.Path(path_type=Path), metavar="FILE", help="Draw a .png, .pdf or .svg."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@command.command("pct", epilog="Example: hstore fit pct lani5.csv --figure lani5.pdf --json")
@_file
@click.option(
    "--plateaus", type=click.IntRange(1, 2), help="Plateaus of an isotherm.  [default: two if far better]"
)
@click.option(
    "--pressure-noise", type=click.FloatRange(min=0, min_open=True), help="Relative error of a pressure."
)
@click.option(
    "--uptake-noise",
    "uptake_noise_wt_pct",
    type=click.FloatRange(min=0, min_open=True),
    help="Error of an uptake, wt%.",
)
@click.option("--fugacity", is_flag=True, help="Draw van 't Hoff lines through fugacities instead of pressures.")
@_figure
@_json
def pct(path: Path, figure: Path | None, *, as_json: bool, **options: Any) -> None:
    """Fit pressure-composition isotherms: plateaus, slopes, capacities, hysteresis, and van 't Hoff dH and dS.

    A table with the columns plateau_pressure_bar and temperature_k gives the van 't Hoff line alone.
    """
    from hstore_workflows.fit.figure import draw_pct
    from hstore_workflows.fit.pct import fit_pct, fit_stated_plateaus, states_plateaus

    with _opened(path) as stream:
        header = stream.readline().decode("utf-8-sig", errors="replace").strip().split(",")
        stream.seek(0)
        found = fit_stated_plateaus(stream) if states_plateaus(header) else fit_pct(stream, **options)
    if figure is not None:
        draw_pct(found, _drawable(figure))
    _tell(found.as_json(), found.text(), as_json=as_json)


def _read_state(_context: click.Context, parameter: click.Parameter, value: str | None) -> State | None:
    """Read a state given as PRESSURE_BAR,TEMPERATURE_K."""
    from hstore.errors import InputError
    from hstore.thermo import State

    if value is None:
        return None
    try:
        pressure, temperature = (float(part) for part in value.split(","))
        return State(pressure, temperature)
    except (ValueError, InputError) as error:
        told = f"{parameter.opts[0]} takes a pressure in bar and a temperature in K, such as 100,77; got {value!r}"
        raise click.BadParameter(told) from error


@command.command("isotherm", epilog="Example: hstore fit isotherm mof5.csv --charge 100,77 --discharge 5,77")
@click.argument(
    "paths", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False)
)
@click.option("--charge", metavar="BAR,K", callback=_read_state, help="State of charging, such as 100,77.")
@click.option("--discharge", metavar="BAR,K", callback=_read_state, help="State of discharging, such as 5,160.")
@click.option(
    "--pore-volume-cm3-g", type=click.FloatRange(min=0, min_open=True), help="Makes excess uptakes total ones."
)
@click.option("--density-g-cm3", type=click.FloatRange(min=0, min_open=True), help="Of the sorbent, for g/L.")
@click.option("--uptake-kind", type=click.Choice(["excess", "absolute", "total"]), help="Where no file states it.")
@click.option("--mass-basis", type=click.Choice(["sorbent", "sorbent_plus_h2"]), help="Where no file states it.")
@click.option("--fugacity", is_flag=True, help="Heats through fugacities instead of pressures.")
@click.option("--aif", type=click.Path(path_type=Path), metavar="FILE", help="Write the isotherms as AIF.")
@_figure
@_json
def isotherm(
    paths: Sequence[Path],
    charge: State | None,
    discharge: State | None,
    figure: Path | None,
    aif: Path | None,
    *,
    as_json: bool,
    **options: Any,
) -> None:
    """Fit hydrogen isotherms: models chosen among, all temperatures together, heats, and usable capacity.

    Tables (CSV) or AIF files; isotherms of one sample at several temperatures may stand in one file or in several.
    Needs pyGAPS: pip install 'hstore[isotherms]'.
    """
    from hstore.thermo import Swing
    from hstore_workflows.fit.isotherm import fit_isotherms

    if (charge is None) != (discharge is None):
        raise click.UsageError("a usable capacity needs both --charge and --discharge")
    words = {name: options[name] for name in ("uptake_kind", "mass_basis") if options[name]}
    with ExitStack() as opened:
        found = fit_isotherms(
            [(path.name, opened.enter_context(_opened(path))) for path in paths],
            unless_stated=words,
            swing=None if charge is None or discharge is None else Swing(charge, discharge),
            pore_volume_cm3_per_g=options["pore_volume_cm3_g"],
            density_g_per_cm3=options["density_g_cm3"],
            fugacity=options["fugacity"],
        )
    if aif is not None:
        from hstore_workflows.measure.aif import write_aif

        aif.write_text(write_aif(found.told), encoding="utf-8")
    if figure is not None:
        from hstore_workflows.fit.figure import draw_isotherms

        draw_isotherms(found, _drawable(figure))
    _tell(found.as_json(), found.text(), as_json=as_json)


@command.command("tpd", epilog="Example: hstore fit tpd mgh2.csv --figure mgh2.png")
@_file
@_figure
@_json
def tpd(path: Path, figure: Path | None, *, as_json: bool) -> None:
    """Fit temperature-programmed desorption: peaks and the activation energy of Kissinger.

    Columns rate_k_per_min, a temperature and signal; without a signal each row states a peak.
    """
    from hstore_workflows.fit.figure import draw_kissinger
    from hstore_workflows.fit.tpd import fit_tpd

    with _opened(path) as stream:
        found = fit_tpd(stream)
    if figure is not None:
        draw_kissinger(found.kissinger, _drawable(figure))
    _tell(found.as_json(), found.text(), as_json=as_json)


@command.command("cycling", epilog="Example: hstore fit cycling lani5-cycles.csv --json")
@_file
@_json
def cycling(path: Path, *, as_json: bool) -> None:
    """Fit the fade of a capacity over cycles: columns cycle and h2_capacity_wt_pct."""
    from hstore_workflows.fit.cycling import read_fade

    with _opened(path) as stream:
        found = read_fade(stream)
    _tell(found.as_json(), found.text(), as_json=as_json)


def _opened(path: Path) -> Any:
    from hstore.errors import InputError

    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give a CSV file") from error


def _drawable(path: Path) -> Path:
    from hstore.errors import InputError

    if path.suffix not in {".png", ".pdf", ".svg"}:
        raise InputError(f"figures are drawn as .png, .pdf or .svg, got {path.name}")
    return path


def _tell(found: dict[str, Any], lines: Iterable[str], *, as_json: bool) -> None:
    click.echo(json.dumps(found) if as_json else "\n".join(lines))
