"""Captioned cut-out photographs and drawings of Debian's tuxpaint-stamps-default: held out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from training.starter.pictures import Picture

SKIPPED_FOLDERS = ("symbols", "town/roadsigns")
"""Letters, numbers, coins and signs."""


def stamp_pictures(folder: Path) -> Iterator[Picture]:
    """Yield the stamps that have an English caption and a picture."""
    for text_file in sorted(folder.rglob("*.txt")):
        name = text_file.relative_to(folder).with_suffix("").as_posix()
        if "_desc" in text_file.name or name.startswith(SKIPPED_FOLDERS):
            continue
        files = [text_file.with_suffix(suffix) for suffix in (".png", ".svg")]
        found = [path for path in files if path.is_file()]
        caption = text_file.read_text(encoding="utf-8", errors="replace").split("\n")[0].strip()
        if found and caption:
            yield Picture(f"stamps/{name}", caption, (caption,), found[0])
