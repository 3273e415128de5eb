"""Emoji pictures with the names and tags of emojibase-data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from training.starter.pictures import Picture

FLAGS_GROUP = 9
COMPONENTS_GROUP = 2


class _EmojiRecord(TypedDict, total=False):
    label: str
    hexcode: str
    tags: list[str]
    group: int


@dataclass(frozen=True, slots=True)
class Emoji:
    """One emoji: what it is called, not how it is drawn."""

    hexcode: str
    """Code points in lower case, joined by hyphens, without variation selectors."""
    captions: tuple[str, ...]
    """Its name, then its tags."""


def plain_hexcode(hexcode: str) -> str:
    """Return the code in lower case without the variation selector FE0F."""
    return "-".join(part for part in hexcode.lower().split("-") if part != "fe0f")


def read_emoji(path: Path) -> list[Emoji]:
    """Read emojibase's `data.json`: no flags, no components, no skin tones."""
    records: list[_EmojiRecord] = json.loads(path.read_text(encoding="utf-8"))
    return [
        Emoji(plain_hexcode(record["hexcode"]), (record["label"], *record.get("tags", [])))
        for record in records
        if record.get("group") not in {None, FLAGS_GROUP, COMPONENTS_GROUP}
    ]


def iconify_pictures(folder: Path, style: str, emoji: list[Emoji]) -> Iterator[Picture]:
    """Yield the emoji that an Iconify JSON package draws, as SVG text."""
    icons = json.loads((folder / "icons.json").read_text(encoding="utf-8"))
    chars = json.loads((folder / "chars.json").read_text(encoding="utf-8"))
    names = {plain_hexcode(code): name for code, name in chars.items()}
    bodies = {name: icon["body"] for name, icon in icons["icons"].items()}
    for name, alias in icons.get("aliases", {}).items():
        bodies.setdefault(name, bodies.get(alias["parent"], ""))
    for one in emoji:
        body = bodies.get(names.get(one.hexcode, ""), "")
        if body:
            yield Picture(
                name=f"{style}/{one.hexcode}",
                concept=one.captions[0],
                captions=one.captions,
                svg=_svg(body, icons.get("width", 16), icons.get("height", 16)),
            )


def _svg(body: str, width: int, height: int) -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width} {height}" width="{width}" height="{height}">{body}</svg>'
    )


def file_pictures(folder: Path, style: str, emoji: list[Emoji]) -> Iterator[Picture]:
    """Yield the emoji that a folder of `<hexcode>.webp` or `.png` files draws."""
    files = {plain_hexcode(path.stem): path for path in sorted(folder.iterdir())}
    for one in emoji:
        if one.hexcode in files:
            yield Picture(
                name=f"{style}/{one.hexcode}",
                concept=one.captions[0],
                captions=one.captions,
                path=files[one.hexcode],
            )
