"""Pictures whose labels are known, of a folder per label or of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli.output import note
from core.errors import PairsError

if TYPE_CHECKING:
    from core.pairs.image_file import ImageFile


@dataclass(frozen=True, slots=True)
class LabelledFiles:
    """Pictures with one of the labels."""

    files: tuple[ImageFile, ...]
    columns: tuple[int, ...]
    """Place of the label of each."""


def columns_by_name(names: Sequence[Sequence[str]]) -> dict[str, int]:
    """Return the place of a label by each of its names, in small letters."""
    return {name.casefold(): place for place, own in enumerate(names) for name in own}


def labelled_files(data: Path, columns: Mapping[str, int], reference: str) -> LabelledFiles:
    """Return the pictures with one of the labels; the others are counted on stderr.

    Args:
        data: a folder per label, or a table with a column ``label``.
        columns: what :func:`columns_by_name` returns.
        reference: of the label set, for messages.

    Raises:
        PairsError: no picture has one of the labels.
    """
    from core.pairs.reading import read_pairs

    pairs = read_pairs(data)
    found = [columns.get(" ".join((pair.label or "").split()).casefold()) for pair in pairs]
    known = [
        (pair.image, column)
        for pair, column in zip(pairs, found, strict=True)
        if column is not None
    ]
    if len(known) < len(pairs):
        note(f"{len(pairs) - len(known)} of {len(pairs)} pictures have none of the labels")
    if not known:
        raise no_picture(data, reference)
    files, places = zip(*known, strict=True)
    return LabelledFiles(files, places)


def unknown_files(folder: Path | None) -> list[Path]:
    """Return the pictures of none of the labels: a file, or all of a folder."""
    from core.pairs.folders import find_images

    if folder is None:
        return []
    return find_images(folder) if folder.is_dir() else [folder]


def no_picture(data: Path, reference: str) -> PairsError:
    """Return the error of data without a usable picture."""
    return PairsError(
        f"{data}: no picture that can be read has a label of {reference}; "
        "name a sub-folder like each label, or give a table with a column 'label'"
    )
