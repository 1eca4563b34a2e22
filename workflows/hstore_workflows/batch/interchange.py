"""Parsl's interchange, which hands items to the nodes, ended with the driver that started it.

By itself it would go on after a driver that was killed, and nodes would wait for it until their walltime.
"""

from __future__ import annotations

import os
import runpy
import threading
import time

_LOOK_EVERY_S = 1.0


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_S)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    runpy.run_module("parsl.executors.high_throughput.interchange", run_name="__main__")
