"""The log of the service: a JSON document a line, on standard error; never a key, nor a query's text."""

from __future__ import annotations

import contextlib
import logging
import random
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

_requests = logging.getLogger("ledgerline.requests")

_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


class _Lines(logging.StreamHandler[TextIO]):
    def write(self, line: str) -> None:
        assert self.lock is not None
        with self.lock, contextlib.suppress(OSError, ValueError):  # nothing fails because nobody reads it
            self.stream.write(line + self.terminator)
            self.flush()


def configure(level: int = logging.INFO) -> None:
    """Everything that this process logs, also by libraries, in one form."""
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = _Lines(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_messages,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("ledgerline").setLevel(level)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


def log_request(level: int, **members: Any) -> None:
    """A line like any other, about a request; written past `logging`, as there is one for each."""
    if not _requests.isEnabledFor(level):
        return
    document = {
        **members,
        "event": "request",
        "logger": _requests.name,
        "level": logging.getLevelName(level).lower(),
        "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
    }
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _Lines):
            handler.write(orjson.dumps(document, str).decode())


def _without_messages(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """An exception's text may hold SQL with its values, so only its kind and place are written down."""
    given = event.pop("exc_info", None)
    found = sys.exc_info() if given is True else given
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event.update(described(error))
    return event


def new_id() -> str:
    """Under which the log tells of something: 32 hexadecimal digits, which need not be hard to guess."""
    return f"{random.getrandbits(128):032x}"


def described(error: BaseException) -> dict[str, Any]:
    """The kind of an error and of what caused it, and where it happened."""
    kinds: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(kinds) < 10:
        kinds.append(type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    return {"error": kinds, "at": _frames(error.__traceback__)}


def _frames(trace: TracebackType | None) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)[-12:]]
