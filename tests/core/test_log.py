"""Rules of core.log."""

from __future__ import annotations

import json
import logging

from core.log import ConsoleFormatter, JSONFormatter


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
