"""Interstitial hydrogen absorbers: every alloy generator, in a fixed order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstore_workflows.sources.enumeration import intermetallics, solidsolution

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstore_workflows.sources.enumeration.candidate import Candidate


def enumerate_alloys(seed: int = 0) -> Iterator[Candidate]:
    """Yield candidate host alloys; the same composition may come from two generators.

    Args:
        seed: chooses the drawn high-entropy alloys; nothing else depends on it.
    """
    yield from intermetallics.ab5_alloys()
    yield from intermetallics.stacked_alloys()
    yield from intermetallics.laves_alloys()
    yield from intermetallics.ab_alloys()
    yield from intermetallics.a2b_alloys()
    yield from solidsolution.bcc_alloys()
    yield from solidsolution.high_entropy_alloys(seed)
