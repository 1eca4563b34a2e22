"""Logs: one line a record, in text or JSON, without keys, and no line that somebody else has written."""

from __future__ import annotations

import json
import logging
import logging.config

import pytest
from structlog.contextvars import bound_contextvars

from hstore.keys import new_secret
from hstore.logs import ToldBefore, formatter, log_config

KEY = new_secret()[1]


def line(style, message, *arguments, **options):
    """What a record of ours becomes."""
    record = logging.getLogger("hstore_api.x").makeRecord(
        "hstore_api.x", logging.INFO, __file__, 1, message, arguments, options.pop("exc_info", None), extra=options
    )
    return formatter(style).format(record)


def error():
    try:
        int(f"{KEY}\nINFO forged")
    except ValueError as caught:
        return type(caught), caught, caught.__traceback__


def test_json_is_one_object_a_line_with_what_was_said():
    with bound_contextvars(request_id="r1"):
        found = json.loads(line("json", "stored %d", 3, lab="north"))
    assert found.pop("timestamp").endswith("Z")
    assert found == {
        "event": "stored 3", "level": "info", "logger": "hstore_api.x", "lab": "north", "request_id": "r1",
    }  # fmt: skip


def test_text_has_the_same_for_people():
    with bound_contextvars(request_id="r1"):
        found = line("text", "stored %d", 3, lab="north")
    assert found.count("\n") == 0
    for word in ("[info] stored 3", "[hstore_api.x]", "lab=north", "request_id=r1"):
        assert word in found


@pytest.mark.parametrize("style", ["text", "json"])
@pytest.mark.parametrize(
    "given", ["a\nINFO forged", "a\r\n2026 [info] forged", "a\x1b[2Kforged", "a\u2028forged"], ids=repr
)
def test_nobody_writes_a_line_of_their_own(style, given):
    found = line(style, "said %s", given, lab=given)
    assert len(found.splitlines()) == 1
    assert "\x1b" not in found


@pytest.mark.parametrize("style", ["text", "json"])
def test_keys_and_passwords_are_in_no_line(style):
    prefix, key_id, secret = KEY.split("_", 2)
    url = "postgresql+psycopg://hstore:pa55w0rd@db:5432/hstore"
    found = line(style, "%s at %s", KEY, url, key=KEY, headers={"x-api-key": KEY}, exc_info=error())
    assert secret not in found
    assert "pa55w0rd" not in found
    assert f"{prefix}_{key_id}_***" in found, "which key it was may be told"
    assert "postgresql+psycopg://hstore:***@db:5432/hstore" in found


def test_a_traceback_is_kept():
    text, fields = line("text", "failed", exc_info=error()), json.loads(line("json", "failed", exc_info=error()))
    for found in (text, fields["exception"]):
        assert "Traceback (most recent call last)" in found
        assert "ValueError" in found


@pytest.mark.parametrize("style", ["text", "json"])
def test_the_configuration_is_one_that_logging_takes(style, capsys):
    before = logging.root.handlers[:], logging.root.level
    try:
        logging.config.dictConfig(log_config(style))
        logging.getLogger("hstore_api.x").info("ours")
        logging.getLogger("somebody").info("not ours")
        logging.getLogger("uvicorn.access").info("told by hstore_api.observing")
        written = capsys.readouterr().err
    finally:
        logging.root.handlers[:], level = before
        logging.root.setLevel(level)
        for name in ("hstore_api", "uvicorn", "uvicorn.access", "hstore", "hstore_data", "hstore_models"):
            logging.getLogger(name).setLevel(logging.NOTSET)
    assert len(written.splitlines()) == 1
    assert "ours" in written


def test_what_the_server_says_of_an_error_a_second_time_is_left_out():
    def record(name, message):
        return logging.LogRecord(name, logging.ERROR, __file__, 1, message, (), None)

    said = ToldBefore()
    assert not said.filter(record("uvicorn.error", "Exception in ASGI application\n"))
    assert said.filter(record("uvicorn.error", "Application startup failed"))
    assert said.filter(record("hstore_api", "Exception in ASGI application\n"))
