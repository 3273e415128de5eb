"""CSV and TSV: a header line, any usual separator, texts in quotes where they need them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from core.errors import PairsError
from core.pairs.collecting import PairCollector
from core.pairs.columns import IMAGE_COLUMNS, find_columns

_SEPARATORS = ",\t;|"
_END = "\x1cend of the table\x1c"


def collect_table(source: Path, collector: PairCollector) -> None:
    """Take every row; one with more cells than columns is skipped and named.

    Raises:
        PairsError: no usable columns, not UTF-8, or a quotation mark that is never closed.
    """
    records = _records(source)
    _, header = next(records, (1, []))
    names = [name.strip() for name in header]
    repeated = next((name for name in names if name and names.count(name) > 1), None)
    if repeated is not None:
        raise PairsError(f"{source}: the column {repeated!r} occurs twice; rename one")
    columns = find_columns([name for name in names if name], collector.asked, where=str(source))
    for line, cells in records:
        if len(cells) > len(names):
            collector.skip(
                f"{source.name}:{line}",
                f"{len(cells)} cells for {len(names)} columns; put texts that hold the separator "
                "in quotes",
            )
            continue
        padded = cells + [""] * (len(names) - len(cells))
        row = {name: cell.strip() for name, cell in zip(names, padded, strict=True)}
        collector.add_row(row, columns, file=source, line=line)


def separator_of(header: str, suffix: str) -> str:
    """Return the separator of a header line: the one that finds an image column, or most columns.

    Only separators outside quotes count; a tie goes to the tab in a ``.tsv`` and to the comma
    elsewhere.
    """
    usual = "\t,;|" if suffix == ".tsv" else _SEPARATORS

    def columns(separator: str) -> tuple[bool, int]:
        cells = next(csv.reader([header], delimiter=separator), [])
        known = any(cell.strip().lower() in IMAGE_COLUMNS for cell in cells)
        return known and len(cells) > 1, len(cells)

    return max(usual, key=columns)


def _records(source: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of every record that is not blank; the line is where it begins."""
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            header = next((line for line in file if line.strip()), "")
            separator = separator_of(header.rstrip("\r\n"), source.suffix.lower())
            yield from _parsed(chain([header], file, [_END]), separator, source)
    except UnicodeDecodeError as error:
        raise PairsError(f"{source} is not UTF-8 text: {error}; save it as UTF-8") from error


def _parsed(lines: Iterator[str], separator: str, source: Path) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, delimiter=separator)
    first = 1
    try:
        for cells in reader:
            # A line after the last one ends up inside a cell only if a quotation is still open.
            if cells and cells[-1].endswith(_END):
                _check_closed(cells, first, source)
                return
            if any(cell and not cell.isspace() for cell in cells):
                yield first, cells
            first = reader.line_num + 1
    except csv.Error as error:
        raise PairsError(
            f"{source}:{first}: {error}; is a quotation mark in this line never closed?"
        ) from error


def _check_closed(cells: list[str], first: int, source: Path) -> None:
    if cells != [_END]:
        raise PairsError(
            f"{source}:{first}: a quotation mark in this line is never closed; double it, or "
            "put the whole text in quotes"
        )
