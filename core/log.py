"""Logging set-up: console lines or JSON lines on stderr."""

from __future__ import annotations

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal

LogFormat = Literal["console", "json"]

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "color_message",
}


class JSONFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, event and the extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **extra_fields(record),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


class ConsoleFormatter(logging.Formatter):
    """The event followed by its extra fields as ``key=value``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one readable line; line breaks in values are escaped."""
        line = super().format(record)
        fields = " ".join(f"{key}={value!r}" for key, value in extra_fields(record).items())
        return f"{line} {fields}".rstrip()


def extra_fields(record: logging.LogRecord) -> dict[str, object]:
    """Return what the caller passed as ``extra``."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD_FIELDS}


def configure_logging(*, log_format: LogFormat = "console", level: str = "INFO") -> None:
    """Send every log record to stderr in the chosen format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JSONFormatter()
        if log_format == "json"
        else ConsoleFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # It tries one build for each kind of CPU, and reports those that are not there like errors.
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)


def log_everything() -> None:
    """Make log records also of warnings, and of what ends a thread or the process.

    For a process that is a service and nothing else: it changes hooks of the interpreter.
    """
    logging.captureWarnings(capture=True)
    threading.excepthook = _log_thread_error
    sys.excepthook = _log_error


def _log_error(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    logging.getLogger("sightline").critical("ended", exc_info=(kind, error, traceback))


def _log_thread_error(failed: threading.ExceptHookArgs) -> None:
    error = failed.exc_value
    if error is None:
        return
    name = "" if failed.thread is None else failed.thread.name
    logging.getLogger("sightline").critical(
        "a thread ended",
        extra={"thread_name": name},
        exc_info=(failed.exc_type, error, failed.exc_traceback),
    )
