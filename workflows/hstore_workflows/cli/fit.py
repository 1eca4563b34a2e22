"""``hstore fit``: what measured curves say, with intervals and a figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable


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
