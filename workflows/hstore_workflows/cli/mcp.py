"""``hstore mcp``: the service as tools for agents."""

from __future__ import annotations

import importlib

import click

CLIENT, SERVER = "hstore_api.client", "hstore_api.agents.server"
"""Modules of the service, named so that workflows never import them before they are asked for."""


@click.command("mcp", epilog="Example: HSTORE_URL=http://127.0.0.1:8000 HSTORE_KEY=... hstore mcp")
def command() -> None:
    """Offer the service to agents as tools (Model Context Protocol, over standard input and output).

    HSTORE_URL is the address of the service, HSTORE_KEY the key in whose name all is asked; scopes and limits are
    those of REST.
    """
    client = importlib.import_module(CLIENT).Client.from_environment()
    importlib.import_module(SERVER).serve(client)
