"""``hstore health``: whether a service, or the worker of this machine, is well; for supervisors and containers."""

from __future__ import annotations

import json
import sys
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

import click

_PATIENCE_S = 4


@click.command("health", epilog="Example: hstore health --url http://127.0.0.1:8000")
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Address of the service.")
@click.option(
    "--worker", is_flag=True, help="Look for a worker of this machine that is alive, in place of a service."
)
def command(url: str, *, worker: bool) -> None:
    """Exit with 0 where the service is ready, and with 1 where it is not, saying why."""
    well, lines = _worker() if worker else _service(url)
    for line in lines:
        click.echo(line)
    if not well:
        sys.exit(1)


def _service(url: str) -> tuple[bool, list[str]]:
    if not url.startswith(("http://", "https://")):
        raise click.UsageError(f"--url is the address of a service, such as http://127.0.0.1:8000; got {url!r}")
    opener = build_opener(ProxyHandler({}))  # a proxy for the world outside does not know this machine
    try:
        address = Request(f"{url.rstrip('/')}/readyz")  # noqa: S310 - the scheme was looked at above
        with opener.open(address, timeout=_PATIENCE_S) as answer:
            return True, _checks(answer.read())
    except HTTPError as error:
        return False, _checks(error.read()) or [f"{url} answers with status {error.code}"]
    except (URLError, TimeoutError, OSError) as error:
        return False, [f"{url} does not answer: {getattr(error, 'reason', error)}"]


def _checks(body: bytes) -> list[str]:
    try:
        checks = json.loads(body)["checks"]
        return [f"{'ok ' if check['ok'] else 'NOT'} {check['name']}: {check['detail']}" for check in checks]
    except (ValueError, LookupError, TypeError):  # somebody else than hstore answers
        return []


def _worker() -> tuple[bool, list[str]]:
    import socket

    from hstore.settings import load_settings
    from hstore.store import open_store

    here = socket.gethostname()
    with open_store(load_settings().store_url) as store:
        alive = store.jobs.alive()
        found = [worker.executor_id for worker in store.jobs.workers() if worker.host == here]
    living = sorted(set(found) & set(alive))
    if living:
        return True, [f"ok  worker {name} is alive" for name in living]
    return False, [f"NOT a worker of {here} is alive; start one with: hstore worker"]
