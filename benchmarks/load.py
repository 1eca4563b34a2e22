"""Questions to the service at a stated rate, whether or not it keeps up: an open loop, from a process of its own.

Questions are due at random times of a mean rate. A question that is due while all clients wait is sent as soon as
one is free, and its latency counts from when it was due, so a stall is felt by all that were due meanwhile.

Example: ``python benchmarks/load.py --port 8000 --ask searches --rate 100 --seconds 30 --clients 50``
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.random import Generator

PAGE = 20
_FAMILIES = ("interstitial", "electrolyte", "complex", "sorbent", "ionic")
_COMMON = ("Ni", "Fe", "Mn", "Mg", "Ti", "Al", "La", "Zr", "Li", "Na", "O", "H", "Ca", "Co", "Cr", "V")
_SYSTEMS = ("La-Ni", "Fe-Ti", "Mg-Ni", "Al-H-Na", "H-Li-Mg", "Li-O-P", "Li-La-O-Zr", "H-Mg", "B-H-Li", "Ni-Zr")
_METALS = ("La", "Ce", "Mg", "Ti", "Zr", "V", "Ni", "Fe", "Mn", "Co", "Al", "Cr", "Cu")
_PREDICTED_SHARE = 0.1
_CAPACITY, _HULL = "h2_capacity_wt_pct", "energy_above_hull_ev_per_atom"
_ENTHALPY = "desorption_enthalpy_kj_per_mol_h2"


def by_elements(rng: Generator) -> dict[str, str]:
    """Ask for two elements in a family."""
    chosen = rng.choice(_COMMON, 2, replace=False)
    return {"elements": ",".join(chosen), "family": str(rng.choice(_FAMILIES))}


def by_value(rng: Generator) -> dict[str, str]:
    """Ask for a capacity, in the order of a number."""
    bound = round(float(rng.uniform(1, 6)), 2)
    order = str(rng.choice([f"-{_CAPACITY}", _CAPACITY, _ENTHALPY]))
    return {"where": f"{_CAPACITY}>={bound}", "sort": order}


def by_hull(rng: Generator) -> dict[str, str]:
    """Ask for what is nearly stable and holds an element."""
    bound = round(float(rng.uniform(0.005, 0.1)), 3)
    return {"where": f"{_HULL}<={bound}", "elements": str(rng.choice(_COMMON)), "known": "true"}


def by_system(rng: Generator) -> dict[str, str]:
    """Ask for a chemical system."""
    return {"chemical_system": str(rng.choice(_SYSTEMS))}


def by_order(rng: Generator) -> dict[str, str]:
    """Ask for the best of some elements."""
    return {"elements": str(rng.choice(_COMMON)), "sort": f"-{_CAPACITY}", "properties": _ENTHALPY}


KINDS: tuple[tuple[str, float, Callable[[Generator], dict[str, str]]], ...] = (
    ("elements", 0.3, by_elements),
    ("value", 0.2, by_value),
    ("hull", 0.15, by_hull),
    ("system", 0.1, by_system),
    ("order", 0.1, by_order),
)
"""Kinds of questions with their shares; the rest goes on with the next page of an earlier one."""


@dataclass(frozen=True)
class Question:
    """One request."""

    kind: str
    """What it is counted under; ``page`` asks for the next page of the client's last search."""
    address: str = ""
    """Path and parameters."""
    body: str = ""
    """JSON to send; without it the request is a GET."""


def searches(seed: int) -> Iterator[Question]:
    """Draw filtered searches without end."""
    rng = np.random.default_rng(seed)
    shares = [share for _, share, _ in KINDS]
    while True:
        place = int(rng.choice(len(KINDS) + 1, p=[*shares, 1 - sum(shares)]))
        if place == len(KINDS):
            yield Question("page")
            continue
        kind, _, draw = KINDS[place]
        yield Question(kind, f"/v1/materials?{urlencode({**draw(rng), 'limit': PAGE})}")


def predictions(seed: int) -> Iterator[Question]:
    """Draw alloys without end, and ask for the capacity of one at a time; hardly one comes twice."""
    rng = np.random.default_rng(seed)
    while True:
        symbols, amounts = rng.choice(_METALS, 3, replace=False), rng.uniform(0.2, 5.0, 3).round(3)
        formula = "".join(f"{symbol}{amount:g}" for symbol, amount in zip(symbols, amounts, strict=True))
        yield Question("prediction", "/v1/predictions", json.dumps({"property": _CAPACITY, "formulas": [formula]}))


def mixed(seed: int) -> Iterator[Question]:
    """Draw nine searches for each prediction."""
    rng = np.random.default_rng(seed)
    sought, predicted = searches(seed), predictions(seed)
    while True:
        yield next(predicted if rng.random() < _PREDICTED_SHARE else sought)


ASKS: dict[str, Callable[[int], Iterator[Question]]] = {
    "searches": searches,
    "predictions": predictions,
    "mixed": mixed,
}
"""What can be asked, by name; drawn from a seed."""


@dataclass
class Tally:
    """What was measured."""

    latencies_ms: dict[str, list[float]] = field(default_factory=dict)
    """By kind, from when a question was due to the end of its answer."""
    statuses: Counter[int] = field(default_factory=Counter)
    """Answers by status; 0 for a connection that broke."""

    def summary(self, seconds: float) -> dict[str, object]:
        """Return counts and percentiles."""
        everything = [latency for found in self.latencies_ms.values() for latency in found]
        return {
            "answers": sum(self.statuses.values()),
            "answers_per_s": round(sum(self.statuses.values()) / seconds, 1),
            "errors": sum(count for status, count in self.statuses.items() if status != 200),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            **percentiles(everything),
            "by_kind": {kind: percentiles(found) for kind, found in sorted(self.latencies_ms.items())},
        }


def percentiles(latencies_ms: list[float]) -> dict[str, float]:
    """Return the usual percentiles, ms."""
    if not latencies_ms:
        return {}
    found = np.percentile(latencies_ms, [50, 95, 99, 100])
    return dict(zip(("p50_ms", "p95_ms", "p99_ms", "max_ms"), found.round(2).tolist(), strict=True))


class Client:
    """One connection that asks one question at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._last = ""  # address of the last search
        self._next: str | None = None  # where its next page begins

    async def ask(self, question: Question) -> int:
        """Ask, and return the status; 0 where the connection broke."""
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(*self._address)
            reader, writer = self._streams
            writer.write(self._request(question).encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(head.partition("content-length:")[2].partition("\r\n")[0])
            body = await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError, ValueError):
            self._streams = None
            return 0
        if not question.body:
            _, found, rest = body.rpartition(b'"next":"')
            self._next = rest.partition(b'"')[0].decode() if found else None
        if "connection: close" in head:
            self._streams = None
        return int(head.split(" ", 2)[1])

    def _request(self, question: Question) -> str:
        """Return the request; the next page of the last search where that is asked for and there is one."""
        host = f"Host: {self._address[0]}\r\n"
        if body := question.body:
            kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            return f"POST {question.address} HTTP/1.1\r\n{host}{kind}\r\n{body}"
        following = question.kind == "page" and self._next
        self._last = question.address or self._last or f"/v1/materials?limit={PAGE}"
        address = f"{self._last}&after={quote(following)}" if following else self._last
        return f"GET {address} HTTP/1.1\r\n{host}\r\n"


async def run(
    host: str, port: int, *, ask: str, rate: float, seconds: float, clients: int, seed: int
) -> dict[str, object]:
    """Ask for some time, and return what was measured."""
    rng = np.random.default_rng(seed)
    due = np.cumsum(rng.exponential(1 / rate, int(rate * seconds)))
    asked = zip(due, ASKS[ask](seed), strict=False)
    tally, started = Tally(), time.perf_counter() + 0.2

    async def work() -> None:
        client = Client(host, port)
        for moment, question in asked:
            await asyncio.sleep(max(0.0, started + moment - time.perf_counter()))
            status = await client.ask(question)
            latency = 1000 * (time.perf_counter() - started - moment)
            tally.latencies_ms.setdefault(question.kind, []).append(latency)
            tally.statuses[status] += 1

    await asyncio.gather(*(work() for _ in range(clients)))
    taken = time.perf_counter() - started
    return {"asked_per_s": rate, "clients": clients, "seconds": round(taken, 1), **tally.summary(taken)}


def main() -> None:
    """Run and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--ask", choices=ASKS, default="searches")
    parser.add_argument("--rate", type=float, default=100.0, help="questions per second")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if min(arguments.rate, arguments.seconds, arguments.clients) <= 0:
        parser.error("--rate, --seconds and --clients must be positive")
    options = {name: getattr(arguments, name) for name in ("ask", "rate", "seconds", "clients", "seed")}
    print(json.dumps(asyncio.run(run(arguments.host, arguments.port, **options))))


if __name__ == "__main__":
    main()
