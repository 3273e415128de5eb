"""``POST /v1/classify``: zero-shot labels."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request
from starlette.responses import Response

from core.types import JSONObject
from service.access import engine_of
from service.classification import classify
from service.image_sources import image_sources
from service.label_answers import ClassifyAnswer
from service.openapi import answers, json_body
from service.responses import json_response
from service.schemas import ClassifyRequest
from service.uploads import read_upload

router = APIRouter(tags=["labels"])

_EXAMPLE: JSONObject = {
    "model": "0123456789abcdef",
    "label_set": None,
    "head": None,
    "warnings": [],
    "took_ms": 11.2,
    "results": [
        {
            "status": "ok",
            "label": "cat",
            "abstained": False,
            "reason": None,
            "labels": [
                {"label": "cat", "score": 0.93, "cosine": 0.271, "background": False},
                {"label": "dog", "score": 0.07, "cosine": 0.213, "background": False},
            ],
            "calibrated": False,
            "prediction_set": None,
        }
    ],
}


@router.post(
    "/v1/classify",
    summary="Label images with words of your choice",
    openapi_extra=json_body(ClassifyRequest, form=ClassifyRequest),
    responses=answers(_EXAMPLE, errors=(404, 409, 415, 422, 502), model=ClassifyAnswer),
)
async def post_classify(request: Request) -> Response:
    """Score labels for one or more images; a bad image among several harms no other."""
    started = time.monotonic()
    engine = engine_of(request)
    upload = await read_upload(request, ClassifyRequest, engine.settings)
    sources = image_sources(upload.fields, upload.images)
    answer = await engine.workers.run(classify, engine, upload.fields, sources)
    took_ms = round((time.monotonic() - started) * 1000, 3)
    return json_response({**answer, "took_ms": took_ms})
