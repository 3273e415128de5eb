"""What an operator asks first, as one JSON object: the numbers of the metrics, and the state.

Counters run since the process began. Whoever wants the last minutes takes the difference of two
answers of the same process, as the page does.
"""

from __future__ import annotations

import contextlib
import os
import time

from core.cores import usable_cores
from core.errors import NotReadyError
from core.types import JSONObject, JSONValue
from index.failures import count_failures, latest_failures
from index.snapshots import recorded, snapshot_folder
from service.backlog import Backlog
from service.engine import Engine
from service.metric_samples import HistogramSample, MetricSamples

LANES = ("text", "image")
_REQUESTS = "sightline_request_seconds"
_SHOWN_FAILURES = 20


def health_object(engine: Engine, backlog: Backlog, *, version: str) -> JSONObject:
    """Return the answer of ``GET /v1/health``; it waits for neither model nor index.

    Raises:
        StorageError: the database of the gallery cannot be read.
    """
    samples = engine.metrics.samples()
    return {
        "version": version,
        "now_ms": time.time_ns() // 1_000_000,
        "process": _process(engine, samples),
        "ready": _ready(engine),
        "requests": _requests(samples),
        "admission": _admission(engine, backlog, samples),
        "lanes": [_lane(engine, samples, name) for name in LANES],
        "caches": _caches(engine),
        "gallery": _gallery(engine),
        "index": _index(engine, samples),
        "writes": _writes(engine, samples),
        "disk": _disk(engine, samples),
        "failures": _failures(engine),
        "model": _model(engine),
    }


def _process(engine: Engine, samples: MetricSamples) -> JSONObject:
    settings = engine.settings
    return {
        "pid": os.getpid(),
        "processes": settings.processes,
        "read_only": settings.read_only,
        "started_ms": engine.opened_at * 1000,
        "cores": usable_cores(),
        "memory_bytes": int(samples.value("process_resident_memory_bytes")),
        "cpu_seconds": samples.value("process_cpu_seconds_total"),
    }


def _ready(engine: Engine) -> JSONObject:
    """Return whether requests are taken, without asking the model anything."""
    if engine.draining:
        return {"ok": False, "reason": "the service is shutting down"}
    try:
        engine.encoder.check()
    except NotReadyError as error:
        return {"ok": False, "reason": str(error)}
    return {"ok": True, "reason": None}


def _requests(samples: MetricSamples) -> JSONObject:
    routes = samples.by_label(f"{_REQUESTS}_count", "route")
    return {
        "in_flight": int(samples.value("sightline_requests_in_flight")),
        "by_status": _whole(samples.by_label("sightline_requests_total", "status")),
        "refused": _whole(samples.by_label("sightline_rejections_total", "code")),
        "images_refused": _whole(samples.by_label("sightline_images_refused_total", "code")),
        "bounds_s": [*samples.bounds(_REQUESTS)],
        "routes": [
            {"route": route, **_histogram(samples.histogram(_REQUESTS, route=route))}
            for route in sorted(routes)
        ],
    }


def _admission(engine: Engine, backlog: Backlog, samples: MetricSamples) -> JSONObject:
    settings = engine.settings
    return {
        "requests": backlog.requests,
        "requests_limit": settings.max_requests,
        "cost": samples.value("sightline_cost_in_flight"),
        "cost_limit": settings.max_cost,
        "bytes": backlog.bytes,
        "bytes_limit": settings.max_bytes_in_flight,
    }


def _lane(engine: Engine, samples: MetricSamples, name: str) -> JSONObject:
    settings = engine.settings
    limits = {"text": settings.max_queued_texts, "image": settings.max_queued_images}
    sizes = samples.histogram("sightline_batch_size", lane=name)
    waits = samples.histogram("sightline_queue_seconds", lane=name)
    return {
        "lane": name,
        "queued": engine.encoder.queued(name),
        "queued_limit": limits[name],
        "batches": sizes.count,
        "inputs": int(sizes.seconds),
        "model_seconds": samples.value("sightline_batch_seconds_sum", lane=name),
        "waits": waits.count,
        "waited_seconds": waits.seconds,
        "skipped": int(samples.value("sightline_skipped_inputs_total", lane=name)),
        "bisections": int(samples.value("sightline_bisections_total", lane=name)),
    }


def _caches(engine: Engine) -> list[JSONValue]:
    settings = engine.settings
    limits = {
        "text": settings.text_cache_entries,
        "image": settings.image_cache_entries,
        "classifier": settings.classifier_cache_entries,
    }
    return [
        {
            "name": name,
            "entries": len(cache),
            "entries_limit": limits[name],
            "hits": cache.hits,
            "misses": cache.misses,
            "evictions": cache.evictions,
        }
        for name, cache in engine.caches().items()
    ]


def _gallery(engine: Engine) -> JSONObject:
    collection = engine.gallery.collection
    count, damaged = collection.count(), len(collection.damaged)
    return {
        "items": count,
        "damaged": damaged,
        "coverage": (count - damaged) / count if count else 1.0,
        "folder": str(collection.folder),
        "fields": [*sorted(collection.store.indexed_fields())],
    }


def _index(engine: Engine, samples: MetricSamples) -> JSONObject:
    collection = engine.gallery.collection
    sizes, plan = collection.index.sizes(), collection.index.plan
    return {
        "kind": plan.kind,
        "plan": plan.describe(),
        "exact": plan.exact,
        "base": sizes.base,
        "dead": sizes.dead,
        "delta": sizes.delta,
        "generation": collection.generation,
        "merging": collection.is_merging,
        "merges": int(samples.value("sightline_merge_seconds_count")),
        "merge_seconds": samples.value("sightline_merge_seconds_sum"),
        "merge_errors": int(samples.value("sightline_merge_errors_total")),
        "snapshot": _snapshot(engine),
    }


def _snapshot(engine: Engine) -> JSONObject | None:
    collection = engine.gallery.collection
    rows = recorded(collection.store, encoder_id=collection.binding.encoder_id)
    if not rows:
        return None
    saved_ms = None
    with contextlib.suppress(OSError):
        path = snapshot_folder(collection.folder) / rows[0].file
        saved_ms = path.stat().st_mtime_ns // 1_000_000
    return {"generation": rows[0].generation, "bytes": rows[0].bytes, "saved_ms": saved_ms}


def _writes(engine: Engine, samples: MetricSamples) -> JSONObject:
    return {
        "waiting": engine.gallery.collection.writes_waiting,
        "commits": int(samples.value("sightline_commit_seconds_count")),
        "commit_seconds": samples.value("sightline_commit_seconds_sum"),
        "changes": int(samples.value("sightline_commit_changes_sum")),
        "errors": int(samples.value("sightline_write_errors_total")),
    }


def _disk(engine: Engine, samples: MetricSamples) -> JSONObject:
    use = engine.disk.read()
    return {
        "free_bytes": int(samples.value("sightline_disk_free_bytes")),
        "total_bytes": int(samples.value("sightline_disk_bytes")),
        "gallery_bytes": use.total,
        "database_bytes": use.database + use.log,
        "snapshots_bytes": use.snapshots,
        "images_bytes": use.images,
        "thumbnails_bytes": use.thumbnails,
    }


def _failures(engine: Engine) -> JSONObject:
    store = engine.gallery.collection.store
    codes = count_failures(store)
    return {
        "count": sum(codes.values()),
        "codes": {**codes},
        "latest": [
            {
                "path": failure.stamp.path,
                "code": failure.code,
                "message": failure.message,
                "failed_ms": failure.failed_ms,
            }
            for failure in latest_failures(store, _SHOWN_FAILURES)
        ],
    }


def _model(engine: Engine) -> JSONObject:
    encoder = engine.encoder
    return {
        "name": encoder.name,
        "encoder_id": encoder.encoder_id,
        "dimension": encoder.dim,
        "image_size": encoder.preprocessing.image_size,
        "context_length": encoder.context_length,
        "calibrated": encoder.calibration is not None,
        **engine.running.as_json(),
    }


def _histogram(found: HistogramSample) -> JSONObject:
    return {"count": found.count, "seconds": found.seconds, "buckets": [*found.buckets]}


def _whole(numbers: dict[str, float]) -> JSONObject:
    return {name: int(number) for name, number in numbers.items()}
