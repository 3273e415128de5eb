"""Rows of a source become pairs: several rows of one image are one pair with several captions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from core.errors import PairsError
from core.pairs.columns import Asked, Columns, looks_like_url
from core.pairs.image_file import ContainedImage, ImageFile
from core.pairs.pair import Pair, PairList
from core.pairs.values import is_missing, is_unicode, scalars_of, texts_of
from core.types import JSONObject, JSONValue


class PairCollector:
    """Takes the rows and samples of a source in order; ids are unique over all its files."""

    def __init__(self, asked: Asked) -> None:
        """Start empty."""
        self.asked = asked
        self._pairs: list[Pair] = []
        self._places: dict[str, int] = {}
        self._skipped: dict[str, str] = {}
        self._splits: dict[str, None] = {}

    def add_row(
        self, row: Mapping[str, object], columns: Columns, *, file: Path, line: int
    ) -> None:
        """Take one row of a table; a row without an image is skipped and named.

        Raises:
            PairsError: a value of the wrong kind, or an id that occurs twice, unless such rows are
                to be skipped.
        """
        with self.row(file, line):
            self._add_row(row, columns, file=file, line=line)

    def _add_row(
        self, row: Mapping[str, object], columns: Columns, *, file: Path, line: int
    ) -> None:
        where = f"{file}:{line}"
        if not self._is_wanted(row, columns, where):
            return
        image = self._image(row[columns.image], file, where)
        if image is None:
            self.skip(f"{file.name}:{line}", f"the column {columns.image!r} is empty")
            return
        if "\0" in str(image):
            self.skip(f"{file.name}:{line}", "the path of the image holds a null character")
            return
        captions = [text for name in columns.captions for text in texts_of(row.get(name), where)]
        stated = row.get(columns.id) if columns.id else None
        label = row.get(columns.label) if columns.label else None
        pair = Pair(
            id=_default_id(row[columns.image], image) if stated in (None, "") else str(stated),
            image=image,
            captions=tuple(captions),
            label=_label_text(label),
            metadata=_metadata(row, columns),
        )
        self.add(pair, where=where, mergeable=stated in (None, ""))

    def add(self, pair: Pair, *, where: str, mergeable: bool = False) -> None:
        """Take one pair; one whose name is not Unicode is skipped.

        Args:
            pair: what to take.
            where: place of it, for messages.
            mergeable: its id is not stated but is the path of its image, so that another row of
                the same image adds captions.

        Raises:
            PairsError: the id occurs twice, or two rows of an image give it different labels.
        """
        if not is_unicode(pair.id):
            self.skip(ascii(pair.id), "its name is not UTF-8; rename it")
            return
        place = self._places.setdefault(pair.id, len(self._pairs))
        if place == len(self._pairs):
            self._pairs.append(pair)
        elif mergeable:
            self._pairs[place] = _merged(self._pairs[place], pair, where)
        else:
            raise PairsError(f"{where}: the id {pair.id!r} occurs twice; ids must be unique")

    @contextlib.contextmanager
    def row(self, file: Path, line: int) -> Iterator[None]:
        """Within it an error of the row is its own where bad rows are to be skipped."""
        try:
            yield
        except PairsError as error:
            if not self.asked.skip_bad_rows:
                raise
            self.skip(f"{file.name}:{line}", str(error))

    @contextlib.contextmanager
    def split_is_chosen(self) -> Iterator[None]:
        """Within it rows are not asked for their split: the file or folder is of one."""
        asked, self.asked = self.asked, replace(self.asked, split=None)
        try:
            yield
        finally:
            self.asked = asked

    def skip(self, name: str, reason: str) -> None:
        """Leave out one sample."""
        self._skipped[name] = reason

    def result(self, source: Path) -> PairList:
        """Return everything that was taken.

        Raises:
            PairsError: nothing was.
        """
        if self._pairs:
            return PairList(self._pairs, skipped=self._skipped)
        if self._splits:
            known = ", ".join(self._splits)
            raise PairsError(f"{source} has no split {self.asked.split!r}; it has {known}")
        reason = "".join(f"; {name}: {why}" for name, why in list(self._skipped.items())[:1])
        raise PairsError(f"{source} holds no images{reason}")

    def _is_wanted(self, row: Mapping[str, object], columns: Columns, where: str) -> bool:
        if self.asked.split is None:
            return True
        if columns.split is None:
            raise PairsError(
                f"{where}: the split {self.asked.split!r} was asked for, but there is no column "
                "'split'"
            )
        split = str(row.get(columns.split))
        self._splits.setdefault(split)
        return split == self.asked.split

    def _image(self, value: object, file: Path, where: str) -> ImageFile | None:
        if isinstance(value, str):
            if looks_like_url(value):
                raise PairsError(
                    f"{where}: the image {value[:80]!r} is an address, not a file; download the "
                    "pictures first, for example with img2dataset"
                )
            path = value.strip()
            return (self.asked.image_root or file.parent) / path if path else None
        if value is None or is_missing(value):
            return None
        if isinstance(value, bool | int | float | list | dict):
            raise PairsError(f"{where}: no image path; the image is {str(value)[:80]!r}")
        return _contained(value)


def _contained(value: object) -> ContainedImage:
    image: ContainedImage = value  # type: ignore[assignment]  # readers of containers make these
    return image


def _default_id(value: object, image: ImageFile) -> str:
    if isinstance(value, str):
        return value.strip()
    return f"{image.container.name}!{image.name}" if not isinstance(image, Path) else str(image)


def _label_text(value: object) -> str | None:
    return None if value is None or value == "" or is_missing(value) else str(value).strip()


def _metadata(row: Mapping[str, object], columns: Columns) -> JSONObject:
    stated = row.get("metadata")
    if isinstance(stated, dict):
        return stated
    return scalars_of(row, columns.others) if columns.others else {}


def _merged(first: Pair, second: Pair, where: str) -> Pair:
    if first.label is not None and second.label is not None and first.label != second.label:
        raise PairsError(
            f"{where}: the image {first.id!r} has the label {second.label!r} here and "
            f"{first.label!r} before; give one label per image, or an id per row"
        )
    new = [text for text in second.captions if text not in first.captions]
    metadata: dict[str, JSONValue] = {
        key: value for key, value in first.metadata.items() if second.metadata.get(key) == value
    }
    return replace(
        first,
        captions=(*first.captions, *new),
        label=first.label or second.label,
        metadata=metadata,
    )
