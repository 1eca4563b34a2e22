"""The compose file and the image's recipe, as far as they can be checked without a container engine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PASSWORD = "${POSTGRES_PASSWORD:?"


@pytest.fixture(scope="module")
def services():
    """The services of the compose file."""
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.fixture(scope="module")
def recipe():
    """The instructions of the image's recipe, continuation lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "api/Dockerfile").read_text(), flags=re.MULTILINE)
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def validate(path):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_compose_file_keeps_to_the_compose_specification(tmp_path):
    result = validate(ROOT / "docker-compose.yml")
    assert result.returncode == 0, result.stdout + result.stderr
    wrong = tmp_path / "wrong.yml"
    wrong.write_text((ROOT / "docker-compose.yml").read_text().replace("depends_on:", "dependson:"))
    assert validate(wrong).returncode == 1


def test_there_is_no_default_password(services):
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD"].startswith(PASSWORD)
    assert services["api"]["environment"]["PGPASSWORD"].startswith(PASSWORD)
    assert not re.search(r"//\w+:", services["api"]["environment"]["HSTORE_DATABASE_URL"])


def test_the_api_waits_for_a_healthy_database_and_is_watched_itself(services):
    assert services["api"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert "/healthz" in services["api"]["healthcheck"]["test"][-1]
    assert services["api"]["healthcheck"]["test"][:3] == ["CMD", "python", "-c"]
    assert services["postgres"]["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]


def test_the_api_has_no_more_rights_than_it_needs(services, recipe):
    api = services["api"]
    assert api["read_only"]
    assert api["tmpfs"] == ["/tmp"]
    assert api["cap_drop"] == ["ALL"]
    assert "user" not in api
    assert recipe[-3] == "USER 10001:10001"
    assert all(port.startswith("127.0.0.1:") for port in api["ports"])
    assert "ports" not in services["postgres"]


def test_the_health_check_is_python_that_runs(services):
    compile(services["api"]["healthcheck"]["test"][-1], "healthcheck", "exec")


def test_compose_and_image_start_the_same_command_that_exists(services, recipe):
    from hstore_workflows.cli.serve import command

    assert recipe[-1] == "CMD " + str(services["api"]["command"]).replace("'", '"')
    command.make_context("serve", services["api"]["command"][2:])


def test_the_image_installs_only_what_is_pinned_with_hashes(recipe):
    for line in recipe:
        for step in re.findall(r"pip (?:install|wheel) ([^&]*)", line):
            assert "--require-hashes" in step or "--no-index" in step or "--no-deps" in step, step
    assert not any("http" in line for line in recipe if not line.startswith("CMD"))


def test_everything_the_image_copies_is_there_and_sent_to_the_builder(recipe):
    sent = (ROOT / "api/Dockerfile.dockerignore").read_text().split()
    copied = [
        source
        for line in recipe
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    assert "hstore" in copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in sent or (source.endswith(".lock") and "!requirements/*.lock" in sent), source


def test_the_image_has_the_driver_for_the_database_of_the_compose_file(services):
    assert services["api"]["environment"]["HSTORE_DATABASE_URL"].startswith("postgresql+psycopg://")
    pinned = (ROOT / "requirements/image.lock").read_text()
    assert re.search(r"^psycopg-binary==", pinned, flags=re.MULTILINE)
    assert re.search(r"^hatchling==", pinned, flags=re.MULTILINE)


def test_both_lock_files_agree():
    def pins(name):
        return dict(
            re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / f"requirements/{name}.lock").read_text(), re.MULTILINE)
        )

    image, default = pins("image"), pins("default")
    assert {name: image[name] for name in image.keys() & default.keys()} == {
        name: default[name] for name in image.keys() & default.keys()
    }
