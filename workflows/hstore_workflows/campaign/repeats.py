"""What a lab has told before: told again, it adds nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hstore_workflows.measure.cells import same_value

if TYPE_CHECKING:
    from hstore_workflows.campaign.entry import Told
    from hstore_workflows.campaign.standing import Standing


def without_repeats(standing: Standing, material: str, told: Told) -> tuple[Told, list[int]]:
    """Leave out what the same lab has told already; also return the experiments that say so."""
    before = standing.readings(material)
    if told.replicate and not any(
        row.replicate == told.replicate for entry in standing.entries_of(material) for row in entry.told
    ):
        return told, []
    if told.failed is not None:
        failed = [e.entry for e in standing.experiments_of(material) if e.state == "failed"]
        return told, [entry.number for entry in failed if _same_lab(entry.lab, told.lab)]
    said = {
        column: reading.number
        for column, value in told.values.items()
        for reading in before.get(column, ())
        if same_value(reading.value, value) and _same_lab(reading.lab, told.lab)
    }
    kept = {column: value for column, value in told.values.items() if column not in said}
    return replace(told, values=kept, stds={c: s for c, s in told.stds.items() if c in kept}), [*said.values()]


def _same_lab(a: str, b: str) -> bool:
    return a == b or not a or not b
