"""A worker as a child of the service: started with it, begun again when it dies, ended with it."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time

STOP_S = 12.0
"""How long a worker may take to stop, s; longer than it waits for the step at hand."""

_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
_log = logging.getLogger(__name__)


class WorkerChild:
    """Keeps one worker process.

    The worker reads from a pipe of this process and stops at its end. So it ends with this process also where
    this one is killed and can tell it nothing.
    """

    def __init__(self, *arguments: str) -> None:
        """Take what follows ``hstore worker --tied``."""
        self._command = [sys.executable, "-m", "hstore_workflows.cli", "worker", "--tied", *arguments]
        self._ended = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name="hstore-worker-child", daemon=True)

    @property
    def pid(self) -> int | None:
        """Process identifier of the worker; None while there is none."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start the worker, and see to it that there is one."""
        self._thread.start()

    def stop(self) -> None:
        """End the worker; one that does not stop in time is killed, and its job is gone on with later."""
        self._ended.set()
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()
        self._thread.join(STOP_S)
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()

    def _keep(self) -> None:
        wait_s = _FIRST_WAIT_S
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                how = f"ended with status {self._live()}"
            except OSError as error:  # the machine has no memory or process left for one
                how = f"cannot be started ({error.strerror})"
            if self._ended.is_set():
                return
            lived_s = time.monotonic() - began
            wait_s = _FIRST_WAIT_S if lived_s > _LONGEST_WAIT_S else min(wait_s * 2, _LONGEST_WAIT_S)
            _log.warning("the worker %s; it is started again in %.0f s", how, wait_s)
            self._ended.wait(wait_s)

    def _live(self) -> int:
        """Start the worker and return its status when it has ended."""
        with subprocess.Popen(self._command, stdin=subprocess.PIPE) as process:
            self._process = process
            if self._ended.is_set() and process.stdin is not None:  # stopped while it was being started
                process.stdin.close()
            return process.wait()
