"""What commands print: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import click

from core.types import JSONValue

_STEP = 1000


def print_json(value: JSONValue) -> None:
    """Print strict JSON on stdout, indented for people and readable by machines."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def print_lines(lines: Iterable[str]) -> None:
    """Print result lines on stdout."""
    for line in lines:
        click.echo(line)


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print aligned columns on stdout; columns that hold only numbers are aligned right."""
    table = [list(header), *[list(row) for row in rows]]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    numeric = [all(_is_number(row[column]) for row in table[1:]) for column in range(len(header))]
    for row in table:
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


def note(message: str) -> None:
    """Say something on stderr."""
    click.echo(message, err=True)


def size_text(count: int) -> str:
    """Return a number of bytes for people, in powers of 1000."""
    size, units = float(count), ["kB", "MB", "GB", "TB"]
    if size < _STEP:
        return f"{count} B"
    unit = ""
    while size >= _STEP and units:
        size, unit = size / _STEP, units.pop(0)
    return f"{size:.1f} {unit}"


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace("-", "", 1).isdigit()
