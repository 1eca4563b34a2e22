"""``hstore fetch``: bring candidates from a source into the store; one module per source."""

from __future__ import annotations

from hstore_workflows.cli import LazyGroup

command = LazyGroup(
    "fetch",
    package=__name__,
    commands={
        "carbon": "Porous carbon built on surfaces.",
        "core-mof": "Structures of the CoRE MOF 2019 database.",
        "files": "Structure files, tables, folders and archives.",
        "mp": "The Materials Project, with your key.",
        "optimade": "Any OPTIMADE provider, several at once.",
        "prototypes": "Known structure types decorated with other elements.",
    },
    help="Bring candidates from a source into the store.",
    epilog="Example: hstore fetch mp --elements Ti,Fe --json",
)
