"""Ask the same materials with the OPTIMADE client, as any other provider."""

from __future__ import annotations

import os

from optimade.client import OptimadeClient

address = os.environ.get("HSTORE_URL", "http://127.0.0.1:8000") + "/optimade"
key = os.environ.get("HSTORE_KEY")
headers = {"X-API-Key": key} if key else None
client = OptimadeClient(base_urls=[address], headers=headers, use_async=False, silent=True)

found = client.get('elements HAS ALL "La", "Ni" AND nelements <= 3', response_fields=["chemical_formula_reduced"])
for answers in found["structures"].values():
    for answer in answers.values():
        print(len(answer["data"]), "structures:")
        for entry in answer["data"][:5]:
            print(" ", entry["id"], entry["attributes"]["chemical_formula_reduced"])
