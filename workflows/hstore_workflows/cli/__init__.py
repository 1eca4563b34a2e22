"""The ``hstore`` command: one module per command, loaded when it is called.

Exit codes: 0 done, 1 failed, 2 bad usage, bad setting or unreadable input.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import click

import hstore
from hstore.errors import HstoreError, InputError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMMANDS = {
    "backup": "Copy store, campaigns and models into one file.",
    "batch": "Screen any number of candidates in shards that are done once.",
    "campaign": "Propose the next experiments and take results back.",
    "crate": "Write screens, models and campaigns as RO-Crates; import them.",
    "data": "List, show, pull and check the data sets.",
    "describe": "Compute descriptors of structure or formula files.",
    "evaluate": "Score a property model on a table with known answers.",
    "explain": "Say what moves a prediction, and what data say of causes.",
    "fetch": "Bring candidates from a source into the store.",
    "fit": "Fit PCT curves, desorption curves and cycles.",
    "health": "Say whether the service, or a worker, is well.",
    "image": "Describe micrographs: pores, grains and cracks.",
    "jobs": "List, show, start, cancel and retry jobs.",
    "keys": "Make, list and revoke keys to the service; read the audit log.",
    "mcp": "Offer the service to agents as tools.",
    "measure": "Take a table of measurements or isotherms into the store.",
    "models": "List, compare, release and check trained models.",
    "physics": "Ask physics of structures: enthalpies, uptakes, barriers.",
    "predict": "Add predictions with intervals to a table.",
    "restore": "Put a back-up in place of an empty store.",
    "screen": "Rank candidates for a target and write a report.",
    "serve": "Start the REST service.",
    "train": "Train property models from the data present.",
    "worker": "Do the jobs that the service accepts.",
}
"""Command name -> help line; the module of the same name holds an object ``command``."""


class LazyGroup(click.Group):
    """A group that imports a command's module only when the command is used."""

    def __init__(self, *args: Any, package: str, commands: Mapping[str, str], **kwargs: Any) -> None:
        """Take the command names with their help lines.

        Args:
            *args: as for :class:`click.Group`.
            package: package in which the module of each command is (a dash in the name is an underscore there).
            commands: command name -> help line.
            **kwargs: as for :class:`click.Group`.
        """
        super().__init__(*args, **kwargs)
        self._package = package
        self._help_lines = commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names in alphabetical order."""
        del ctx
        return sorted(self._help_lines)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, or None when there is none of that name."""
        del ctx
        if cmd_name not in self._help_lines:
            return None
        command = importlib.import_module(f"{self._package}.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command list from the help lines, importing nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._help_lines[name]) for name in self.list_commands(ctx)])

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run, turning hstore's errors into one line and an exit code."""
        try:
            return super().main(*args, **kwargs)
        except (InputError, SettingsError) as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(2)
        except HstoreError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(1)


@click.group(
    cls=LazyGroup,
    package=__name__,
    commands=_COMMANDS,
    epilog="Start with: hstore screen onboard --out runs/onboard",
)
@click.version_option(hstore.__version__, prog_name="hstore")
def main() -> None:
    """Screen materials for hydrogen storage and solid electrolytes."""
