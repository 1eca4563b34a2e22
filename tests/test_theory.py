"""Pages of theory: their examples print what the pages say, and their equations can be shown."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "explanation"
THEORY = (
    "acquisition",
    "adsorption-uptake",
    "causes",
    "conductivity",
    "conformal-intervals",
    "discrete-curvature",
    "persistent-homology",
    "potentials-and-enthalpy",
    "usable-capacity",
    "van-t-hoff",
)
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
EQUATION = re.compile(r"\$\$(.+?)\$\$|(?<![\\$])\$(?!\$)([^$\n]+)\$", re.DOTALL)
SECTIONS = ("## In hstore", "## Where it stops being true")

pages = pytest.mark.parametrize("name", THEORY)


def text_of(name):
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def equations(text):
    return [block or inline for block, inline in EQUATION.findall(FENCED.sub("", text))]


@pages
def test_examples_print_what_the_page_says(name):
    """Blocks of a page run in order and share their names."""
    examples = EXAMPLE.findall(text_of(name))
    assert examples, f"{name}.md has no example with its output"
    shared = {"__name__": name}
    for code, told in examples:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, f"{name}.md", "exec"), shared)
        assert printed.getvalue() == told


@pages
def test_every_python_block_is_an_example_with_output(name):
    assert text_of(name).count("\n```python\n") == len(EXAMPLE.findall(text_of(name)))


@pages
def test_pages_say_where_they_are_used_and_where_they_end(name):
    assert [section for section in SECTIONS if f"\n{section}\n" not in text_of(name)] == []


@pytest.mark.parametrize("name", [*THEORY, "how-wrong"])
def test_equations_can_be_shown(name):
    """By the converter with which the site makes MathML of them."""
    math = pytest.importorskip("docutils.utils.math", reason="docutils is not installed (hstore[dev])")
    converter = pytest.importorskip("docutils.utils.math.latex2mathml")
    found = equations(text_of(name))
    assert found or name == "how-wrong"
    for equation in found:
        try:
            shown = converter.tex2mathml(equation)
        except math.MathError as error:
            pytest.fail(f"{name}.md: {equation!r}: {error}")
        assert shown.startswith("<math")


def test_a_wrong_equation_is_found():
    math = pytest.importorskip("docutils.utils.math", reason="docutils is not installed (hstore[dev])")
    converter = pytest.importorskip("docutils.utils.math.latex2mathml")
    (equation,) = equations(r"as $\nosuchmacro{x}$ says")
    with pytest.raises(math.MathError):
        converter.tex2mathml(equation)
