"""Searching and embedding: requests and the reading of their answers.

# N = inputs, D = embedding dimension
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Literal, TypeAlias

import httpx
import numpy as np

from core.errors import UsageError
from core.types import FloatArray, JSONObject, JSONValue
from sightline.answers import SearchAnswer, read_search
from sightline.call import Call, form_of, given, json_body
from sightline.images import ImageLike, image_bytes
from sightline.query import Term, term_object

Mode: TypeAlias = Literal["vector", "keyword", "hybrid"]


def search_call(
    query: str | Sequence[Term] | None,
    *,
    text: str | None,
    images: Sequence[ImageLike],
    k: int,
    filter: JSONObject | None,
    cursor: str | None,
    min_confidence: float | None,
    mode: Mode,
    explain: bool,
) -> Call[SearchAnswer]:
    """Return the request of one page of hits.

    Raises:
        SightlineError: an image cannot be read.
    """
    asked: JSONValue = query if isinstance(query, str) else None
    if query is not None and not isinstance(query, str):
        asked = [term_object(term) for term in query]
    fields = given(
        query=asked,
        text=text,
        k=k,
        filter=filter,
        cursor=cursor,
        min_confidence=min_confidence,
        mode=mode,
        explain=explain,
    )
    files = [image_bytes(image) for image in images]
    return Call(
        "POST",
        "/v1/search",
        lambda response: read_search(json_body(response)),
        json=None if files else fields,
        form=form_of(fields) if files else None,
        images=files,
    )


def embed_texts_call(texts: Sequence[str], *, dimensions: int | None) -> Call[FloatArray]:
    """Return the request of the embeddings of texts.

    Raises:
        UsageError: one text instead of a list.
    """
    if isinstance(texts, str):
        raise UsageError("texts is one text; give a list of texts", param="texts")
    return _embeddings_call(list(texts), "text", dimensions)


def embed_images_call(images: Sequence[ImageLike], *, dimensions: int | None) -> Call[FloatArray]:
    """Return the request of the embeddings of images.

    Raises:
        SightlineError: an image cannot be read.
    """
    inputs: list[JSONValue] = [
        {"image": base64.b64encode(image_bytes(image)).decode()} for image in images
    ]
    return _embeddings_call(inputs, "image", dimensions)


def _embeddings_call(
    inputs: Sequence[JSONValue], modality: str, dimensions: int | None
) -> Call[FloatArray]:
    body = given(
        input=list(inputs), modality=modality, encoding_format="base64", dimensions=dimensions
    )
    return Call("POST", "/v1/embeddings", _embeddings, json=body)


def _embeddings(response: httpx.Response) -> FloatArray:
    """Read little-endian float32 embeddings, shape (N, D)."""
    entries = sorted(json_body(response)["data"], key=lambda entry: int(entry["index"]))
    vectors = [
        np.frombuffer(base64.b64decode(entry["embedding"]), dtype="<f4") for entry in entries
    ]
    return np.stack(vectors).astype(np.float32)
