"""A page for each command, with its sub-commands, arguments, options and examples, from what ``--help`` prints."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import click

from hstore_workflows.cli import main

from .settings import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH = 96
"""Columns of the lines that say how a command is used."""


def listed() -> dict[str, click.Command]:
    """Return the commands by name."""
    context = click.Context(main)
    found = {name: main.get_command(context, name) for name in main.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def within(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all below it, each with the words that call it."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            inner = command.get_command(context, word)
            assert inner is not None
            yield from within(f"{name} {word}", inner)


def anchor(words: str) -> str:
    """Return the name of the place of a command on its page."""
    return "command-" + words.replace(" ", "-")


def pages() -> dict[str, str]:
    """Return a page for each command, and one that lists them."""
    commands = listed()
    made = {f"commands/{name}.md": _page(name, command) for name, command in commands.items()}
    return {"commands/index.md": _index(commands)} | made


def _index(commands: dict[str, click.Command]) -> str:
    rows = "\n".join(
        f"| [`hstore {words}`]({name}.md#{anchor(words)}) | {_inline(command.get_short_help_str(300))} |"
        for name, group in commands.items()
        for words, command in within(name, group)
    )
    names = "\n".join(commands)
    return f"""# Commands

What `--help` prints. Settings come from `hstore.toml` and the environment, see [settings](../settings.md).
Exit codes: 0 done, 1 failed, 2 bad usage, bad setting or unreadable input.

| command | does |
|---|---|
{rows}

```{{toctree}}
:hidden:

{names}
```
"""


def _page(name: str, command: click.Command) -> str:
    return "\n".join(_entry(words, inner) for words, inner in within(name, command))


def _entry(words: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"hstore {words}", terminal_width=_WIDTH, max_content_width=_WIDTH)
    usage = command.get_usage(context).removeprefix("Usage: ")
    level = "#" if " " not in words else "##"
    parts = [f"({anchor(words)})=", f"{level} hstore {words}", "", _prose(command.help), "", "```console"]
    parts += ["$ " + " ".join(usage.split()), "```", ""]
    options = [record for p in command.get_params(context) if (record := p.get_help_record(context))]
    told = [(option, meaning) for option, meaning in options if meaning and option != "--help"]
    if told:
        parts += ["| option | meaning |", "|---|---|"]
        parts += [f"| `{text_of(option)}` | {_inline(meaning)} |" for option, meaning in told]
        parts.append("")
    if command.epilog:
        parts += ["```sh", *_examples(command.epilog), "```", ""]
    return "\n".join(parts)


def _prose(text: str | None) -> str:
    """Return help as Markdown: paragraphs that are laid out by hand stay as they are."""
    paragraphs = inspect.cleandoc(text or "").split("\n\n")
    laid_out = [
        "```text\n" + part.removeprefix("\b").strip("\n") + "\n```" if part.startswith("\b") else _inline(part)
        for part in paragraphs
    ]
    return "\n\n".join(laid_out)


def _inline(text: str) -> str:
    """Return words of help as Markdown that shows them as they are."""
    return re.sub(r"([*_<\[\]$`])", r"\\\1", text_of(text))


def _examples(epilog: str) -> list[str]:
    """Return the commands of an epilogue: ``Example: ...``, or a list below ``Examples:``."""
    lines = inspect.cleandoc(epilog.replace("\b", "")).strip().splitlines()
    words = [re.sub(r"^(Examples?|Start with):\s*", "", line.strip()) for line in lines]
    return [line for line in words if line]
