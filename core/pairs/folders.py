"""A folder of pictures: captions in files beside them, or classes as sub-folders."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.errors import PairsError
from core.pairs.collecting import PairCollector
from core.pairs.columns import CAPTION_COLUMNS, IMAGE_SUFFIXES
from core.pairs.pair import Pair
from core.pairs.values import scalars_of, texts_of
from core.types import JSONObject

_NOT_METADATA = frozenset({*CAPTION_COLUMNS, "label", "metadata"})


def find_images(folder: Path) -> list[Path]:
    """Return every image file under ``folder``, hidden ones excepted, in order of path."""
    return sorted(path for path in _visible_files(folder) if path.suffix.lower() in IMAGE_SUFFIXES)


def collect_folder(folder: Path, collector: PairCollector) -> None:
    """Take every picture; ``a.txt`` or ``a.json`` beside ``a.jpg`` holds its captions.

    Without any such file the sub-folder is the label. A picture whose caption file cannot be read
    is skipped and named.
    """
    files = sorted(_visible_files(folder))
    texts = {path.with_suffix("") for path in files if path.suffix == ".txt"}
    objects = {path.with_suffix("") for path in files if path.suffix == ".json"}
    images = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    stems = {path.with_suffix("") for path in images}
    captioned = not stems.isdisjoint(texts | objects)
    for path in images:
        relative, stem = path.relative_to(folder), path.with_suffix("")
        try:
            captions, label, metadata = read_sidecars(
                path.with_suffix(".txt").read_bytes() if stem in texts else None,
                path.with_suffix(".json").read_bytes() if stem in objects else None,
                where=str(stem),
            )
        except (PairsError, OSError) as error:
            collector.skip(relative.as_posix(), str(error))
            continue
        if not captioned and len(relative.parts) > 1:
            label = relative.parts[-2]
        pair = Pair(relative.as_posix(), path, captions, label, metadata)
        collector.add(pair, where=str(path))


def read_sidecars(
    text: bytes | None, fields: bytes | None, *, where: str
) -> tuple[tuple[str, ...], str | None, JSONObject]:
    """Return captions, label and metadata of the files beside a picture, each given as bytes.

    The lines of ``text`` are captions; the object ``fields`` may hold captions under a usual name,
    a label and anything else, or it is a list of captions. Captions of ``text`` come first.

    Raises:
        PairsError: not UTF-8, or not JSON.
    """
    lines = _decoded(text, f"{where}.txt").splitlines() if text is not None else []
    captions = tuple(line.strip() for line in lines if line.strip())
    if fields is None:
        return captions, None, {}
    where = f"{where}.json"
    try:
        value = json.loads(_decoded(fields, where))
    except (ValueError, RecursionError) as error:
        raise PairsError(f"{where}: not valid JSON: {error}") from error
    if not isinstance(value, dict):
        return captions or texts_of(value, where), None, {}
    named = next((value[name] for name in CAPTION_COLUMNS if value.get(name)), None)
    label = value.get("label")
    return (
        captions or texts_of(named, where),
        str(label) if isinstance(label, str | int) else None,
        scalars_of(value, [name for name in value if name not in _NOT_METADATA]),
    )


def _decoded(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PairsError(f"{where} is not UTF-8 text: {error}") from error


def _visible_files(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder, none of which has a name that begins with a dot."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from _files(Path(parent), names)


def _files(parent: Path, names: Sequence[str]) -> Iterator[Path]:
    for name in names:
        path = parent / name
        if not name.startswith(".") and path.is_file():
            yield path
