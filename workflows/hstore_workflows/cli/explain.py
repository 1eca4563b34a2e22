"""``hstore explain``: why a model answers as it does, in equations, causes and words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hstore_workflows.cli.explain_ablation import command as ablation

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd


@click.group("explain", epilog="Example: hstore explain importance plateau_pressure_bar --formula LaNi5,TiFe")
def command() -> None:
    """Say what moves a prediction, what equation comes near it, and what data say of causes.

    All but ablation and families need the explain extra: pip install 'hstore[explain]'.
    """


command.add_command(ablation)

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_figure = click.option(
    "--figure", type=click.Path(path_type=Path), metavar="FILE", help="Draw a .png, .pdf or .svg."
)


@command.command(
    "importance",
    epilog="Example: hstore explain importance desorption_enthalpy_kj_per_mol_h2 --formula LaNi5,MgH2",
)
@click.argument("property_name", metavar="PROPERTY")
@click.option("--in", "source", type=click.Path(path_type=Path), metavar="FILE", help="CSV or Parquet table.")
@click.option("--formula", "formulas", metavar="LIST", help="Formulas, with commas between.")
@click.option("--sample", type=click.IntRange(2, 500), default=40, show_default=True, help="Without either.")
@click.option(
    "--background", type=click.IntRange(2, 200), default=32, show_default=True, help="Materials to compare with."
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write all values as a table.")
@_figure
@_json
def importance(
    property_name: str,
    source: Path | None,
    formulas: str | None,
    sample: int,
    background: int,
    out: Path | None,
    figure: Path | None,
    *,
    as_json: bool,
) -> None:
    """Divide predictions among what a material is.

    Sizes, valence, heats, stoichiometry and so on, by Shapley values (SHAP) of the served model. Without a
    table or formulas, training materials are explained and only the whole is told.
    """
    from hstore.settings import load_settings
    from hstore_workflows.explain.importance import explain_importance
    from hstore_workflows.tables import check_destination, write_table

    if out is not None:
        check_destination(out)
    path = None if figure is None else _drawable(figure)
    found = explain_importance(
        property_name,
        _materials(source, formulas),
        load_settings(),
        background_rows=background,
        sample=sample,
        say=lambda line: click.echo(line, err=True),
    )
    if out is not None:
        write_table(found.frame(), out)
    if path is not None:
        from hstore_workflows.explain.figure import draw_importance

        draw_importance(found, path)
    _tell(found.as_json(), found.text(), as_json=as_json)


@command.command(
    "causes",
    epilog="Example: hstore explain causes --data interstitial --target desorption_enthalpy_kj_per_mol_h2",
)
@click.option("--data", required=True, metavar="FILE|NAME", help="interstitial, complex, sorbent, electrolyte.")
@click.option("--target", required=True, metavar="COLUMN", help="Whose causes are asked for.")
@click.option("--background", type=click.Path(path_type=Path), metavar="FILE.toml", help="What is known before.")
@click.option("--draws", type=click.IntRange(10, 2000), default=100, show_default=True, help="Of the rows.")
@click.option("--simulations", type=click.IntRange(10, 1000), default=50, show_default=True, help="Of each test.")
@_figure
@_json
def causes(
    data: str,
    target: str,
    background: Path | None,
    draws: int,
    simulations: int,
    figure: Path | None,
    *,
    as_json: bool,
) -> None:
    """Search for causes, and try to refute effects.

    Two methods that fail in unlike ways, and tests. NAME is a curated set with its own variables; a FILE needs
    --background with the variables, a reason for each, tiers, and arrows that cannot or must be.
    """
    from hstore.settings import load_settings
    from hstore_workflows.explain.causes import find_causes, read_data

    path = None if figure is None else _drawable(figure)
    frame, knowledge = read_data(data, background)
    found = find_causes(frame, target, knowledge, draws=draws, simulations=simulations, seed=load_settings().seed)
    if path is not None:
        from hstore_workflows.explain.figure import draw_causes

        draw_causes(found, path)
    _tell(found.as_json(), found.text(), as_json=as_json)


@command.command(
    "equation", epilog="Example: hstore explain equation desorption_enthalpy_kj_per_mol_h2 --family interstitial"
)
@click.argument("property_name", metavar="PROPERTY")
@click.option("--data", metavar="TABLE", help="File or curated table.  [default: training rows]")
@click.option("--descriptors", type=click.IntRange(1, 3), default=3, show_default=True, help="In the equation.")
@click.option("--use", "wanted", metavar="LIST", help="Descriptors to use, with commas between.")
@click.option("--family", "families", multiple=True, help="Keep rows of this family; may be repeated.")
@click.option(
    "--evaluations", type=click.IntRange(1000, 10_000_000), default=60_000, show_default=True, help="Tried."
)
@_figure
@_json
def equation(
    property_name: str,
    data: str | None,
    descriptors: int,
    wanted: str | None,
    families: tuple[str, ...],
    evaluations: int,
    figure: Path | None,
    *,
    as_json: bool,
) -> None:
    """Find an equation, and what it costs.

    An equation of two or three descriptors stands beside a black box that sees all. Both are scored on
    chemical systems that neither the choice nor the fit has seen.
    """
    from hstore.settings import load_settings
    from hstore_workflows.explain.equation import explain_equation

    path = None if figure is None else _drawable(figure)
    found = explain_equation(
        property_name,
        load_settings(),
        data=data,
        descriptors=descriptors,
        wanted=[name.strip() for name in (wanted or "").split(",") if name.strip()],
        families=families,
        evaluations=evaluations,
    )
    if path is not None:
        from hstore_workflows.explain.figure import draw_equation

        draw_equation(found, path)
    _tell(found.as_json(), found.text(), as_json=as_json)


@command.command("families", epilog="Example: hstore explain families --out runs/families")
@click.option("--out", "folder", type=click.Path(path_type=Path), required=True, metavar="DIR", help="New folder.")
@click.option(
    "--screen", type=click.Path(path_type=Path), metavar="DIR", help="A finished screen; its candidates are added."
)
@_json
def families(folder: Path, screen: Path | None, *, as_json: bool) -> None:
    """Put four families of materials side by side.

    Maps, tables and a page of interstitial, ionic and complex hydrides and sorbents. Points are measured
    values of the curated tables, each with its source; needs no extra.
    """
    import pandas as pd

    from hstore_workflows.families.page import write_families
    from hstore_workflows.families.points import measured_points, screened_points

    points = measured_points()
    if screen is not None:
        points = pd.concat([points, screened_points(screen)], ignore_index=True)
    found = write_families(folder, points)
    _tell(found.as_json(), found.text(), as_json=as_json)


def _materials(source: Path | None, formulas: str | None) -> pd.DataFrame | None:
    import pandas as pd

    from hstore_workflows.tables import read_table

    if source is not None and formulas is not None:
        raise click.UsageError("give --in or --formula, not both")
    if formulas is not None:
        return pd.DataFrame({"formula": [text.strip() for text in formulas.split(",") if text.strip()]})
    return None if source is None else read_table(source)


def _drawable(path: Path) -> Path:
    from hstore.errors import InputError

    if path.suffix not in {".png", ".pdf", ".svg"}:
        raise InputError(f"figures are drawn as .png, .pdf or .svg, got {path.name}")
    return path


def _tell(found: dict[str, Any], lines: Iterable[str], *, as_json: bool) -> None:
    click.echo(json.dumps(found) if as_json else "\n".join(lines))
