"""Structured logs: one JSON object a line, with the request's id and without personal data."""

import logging
import re
import sys
from uuid import uuid4

import structlog

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def configure_logs(level: str) -> None:
    """Send structlog's lines, and those of libraries, to standard error as JSON."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        # What is not logged costs nothing.
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Their lines carry addresses and whole commands, which may hold personal data.
    for noisy in ("pymongo", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def request_id(header: str | None) -> str:
    """Return the caller's request id where it is a plain word, else a new one."""
    return header if header is not None and _REQUEST_ID.fullmatch(header) else uuid4().hex
