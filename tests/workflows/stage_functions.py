"""What the stages of funnels ask in tests; workers import this."""

from __future__ import annotations

import os
import signal
import time


def lanthanum(candidate, *, slowly_s=0.0):
    """Score by the share of lanthanum, which the models do not rank by."""
    time.sleep(slowly_s)
    share = float(candidate["formula"].split("Ce")[0].removeprefix("La"))
    return {"lanthanum": share, "score": share, "note": "as written"}


def nickel(candidate):
    """Score by the amount of nickel."""
    return {"score": float(candidate["formula"].split("Ni")[1].split("Al")[0])}


def moody(candidate):
    """Fail in every way a stage can: some raise, some die, some never end, some answer nonsense."""
    number = candidate["candidate"] % 5
    if number == 1:
        raise ArithmeticError("not this one")
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 3:
        time.sleep(60)
    return {"score": None if number == 4 else 1.0}
