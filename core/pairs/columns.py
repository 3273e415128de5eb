"""Which column of a table is the image, which are captions: named by the caller, or guessed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import PairsError

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".avif", ".tif", ".tiff"}
)
IMAGE_COLUMNS = (
    *("image", "filepath", "path", "file", "filename", "image_path", "file_path", "image_file"),
    *("file_name", "image_name", "image_filename", "img", "img_path", "picture", "local_path"),
    *("jpg", "jpeg", "png", "webp"),
)
"""Usual names of the image column, the likeliest first."""
CAPTION_COLUMNS = (
    *("caption", "captions", "text", "texts", "title", "txt", "sentence", "sentences", "raw"),
    *("comment", "description", "alt_text", "alt"),
)
"""Usual names of the caption column, the likeliest first; each may be numbered, caption_1."""
LABEL_COLUMNS = ("label", "class", "class_name", "category")
"""Usual names of the class; all but the first count only where there is no caption."""
_URL_COLUMNS = frozenset({"url", "image_url", "img_url", "urls", "image_link"})
_SHOWN = 8
_NEAR = 0.6


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller says of a source; ``None`` leaves it to the usual rules."""

    image_column: str | None = None
    caption_column: str | None = None
    """One column, or several with commas."""
    image_root: Path | None = None
    """Folder that relative paths start from."""
    split: str | None = None
    """Part of the source."""
    skip_bad_rows: bool = False
    """Name a row that cannot be used among the skipped ones, instead of refusing the source."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What each column of a table is for."""

    image: str
    captions: tuple[str, ...]
    label: str | None
    id: str | None
    split: str | None
    others: tuple[str, ...]


def find_columns(
    names: Sequence[str], asked: Asked, *, where: str, need_captions: bool = True
) -> Columns:
    """Decide what each column is for; case, spaces and hyphens in usual names do not matter.

    Raises:
        PairsError: there is no image column, or neither captions nor labels where they are needed;
            the message lists what was looked for and what was found.
    """
    image = _image_column(names, asked, where)
    rest = [name for name in names if name != image]
    captions = _caption_columns(rest, asked, where)
    label = _first_of(rest, LABEL_COLUMNS[:1] if captions else LABEL_COLUMNS)
    if need_captions and not captions and label is None:
        raise _missing("caption", CAPTION_COLUMNS, names, where)
    identity, split = _first_of(rest, ("id",)), _first_of(rest, ("split",))
    used = {*captions, label, identity, split}
    others = tuple(name for name in rest if name not in used)
    return Columns(image, captions, label, identity, split, others)


def require_captions(names: Sequence[str], asked: Asked, *, where: str) -> None:
    """Refuse a source in which no row has the caption column that was asked for.

    Raises:
        PairsError: none of ``names`` is that column.
    """
    _caption_columns(names, asked, where)


def looks_like_url(text: str) -> bool:
    """Return whether a text is the address of something on the web."""
    return text[:8].lower().startswith(("http://", "https://", "s3://", "gs://"))


def _image_column(names: Sequence[str], asked: Asked, where: str) -> str:
    if asked.image_column is not None:
        found = _named(names, asked.image_column)
        if found is None:
            raise _missing("image", (asked.image_column,), names, where)
        return found
    found = _first_of(names, IMAGE_COLUMNS)
    if found is not None:
        return found
    urls = [name for name in names if _normal(name) in _URL_COLUMNS]
    if urls:
        raise PairsError(
            f"{where}: the column {urls[0]!r} holds addresses, and there is no column of image "
            "files; download the pictures first, for example with img2dataset, and give its output"
        )
    raise _missing("image", IMAGE_COLUMNS, names, where)


def _caption_columns(names: Sequence[str], asked: Asked, where: str) -> tuple[str, ...]:
    if asked.caption_column is not None:
        whole = _named(names, asked.caption_column)
        parts = [part.strip() for part in asked.caption_column.split(",")]
        found = [whole] if whole is not None else [_named(names, part) for part in parts]
        missing = [part for part, name in zip(parts, found, strict=False) if name is None]
        if missing:
            raise _missing("caption", missing, names, where)
        return tuple(name for name in found if name is not None)
    for usual in CAPTION_COLUMNS:
        plain = [name for name in names if _normal(name) == usual][:1]
        numbered = [
            (int(match[1]), name)
            for name in names
            if (match := re.fullmatch(rf"{usual}_?(\d+)", _normal(name)))
        ]
        if plain or numbered:
            return (*plain, *(name for _, name in sorted(numbered)))
    return ()


def _named(names: Sequence[str], asked: str) -> str | None:
    if asked in names:
        return asked
    return _first_of(names, (_normal(asked),))


def _first_of(names: Sequence[str], usual: Sequence[str]) -> str | None:
    normal: dict[str, str] = {}
    for name in names:
        normal.setdefault(_normal(name), name)
    return next((normal[candidate] for candidate in usual if candidate in normal), None)


def _normal(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def _missing(what: str, wanted: Sequence[str], names: Sequence[str], where: str) -> PairsError:
    listed = ", ".join(wanted[:_SHOWN]) + (" and others" if len(wanted) > _SHOWN else "")
    found = ", ".join(names) or "nothing"
    return PairsError(
        f"{where}: no {what} column; looked for {listed}, found {found}{_hint(wanted, names)}; "
        f"name it with --{what}-column (data.{what}_column in a recipe)"
    )


def _hint(wanted: Sequence[str], names: Sequence[str]) -> str:
    if any(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in names):
        return "; the first line must name the columns, this one looks like data"
    near = [
        (difflib.SequenceMatcher(None, _normal(want), _normal(name)).ratio(), name)
        for want in wanted
        for name in names
    ]
    score, name = max(near, default=(0.0, ""))
    return f"; the nearest is {name!r}" if score >= _NEAR else ""
