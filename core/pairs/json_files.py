"""JSON: an object a line, a list of objects, COCO captions, or Karpathy's splits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from core.errors import PairsError
from core.pairs.collecting import PairCollector
from core.pairs.columns import Asked, Columns, find_columns, require_captions

_TRAINING_SPLITS = {"train", "restval"}


def collect_json_lines(source: Path, collector: PairCollector) -> None:
    """Take one object a line; blank lines do not count.

    Raises:
        PairsError: a line that is not a JSON object or names no image; the message has its number.
    """
    _collect_objects(_objects_of_lines(source, collector), source, collector)


def collect_json(source: Path, collector: PairCollector) -> None:
    """Take a list of objects, COCO captions (``images`` and ``annotations``) or Karpathy's file.

    Raises:
        PairsError: it is none of these, or Karpathy's splits are mixed for want of a choice.
    """
    document = _parse(_read(source), str(source))
    if isinstance(document, list):
        _collect_objects(enumerate(document, start=1), source, collector)
        return
    images = document.get("images") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(images, list):
        raise PairsError(
            f"{source}: expected a list of objects, COCO captions or Karpathy's splits; for one "
            "object a line use the suffix .jsonl"
        )
    objects = [_object(image, f"{source}:{number}") for number, image in enumerate(images, start=1)]
    if "annotations" in document:
        if collector.asked.split is not None:
            raise PairsError(f"{source} is one split of COCO; give it without #")
        rows = _coco_rows(objects, document["annotations"], source)
    else:
        rows = _karpathy_rows(objects, source, collector.asked)
    columns = Columns("image", ("captions",), None, None, None, ())
    with collector.split_is_chosen():
        for number, row in enumerate(rows, start=1):
            collector.add_row(row, columns, file=source, line=number)


def _collect_objects(
    objects: Iterator[tuple[int, object]], source: Path, collector: PairCollector
) -> None:
    known: dict[tuple[str, ...], Columns] = {}
    captioned = False
    for number, value in objects:
        where = f"{source}:{number}"
        with collector.row(source, number):
            fields = _object(value, where)
            names = tuple(fields)
            if names not in known:
                known[names] = _columns_of(names, collector.asked, where)
            captioned = captioned or bool(known[names].captions)
            collector.add_row(fields, known[names], file=source, line=number)
    if known and not captioned and collector.asked.caption_column:
        require_captions(
            sorted({name for names in known for name in names}), collector.asked, where=str(source)
        )


def _columns_of(names: tuple[str, ...], asked: Asked, where: str) -> Columns:
    """Return what the fields of an object are; it may well have no caption."""
    absent = asked.caption_column is not None and not any(
        part.strip() in names for part in (asked.caption_column, *asked.caption_column.split(","))
    )
    if absent:
        asked = replace(asked, caption_column=None)
        columns = find_columns(names, asked, where=where, need_captions=False)
        return replace(columns, captions=(), others=())
    # Other fields than "metadata" are no metadata: an object says itself what is.
    return replace(find_columns(names, asked, where=where, need_captions=False), others=())


def _objects_of_lines(source: Path, collector: PairCollector) -> Iterator[tuple[int, object]]:
    try:
        with source.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                parsed: list[object] = []
                if line.strip():
                    with collector.row(source, number):
                        parsed = [_parse(line, f"{source}:{number}")]
                for value in parsed:
                    yield number, value
    except UnicodeDecodeError as error:
        raise PairsError(f"{source} is not UTF-8 text: {error}; save it as UTF-8") from error


def _coco_rows(
    images: Sequence[Mapping[str, object]], annotations: object, source: Path
) -> list[dict[str, object]]:
    """Return a row per image, with the captions of the annotations that name it."""
    captions: dict[object, list[object]] = {image.get("id"): [] for image in images}
    for number, value in enumerate(annotations if isinstance(annotations, list) else (), start=1):
        annotation = _object(value, f"{source}: annotation {number}")
        if annotation.get("image_id") in captions and "caption" in annotation:
            captions[annotation["image_id"]].append(annotation["caption"])
    return [
        {"image": image.get("file_name"), "captions": captions[image.get("id")]} for image in images
    ]


def _karpathy_rows(
    images: Sequence[Mapping[str, object]], source: Path, asked: Asked
) -> list[dict[str, object]]:
    """Return a row per image of the split; ``train`` holds ``restval`` too, as is usual."""
    splits = {str(image.get("split")) for image in images} - {"None"}
    listed = ", ".join(sorted(splits))
    if asked.split is None and len(splits) > 1:
        raise PairsError(
            f"{source} has the splits {listed}; name one, for example {source.name}#train"
        )
    if asked.split is not None and asked.split not in splits:
        raise PairsError(f"{source} has no split {asked.split!r}; it has {listed or 'none'}")
    wanted = _TRAINING_SPLITS if asked.split == "train" else {asked.split}
    return [
        {"image": _karpathy_path(image), "captions": image.get("sentences")}
        for image in images
        if asked.split is None or image.get("split") in wanted
    ]


def _karpathy_path(image: Mapping[str, object]) -> str | None:
    name, folder = image.get("filename"), image.get("filepath")
    if not isinstance(name, str):
        return None
    return f"{folder}/{name}" if isinstance(folder, str) and folder else name


def _object(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise PairsError(f"{where}: expected a JSON object, not {str(value)[:40]!r}")
    metadata = value.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise PairsError(f"{where}: 'metadata' must be an object")
    return value


def _parse(text: str, where: str) -> object:
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PairsError(f"{where}: not valid JSON: {error}") from error
    return parsed


def _read(source: Path) -> str:
    try:
        return source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise PairsError(f"{source} is not UTF-8 text: {error}; save it as UTF-8") from error
