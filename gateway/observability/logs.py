"""Structured logs: one JSON object per line, with the request's id and without personal data."""

import asyncio
import logging
import re
import sys
import traceback
from pathlib import Path
from random import getrandbits
from typing import Any

import structlog

ROOT = Path(__file__).parents[2]
EXCEPTIONS_MAX = 10
PLACES_MAX = 20

log = structlog.get_logger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def configure_logs(level: str) -> None:
    """Write the log lines of structlog and of libraries to standard error as JSON."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_message,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        # Calls below the level cost next to nothing.
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
    # Their lines contain addresses and whole commands, which may include personal data.
    for noisy in ("pymongo", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _without_message(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Replace an exception by its type and places: its message may contain personal data."""
    info = event.pop("exc_info", None)
    error = info[1] if isinstance(info, tuple) else sys.exc_info()[1] if info is True else info
    if isinstance(error, BaseException):
        event["exception"] = [_described(one) for one in _chain(error)]
    return event


def _chain(error: BaseException) -> list[BaseException]:
    """Return an exception, those it groups, and their causes, outermost first; at most EXCEPTIONS_MAX."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting and len(found) < EXCEPTIONS_MAX:
        one = waiting.pop(0)
        if one is None or one in found:
            continue
        found.append(one)
        waiting += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        waiting.append(one.__cause__ or (None if one.__suppress_context__ else one.__context__))
    return found


def _described(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    places = [
        f"{frame.filename.removeprefix(f'{ROOT}/')}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)[-PLACES_MAX:]
    ]
    code = getattr(error, "code", None)
    return {"type": name, **({"code": code} if isinstance(code, int) else {}), "places": places}


def log_lost_exception(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an exception of a task that nobody awaited; asyncio's own handler would print its message."""
    log.error("exception_lost", about=context["message"], exc_info=context.get("exception"))


def request_id(header: str | None) -> str:
    """Return the caller's request id if it has only safe characters, else a new one."""
    if header is not None and _REQUEST_ID.fullmatch(header):
        return header
    return f"{getrandbits(128):032x}"  # not a secret, and random enough without a system call
