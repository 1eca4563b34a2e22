"""How hstore's processes write their logs: one line a record, as text or JSON, never with a key in it.

Modules log with the standard library (``logging.getLogger(__name__)``, named values in ``extra``). The service
and the worker hand :func:`log_config` to :func:`logging.config.dictConfig` when they start; nothing else sets
logging up.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from structlog.stdlib import ProcessorFormatter
    from structlog.typing import Processor, WrappedLogger

Style = Literal["text", "json"]

_SECRETS = re.compile(
    r"(?P<key>\bhsk_[0-9a-f]+_)[A-Za-z0-9_-]+"  # a key of the service; its public part may stay
    r"|(?P<user>://[^\s/:@]*:)[^\s/@]+(?=@)"  # the password in the URL of a database
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ASGI_ERROR = "Exception in ASGI application"


def log_config(style: Style) -> dict[str, Any]:
    """Return the configuration of the logs of one process, for ``logging.config.dictConfig`` or uvicorn."""
    ours = ("hstore", "hstore_data", "hstore_models", "hstore_workflows", "hstore_api", "uvicorn")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"hstore": {"()": "hstore.logs.formatter", "style": style}},
        "filters": {"told_before": {"()": "hstore.logs.ToldBefore"}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "hstore", "filters": ["told_before"]}
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            **{name: {"level": "INFO"} for name in ours},
            # one line a request is written by hstore_api.observing, which knows route and key
            "uvicorn.access": {"level": "CRITICAL"},
        },
    }


def formatter(style: Style) -> ProcessorFormatter:
    """Make what turns a record into a line.

    Args:
        style: ``text`` for people, ``json`` for programs.
    """
    import structlog

    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    after: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _drop_colours]
    if style == "json":
        after += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=True)]
    else:
        plain = structlog.dev.ConsoleRenderer(
            colors=False, pad_event_to=0, pad_level=False, exception_formatter=structlog.dev.plain_traceback
        )
        after += [_keep_to_one_line, plain]
    return structlog.stdlib.ProcessorFormatter(processors=[*after, _hide_secrets], foreign_pre_chain=before)


class ToldBefore(logging.Filter):
    """Leave out what the server says of an error that the service has logged under its correlation id."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is to be written."""
        return not (record.name == "uvicorn.error" and str(record.msg).startswith(_ASGI_ERROR))


def _drop_colours(
    _logger: WrappedLogger, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    event.pop("color_message", None)  # uvicorn's own message a second time, with colours
    return event


def _keep_to_one_line(
    _logger: WrappedLogger, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Write control characters out, so that nobody's text can pass for another line."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _CONTROL.sub(lambda found: ascii(found[0])[1:-1], value)
    return event


def _hide_secrets(_logger: WrappedLogger, _method: str, line: MutableMapping[str, Any] | str) -> str:
    return _SECRETS.sub(lambda found: f"{found['key'] or found['user']}***", str(line))
