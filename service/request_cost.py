"""What a request will cost, guessed before its body is read.

The unit is one image through decoder and model. A text costs a fifth of it: so many more texts than
images a second go through CLIP models on a CPU.
"""

from __future__ import annotations

from starlette.types import Scope

IMAGE_COST = 1.0
TEXT_COST = 0.2
READ_COST = 0.05
"""A request that runs no model: it takes a thread and a little time."""

_IMAGE_BYTES = 100_000
"""Bytes of a photograph as it is sent to such services; real numbers replace the guess."""
_TEXT_BODY_BYTES = 4096
"""A JSON body up to this size is taken for texts: hardly any picture is so small."""
_MODEL_READS = ("/search", "/judgements/quality")
_CHEAP_WRITES = ("/delete",)
_BULK_WRITES = ("/items",)


def cost_of(*, images: int = 0, texts: int = 0) -> float:
    """Return the cost of images and texts that go through the model, in cost units."""
    return IMAGE_COST * images + TEXT_COST * texts


def estimated_cost(scope: Scope) -> float:
    """Return what a request probably costs, from method, path, content type and length."""
    path = scope["path"]
    if scope["method"] != "POST":
        return TEXT_COST if path.endswith(_MODEL_READS) else READ_COST
    if path.endswith(_CHEAP_WRITES):
        return READ_COST
    length = announced_length(scope)
    if length is None:
        return IMAGE_COST
    is_form = (header(scope, b"content-type") or "").lower().startswith("multipart/")
    if not is_form and length <= _TEXT_BODY_BYTES:
        return TEXT_COST
    return max(IMAGE_COST, length / _IMAGE_BYTES)


def is_bulk(scope: Scope) -> bool:
    """Return whether a request adds items: much work, and nobody watches."""
    return bool(scope["method"] == "POST" and scope["path"].endswith(_BULK_WRITES))


def announced_length(scope: Scope) -> int | None:
    """Return the length of the body, 0 where there is none, ``None`` where it is not said."""
    if header(scope, b"transfer-encoding") is not None:
        return None
    announced = header(scope, b"content-length")
    if announced is None:
        return 0
    return int(announced) if announced.isdecimal() else None


def header(scope: Scope, name: bytes) -> str | None:
    """Return the first header of a lower-case name, without decoding the others."""
    for found, value in scope["headers"]:
        if found == name:
            text: str = value.decode("latin-1")
            return text
    return None
