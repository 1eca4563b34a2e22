"""The whole contract against the running service: requests made up from it, alone and one after another.

HSTORE_TEST_EXAMPLES says how many are made up for each operation; ``make soak`` takes 50.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from hstore.keys import permissions_of
from tests.api.optimade_pool import served

pytestmark = pytest.mark.long

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "allow_header_conformance",
)  # fmt: skip

CAMPAIGN = {
    "name": "alloys",
    "maximize": ["h2_capacity_wt_pct"],
    "batch": 2,
    "candidates": [{"formula": formula} for formula in ("LaNi5", "TiFe", "Mg2Ni", "CaNi5")],
}

CONFIGURATION = """
[phases.stateful]
max-steps = 12

[parameters]
"path.model" = "hydride_capacity"
"""


def test_no_answer_is_outside_the_contract(settings, records, build, loaded, tmp_path):
    command = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("schemathesis is not installed in this environment")
    loaded("hydride_capacity")
    records.add_screen(build.screen("s1"))
    every = permissions_of("read,measure,run,train,admin")
    _, key = records.keys.create("made-up", every, lab_id="north")
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    home = settings.model_copy(update={"home": tmp_path / "home", "concurrent_jobs": 100_000})
    shutil.copytree(settings.models_dir, home.models_dir)  # versions are promoted and rolled back
    with served(home) as address:
        headers = {"X-API-Key": key}
        httpx2.post(f"{address}/v1/campaigns", json=CAMPAIGN, headers=headers, timeout=60).raise_for_status()
        # Made at the first request; Schemathesis waits for it ten seconds at most.
        httpx2.get(f"{address}/openapi.json", timeout=120).raise_for_status()
        done = subprocess.run(
            [
                command, "run", f"{address}/openapi.json", "--header", f"X-API-Key: {key}",
                "--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing,stateful",
                "--max-examples", os.environ.get("HSTORE_TEST_EXAMPLES", "2"), "--seed", "1",
                "--request-timeout", "60", "--no-color",
            ],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    selected, total = re.search(r"(\d+) selected / (\d+) total", done.stdout).groups()
    assert selected == total
