"""What Parquet files and Arrow files have in common: types of columns, names of classes."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.errors import ConfigError, PairsError
from core.pairs.columns import Asked, Columns, find_columns

# pyarrow ships no types: its objects are Any here, and nowhere else do they get out.


def pyarrow_module(name: str) -> Any:
    """Return a module of pyarrow.

    Raises:
        ConfigError: the package is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            "Parquet and Hugging Face data sets need the package pyarrow, which is not installed; "
            'install the training packages: pip install "sightline[train]"'
        ) from error


def arrow_columns(schema: Any, asked: Asked, source: Path) -> Columns:
    """Decide what the columns of a schema are for; only plain ones become metadata.

    Raises:
        PairsError: no image column, one of no usable type, or no captions.
    """
    columns = find_columns(schema.names, asked, where=str(source))
    kind = schema.field(columns.image).type
    if not (is_embedded(kind) or _is_text(kind)):
        raise PairsError(
            f"{source}: the image column {columns.image!r} is {kind}; expected a path, bytes, or "
            "bytes and path as Hugging Face stores them"
        )
    plain = [name for name in columns.others if _is_plain(schema.field(name).type)]
    return replace(columns, others=tuple(plain))


def is_embedded(kind: Any) -> bool:
    """Return whether a column type can hold the bytes of pictures."""
    types = pyarrow_module("pyarrow").types
    if types.is_struct(kind):
        return any(is_embedded(child.type) for child in kind if child.name == "bytes")
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def used_columns(columns: Columns) -> list[str]:
    """Return the columns that are read besides the image's."""
    single = [name for name in (columns.label, columns.id, columns.split) if name is not None]
    return [*columns.captions, *single, *columns.others]


def class_names(schema: Any) -> dict[str, list[str]]:
    """Return the names of the classes of each column that Hugging Face numbered."""
    stored = (schema.metadata or {}).get(b"huggingface")
    try:
        features = json.loads(stored)["info"]["features"] if stored else {}
        return {
            name: list(feature["names"])
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, TypeError):
        return {}


def name_classes(row: dict[str, object], names: dict[str, list[str]]) -> None:
    """Replace the numbers of classes in a row by their names; -1 stands for none."""
    for column, classes in names.items():
        number = row.get(column)
        if isinstance(number, int):
            row[column] = classes[number] if 0 <= number < len(classes) else None


def _is_text(kind: Any) -> bool:
    types = pyarrow_module("pyarrow").types
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _is_plain(kind: Any) -> bool:
    types = pyarrow_module("pyarrow").types
    number = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
    return bool(number or _is_text(kind))
