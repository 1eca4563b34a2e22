"""What the tests of worker processes run; a module of its own, for the workers import it by name."""

import itertools
import os
import signal
import time
from contextlib import suppress
from pathlib import Path


def spin():
    while True:
        pass


def misbehave(item):
    """Do what the item says."""
    match item:
        case "raise":
            raise ValueError("no good")
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "leave":
            os._exit(3)
        case "hang":
            time.sleep(60)
        case "spin":
            spin()
        case "drop":
            with suppress(BaseException):  # as some code in C does
                spin()
            spin()
        case "grind":
            return sum(itertools.repeat(1, 10**12))
        case "eat":
            return len(bytearray(4 << 30))
    return item


def pid_of(_item):
    return os.getpid()


def nap(item):
    time.sleep(0.02 if item % 7 == 0 else 0.0)
    return item


def tally(folder, item):
    """Leave a trace of having been called."""
    (Path(folder) / str(item)).touch()
    return item
