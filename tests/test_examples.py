"""Each example runs as it stands against a real service; so do the commands of the README."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hstore.keys import permissions_of
from hstore.records import Family, Material, Provenance
from hstore.settings import Settings
from hstore.store import open_store
from tests.service_process import serving

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
FE = {"species": [{"element": "Ni", "occu": 1}], "abc": [0, 0, 0]}
STRUCTURE = {
    "@module": "pymatgen.core.structure", "@class": "Structure",
    "lattice": {"matrix": [[3.0, 0, 0], [0, 3.0, 0], [0, 0, 3.0]]}, "sites": [FE],
}  # fmt: skip


def fill(store):
    """A few materials, so that the service has no need to enumerate thousands first."""
    source = Provenance(source="test")

    def material(name, formula, **fields):
        return Material(material_id=name, formula=formula, provenance=source, **fields)

    store.add_materials(
        [
            material("t/LaNi5", "LaNi5", family=Family.INTERSTITIAL, known=True),
            material("t/LaNi4Al", "LaNi4Al", family=Family.INTERSTITIAL, known=True),
            material("t/Ni", "Ni", family=Family.INTERSTITIAL, structure=STRUCTURE),
        ]
    )


@pytest.fixture(scope="module")
def service(trained, loaded, tmp_path_factory):
    """A running service with its worker: its address, a key and its environment."""
    for name in ("hydride_capacity", "hydride_thermodynamics"):
        loaded(name)
    home = tmp_path_factory.mktemp("service")
    shutil.copytree(trained.models_dir, home / "models")
    settings = Settings(home=home, database_url=None, data_mirror=None)
    with open_store(settings.store_url) as store:
        fill(store)
        _, key = store.keys.create("lab", permissions_of("read,measure,run"), lab_id="lab")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HSTORE_")}
    environment |= {"HSTORE_HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with serving("hstore serve --port 8000", environment, home) as port:
        yield environment | {"HSTORE_URL": f"http://127.0.0.1:{port}", "HSTORE_KEY": key}


def run(command, service, folder):
    done = subprocess.run(command, env=service, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def example(name, service, folder, *arguments):
    return run([sys.executable, "-W", "error", str(EXAMPLES / name), *map(str, arguments)], service, folder)


def test_the_first_ten_minutes(service, tmp_path):
    answers = run([EXAMPLES / "first_ten_minutes.sh"], service, tmp_path)
    check_first_answers(*map(json.loads, answers.splitlines()))


def check_first_answers(me, found, predicted, taken, own):
    assert me["lab"] == "north"
    assert {item["formula"] for item in found["items"]} >= {"LaNi5", "LaNi4Al"}
    assert all(row["lower"] < row["mean"] < row["upper"] for row in predicted["rows"])
    assert taken["counts"]["stored"] + taken["counts"]["duplicate"] == 1
    assert [item["value"] for item in own["items"]] == [1.35]


def test_query_and_predict(service, tmp_path):
    said = example("query_and_predict.py", service, tmp_path)
    assert "LaNi4Al" in said
    assert re.search(r"LaNi4.8Sn0.2 +\d\.\d\d  \(", said)
    assert "outside the domain" in said


def test_send_measurements(service, tmp_path):
    (tmp_path / "mine.csv").write_text("formula,h2_capacity_wt_pct,row_id\nLaNi5,1.40,E-1\nLaNi5,much,E-2\n")
    said = example("send_measurements.py", service, tmp_path, "mine.csv")
    assert "row 1: stored" in said
    assert "row 2: rejected" in said
    assert "corrected 1.4 to 1.386 wt%; 2 versions are kept" in said


def test_screening_job(service, tmp_path):
    said = example("screening_job.py", service, tmp_path)
    assert "done 100%" in said
    assert re.search(r"^1\. \w", said, re.MULTILINE)
    assert "<html" in (tmp_path / "report.html").read_text()


def test_optimade_client(service, tmp_path):
    assert "structures:" in example("optimade_client.py", service, tmp_path)


def test_every_example_is_listed_and_tested():
    files = {path.name for path in EXAMPLES.iterdir() if path.suffix in {".py", ".sh"}}
    listed = set(re.findall(r"\[`(\w+\.(?:py|sh))`\]", (EXAMPLES / "README.md").read_text(encoding="utf-8")))
    tested = set(re.findall(r'"([\w]+\.(?:py|sh))"', Path(__file__).read_text(encoding="utf-8")))
    assert files == listed == tested & files


def test_the_readme_takes_a_new_lab_to_its_first_measurement(service, tmp_path):
    """In under ten commands, run as they stand on the page."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.split("## First ten minutes of a lab\n")[1].split("\n## ")[0]
    serve, commands = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    words = [line for line in f"{serve}{commands}".replace("\\\n", " ").splitlines() if line.strip()]
    assert len(words) < 10
    script = commands.replace("http://127.0.0.1:8000", service["HSTORE_URL"])
    answers = run(["bash", "-euc", script], service, tmp_path)
    found = [json.loads(line) for line in re.split(r"(?<=\})\n?(?=\{)", answers)]
    check_first_answers(*found)
