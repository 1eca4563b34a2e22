"""The server that agents start: the tools over standard input and output (Model Context Protocol)."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from hstore.errors import HstoreError, MissingExtraError
from hstore_api.agents.tools import READING, WRITING, Tools, in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from hstore_api.client import Client

INSTRUCTIONS = (
    "hstore knows materials that store hydrogen and solid electrolytes: candidates, known values, predictions "
    "with intervals, campaigns of experiments. Begin with list_properties. Every value comes in a sentence with "
    "its unit, its interval, whether the model was trained on such materials, and its source: keep all of them "
    "when you pass a value on. A prediction is not a measurement. Targets of the DOE are for whole systems, not "
    "materials."
)


def build(client: Client) -> Any:
    """Return the server with all tools.

    Args:
        client: of the service, with the key of whoever runs the agent.

    Raises:
        MissingExtraError: the SDK of the protocol is not installed.
    """
    try:
        from mcp.server.mcpserver import MCPServer
        from mcp.server.mcpserver.exceptions import ToolError
        from mcp_types import ToolAnnotations
    except ImportError as error:
        raise MissingExtraError(
            "tools for agents need mcp, which is not installed; run: pip install 'hstore[mcp]'"
        ) from error
    server = MCPServer("hstore", title="hstore", instructions=INSTRUCTIONS, log_level="WARNING")
    tools = Tools(client)
    for name in (*READING, *WRITING):
        reads = name in READING
        server.add_tool(
            _told(getattr(tools, name), ToolError),
            name=name,
            annotations=ToolAnnotations(
                read_only_hint=reads, destructive_hint=False, idempotent_hint=reads, open_world_hint=False
            ),
        )
    return server


def _told(tool: Callable[..., list[str]], failure: type[Exception]) -> Callable[..., list[str]]:
    """Return the tool with failures as messages that an agent reads."""

    @functools.wraps(tool)
    def told(*args: Any, **kwargs: Any) -> list[str]:
        try:
            return tool(*args, **kwargs)
        except HstoreError as error:
            raise failure(in_words(error)) from error

    told.__signature__ = inspect.signature(tool, eval_str=True)  # type: ignore[attr-defined] # what inspect reads
    return told


def serve(client: Client) -> None:
    """Answer an agent on standard input and output until it hangs up.

    Args:
        client: of the service.
    """
    build(client).run("stdio")
