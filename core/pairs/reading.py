"""The one door to pairs on disk: every format is read by ``read_pairs``.

    folder       ``a.jpg`` beside ``a.txt`` (one caption a line) or ``a.json``; without any of
                 these, the name of the sub-folder is the label
    CSV, TSV     a header line, any usual separator; columns by their usual names or as asked for
    JSONL        an object a line: ``image``, ``caption`` or ``captions``, optional ``id``,
                 ``label``, ``metadata``
    JSON         a list of such objects, COCO captions, or Karpathy's splits
    Parquet      a column of paths, or the bytes of the pictures as Hugging Face writes them
    tar          webdataset: ``0001.jpg`` with ``0001.txt``, ``0001.json`` or ``0001.cls``
    saved data   a folder that ``save_to_disk`` of Hugging Face ``datasets`` wrote

A folder of tars or Parquet files is one source, and so is a pattern: ``shard-{000..003}.tar``,
``part-*.parquet``. ``SOURCE#train`` is one split. Paths of pictures are relative to the file (or
folder) that names them. Reading is lazy about the images: no image is decoded here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core.errors import PairsError
from core.pairs.arrow_folders import collect_saved_dataset, is_saved_dataset
from core.pairs.collecting import PairCollector
from core.pairs.columns import Asked
from core.pairs.folders import collect_folder, find_images
from core.pairs.json_files import collect_json, collect_json_lines
from core.pairs.pair import PairList
from core.pairs.parquet import collect_parquet
from core.pairs.patterns import matching_files, split_of
from core.pairs.tables import collect_table
from core.pairs.tars import collect_tar

_READERS: dict[str, Callable[[Path, PairCollector], None]] = {
    ".csv": collect_table,
    ".tsv": collect_table,
    ".jsonl": collect_json_lines,
    ".ndjson": collect_json_lines,
    ".json": collect_json,
    ".parquet": collect_parquet,
    ".tar": collect_tar,
}
_SHARDS = (".tar", ".parquet")
_KINDS = "a folder, .csv, .tsv, .jsonl, .json, .parquet or .tar"


def read_pairs(
    source: Path,
    *,
    image_column: str | None = None,
    caption_column: str | None = None,
    image_root: Path | None = None,
    skip_bad_rows: bool = False,
) -> PairList:
    """Read all pairs of ``source``; the kind is told by its suffix, a folder is searched.

    Args:
        source: a file, a folder, a pattern of files, any of them with ``#split``.
        image_column: column of the image, where it has no usual name.
        caption_column: column of the caption, or several with commas.
        image_root: folder that relative image paths start from.
        skip_bad_rows: name a row that cannot be used in ``skipped``, with its line, and go on.

    Raises:
        PairsError: the source is missing, of an unknown kind, empty, or malformed (with the line),
            or two pairs have the same id.
        ConfigError: a package that the format needs is not installed.
    """
    path, split = split_of(source)
    collector = PairCollector(Asked(image_column, caption_column, image_root, split, skip_bad_rows))
    for part in _parts(path):
        _reader_of(part)(part, collector)
    return collector.result(source)


def is_pairs_source(source: Path) -> bool:
    """Return whether ``read_pairs`` is for it: a folder, a pattern, or a file of a known kind."""
    path, split = split_of(source)
    return (
        split is not None
        or path.is_dir()
        or path.suffix.lower() in _READERS
        or bool(matching_files(path))
    )


def _parts(path: Path) -> list[Path]:
    """Return the files or the folder that a source stands for."""
    if path.is_dir():
        shards = _shards_of(path)
        return shards or [path]
    if path.is_file():
        return [path]
    found = matching_files(path)
    if not found:
        raise PairsError(f"{path} does not exist; give {_KINDS}, or a pattern that matches some")
    return found


def _shards_of(folder: Path) -> list[Path]:
    """Return the tars, else the Parquet files, of a folder that has no loose pictures."""
    if is_saved_dataset(folder) or find_images(folder):
        return []
    for suffix in _SHARDS:
        found = sorted(path for path in folder.rglob(f"*{suffix}") if path.is_file())
        if found:
            return found
    return []


def _reader_of(path: Path) -> Callable[[Path, PairCollector], None]:
    if path.is_dir():
        return collect_saved_dataset if is_saved_dataset(path) else collect_folder
    reader = _READERS.get(path.suffix.lower())
    if reader is not None:
        return reader
    if any(suffix.lower() in {".tar", ".tgz"} for suffix in path.suffixes):
        raise PairsError(
            f"{path} is compressed, so pictures in it cannot be read at random; unpack it to a "
            "plain .tar first"
        )
    raise PairsError(f"{path}: unknown kind {path.suffix!r}; give {_KINDS}")
