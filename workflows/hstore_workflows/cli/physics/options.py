"""Options that the commands with a potential share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


def potential_options(*, several: bool = False) -> Callable[[F], F]:
    """Add ``--potential``, ``--weights`` and ``--sha256``.

    Args:
        several: whether the command takes more than one potential, as ``potentials``; else one, as ``potential``.
    """
    named: dict[str, Any] = (
        {"callback": _names, "metavar": "NAME,..", "help": "chgnet, sevennet, sevennet-l3i5 or module:factory."}
        if several
        else {
            "metavar": "NAME",
            "help": "chgnet, sevennet, sevennet-l3i5, or module:factory of an ASE calculator.",
        }
    )
    options = (
        click.option(
            "--potential",
            "potentials" if several else "potential",
            default="sevennet",
            show_default=True,
            **named,
        ),
        click.option("--weights", type=click.Path(path_type=Path), help="Weights file of a module:factory."),
        click.option("--sha256", help="Checksum that the weights must have."),
    )

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _names(_context: click.Context, _option: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
