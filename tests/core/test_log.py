"""Rules of core.log."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest

from core.log import ConsoleFormatter, JSONFormatter, log_everything


def record(**extra: object) -> logging.LogRecord:
    """Return a log record with extra fields."""
    made = logging.makeLogRecord({"name": "index.store", "levelname": "INFO", "msg": "opened"})
    vars(made).update(extra)
    return made


def test_json_lines_carry_the_extra_fields() -> None:
    """A machine reads event, level, logger and every field of ``extra``."""
    line = json.loads(JSONFormatter().format(record(items=3)))

    assert (line["event"], line["level"], line["logger"]) == ("opened", "info", "index.store")
    assert line["items"] == 3


def test_a_json_record_is_one_line() -> None:
    """A line break in a value cannot forge a second record."""
    assert "\n" not in JSONFormatter().format(record(path="a\nb"))


def test_console_lines_carry_the_extra_fields() -> None:
    """A person reads the fields behind the event, line breaks escaped."""
    line = ConsoleFormatter("%(levelname)s %(message)s").format(record(path="a\nb"))

    assert line == "INFO opened path='a\\nb'"


def test_the_time_of_a_json_record_is_utc() -> None:
    """A collector needs no guess about the zone."""
    made = record()
    made.created = 0.25

    assert json.loads(JSONFormatter().format(made))["time"] == "1970-01-01T00:00:00.250+00:00"


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Return what is logged as JSON while everything is; the hooks are put back afterwards."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JSONFormatter())
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    logging.getLogger().addHandler(handler)
    log_everything()
    yield written
    logging.captureWarnings(capture=False)
    logging.getLogger().removeHandler(handler)


def lines_of(written: io.StringIO) -> list[dict[str, str]]:
    """Return the records that were written; each line is one."""
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_warnings_are_records_too(everything: io.StringIO) -> None:
    """With the text of the warning, on one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old\nstyle", DeprecationWarning, stacklevel=1)

    (line,) = lines_of(everything)
    assert (line["level"], line["logger"]) == ("warning", "py.warnings")
    assert "old\nstyle" in line["event"]


def test_what_ends_a_thread_is_a_record(everything: io.StringIO) -> None:
    """With its name and its traceback, on one line."""

    def fail() -> None:
        raise ValueError("bad")

    thread = threading.Thread(target=fail, name="worker")
    thread.start()
    thread.join(60)

    (line,) = lines_of(everything)
    assert (line["event"], line["thread_name"]) == ("a thread ended", "worker")
    assert "ValueError: bad" in line["exception"]


def test_what_ends_the_process_is_a_record(everything: io.StringIO) -> None:
    """As Python would call its hook."""
    error = ValueError("bad")
    sys.excepthook(ValueError, error, None)

    (line,) = lines_of(everything)
    assert (line["level"], line["event"]) == ("critical", "ended")
