"""Send a table of measurements, tell what became of each row, and correct one.

Run as: python send_measurements.py FILE.csv
"""

from __future__ import annotations

import sys

from hstore_api.client import Client

if len(sys.argv) != 2:
    sys.exit("give the table: python send_measurements.py FILE.csv")
with Client.from_environment() as hstore:
    taken = hstore.measurements.send_csv(sys.argv[1])
    for verdict in taken.verdicts:
        print(f"row {verdict.row}: {verdict.verdict:<9} {verdict.material} {verdict.property} {verdict.cause}")
    print(", ".join(f"{count} {word}" for word, count in taken.counts.items()))

    stored = [verdict for verdict in taken.verdicts if verdict.verdict == "stored"]
    if stored:
        first = hstore.measurements.get(stored[0].record_id)
        right = round(first.value * 0.99, 4)
        verdict = hstore.measurements.correct(first.measurement_id, {"value": right}, why="balance read 1 % high")
        kept = hstore.measurements.get(verdict.record_id)
        print(f"corrected {first.value} to {kept.value} {kept.unit}; {len(kept.history)} versions are kept")
    waiting = [held.cause for held in hstore.measurements.held()]
    print(f"{len(waiting)} wait for a confirmation: {waiting}")
