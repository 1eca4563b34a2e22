"""Every command, setting, route and error code has its entry in the reference, and the entry says something."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest

from hstore.settings import Settings
from hstore_api.app import create_app
from hstore_data.catalog import datasets

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))

from sphinx_hstore import cards, commands, errors, outside, routes, settings


def row(text, name):
    """The cells of the row of a table whose first cell names something."""
    (found,) = [
        line for line in text.splitlines() if line.startswith("| ") and f"`{name}`" in line.split(" | ")[0]
    ]
    return [cell.strip() for cell in found.strip("| ").split(" | ")]


def test_every_command_has_an_entry_with_help_options_and_an_example():
    made = commands.pages()
    for name, group in commands.listed().items():
        page = made[f"commands/{name}.md"]
        for words, command in commands.within(name, group):
            assert page.count(f"({commands.anchor(words)})=\n") == 1, words
            assert f"{commands.anchor(words)})" in made["commands/index.md"], words
            entry = page.split(f"({commands.anchor(words)})=\n")[1].split("\n(command-")[0]
            assert command.help
            assert command.epilog, f"hstore {words} has no example"
            example = entry.split("```sh\n")[1].split("\n```")[0]
            assert all(f"hstore {words}" in line for line in example.splitlines()), words
            for option in (p for p in command.params if isinstance(p, click.Option) and not p.hidden):
                assert f"`{option.opts[0]}" in entry or f", {option.opts[0]}" in entry, (words, option.opts)


def test_every_setting_has_an_entry_with_its_meaning():
    page = settings.pages()["settings.md"]
    for name in Settings.model_fields:
        _, variable, default, meaning = row(page, name)
        assert variable == f"`HSTORE_{name.upper()}`"
        assert default
        assert len(meaning) > 10, name


def test_every_route_of_the_service_has_an_entry(tmp_path):
    app = create_app(Settings(home=tmp_path))
    made = routes.pages()
    entries = {(path, method): (tag, operation) for tag, path, method, operation in routes.operations()}
    served = {(path, method) for path, item in app.openapi()["paths"].items() for method in item}
    assert set(entries) == served
    for (path, method), (tag, operation) in entries.items():
        page = made[f"routes/{tag}.md"]
        assert page.count(f"({routes.anchor(operation)})=\n## {method.upper()} {path}\n") == 1
        assert f"{tag}.md#{routes.anchor(operation)})" in made["routes/index.md"]
        assert operation["description"] in page


def test_fields_of_a_route_name_type_and_meaning():
    page = routes.pages()["routes/predictions.md"].split("## POST /v1/predictions\n")[1]
    body = page.split("**Body, `application/json`**")[1].split("**")[0]
    assert row(body, "property")[1] == "string"
    assert row(body, "formulas")[1].startswith("list of string")
    assert row(page.split("`PredictionSet`:")[1], "items[].rows[].upper")[1] == "number or null"


def test_every_error_code_has_an_entry_with_advice():
    from hstore_api.errors import error_codes

    page = errors.pages()["errors.md"]
    assert set(error_codes()) == set(errors.ADVICE)
    for code in error_codes():
        assert page.count(f"(error-{code.replace('_', '-')})=\n## {code}\n") == 1


def test_every_class_of_error_leads_to_a_code_that_is_told():
    from hstore_api import errors as service

    kinds = [*service._OF_ERROR.values(), *service._OF_STATUS.values(), service._INVALID, service._INTERNAL]
    assert {kind.code for kind in kinds} | {"http_error"} == set(service.error_codes())


def test_every_data_set_has_a_page_with_licence_columns_and_defects():
    made = cards.pages()
    for name, card in datasets().items():
        page = made[f"data-sets/{name}.md"]
        assert settings.text_of(card.licence) in page
        assert all(f"| `{column}` |" in page for column in card.columns)
        assert all(settings.text_of(defect) in page for defect in card.known_defects)


@pytest.mark.parametrize(
    ("written", "page", "text", "shown"),
    [
        ("README.md", "generated/overview", "[a](docs/how-to/fit.md#tpd)", "[a](../how-to/fit.md#tpd)"),
        ("api/README.md", "generated/packages/api", "[a](../README.md)", "[a](../overview.md)"),
        ("docs/how-to/jobs.md", "how-to/jobs", "[a](../../hstore/settings.py)", "a"),
        ("docs/how-to/jobs.md", "how-to/jobs", "[a](../reference/specs.md)", "[a](../reference/specs.md)"),
        ("docs/how-to/jobs.md", "how-to/jobs", "[a](https://example.org/x.md)", "[a](https://example.org/x.md)"),
    ],
)
def test_links_between_files_lead_to_pages(written, page, text, shown):
    assert outside.redirected(text, written, page) == shown
