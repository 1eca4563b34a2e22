"""The compose file and the image's recipe, as far as they can be checked without a container engine."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml
from sqlalchemy import make_url

from hstore.store import open_store
from hstore_api.client import Client
from hstore_workflows.jobs import child

ROOT = Path(__file__).parents[2]
PASSWORD = "${POSTGRES_PASSWORD:?"
OURS = ("api", "worker")


@pytest.fixture(scope="module")
def compose():
    """The compose file."""
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def services(compose):
    """The services of the compose file."""
    return compose["services"]


@pytest.fixture(scope="module")
def recipe():
    """The instructions of the image's recipe, continuation lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "api/Dockerfile").read_text(), flags=re.MULTILINE)
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def seconds(text):
    """Seconds of a duration as compose writes it."""
    return int(text.removesuffix("s"))


def validate(path):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_compose_file_keeps_to_the_compose_specification(tmp_path):
    result = validate(ROOT / "docker-compose.yml")
    assert result.returncode == 0, result.stdout + result.stderr
    wrong = tmp_path / "wrong.yml"
    wrong.write_text((ROOT / "docker-compose.yml").read_text().replace("depends_on:", "dependson:"))
    assert validate(wrong).returncode == 1


def test_there_is_no_default_secret(services):
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD"].startswith(PASSWORD)
    for name in OURS:
        environment = services[name]["environment"]
        assert environment["PGPASSWORD"].startswith(PASSWORD)
        assert environment["HSTORE_SECRET_KEY"].startswith("${HSTORE_SECRET_KEY:?")
        assert environment["HSTORE_ENVIRONMENT"] == "production"
        assert not re.search(r"//\w+:", environment["HSTORE_DATABASE_URL"])


def test_every_setting_of_the_compose_file_exists(services):
    from hstore.settings import Settings

    known = {f"HSTORE_{name.upper()}" for name in Settings.model_fields}
    for name in OURS:
        named = {variable for variable in services[name]["environment"] if variable.startswith("HSTORE_")}
        assert named <= known


def test_api_and_worker_wait_for_a_healthy_database_and_are_watched(services):
    for name in OURS:
        assert services[name]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
        assert services[name]["healthcheck"]["test"][:3] == ["CMD", "hstore", "health"]
    assert services["postgres"]["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]


@pytest.mark.parametrize("name", ["api", "worker", "postgres"])
def test_no_service_has_more_rights_than_it_needs(services, recipe, name):
    service = services[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert "cpus" not in service, "an engine refuses more processors than its machine has"
    assert service["pids_limit"]
    assert "privileged" not in service
    assert service.get("user") == ("postgres" if name == "postgres" else None)
    assert recipe[-3] == "USER 10001:10001"


def test_what_is_written_beside_a_read_only_root_has_a_place(services, recipe):
    places = dict(re.findall(r"(\w+)=(\S+)", " ".join(line for line in recipe if line.startswith("ENV "))))
    for name in OURS:
        assert services[name]["tmpfs"] == ["/tmp"]
        assert services[name]["volumes"] == [f"home:{places['HSTORE_HOME']}"]
    assert all(places[name].startswith("/tmp/") for name in ("MPLCONFIGDIR", "NUMBA_CACHE_DIR"))
    assert places["PYTHONDONTWRITEBYTECODE"] == "1"
    assert {place.partition(":")[0] for place in services["postgres"]["tmpfs"]} == {"/tmp", "/run/postgresql"}
    assert services["postgres"]["volumes"] == ["postgres:/var/lib/postgresql/data"]


def test_only_the_api_is_reached_from_outside_and_from_this_machine_only(services, compose):
    assert [name for name, service in services.items() if "ports" in service] == ["api"]
    assert all(port.startswith("127.0.0.1:") for port in services["api"]["ports"])
    assert services["postgres"]["networks"] == ["backend"]
    assert compose["networks"]["backend"] == {"internal": True}


def test_jobs_wait_for_requests_where_processors_are_short(services):
    shares = {name: service["cpu_shares"] for name, service in services.items()}
    assert shares["worker"] < min(shares["api"], shares["postgres"])


def test_a_service_gets_the_time_it_needs_to_stop(services):
    from hstore_api.stopping import LINGER_S
    from hstore_workflows.cli import serve, worker

    assert seconds(services["api"]["stop_grace_period"]) > serve.GRACE_S + LINGER_S
    assert seconds(services["worker"]["stop_grace_period"]) > worker.GRACE_S
    assert LINGER_S > child.STOP_S, "hstore serve ends its worker before it is ended itself"


def test_compose_and_image_start_commands_that_exist(services, recipe, parse_command):
    assert json.loads(recipe[-1].removeprefix("CMD ")) == services["api"]["command"]
    for name in OURS:
        parse_command(shlex.join(services[name]["command"]))
        parse_command(shlex.join(services[name]["healthcheck"]["test"][1:]))


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


def translated(services, name, url, home):
    """Environment of a service, with the database of the test in place of that of the compose file."""
    given = make_url(url)
    values = {"POSTGRES_PASSWORD": given.password, "HSTORE_SECRET_KEY": secrets.token_urlsafe(48)}

    def filled(text):
        def value(found):
            variable, _, default = found[1].partition(":")
            return values.get(variable, default.removeprefix("-"))

        return re.sub(r"\$\{([^}]*)\}", value, str(text))

    own = {variable: filled(text) for variable, text in services[name]["environment"].items()}
    own |= {"HSTORE_HOME": str(home), "HSTORE_DATABASE_URL": url.replace(f":{given.password}@", "@")}
    environment = {variable: value for variable, value in os.environ.items() if not variable.startswith("HSTORE_")}
    return environment | own


def started(command, port):
    """A command of the compose file as it runs here: on loopback, on a free port."""
    words = [str(port) if word == "8000" else word.replace(":8000", f":{port}") for word in command]
    words = ["127.0.0.1" if word == "0.0.0.0" else word for word in words]
    return [sys.executable, "-m", "hstore_workflows.cli", *words[1:]] if words[0] == "hstore" else words


@contextmanager
def running(command, environment, home, log):
    """Run a service until the end of the block, then end it as a container is ended."""
    with log.open("w") as stream:
        process = subprocess.Popen(command, env=environment, cwd=home, stdout=stream, stderr=stream)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def called(command, environment, home):
    return subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)


@pytest.mark.long
@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_services_of_the_compose_file_do_a_job_together(
    services, database_url, trained, loaded, build, tmp_path
):
    """Their commands, environments and health checks as processes, on a real PostgreSQL."""
    loaded("hydride_capacity")
    home = tmp_path / "home"
    shutil.copytree(trained.models_dir, home / "models")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environments = {name: translated(services, name, database_url, home) for name in OURS}
    checks = {name: started(services[name]["healthcheck"]["test"][1:], port) for name in OURS}
    with open_store(database_url) as store:  # else the service enumerates thousands first
        store.add_materials([build.material("m1", "LaNi5")])
    create = started(shlex.split("hstore keys create --name north --scopes read,run --json"), port)
    key = called(create, environments["api"], home)
    assert key.returncode == 0, key.stderr
    with ExitStack() as stack:
        for name in OURS:
            assert called(checks[name], environments[name], home).returncode == 1, "nothing runs yet"
            command = started(services[name]["command"], port)
            stack.enter_context(running(command, environments[name], home, tmp_path / f"{name}.log"))
        deadline = time.monotonic() + 400
        for name in OURS:
            while (found := called(checks[name], environments[name], home)).returncode != 0:
                assert time.monotonic() < deadline, found.stdout + (tmp_path / f"{name}.log").read_text()
                time.sleep(1)
        client = stack.enter_context(Client(f"http://127.0.0.1:{port}", key=json.loads(key.stdout)["key"]))
        asked = {"property": "h2_capacity_wt_pct", "material_ids": ["m1"]}
        job = client.jobs.start("predict", **asked)
        assert client.jobs.wait(job.job_id, timeout_s=240).state == "done"
        values = [found for found in client.materials.get("m1").values if found.kind == "predicted"]
        capacities = [found.value for found in values if found.property == "h2_capacity_wt_pct"]
        assert capacities, "the job has done it"
        assert all(1.0 < capacity < 2.0 for capacity in capacities)
    for name in OURS:
        log = (tmp_path / f"{name}.log").read_text()
        assert make_url(database_url).password not in log
        assert all(json.loads(line) for line in log.splitlines()), "one JSON object a line"


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_health_check_of_the_database_works(services, database_url):
    url = make_url(database_url)
    if shutil.which("pg_isready") is None:
        pytest.skip("pg_isready is not installed")
    command = [*services["postgres"]["healthcheck"]["test"][1:], f"--port={url.port}"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    closed = [*command[:-1], "--port=1"]
    assert subprocess.run(closed, capture_output=True, check=False).returncode != 0
