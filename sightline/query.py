"""One term of a query, and how it stands in a request."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from core.types import FloatArray, JSONObject
from sightline.images import ImageLike, image_bytes


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a query: exactly one of text, image, image_id and vector; the server checks."""

    text: str | None = None
    image: ImageLike | None = None
    image_id: str | None = None
    """Id of an item of the gallery."""
    vector: FloatArray | Sequence[float] | None = None
    """An embedding of the server's own model."""
    weight: float = 1.0
    """Negative to steer away from the term."""


def term_object(term: Term) -> JSONObject:
    """Return a term as ``POST /v1/search`` takes it.

    Raises:
        SightlineError: its image cannot be read.
    """
    found: JSONObject = {"weight": term.weight}
    if term.text is not None:
        found["text"] = term.text
    if term.image is not None:
        found["image"] = base64.b64encode(image_bytes(term.image)).decode()
    if term.image_id is not None:
        found["image_id"] = term.image_id
    if term.vector is not None:
        found["vector"] = [float(number) for number in term.vector]
    return found
