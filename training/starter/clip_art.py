"""Clip art of Debian's openclipart packages: pixels from the PNGs, keywords from the SVGs.

File names mix the title with its author and a number (`harp3_ganson`), and part of them are not
English, so a caption is kept only if WordNet knows its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from training.starter.pictures import Picture

SKIPPED_FOLDERS = (
    "computer/icons",
    "computer/buttons",
    "shapes",
    "special",
    "signs_and_symbols/flags",
    "signs_and_symbols/led",
    "signs_and_symbols/map_symbols",
    "recreation/games",
    "transportation/aiga-symbols",
    "unsorted/duplicates",
)
PUBLIC_DOMAIN = re.compile(r"cc:license\s[^>]*(?:publicdomain)", re.IGNORECASE)
TITLE = re.compile(r"<dc:title>([^<]{2,80})</dc:title>")
KEYWORD = re.compile(r"<rdf:li>([^<]{2,40})</rdf:li>")
CREATOR = re.compile(r"<dc:creator>.*?<dc:title>([^<]*)</dc:title>", re.DOTALL)
STOP_WORDS = frozenset(
    {
        *("clip", "art", "clipart", "icon", "image", "picture", "svg", "png", "by", "the", "of"),
        *("and", "a", "in", "with", "for", "simple", "color", "colour", "black", "white", "bw"),
        *("set", "part", "new", "old", "collection", "hash", "theme", "architetto"),
    }
)
"""Words that say nothing of what a picture shows."""
MAX_NAME_WORDS = 5


def words_of(text: str) -> list[str]:
    """Return the lower-case words of a file name or title, without numbers."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return [word for word in re.split(r"[^A-Za-z]+", spaced.lower()) if len(word) > 1]


def clean_name(text: str, vocabulary: frozenset[str], authors: frozenset[str]) -> str:
    """Return the words of a title that WordNet knows, or "" if too many are unknown.

    Args:
        text: a file stem or a title.
        vocabulary: lower-case words of WordNet.
        authors: lower-case tokens of the author's name, dropped wherever they stand.
    """
    words = [
        word
        for word in words_of(text)
        if not any(word.startswith(author[:4]) for author in authors if len(author) > 3)  # noqa: PLR2004
    ]
    known = [word for word in words if _is_known(word, vocabulary)]
    content = [word for word in known if word not in STOP_WORDS]
    if not content or len(known) < len(words) or len(words) > MAX_NAME_WORDS:
        return ""
    return " ".join(known)


def _is_known(word: str, vocabulary: frozenset[str]) -> bool:
    singular = word.removesuffix("s")
    return word in vocabulary or singular in vocabulary or word in STOP_WORDS


def clip_art_pictures(
    png_folder: Path, svg_folder: Path, vocabulary: frozenset[str]
) -> Iterator[Picture]:
    """Yield the clip art that is in the public domain and has an English caption."""
    for path in sorted(png_folder.rglob("*.png")):
        name = path.relative_to(png_folder).with_suffix("").as_posix()
        metadata_file = svg_folder / f"{name}.svg"
        if name.startswith(SKIPPED_FOLDERS) or not metadata_file.is_file():
            continue
        text = metadata_file.read_text(encoding="utf-8", errors="replace")
        metadata = text[text.find("<metadata") : text.find("</metadata>")]
        if not PUBLIC_DOMAIN.search(metadata):
            continue
        captions = _captions(name, metadata, vocabulary)
        if captions:
            yield Picture(f"clip-art/{name}", captions[0], captions, path)


def _captions(name: str, metadata: str, vocabulary: frozenset[str]) -> tuple[str, ...]:
    authors = frozenset(word for text in CREATOR.findall(metadata) for word in words_of(text))
    title = next(iter(TITLE.findall(metadata)), "")
    texts = [text for text in (name.rsplit("/", 1)[-1], title) if " by " not in text]
    names = [clean_name(text, vocabulary, authors) for text in texts]
    keywords = [word.strip().lower() for word in KEYWORD.findall(metadata)]
    known = [word for word in keywords if word in vocabulary and word not in STOP_WORDS]
    found = [text for text in names if text]
    return tuple(dict.fromkeys([*found, *known])) if found else ()
