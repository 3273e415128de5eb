"""The answer of ``GET /v1/health`` as schemas: they document, ``health_report`` writes the JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from service.answers import Answer, Count, Probability

Bytes = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0.0, description="since the process began, summed")]
Moment = Annotated[int, Field(ge=0, description="milliseconds since 1970")]


class ProcessHealth(Answer):
    """The process that answered; behind one port there may be several."""

    pid: int
    processes: Annotated[int, Field(ge=1)]
    read_only: bool
    started_ms: Moment
    cores: Annotated[int, Field(ge=1)]
    memory_bytes: Bytes = Field(description="resident; 0 where the system does not tell")
    cpu_seconds: Seconds


class ReadyHealth(Answer):
    """Whether requests are taken."""

    ok: bool
    reason: str | None


class RouteHealth(Answer):
    """Times of one route."""

    route: str
    count: Count
    seconds: Seconds
    buckets: list[Count] = Field(description="requests up to each bound, the last without bound")


class RequestsHealth(Answer):
    """Requests since the process began."""

    in_flight: Count
    by_status: dict[str, Count]
    refused: dict[str, Count] = Field(description="by the code of the error")
    images_refused: dict[str, Count] = Field(description="by the code of the error")
    bounds_s: list[float] = Field(description="upper bounds of the buckets")
    routes: list[RouteHealth]


class AdmissionHealth(Answer):
    """What is in flight, and how much may be."""

    requests: Count
    requests_limit: Count
    cost: float
    cost_limit: float
    bytes: Bytes
    bytes_limit: Bytes


class LaneHealth(Answer):
    """The way of texts or of images to the model."""

    lane: str
    queued: Count
    queued_limit: Count
    batches: Count
    inputs: Count
    model_seconds: Seconds
    waits: Count
    waited_seconds: Seconds
    skipped: Count
    bisections: Count


class CacheHealth(Answer):
    """One cache."""

    name: str
    entries: Count
    entries_limit: Count
    hits: Count
    misses: Count
    evictions: Count


class GalleryHealth(Answer):
    """What the gallery holds."""

    items: Count
    damaged: Count = Field(description="items without a usable vector")
    coverage: Probability
    folder: str
    fields: list[str]


class SnapshotHealth(Answer):
    """The newest base of the index on the disk."""

    generation: Count
    bytes: Bytes
    saved_ms: Moment | None


class IndexHealth(Answer):
    """The index."""

    kind: str
    plan: str
    exact: bool
    base: Count
    dead: Count
    delta: Count
    generation: Count
    merging: bool
    merges: Count
    merge_seconds: Seconds
    merge_errors: Count
    snapshot: SnapshotHealth | None


class WritesHealth(Answer):
    """Changes of the gallery."""

    waiting: Count
    commits: Count
    commit_seconds: Seconds
    changes: Count
    errors: Count


class DiskHealth(Answer):
    """The file system of the gallery; the gallery's own part as it was at most a minute ago."""

    free_bytes: Bytes
    total_bytes: Bytes
    gallery_bytes: Bytes
    database_bytes: Bytes
    snapshots_bytes: Bytes
    images_bytes: Bytes
    thumbnails_bytes: Bytes


class FailedFile(Answer):
    """A file that could not be added."""

    path: str
    code: str
    message: str
    failed_ms: Moment


class FailuresHealth(Answer):
    """Files that ``sightline add`` could not add."""

    count: Count
    codes: dict[str, Count]
    latest: list[FailedFile]


class ModelHealth(Answer):
    """The model, and how it runs."""

    name: str
    encoder_id: str
    dimension: Count
    image_size: Count
    context_length: Count
    calibrated: bool
    runtime: str | None = Field(description="openvino or torch")
    image_precision: str | None
    text_precision: str | None
    tuned: bool = Field(description="as sightline models tune measured on this machine")
    card: str | None = Field(description="its MODEL_CARD.md")


class HealthAnswer(Answer):
    """Everything that an operator asks first."""

    version: str
    now_ms: Moment
    process: ProcessHealth
    ready: ReadyHealth
    requests: RequestsHealth
    admission: AdmissionHealth
    lanes: list[LaneHealth]
    caches: list[CacheHealth]
    gallery: GalleryHealth
    index: IndexHealth
    writes: WritesHealth
    disk: DiskHealth
    failures: FailuresHealth
    model: ModelHealth
