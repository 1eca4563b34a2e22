"""Pages of the REST routes, from the contract that the service publishes at ``/openapi.json``."""

from __future__ import annotations

import json
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any

from .settings import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_METHODS = ("get", "post", "put", "patch", "delete")
_GENERAL = frozenset({"401", "403", "429", "500", "503"})
"""Statuses that any route may answer with."""
_DEEPEST = 3
"""Levels of nested records that a table of fields opens."""


def contract() -> dict[str, Any]:
    """Return the contract of the service."""
    found: dict[str, Any] = json.loads((files("hstore_api") / "openapi.json").read_text(encoding="utf-8"))
    return found


def operations() -> list[tuple[str, str, str, dict[str, Any]]]:
    """Return the operations as (tag, path, method, operation), in the order of tags and paths."""
    found = [
        (operation["tags"][0].replace(" ", "-"), path, method, operation)
        for path, item in contract()["paths"].items()
        for method, operation in item.items()
        if method in _METHODS
    ]
    return sorted(found, key=lambda entry: (entry[0], entry[1], _METHODS.index(entry[2])))


def pages() -> dict[str, str]:
    """Return a page for each tag, and one that lists all routes."""
    by_tag = {tag: list(rows) for tag, rows in groupby(operations(), key=lambda entry: entry[0])}
    made = {f"routes/{tag}.md": _page(tag, rows) for tag, rows in by_tag.items()}
    rows = "\n".join(
        f"| [`{method.upper()} {path}`]({tag}.md#{anchor(operation)}) | {_first_sentence(operation)} |"
        for tag, path, method, operation in operations()
    )
    tags = "\n".join(by_tag)
    index = f"""# Routes

From the contract, which the service publishes at `/openapi.json` and which tests hold it to. A key goes into the
header `X-API-Key`. Any route may answer 401, 403, 429, 500 and 503; [error codes](../errors.md) says what each
means. OPTIMADE has [a page of its own](../../reference/optimade.md).

| route | does |
|---|---|
{rows}

```{{toctree}}
:hidden:

{tags}
```
"""
    return {"routes/index.md": index} | made


def anchor(operation: dict[str, Any]) -> str:
    """Return the name of the place of an operation on its page."""
    return "route-" + str(operation["operationId"]).replace("_", "-")


def _page(tag: str, rows: list[tuple[str, str, str, dict[str, Any]]]) -> str:
    return f"# {tag.capitalize().replace('-', ' ')}\n\n" + "\n".join(
        _entry(path, method, operation) for _, path, method, operation in rows
    )


def _entry(path: str, method: str, operation: dict[str, Any]) -> str:
    parts = [f"({anchor(operation)})=", f"## {method.upper()} {path}", "", operation["description"], ""]
    if parameters := operation.get("parameters"):
        parts += ["| parameter | in | type | meaning |", "|---|---|---|---|"]
        parts += [
            f"| `{p['name']}`{' (needed)' if p.get('required') else ''} | {p['in']} "
            f"| {_type(_given(p['schema']))} | {text_of(p.get('description'))} |"
            for p in parameters
        ]
        parts.append("")
    for media, body in operation.get("requestBody", {}).get("content", {}).items():
        parts += [f"**Body, `{media}`**", "", *_fields(body["schema"], asked=True), ""]
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            parts += _answer(status, response)
    others = [status for status in operation["responses"] if not status.startswith("2") and status not in _GENERAL]
    if others:
        parts += [f"Other answers: {', '.join(others)}.", ""]
    return "\n".join(parts)


def _answer(status: str, response: dict[str, Any]) -> list[str]:
    content = response.get("content", {})
    if not content:
        return [f"**Answer {status}**: {text_of(response['description'])}", ""]
    written = [f"**Answer {status}, {', '.join(f'`{media}`' for media in content)}**", ""]
    schema = content.get("application/json", {}).get("schema")
    return [*written, *(_fields(schema, asked=False) if schema else []), ""]


def _fields(schema: dict[str, Any], *, asked: bool) -> list[str]:
    """Return a table of the fields of a record; those that a caller must give are marked."""
    options = [_resolved(option) for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) > 1 and all("properties" in option for option in options):
        return [
            line for option in options for line in (f"`{option['title']}`:", "", *_fields(option, asked=asked), "")
        ]
    rows = list(_rows(_resolved(schema), "", 1, asked=asked))
    if not rows:
        return [text_of(_resolved(schema).get("description")) or f"{_type(schema)}."]
    return ["| field | type | meaning |", "|---|---|---|", *rows]


def _rows(schema: dict[str, Any], before: str, level: int, *, asked: bool) -> Iterator[str]:
    """Yield the rows of the fields of a record, those of records inside it below."""
    if schema.get("type") == "array":
        schema, before = _resolved(schema.get("items", {})), f"{before}[]."
    needed = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        mark = " (needed)" if asked and name in needed else ""
        resolved = _resolved(field)
        meaning = field.get("description") or resolved.get("description")
        kind = _type(_given(field) if asked else field)
        yield f"| `{before}{name}`{mark} | {kind} | {text_of(meaning)} |"
        inner = _resolved(resolved.get("items", {})) if resolved.get("type") == "array" else resolved
        if level < _DEEPEST and inner.get("properties"):
            dots = "[]." if resolved.get("type") == "array" else "."
            yield from _rows(inner, f"{before}{name}{dots}", level + 1, asked=asked)


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference, and take the alternative to null."""
    if "$ref" in schema:
        return _resolved(contract()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    return _resolved(options[0]) if len(options) == 1 else schema


def _given(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what may be given where giving nothing is left out of the words."""
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    return {"anyOf": options} if options else schema


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _type(_resolved(schema))
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(option) for option in schema["anyOf"]))
    if values := schema.get("enum") or ([schema["const"]] if "const" in schema else []):
        return " or ".join(f"`{value}`" for value in values)
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any") + _range(schema)


def _range(schema: dict[str, Any]) -> str:
    lowest, highest = schema.get("minimum"), schema.get("maximum")
    if lowest is None:
        return ""
    return f", at least {lowest:g}" if highest is None else f", {lowest:g} to {highest:g}"


def _first_sentence(operation: dict[str, Any]) -> str:
    return text_of(operation["description"].split("\n\n")[0])
