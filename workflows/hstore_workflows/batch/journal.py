"""What happened in a run and when, one JSON object a line, for programs and for whoever asks why."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVENTS = "events.jsonl"
"""Name of the file in the folder of a run.

Every event has ``at`` (UTC) and ``event``:

- ``run``: a driver began; ``site``, ``processes``, ``host``, ``shards`` and how many of them are ``missing``,
- ``done``: ``shard``, ``attempt``, ``host``, ``seconds``, ``candidates``, ``rejected``,
- ``failed``: ``shard``, ``attempt`` and ``why``,
- ``damaged``: ``shard`` and ``why`` it is done again,
- ``poisoned``: ``shard``, ``candidate`` and ``why`` it is left out,
- ``blocks``: ``what`` became of blocks of a cluster,
- ``end``: the driver ended; ``missing`` and, where it gave up, ``why``.
"""


def note(folder: Path, event: str, **more: Any) -> None:
    """Write down an event; where nothing can be written, work goes on without."""
    line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **more})
    start = "\n" if event == "run" else ""  # the driver before may have been killed in the middle of a line
    with suppress(OSError), (folder / EVENTS).open("a", encoding="utf-8") as stream:
        stream.write(f"{start}{line}\n")


def events(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of a run in order; a line that a killed driver left half written is passed over."""
    path = folder / EVENTS
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            try:
                yield json.loads(line)
            except ValueError:
                continue
