"""Cursors: opaque, checksummed marks of how far a result was read.

# D = embedding dimension

A cursor continues after a (score, id), not after a count, so what others write meanwhile neither
repeats nor skips a hit. It is bound to its query: another query's cursor is refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass

import numpy as np

from core.errors import QueryError
from core.types import FloatArray, JSONValue

_VERSION = 1
_CHECKSUM_BYTES = 8
_SKETCH_DIM = 8
_SKETCH_TOLERANCE = 1e-3
_MOST_CHARS = 4096


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last hit that was given out, and what it was an answer to."""

    binding: str
    """Digest of everything but the vector that decides the order: filter, mode."""
    sketch: tuple[float, ...]
    """First coordinates of the query vector: the same texts and images embed to nearly the same
    vector every time, but not to the last bit, so a digest of it would not do."""
    score: float
    id: str
    seen: int
    """How many hits were given out: a hint of how many candidates to ask the index for."""
    vector_key: str = ""
    """Digest of the exact query vector, which the collection remembers for a while."""

    def encode(self) -> str:
        """Return the cursor as the text that clients get."""
        fields = [
            _VERSION,
            self.binding,
            list(self.sketch),
            self.score,
            self.id,
            self.seen,
            self.vector_key,
        ]
        body = json.dumps(fields, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(_checksum(body) + body).decode().rstrip("=")


def decode_cursor(text: str) -> Cursor:
    """Return the cursor that a client gave back.

    Raises:
        QueryError: it was not made by this program, or was altered.
    """
    try:
        version, binding, sketch, score, last_id, seen, key = json.loads(_checked_body(text))
    except (ValueError, TypeError) as error:
        raise cursor_error("is damaged, or is not one that this collection gave out") from error
    if version != _VERSION:
        raise cursor_error(f"is of version {version}; this release reads {_VERSION}: ask anew")
    return Cursor(binding, tuple(sketch), score, last_id, seen, key)


def check_cursor(cursor: Cursor, *, binding: str, vector_D: FloatArray | None) -> None:
    """Refuse a cursor that belongs to another query.

    Raises:
        QueryError: filter, mode or vector differ from those that the cursor was made for.
    """
    expected = () if vector_D is None else sketch_of(vector_D)
    same = len(cursor.sketch) == len(expected) and np.allclose(
        cursor.sketch, expected, rtol=0, atol=_SKETCH_TOLERANCE
    )
    if cursor.binding != binding or not same:
        raise cursor_error("belongs to another query or filter; repeat the query that gave it")


def binding_of(value: JSONValue) -> str:
    """Return the digest under which a cursor is bound to filter, mode and the like."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def sketch_of(vector_D: FloatArray) -> tuple[float, ...]:
    """Return the first coordinates of a unit vector, rounded."""
    return tuple(round(float(value), 5) for value in vector_D[:_SKETCH_DIM])


def vector_key(vector_D: FloatArray) -> str:
    """Return the digest of a vector's exact bytes."""
    return hashlib.sha256(vector_D.astype("<f4").tobytes()).hexdigest()[:16]


def cursor_error(message: str) -> QueryError:
    """Return the error of a cursor that cannot be continued."""
    return QueryError(
        f"the cursor {message}, or start again without a cursor",
        param="cursor",
        code="invalid_cursor",
    )


def _checked_body(text: str) -> bytes:
    """Return the body of a cursor; a ``ValueError`` says that it is none."""
    if len(text) > _MOST_CHARS:
        raise ValueError(len(text))
    padded = text.encode("ascii") + b"=" * (-len(text) % 4)
    raw = base64.b64decode(padded, altchars=b"-_", validate=True)
    checksum, body = raw[:_CHECKSUM_BYTES], raw[_CHECKSUM_BYTES:]
    if checksum != _checksum(body):
        raise ValueError(checksum)
    return body


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(b"sightline cursor" + body).digest()[:_CHECKSUM_BYTES]
