"""Pairs on disk: one image and its captions, read from a folder, CSV, TSV or JSONL.

    folder     ``a.jpg`` beside ``a.txt`` (one caption a line); without any ``.txt``, the name of
               the sub-folder is the label
    CSV, TSV   a header line; the image column is the first of image, filepath, path, file, filename
               (or ``image_column``), the caption column the first of caption, captions, text, title
               (or ``caption_column``; a table with none of them may have a label column instead)
    JSONL      an object a line: ``image``, ``caption`` or ``captions``, optional ``id``, ``label``,
               ``metadata``

Paths are relative to the file (or folder) that names them. Reading is lazy about the images: no
image is opened here.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import PairsError
from core.types import JSONObject

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".avif", ".tif", ".tiff"}
)
IMAGE_COLUMNS = ("image", "filepath", "path", "file", "filename")
CAPTION_COLUMNS = ("caption", "captions", "text", "title")


@dataclass(frozen=True, slots=True)
class Pair:
    """One image and its captions."""

    id: str
    """Unique within its source: the ``id`` field, else the path relative to the source."""
    image: Path
    """Where the image is."""
    captions: tuple[str, ...]
    """Zero or more captions, stripped; the first is the main one."""
    label: str | None = None
    """Class name for zero-shot evaluation."""
    metadata: JSONObject = field(default_factory=dict)
    """Whatever else the source says of the image."""


def read_pairs(
    source: Path, *, image_column: str | None = None, caption_column: str | None = None
) -> list[Pair]:
    """Read all pairs of ``source``; the kind is told by its suffix, a folder is searched.

    Raises:
        PairsError: the source is missing, of an unknown kind, empty, or malformed (with the line),
            or two pairs have the same id.
    """
    if source.is_dir():
        pairs = list(_read_folder(source))
    elif not source.is_file():
        raise PairsError(f"{source} does not exist; give a folder, a .csv, .tsv or .jsonl file")
    elif source.suffix in {".csv", ".tsv"}:
        pairs = list(_read_table(source, image_column, caption_column))
    elif source.suffix in {".jsonl", ".ndjson"}:
        pairs = list(_read_jsonl(source))
    else:
        raise PairsError(f"{source}: unknown kind {source.suffix!r}; give a .csv, .tsv or .jsonl")
    if not pairs:
        raise PairsError(f"{source} holds no images")
    _refuse_repeated_ids(pairs, source)
    return pairs


def find_images(folder: Path) -> list[Path]:
    """Return every image file under ``folder``, hidden ones excepted, in order of path."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _read_folder(folder: Path) -> Iterator[Pair]:
    images = find_images(folder)
    captioned = any(path.with_suffix(".txt").is_file() for path in images)
    for path in images:
        relative = path.relative_to(folder)
        label = relative.parts[-2] if not captioned and len(relative.parts) > 1 else None
        captions = _caption_lines(path.with_suffix(".txt"))
        yield Pair(id=relative.as_posix(), image=path, captions=captions, label=label)


def _caption_lines(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        return ()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise PairsError(f"{path} is not UTF-8 text: {error}") from error
    return tuple(line.strip() for line in lines if line.strip())


def _read_table(
    source: Path, image_column: str | None, caption_column: str | None
) -> Iterator[Pair]:
    try:
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise PairsError(f"{source} is not UTF-8 text: {error}") from error
    header = text.split("\n", 1)[0]
    delimiter = max("\t,;|", key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    columns = list(reader.fieldnames or [])
    image_name = _column(columns, image_column, IMAGE_COLUMNS, what="image", source=source)
    if caption_column is None and "label" in columns and not set(columns) & set(CAPTION_COLUMNS):
        caption_column = "label"
    caption_name = _column(columns, caption_column, CAPTION_COLUMNS, what="caption", source=source)
    used = {image_name, caption_name, "id", "label"}
    for row in reader:
        metadata: JSONObject = {key: row[key] for key in columns if key not in used and row[key]}
        fields: JSONObject = {
            "image": row[image_name],
            "caption": None if caption_name == "label" else row[caption_name],
            "id": row.get("id"),
            "label": row.get("label"),
            "metadata": metadata,
        }
        yield _pair(fields, source, reader.line_num)


def _column(
    columns: list[str], asked: str | None, usual: tuple[str, ...], *, what: str, source: Path
) -> str:
    candidates = (asked,) if asked else usual
    for name in candidates:
        if name in columns:
            return name
    raise PairsError(
        f"{source} has no {what} column: looked for {', '.join(candidates)}, "
        f"found {', '.join(columns) or 'nothing'}; name it with --{what}-column"
    )


def _read_jsonl(source: Path) -> Iterator[Pair]:
    with source.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                fields = json.loads(line)
            except ValueError as error:
                raise PairsError(f"{source}:{number}: not valid JSON: {error}") from error
            if not isinstance(fields, dict):
                raise PairsError(f"{source}:{number}: expected a JSON object")
            yield _pair(fields, source, number)


def _pair(fields: Mapping[str, object], source: Path, number: int) -> Pair:
    image = next((fields[name] for name in IMAGE_COLUMNS if fields.get(name)), None)
    if not isinstance(image, str):
        raise PairsError(f"{source}:{number}: no image path; expected the field 'image'")
    metadata = fields.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise PairsError(f"{source}:{number}: 'metadata' must be an object")
    label = fields.get("label")
    return Pair(
        id=str(fields.get("id") or image),
        image=source.parent / image,
        captions=_captions(fields, source, number),
        label=str(label) if label else None,
        metadata=metadata,
    )


def _captions(fields: Mapping[str, object], source: Path, number: int) -> tuple[str, ...]:
    value = next((fields[name] for name in CAPTION_COLUMNS if fields.get(name)), ())
    captions = [value] if isinstance(value, str) else value
    if not isinstance(captions, list | tuple) or not all(isinstance(c, str) for c in captions):
        raise PairsError(f"{source}:{number}: captions must be text or a list of texts")
    return tuple(caption.strip() for caption in captions if caption.strip())


def _refuse_repeated_ids(pairs: list[Pair], source: Path) -> None:
    seen: set[str] = set()
    for pair in pairs:
        if pair.id in seen:
            raise PairsError(f"{source}: the id {pair.id!r} occurs twice; ids must be unique")
        seen.add(pair.id)
