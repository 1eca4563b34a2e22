"""What every source delivers, and what becomes of it: counted, deduplicated, stored, described.

A source is an iterator of :class:`~hstore.records.Material` and :class:`Rejected`. Nothing it delivers is lost:
``received = stored + merged + rejected``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rejected:
    """Something a source delivered that cannot be used."""

    reference: str
    """What leads to it: identifier, file and entry; empty when the source gave none."""
    cause: str
    """Why, and what to do."""
