#!/usr/bin/env bash
# The first ten minutes of a lab, against a service that runs: hstore serve --port 8000
set -euo pipefail
url=${HSTORE_URL:-http://127.0.0.1:8000}

# 1. A key: the operator makes it where the service runs; it is shown once.
key=$(hstore keys create --name north --scopes read,measure --json | python -c 'import json, sys; print(json.load(sys.stdin)["key"])')

# 2. Who am I, and what may I do?
curl -fsS "$url/v1/me" -H "X-API-Key: $key"; echo

# 3. A query: alloys of lanthanum and nickel that somebody has reported.
curl -fsS "$url/v1/materials?elements=La,Ni&known=true&fields=formula,family&limit=3" -H "X-API-Key: $key"; echo

# 4. A prediction for compositions of one's own, with a 90 % interval.
curl -fsS "$url/v1/predictions" -H "X-API-Key: $key" -H 'Content-Type: application/json' \
    -d '{"property": "h2_capacity_wt_pct", "formulas": ["LaNi4.8Sn0.2", "TiFe0.9Mn0.1"]}'; echo

# 5. A measurement. It stays with the lab until the lab publishes it; sent twice it is stored once.
curl -fsS "$url/v1/measurements" -H "X-API-Key: $key" -H 'Content-Type: text/csv' -H 'Idempotency-Key: first-day' \
    --data-binary $'formula,h2_capacity_wt_pct,measured_on,row_id\nLaNi4.8Sn0.2,1.35,2026-11-02,A-17\n'; echo

# 6. There it is.
curl -fsS "$url/v1/measurements?lab=own" -H "X-API-Key: $key"; echo
