"""What a collection takes and gives: items, hits, pages, and the rules for ids and metadata.

# D = embedding dimension
"""

from __future__ import annotations

import json
import math
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum

from core.errors import UsageError
from core.types import FloatArray, JSONObject, JSONValue

MOST_ID_BYTES = 512
MOST_CAPTION_BYTES = 64 * 1024
MOST_METADATA_BYTES = 64 * 1024
MOST_METADATA_DEPTH = 16
_BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INT64 = range(-(2**63), 2**63)


class Status(StrEnum):
    """What became of one item that was added."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class FileStamp:
    """How a file looked when it was indexed, to recognise it cheaply the next time."""

    path: str
    """Absolute path."""
    size: int
    """In bytes."""
    mtime_ns: int
    """Time of the last change, in nanoseconds."""


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item to store."""

    id: str
    vector_D: FloatArray
    """L2-normalised float32."""
    digest: str
    """sha256 of the image's bytes, hexadecimal."""
    caption: str = ""
    metadata: JSONObject = field(default_factory=dict)
    source: str | None = None
    """Path of the image's file; ``None`` where the gallery keeps the bytes itself."""
    stamp: FileStamp | None = None
    """Set for files: lets the next ``add`` skip them unread."""


@dataclass(frozen=True, slots=True)
class Item:
    """An item as it is stored, without its vector."""

    id: str
    caption: str
    metadata: JSONObject
    digest: str
    source: str | None


@dataclass(frozen=True, slots=True)
class TermContribution:
    """What one term of the query added to a hit's score; the contributions sum to the score."""

    term: str
    weight: float
    cosine: float
    """Cosine of the hit with this term alone."""
    contribution: float
    """The term's share of the score."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """The places of a hybrid hit in the two rankings that were fused, from 1."""

    vector: int | None
    """``None`` where it is not among the places of that ranking that are read."""
    keyword: int | None


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer of a search."""

    id: str
    score: float
    """Cosine with the query vector (keyword and hybrid mode: see docs/gallery.md)."""
    confidence: float | None
    """Calibrated probability of relevance; ``None`` where the model has no calibration."""
    caption: str
    metadata: JSONObject
    digest: str
    """sha256 of the image's bytes, hexadecimal."""
    terms: tuple[TermContribution, ...] | None = None
    """Filled by ``explain``."""
    ranks: Ranks | None = None
    """Of mode hybrid."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits of one page, best first: score descending, then id ascending."""

    hits: tuple[Hit, ...]
    plan: str
    """How it was found: ``exact``, or the approximate plan of the index."""
    cursor: str | None
    """Give it back to get the next page; ``None`` on the last."""


@dataclass(frozen=True, slots=True)
class Page:
    """Items in order of their id."""

    items: tuple[Item, ...]
    cursor: str | None


def check_id(id: str) -> str:
    """Return ``id`` if it can name an item: any NFC text of 1 to 512 UTF-8 bytes, no controls.

    An id is data and never becomes a path.

    Raises:
        UsageError: the id is empty, too long, not NFC, a step in a path, or holds control or
            bidirectional marks.
    """
    encoded = encode_text(id, what="an item id")
    if not id or len(encoded) > MOST_ID_BYTES:
        raise _id_error(f"{id[:40]!r} has {len(encoded)} bytes of UTF-8; 1 to {MOST_ID_BYTES} fit")
    if not unicodedata.is_normalized("NFC", id):
        raise _id_error(f"{id!r} is not in Unicode form NFC; normalise it before adding")
    if id in {".", ".."}:
        # Clients resolve these steps even when they are escaped: no request could name the item.
        raise _id_error(f"{id!r} is a step in a path, which no address can hold; choose another")
    refused = next((char for char in id if _is_control(char)), None)
    if refused is not None:
        raise _id_error(f"{id!r} holds the control character U+{ord(refused):04X}; remove it")
    return id


def check_caption(caption: str) -> str:
    """Return ``caption`` if it can be stored.

    Raises:
        UsageError: it is longer than the limit, or holds NUL or half of a surrogate pair.
    """
    length = len(encode_text(caption, what="a caption"))
    if length > MOST_CAPTION_BYTES:
        raise UsageError(
            f"a caption has {length} bytes; the limit is {MOST_CAPTION_BYTES}: shorten it",
            param="caption",
        )
    return caption


def encode_metadata(metadata: JSONObject) -> str:
    """Return metadata as JSON text: sorted keys, no spaces, letters as they are.

    SQLite before 3.45 does not find a key that is written with escapes, so none is.

    Raises:
        UsageError: not a JSON object, too large, too deep, or with values that JSON or SQLite
            cannot hold exactly (NaN, infinity, integers beyond 64 bits, NUL, lone surrogates).
    """
    if not isinstance(metadata, dict):
        raise _metadata_error(f"metadata is a {type(metadata).__name__}; give a JSON object")
    _check_value(metadata, depth=1)
    text = json.dumps(
        metadata, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False
    )
    length = len(text.encode())
    if length > MOST_METADATA_BYTES:
        raise _metadata_error(
            f"metadata has {length} bytes as JSON; the limit is {MOST_METADATA_BYTES}"
        )
    return text


def encode_text(text: str, *, what: str) -> bytes:
    """Return ``text`` as UTF-8.

    Raises:
        UsageError: it holds half of a surrogate pair or a NUL character.
    """
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{what} holds half of a surrogate pair at {error.start}") from error
    if "\0" in text:
        raise UsageError(f"{what} holds a NUL character at {text.index(chr(0))}; remove it")
    return encoded


def _is_control(char: str) -> bool:
    # Bidirectional marks can make one id look like another on a screen.
    return unicodedata.category(char) == "Cc" or char in _BIDIRECTIONAL


def _check_value(value: JSONValue, *, depth: int) -> None:
    if depth > MOST_METADATA_DEPTH:
        raise _metadata_error(f"metadata is nested deeper than {MOST_METADATA_DEPTH} levels")
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_key(key)
            _check_value(inner, depth=depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check_value(inner, depth=depth + 1)
    else:
        _check_scalar(value)


def _check_key(key: object) -> None:
    if not isinstance(key, str):
        raise _metadata_error(f"the metadata key {key!r} is not text")
    encode_text(key, what="a metadata key")


def _check_scalar(value: object) -> None:
    if isinstance(value, str):
        encode_text(value, what="a metadata value")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise _metadata_error(f"the metadata value {value} is not a finite number")
    elif isinstance(value, int):
        if value not in _INT64:
            raise _metadata_error(f"the metadata value {value} does not fit 64 bits; use text")
    elif value is not None:
        raise _metadata_error(f"a metadata value is a {type(value).__name__}, which JSON lacks")


def _id_error(message: str) -> UsageError:
    return UsageError(f"the item id {message}", param="id", code="invalid_id")


def _metadata_error(message: str) -> UsageError:
    return UsageError(message, param="metadata", code="invalid_metadata")
