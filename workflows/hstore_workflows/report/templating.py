"""The environment in which pages that are one file are rendered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstore_workflows.report.markup import capitalized, percent, pretty
from hstore_workflows.report.quantities import significant

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(*packages: str) -> Environment:
    """Return the environment with the templates of some packages before those of the screen report.

    Args:
        packages: packages with a folder ``templates``, first to last.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape

    loaders = [PackageLoader(name, "templates") for name in (*packages, "hstore_workflows.report")]
    made = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "pretty": pretty, "percent": percent, "capitalize_first": capitalized, "significant": significant,
    }  # fmt: skip
    return made
