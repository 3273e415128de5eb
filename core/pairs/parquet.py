"""Parquet: a column of image paths, or of the bytes themselves as Hugging Face writes them."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from core.errors import NotFoundError, PairsError
from core.pairs.arrow_columns import (
    arrow_columns,
    class_names,
    is_embedded,
    name_classes,
    pyarrow_module,
    used_columns,
)
from core.pairs.collecting import PairCollector

_GROUPS_KEPT = 2
_ROWS_AT_ONCE = 10_000


def collect_parquet(source: Path, collector: PairCollector) -> None:
    """Take every row; of embedded pictures not a byte is read.

    Raises:
        PairsError: not a Parquet file, or no usable columns.
        ConfigError: ``pyarrow`` is not installed.
    """
    parquet = pyarrow_module("pyarrow.parquet")
    try:
        with parquet.ParquetFile(source) as file:
            _collect(file, source, collector)
    except (OSError, pyarrow_module("pyarrow").ArrowException) as error:
        raise PairsError(f"{source} is not a readable Parquet file: {error}") from error


def _collect(file: Any, source: Path, collector: PairCollector) -> None:
    schema = file.schema_arrow
    columns = arrow_columns(schema, collector.asked, source)
    names = class_names(schema)
    leaf = _bytes_leaf(file, columns.image)
    pictures = ParquetPictures(source, leaf, _starts(file)) if leaf else None
    read = used_columns(columns)
    if pictures is None:
        is_struct = is_embedded(schema.field(columns.image).type)
        read.append(f"{columns.image}.path" if is_struct else columns.image)
    for number, row in enumerate(_rows(file, read)):
        if pictures is not None:
            row[columns.image] = ParquetCell(pictures, number)
        elif isinstance(cell := row[columns.image], dict):
            row[columns.image] = cell["path"]
        name_classes(row, names)
        collector.add_row(row, columns, file=source, line=number + 1)


def _rows(file: Any, columns: list[str]) -> Iterator[dict[str, object]]:
    """Yield the rows of some columns; without any column, as many empty rows."""
    if not columns:
        yield from ({} for _ in range(file.metadata.num_rows))
        return
    for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=columns):
        yield from batch.to_pylist()


def _bytes_leaf(file: Any, image: str) -> str | None:
    """Return the leaf column of embedded bytes; ``None`` where there are none but paths."""
    kind = file.schema_arrow.field(image).type
    if not is_embedded(kind):
        return None
    leaf = f"{image}.bytes" if pyarrow_module("pyarrow").types.is_struct(kind) else image
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    chunks = [
        group.column(number)
        for group in groups
        for number in range(group.num_columns)
        if group.column(number).path_in_schema == leaf
    ]
    empty = all(
        chunk.statistics is not None and chunk.statistics.null_count == chunk.num_values
        for chunk in chunks
    )
    return None if chunks and empty else leaf


def _starts(file: Any) -> tuple[int, ...]:
    counts = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
    return tuple(accumulate(counts[:-1], initial=0))


class ParquetPictures:
    """The embedded pictures of one Parquet file; keeps the row groups that were read last.

    A row group is read whole, so reading in order is cheap and reading at random is not.
    """

    def __init__(self, path: Path, leaf: str, starts: tuple[int, ...]) -> None:
        """Remember the file, the leaf column of the bytes, and the first row of each group."""
        self.path = path
        self._leaf, self._starts = leaf, starts
        self._groups: OrderedDict[int, Any] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, row: int) -> bytes:
        """Return the bytes of a row.

        Raises:
            NotFoundError: the file is gone or damaged, or the row has no bytes.
        """
        group = bisect_right(self._starts, row) - 1
        with self._lock:
            value = self._group(group)[row - self._starts[group]].as_py()
        if not isinstance(value, bytes):
            raise NotFoundError(f"{self.path}!{row + 1} holds no picture")
        return value

    def _group(self, group: int) -> Any:
        if group in self._groups:
            self._groups.move_to_end(group)
            return self._groups[group]
        try:
            with pyarrow_module("pyarrow.parquet").ParquetFile(self.path) as file:
                cells = file.read_row_group(group, columns=[self._leaf]).column(0).combine_chunks()
        except (OSError, pyarrow_module("pyarrow").ArrowException) as error:
            raise NotFoundError(f"{self.path} cannot be read: {error}") from error
        self._groups[group] = cells.field("bytes") if hasattr(cells, "field") else cells
        while len(self._groups) > _GROUPS_KEPT:
            self._groups.popitem(last=False)
        return self._groups[group]


@dataclass(frozen=True, slots=True)
class ParquetCell:
    """A picture in a row of a Parquet file."""

    pictures: ParquetPictures = field(compare=False, repr=False)
    row: int
    """From 0."""

    def __str__(self) -> str:
        return f"{self.container}!{self.name}"

    @property
    def container(self) -> Path:
        """The Parquet file."""
        return self.pictures.path

    @property
    def name(self) -> str:
        """The number of the row, from 1."""
        return str(self.row + 1)

    @property
    def stamp(self) -> int:
        """The size of the whole file: that of the picture is unknown until it is read."""
        try:
            return self.container.stat().st_size
        except OSError:
            return -1

    def size_bytes(self) -> int:
        """Return the number of bytes, which means reading them.

        Raises:
            NotFoundError: the file is gone or damaged, or the row has no bytes.
        """
        return len(self.read())

    def read(self) -> bytes:
        """Return the bytes.

        Raises:
            NotFoundError: the file is gone or damaged, or the row has no bytes.
        """
        return self.pictures.read(self.row)
