"""Logging: one JSON object per line in the image, lines for people in development."""

import json
import logging
import os
from contextlib import suppress
from typing import Any

import structlog


def configure(level: str, log_format: str) -> None:
    """Send the events of structlog and of the standard library to standard output."""
    # Not sys.stdout, which uWSGI replaces by standard error.
    output = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[structlog.typing.Processor] = [
        structlog.dev.ConsoleRenderer(colors=output.isatty())
    ]
    if log_format == "json":
        last = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=to_json),
        ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *last,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)


def to_json(event: dict[str, Any], **_: Any) -> str:
    """Return an event as JSON, whatever its values are."""
    # It fails for keys that aren't text, NaN and cycles.
    with suppress(TypeError, ValueError):
        return json.dumps(event, allow_nan=False, default=repr)
    return json.dumps({key: shown(value) for key, value in event.items()})


def shown(value: object) -> str:
    """Return a text as it is, and anything else as Python shows it."""
    return value if isinstance(value, str) else repr(value)
