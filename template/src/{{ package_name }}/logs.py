"""Log lines of one shape, whichever library they come from."""

import logging
import os
import sys
from types import TracebackType
from typing import TextIO

import structlog


def configure_logging(level: str, log_format: str) -> None:
    """Write what is logged at *level* and above to standard output.

    *log_format* is "json", one object per line, or "console", for people.
    """
    stream = _output()
    renderer: structlog.typing.Processor
    if log_format == "json":
        exceptions = [structlog.processors.format_exc_info]
        renderer = structlog.processors.JSONRenderer()
    else:
        exceptions = []
        renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty())

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )

    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *exceptions,
            renderer,
        ],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level, force=True)


def log_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Log what nobody caught, as ``sys.excepthook``; above all why it can't start."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    # Perhaps it failed before anything was configured, or because of that.
    if not structlog.is_configured():
        configure_logging("INFO", os.environ.get("LOG_FORMAT", "console"))
    log = structlog.get_logger(__name__)
    exc_info = (kind, error, traceback)
    log.critical("%s: %s", kind.__name__, error, exc_info=exc_info)


def _output() -> TextIO:
    """Give standard output, or what the server hands in when it took that itself."""
    if descriptor := os.environ.get("LOG_FD"):
        return open(int(descriptor), "w", encoding="utf-8", closefd=False)
    return sys.stdout
