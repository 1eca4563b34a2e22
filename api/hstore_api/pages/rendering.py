"""From a view to a page: one environment of templates, everything escaped unless it says it is markup."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from fastapi import Request  # noqa: TC002 - FastAPI reads annotations
from fastapi.responses import HTMLResponse
from markupsafe import Markup

import hstore
from hstore.keys import Permission
from hstore_api.pages import assets, words

if TYPE_CHECKING:
    from jinja2 import Environment

    from hstore_api.access import Caller

PLACES = (
    ("/materials", "Materials"),
    ("/map", "Map"),
    ("/families", "Families"),
    ("/try", "Try it"),
    ("/screens", "Screens"),
    ("/campaigns", "Campaigns"),
    ("/models", "Models"),
    ("/jobs", "Jobs"),
    ("/measure", "Measure"),
)
"""Address -> name in the navigation."""

_HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Accept, HX-Request"}


def render(
    request: Request, template: str, *, caller: Caller | None = None, status: int = 200, **context: Any
) -> HTMLResponse:
    """Render a template as an answer.

    Args:
        request: the request it answers.
        template: name in the folder ``templates``.
        caller: who asks; found in the request when not given, and unknown on pages of errors.
        status: status of the answer.
        context: what the template shows.
    """
    caller = caller or getattr(request.state, "caller", None)
    page = {
        "path": request.url.path,
        "caller": caller,
        "lab": caller.lab_id if caller else None,
        "key_name": caller.key.name if caller and caller.key else None,
        "may": {permission.value: bool(caller and caller.permits(permission)) for permission in Permission},
        "request_id": str(request.state.request_id),
    }
    text = environment().get_template(template).render(page=page, **context)
    return HTMLResponse(text, status_code=status, headers=_HEADERS)


def is_fragment(request: Request) -> bool:
    """Tell whether htmx asks for a part of a page; not when it restores a whole one from the history."""
    headers = request.headers
    return headers.get("HX-Request") == "true" and headers.get("HX-History-Restore-Request") != "true"


def json_block(value: Any) -> Markup:
    """Write data for a script as JSON that cannot end the element it stands in."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - the characters that markup is made of are gone


@cache
def environment() -> Environment:
    """Return the templates; undefined names are errors, and all text is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from hstore_workflows.report.markup import breakable, capitalized, feature_words, formula_html, percent, plural

    made = Environment(
        loader=PackageLoader("hstore_api.pages", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"asset": assets.address, "places": PLACES, "version": hstore.__version__, "plural": plural}
    made.filters |= {
        "formula": lambda text: breakable(formula_html(str(text))),
        "pretty": words.pretty,
        "readable": words.readable,
        "within": words.within,
        "label": words.label,
        "unit": words.unit,
        "number": words.number,
        "percent": percent,
        "capital": capitalized,
        "when": words.when,
        "feature_words": feature_words,
        "json_block": json_block,
        "material_path": words.material_path,
    }
    return made
