"""Lists of addresses: one a line, or a table with a column of them, as img2dataset reads.

.txt            an address a line; after a tab, its caption; ``#`` begins a remark
.csv .tsv       a header line with ``url`` and, if there are captions, ``caption``
.jsonl          an object a line with the same names
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import PairsError
from core.pairs.columns import CAPTION_COLUMNS
from core.web_address import is_url

_URL_COLUMNS = ("url", "image_url", "img_url", "urls", "image_link", "image")


@dataclass(frozen=True, slots=True)
class ListedUrl:
    """One address of a list."""

    url: str
    caption: str | None = None


@dataclass(frozen=True, slots=True)
class UrlList:
    """The addresses of a list in its order, each once, and the lines that hold none."""

    urls: tuple[ListedUrl, ...]
    skipped: dict[str, str]
    """Why a line, named ``file:line``, was left out."""


def read_url_list(path: Path) -> UrlList:
    """Read a list of http and https addresses.

    Raises:
        PairsError: there is no such file, it is not UTF-8, has no such column, or no address.
    """
    urls: dict[str, ListedUrl] = {}
    skipped: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for line, url, caption in _entries(path, file):
                if is_url(url):
                    urls.setdefault(url, ListedUrl(url, caption or None))
                else:
                    skipped[f"{path.name}:{line}"] = f"{url[:80]!r} is not an http address"
    except OSError as error:
        raise PairsError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PairsError(f"{path} is not UTF-8 text: {error}; save it as UTF-8") from error
    except csv.Error as error:
        raise PairsError(f"{path} is not a readable table: {error}") from error
    if not urls:
        raise PairsError(f"{path} holds no http or https address")
    return UrlList(tuple(urls.values()), skipped)


def _entries(path: Path, lines: Iterator[str]) -> Iterator[tuple[int, str, str]]:
    """Yield line number, address and caption."""
    suffix = path.suffix.lower()
    if suffix in {".csv", ".tsv"}:
        reader = csv.DictReader(lines, delimiter="\t" if suffix == ".tsv" else ",")
        for row in reader:
            yield (reader.line_num, *_cells(row, f"{path}:{reader.line_num}"))
        return
    for number, text in enumerate(lines, start=1):
        line = text.strip()
        if not line or (suffix != ".jsonl" and line.startswith("#")):
            continue
        if suffix == ".jsonl":
            yield (number, *_cells(_object(line, f"{path}:{number}"), f"{path}:{number}"))
        else:
            url, _, caption = line.partition("\t")
            yield number, url.strip(), caption.strip()


def _cells(row: Mapping[str, object], where: str) -> tuple[str, str]:
    names = {str(name).strip().lower(): name for name in row if name is not None}
    column = next((names[name] for name in _URL_COLUMNS if name in names), None)
    if column is None:
        raise PairsError(
            f"{where}: no column of addresses; looked for {', '.join(_URL_COLUMNS)}, found "
            f"{', '.join(names) or 'nothing'}"
        )
    caption = next((row[names[name]] for name in CAPTION_COLUMNS if name in names), None)
    return str(row[column] or "").strip(), caption.strip() if isinstance(caption, str) else ""


def _object(line: str, where: str) -> Mapping[str, object]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise PairsError(f"{where}: not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise PairsError(f"{where}: expected a JSON object, not {line[:40]!r}")
    return value
