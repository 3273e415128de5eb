"""``GET /v1/health``: how the service does, for operators and for the page."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import Response

from core.types import JSONObject
from service.access import engine_of
from service.health_answers import HealthAnswer
from service.health_report import health_object
from service.openapi import answers
from service.responses import json_response

router = APIRouter(tags=["operations"])

_LANE: JSONObject = {
    "lane": "text",
    "queued": 0,
    "queued_limit": 2048,
    "batches": 12,
    "inputs": 30,
    "model_seconds": 0.21,
    "waits": 12,
    "waited_seconds": 0.01,
    "skipped": 0,
    "bisections": 0,
}
_HEALTH: JSONObject = {
    "version": "1.0.0",
    "now_ms": 1_735_689_600_000,
    "process": {
        "pid": 7,
        "processes": 1,
        "read_only": False,
        "started_ms": 1_735_689_000_000,
        "cores": 8,
        "memory_bytes": 400_000_000,
        "cpu_seconds": 31.5,
    },
    "ready": {"ok": True, "reason": None},
    "requests": {
        "in_flight": 1,
        "by_status": {"200": 118, "429": 2},
        "refused": {"busy": 2},
        "images_refused": {"image_truncated": 1},
        "bounds_s": [0.01, 0.1],
        "routes": [
            {"route": "/v1/search", "count": 120, "seconds": 1.9, "buckets": [80, 119, 120]}
        ],
    },
    "admission": {
        "requests": 1,
        "requests_limit": 256,
        "cost": 0.2,
        "cost_limit": 128.0,
        "bytes": 0,
        "bytes_limit": 536_870_912,
    },
    "lanes": [_LANE],
    "caches": [
        {
            "name": "text",
            "entries": 9,
            "entries_limit": 10_000,
            "hits": 90,
            "misses": 30,
            "evictions": 0,
        }
    ],
    "gallery": {
        "items": 300,
        "damaged": 0,
        "coverage": 1.0,
        "folder": "/data/gallery",
        "fields": ["price"],
    },
    "index": {
        "kind": "flat",
        "plan": "exact",
        "exact": True,
        "base": 300,
        "dead": 0,
        "delta": 0,
        "generation": 1,
        "merging": False,
        "merges": 1,
        "merge_seconds": 0.1,
        "merge_errors": 0,
        "snapshot": {"generation": 1, "bytes": 700_000, "saved_ms": 1_735_689_100_000},
    },
    "writes": {
        "waiting": 0,
        "commits": 10,
        "commit_seconds": 0.2,
        "changes": 300,
        "errors": 0,
    },
    "disk": {
        "free_bytes": 80_000_000_000,
        "total_bytes": 100_000_000_000,
        "gallery_bytes": 60_000_000,
        "database_bytes": 1_300_000,
        "snapshots_bytes": 700_000,
        "images_bytes": 50_000_000,
        "thumbnails_bytes": 8_000_000,
    },
    "failures": {
        "count": 1,
        "codes": {"image_truncated": 1},
        "latest": [
            {
                "path": "/photos/broken.jpg",
                "code": "image_truncated",
                "message": "the JPEG picture is cut short and cannot be decoded",
                "failed_ms": 1_735_689_050_000,
            }
        ],
    },
    "model": {
        "name": "starter",
        "encoder_id": "0123456789abcdef",
        "dimension": 384,
        "image_size": 224,
        "context_length": 64,
        "calibrated": True,
        "runtime": "openvino",
        "image_precision": "int8",
        "text_precision": "float32",
        "tuned": True,
        "card": "# Sightline starter model",
    },
}


@router.get(
    "/v1/health",
    summary="How the service does",
    responses=answers(_HEALTH, model=HealthAnswer),
)
async def get_health(request: Request) -> Response:
    """Return load, queues, caches, index, disk, failures and model; it waits for no model."""
    state = request.app.state
    # Not among the threads of requests: it has to answer when they are all busy.
    found = await asyncio.to_thread(
        health_object, engine_of(request), state.backlog, version=request.app.version
    )
    return json_response(found, headers={"cache-control": "no-store"})
