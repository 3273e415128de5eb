"""Hugging Face data sets on disk, as ``save_to_disk`` writes them, read with pyarrow alone.

Their Arrow files are not compressed, so each picture is a plain slice of its file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import PairsError
from core.pairs.arrow_columns import (
    arrow_columns,
    class_names,
    is_embedded,
    name_classes,
    pyarrow_module,
    used_columns,
)
from core.pairs.collecting import PairCollector
from core.pairs.image_file import FileSlice

_STATE_NAME = "state.json"
_SPLITS_NAME = "dataset_dict.json"


def is_saved_dataset(folder: Path) -> bool:
    """Return whether ``save_to_disk`` of a ``Dataset`` or a ``DatasetDict`` wrote the folder."""
    return (folder / _STATE_NAME).is_file() or (folder / _SPLITS_NAME).is_file()


def collect_saved_dataset(folder: Path, collector: PairCollector) -> None:
    """Take every row of a data set, or of the split that was asked for.

    Raises:
        PairsError: several splits and none was named, no such split, or damaged files.
        ConfigError: ``pyarrow`` is not installed.
    """
    split = collector.asked.split
    if (folder / _SPLITS_NAME).is_file():
        folder = folder / _chosen_split(folder, split)
    elif split is not None and split != _read_json(folder / _STATE_NAME).get("_split"):
        raise PairsError(f"{folder} is a single data set and has no split {split!r}")
    files = _read_json(folder / _STATE_NAME).get("_data_files")
    if not isinstance(files, list) or not all(isinstance(file, dict) for file in files):
        raise PairsError(f"{folder / _STATE_NAME} names no data files; save the data set again")
    with collector.split_is_chosen():
        for file in files:
            _collect_file(folder / str(file["filename"]), collector)


def _chosen_split(folder: Path, asked: str | None) -> str:
    splits = _read_json(folder / _SPLITS_NAME).get("splits")
    names = [str(name) for name in splits] if isinstance(splits, list) else []
    if asked is None and len(names) == 1:
        return names[0]
    listed = ", ".join(names) or "none"
    if asked is None:
        first = names[0] if names else "train"
        raise PairsError(
            f"{folder} has the splits {listed}; name one, for example {folder.name}#{first}"
        )
    if asked not in names:
        raise PairsError(f"{folder} has no split {asked!r}; it has {listed}")
    return asked


def _collect_file(source: Path, collector: PairCollector) -> None:
    pyarrow = pyarrow_module("pyarrow")
    try:
        with pyarrow.memory_map(str(source)) as mapped:
            data = mapped.read_buffer()
        with pyarrow_module("pyarrow.ipc").open_stream(data) as stream:
            _collect_batches(stream, data, source, collector)
    except (OSError, pyarrow.ArrowException) as error:
        raise PairsError(f"{source} is not a readable Arrow file: {error}") from error


def _collect_batches(stream: Any, data: Any, source: Path, collector: PairCollector) -> None:
    columns = arrow_columns(stream.schema, collector.asked, source)
    names = class_names(stream.schema)
    read = [*used_columns(columns)]
    embedded = is_embedded(stream.schema.field(columns.image).type)
    number = 0
    for batch in stream:
        rows = batch.select(read).to_pylist() if read else [{} for _ in range(len(batch))]
        pictures = batch.column(columns.image)
        images = _slices(pictures, data, source, number) if embedded else pictures.to_pylist()
        for row, image in zip(rows, images, strict=True):
            number += 1
            row[columns.image] = image
            name_classes(row, names)
            collector.add_row(row, columns, file=source, line=number)


def _slices(column: Any, data: Any, source: Path, before: int) -> Iterator[FileSlice | str | None]:
    """Yield where the bytes of each picture stand in the file, or its path where it has none.

    ``data`` is the whole file in memory, so the address of a cell says its place in the file.
    """
    if not len(column):
        return
    types = pyarrow_module("pyarrow").types
    is_struct = types.is_struct(column.type)
    cells = column.field("bytes") if is_struct else column
    has_path = is_struct and any(child.name == "path" for child in column.type)
    paths = column.field("path").to_pylist() if has_path else [None] * len(column)
    valid = cells.is_valid().to_pylist()
    _, offsets, values = cells.buffers()
    width = np.int64 if types.is_large_binary(cells.type) else np.int32
    bounds = np.frombuffer(offsets, width)[cells.offset : cells.offset + len(cells) + 1].tolist()
    first = values.address - data.address if values is not None else 0
    if not 0 <= first <= data.size:
        raise PairsError(f"{source} is compressed; save the data set again with save_to_disk")
    for number, path in enumerate(paths):
        if valid[number]:
            start, end = bounds[number], bounds[number + 1]
            yield FileSlice(source, str(before + number + 1), first + start, end - start)
        else:
            yield path


def _read_json(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PairsError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise PairsError(f"{path} is not a JSON object; save the data set again")
    return value
