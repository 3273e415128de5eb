"""Reading the tables of a report folder back, row by row."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from core.errors import ArtifactError

_MOST_CHARACTERS = 1 << 30
"""Of a cell: a query with a hundred thousand relevant items has as many ranks in one."""


def table_rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file by the names of its columns.

    Raises:
        ArtifactError: it is missing, no UTF-8 or no table.
    """
    # The limit holds for the whole process: whoever reads a user's table keeps the usual one.
    usual = csv.field_size_limit(_MOST_CHARACTERS)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            yield from csv.DictReader(file)
    except (FileNotFoundError, UnicodeDecodeError, csv.Error) as error:
        raise ArtifactError(f"{path} cannot be read: {error}; evaluate again") from error
    finally:
        csv.field_size_limit(usual)
