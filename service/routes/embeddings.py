"""``/v1/embeddings`` and ``/v1/models`` in the shape of the OpenAI API."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TypeGuard

import numpy as np
from fastapi import APIRouter, Request
from starlette.responses import Response

from core.errors import NotFoundError, SightlineError, UsageError
from core.types import FloatArray, JSONObject, JSONValue
from service.access import check_count, check_text, engine_of
from service.answers import EmbeddingAnswer, ModelAnswer, ModelsAnswer
from service.embedding_inputs import EmbeddingInput, embedding_inputs
from service.embedding_schemas import EmbeddingRequest
from service.engine import Engine
from service.errors import out_of_range
from service.image_sources import ImageSource, embed_sources
from service.middleware import restore_slashes
from service.openapi import answers, json_body
from service.request_scope import Priority, count_work, work_as
from service.responses import json_response
from service.uploads import read_upload

router = APIRouter(tags=["embeddings"])

_MOST_WATCHED = 8
"""Inputs of a request that somebody may wait for; larger ones yield to searches at the model."""

_MOST_SHORT_TEXTS = 4
_MOST_SHORT_CHARS = 256
"""Texts and characters of them all that are cleaned and counted in the event loop: a millisecond at
most with the tokenizer of CLIP, where a thread would cost each request more."""

_EXAMPLE: JSONObject = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.0123, -0.0456]}],
    "model": "starter",
    "usage": {"prompt_tokens": 5, "total_tokens": 5},
}
_MODEL: JSONObject = {
    "id": "starter",
    "object": "model",
    "created": 1790000000,
    "owned_by": "sightline",
    "encoder_id": "0123456789abcdef",
    "dim": 512,
}


@router.post(
    "/v1/embeddings",
    summary="Embed texts or images",
    openapi_extra=json_body(EmbeddingRequest),
    responses=answers(_EXAMPLE, errors=(404, 415, 422, 502), model=EmbeddingAnswer),
)
@router.post("/embeddings", include_in_schema=False)
async def post_embeddings(request: Request) -> Response:
    """Return unit vectors; the official ``openai`` client works against this route."""
    engine = engine_of(request)
    upload = await read_upload(request, EmbeddingRequest, engine.settings)
    fields = upload.fields
    _check_model(engine, fields.model)
    _check_dimensions(engine, fields.dimensions)
    inputs = embedding_inputs(fields)
    if _is_short(inputs):
        texts = _checked_texts(engine, inputs)
        vectors = await engine.encoder.encode_texts_async(texts)
        return json_response(_answer(engine, fields, vectors, texts))
    return json_response(await engine.workers.run(_embed, engine, fields, inputs))


@router.get(
    "/v1/models",
    summary="The model",
    responses=answers({"object": "list", "data": [_MODEL]}, model=ModelsAnswer),
)
async def get_models(request: Request) -> Response:
    """Return the one model that this service runs."""
    return json_response({"object": "list", "data": [_model_object(engine_of(request))]})


@router.get(
    "/v1/models/{model}",
    summary="One model",
    responses=answers(_MODEL, errors=(404,), model=ModelAnswer),
)
async def get_model(request: Request, model: str) -> Response:
    """Return the model by its name or its encoder id."""
    engine = engine_of(request)
    _check_model(engine, restore_slashes(model))
    return json_response(_model_object(engine))


def _model_object(engine: Engine) -> JSONObject:
    return {
        "id": engine.encoder.name,
        "object": "model",
        "created": engine.opened_at,
        "owned_by": "sightline",
        "encoder_id": engine.encoder.encoder_id,
        "dim": engine.encoder.dim,
    }


def _is_short(inputs: Sequence[EmbeddingInput]) -> TypeGuard[Sequence[str]]:
    """Return whether the inputs are few short texts: the event loop can prepare them itself."""
    if len(inputs) > _MOST_SHORT_TEXTS:
        return False
    chars = 0
    for item in inputs:
        if not isinstance(item, str):
            return False
        chars += len(item)
    return chars <= _MOST_SHORT_CHARS


def _embed(
    engine: Engine, fields: EmbeddingRequest, inputs: Sequence[EmbeddingInput]
) -> JSONObject:
    """Embed any inputs, in a thread of the request."""
    if len(inputs) > _MOST_WATCHED:
        work_as(Priority.BULK)
    texts = _checked_texts(engine, inputs)
    images = [item for item in inputs if not isinstance(item, str)]
    of_texts = iter(engine.encoder.encode_texts(texts))
    of_images = iter(_embed_images(engine, images))
    vectors = [next(of_texts if isinstance(item, str) else of_images) for item in inputs]
    return _answer(engine, fields, vectors, texts)


def _answer(
    engine: Engine,
    fields: EmbeddingRequest,
    vectors: Sequence[FloatArray],
    texts: Sequence[str],
) -> JSONObject:
    """Return the body of the answer; ``texts`` are those whose tokens count."""
    if fields.dimensions is not None:
        vectors = [*_shortened(np.stack(vectors), fields.dimensions)]
    data: list[JSONValue] = [
        {
            "object": "embedding",
            "index": place,
            "embedding": _encoded(vector_D, fields.encoding_format),
        }
        for place, vector_D in enumerate(vectors)
    ]
    tokens = sum(engine.encoder.count_tokens(texts)) if texts else 0
    usage: JSONObject = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": engine.encoder.name, "usage": usage}


def _checked_texts(engine: Engine, inputs: Sequence[EmbeddingInput]) -> list[str]:
    """Return the texts among the inputs, each within its limits."""
    texts = {place: item for place, item in enumerate(inputs) if isinstance(item, str)}
    check_count(len(texts), limit=engine.settings.max_texts, what="texts", param="input")
    for place, text in texts.items():
        check_text(text, limit_chars=engine.settings.max_text_chars, param=f"input[{place}]")
        if not text.strip():
            raise UsageError(f"input[{place}] is empty; send some words", param=f"input[{place}]")
    count_work(texts=len(texts))
    return list(texts.values())


def _embed_images(engine: Engine, sources: Sequence[ImageSource]) -> list[FloatArray]:
    vectors = []
    for source, vector in zip(sources, embed_sources(engine, sources), strict=True):
        if isinstance(vector, SightlineError):
            # The OpenAI shape has no place for an error beside results.
            vector.param = source.param
            raise vector
        vectors.append(vector)
    return vectors


def _check_model(engine: Engine, model: str | None) -> None:
    known = {engine.encoder.name, engine.encoder.encoder_id}
    if model is not None and model not in known:
        raise NotFoundError(
            f"there is no model {model[:100]!r} here; this service runs {engine.encoder.name!r} "
            f"({engine.encoder.encoder_id})",
            param="model",
            code="model_not_found",
        )


def _check_dimensions(engine: Engine, dimensions: int | None) -> None:
    if dimensions is not None and dimensions > engine.encoder.dim:
        raise out_of_range(
            f"dimensions = {dimensions}, the model has {engine.encoder.dim}", param="dimensions"
        )


def _shortened(vectors_ND: FloatArray, dimensions: int) -> FloatArray:
    """Keep the first ``dimensions`` numbers and normalise again; a zero vector stays zero."""
    short_ND = vectors_ND[:, :dimensions]
    norms_N1 = np.linalg.norm(short_ND, axis=1, keepdims=True)
    normalised_ND: FloatArray = short_ND / np.maximum(norms_N1, np.finfo(np.float32).tiny)
    return normalised_ND


def _encoded(vector_D: FloatArray, encoding: str | None) -> JSONValue:
    if encoding == "base64":
        return base64.b64encode(vector_D.astype("<f4").tobytes()).decode()
    values: list[JSONValue] = vector_D.tolist()
    return values
