"""A service as its operator starts it, in a process of its own on a free port of this machine."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hstore_api.client import Client, ServiceUnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

WRITTEN_PORT = "8000"
"""Port of the service on every page; tests put a free one in its place."""

_LOOKS, _PAUSE_S = 600, 0.2


def free_port() -> str:
    """Return a port of this machine on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@contextmanager
def serving(script: str, environment: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Run a script whose last line is ``hstore serve --port 8000``, on a free port, and yield that port.

    Args:
        script: lines for bash, as they stand on a page.
        environment: all variables of the process.
        folder: where it runs; its log is ``serve.log`` there.
    """
    port = free_port()
    *before, serve = script.replace(WRITTEN_PORT, port).strip().splitlines()
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen(
            ["bash", "-euc", "\n".join([*before, f"exec {serve}"])],
            env=environment, cwd=folder, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            _wait_until_it_answers(process, port, folder / "serve.log")
            yield port
        finally:
            process.terminate()
            process.wait(60)


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: str, log: Path) -> None:
    with Client(f"http://127.0.0.1:{port}", retries=0) as client:
        for _ in range(_LOOKS):
            try:
                client.properties()
            except ServiceUnreachableError:
                assert process.poll() is None, log.read_text()
                time.sleep(_PAUSE_S)
            else:
                return
    raise AssertionError(f"no answer after {_LOOKS * _PAUSE_S:.0f} s:\n{log.read_text()}")
