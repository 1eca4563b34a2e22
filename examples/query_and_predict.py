"""Seek materials, predict a property for some, and say what to make of the answer."""

from __future__ import annotations

from hstore_api.client import Client

PROPERTY = "h2_capacity_wt_pct"

with Client.from_environment() as hstore:
    print("known alloys of lanthanum and nickel:")
    for material in hstore.materials.list(elements=["La", "Ni"], known=True, limit=3):
        print(f"  {material.formula:<16} {material.family}  {material.material_id}")

    answer = hstore.predict(PROPERTY, ["LaNi4.8Sn0.2", "TiFe0.9Mn0.1", "U2Xe"])
    print(f"{PROPERTY} ({answer.unit}), {answer.interval:.0%} intervals, from {answer.model_id}:")
    for row in answer.rows:
        if row.error:
            print(f"  {row.formula:<16} no answer: {row.error}")
        else:
            doubt = "" if row.in_domain else f"  outside the domain: {row.reason}"
            print(f"  {row.formula:<16} {row.mean:.2f}  ({row.lower:.2f} to {row.upper:.2f}){doubt}")
