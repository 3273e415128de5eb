"""What the service works with: encoder, gallery, label sets, classifiers, threads.

The engine opens at start-up and closes at shutdown; the routes reach everything through it.
"""

from __future__ import annotations

import logging
import time
from functools import partial
from pathlib import Path

from core.errors import DeadlineError, NotReadyError, SightlineError
from core.types import JSONObject
from encoders.decoding import DecodeLimits, ImageDecoder, decode_image
from encoders.encoder import Encoder
from encoders.loading import STARTER_MODEL, load_encoder
from index.binding import recorded_model
from index.gallery import Gallery
from index.query import Query, Term
from index.receipts import find_receipt
from service.batching import BatchLimits, SharedEncoder
from service.decoding_pool import DecodingPool, close_decoder, open_decoder
from service.disk_meter import DiskMeter
from service.idempotency import IdempotencyKeys
from service.metrics import Metrics
from service.remote_images import RemoteImages
from service.running_model import RunningModel
from service.settings import Settings, compiled_folder
from service.state_metrics import Cache, publish_state
from service.vector_cache import VectorCache
from service.workers import Workers
from zeroshot.classifier_cache import ClassifierCache
from zeroshot.fitted_store import FittedStore
from zeroshot.label_sets import LabelSetStore

logger = logging.getLogger(__name__)

CANARY_TEXT = "a photo"


class Engine:
    """The open parts of one service."""

    def __init__(
        self,
        settings: Settings,
        *,
        encoder: SharedEncoder,
        gallery: Gallery,
        metrics: Metrics,
        running: RunningModel | None = None,
    ) -> None:
        """Take over open parts; ``open_engine`` is the usual way."""
        self.settings = settings
        self.running = running or RunningModel()
        self.encoder = encoder
        self.gallery = gallery
        self.decode = gallery.decode
        self.metrics = metrics
        self.label_sets = LabelSetStore(settings.gallery / "label-sets")
        self.fitted = FittedStore(settings.gallery / "label-sets")
        self.classifiers = ClassifierCache(settings.classifier_cache_entries)
        # What is in it was decoded under the limits of this engine, which never change.
        self.image_cache = VectorCache(settings.image_cache_entries)
        self.idempotency = IdempotencyKeys(partial(find_receipt, gallery.collection.store))
        self.workers = Workers(settings.request_threads)
        # Readiness must not wait in line behind the requests it reports on.
        self.canary_workers = Workers(1)
        self.decoding = DecodingPool(
            threads=settings.decode_threads, on_refused=metrics.image_refused
        )
        self.remote_images = RemoteImages(settings, on_fetched=metrics.url_fetched)
        self.disk = DiskMeter(gallery.collection.folder, gallery.collection.store)
        self.opened_at = int(time.time())
        self.draining = False

    def canary(self) -> JSONObject:
        """Send a text through the model and its vector through the index.

        Raises:
            NotReadyError: the service is draining, or one of the two does not answer.
        """
        if self.draining:
            raise NotReadyError("draining: the service is shutting down")
        started = time.monotonic()
        try:
            vector_D = self.encoder.encode_texts_uncached([CANARY_TEXT])[0]
            self.gallery.search(Query(terms=(Term(vector=vector_D),), k=1))
        except DeadlineError as error:
            raise NotReadyError("degraded: the model does not answer in time") from error
        except SightlineError as error:
            raise NotReadyError(f"degraded: {error}") from error
        took_ms = round((time.monotonic() - started) * 1000, 3)
        return {"status": "ready", "model": self.encoder.encoder_id, "took_ms": took_ms}

    def gallery_object(self) -> JSONObject:
        """Return the answer of ``GET /v1/gallery``."""
        collection = self.gallery.collection
        count = collection.count()
        found = count - len(collection.damaged)
        return {
            "count": count,
            "dimension": self.encoder.dim,
            "encoder_id": self.encoder.encoder_id,
            "model": self.encoder.name,
            "index": collection.index.plan.kind,
            "coverage": found / count if count else 1.0,
            "fields": [*sorted(collection.store.indexed_fields())],
            "wires": [*self.settings.wires],
            "read_only": self.settings.read_only,
            "limits": {
                "images": self.settings.max_images,
                "body_bytes": self.settings.max_body_bytes,
                "image_bytes": self.settings.max_image_bytes,
                "image_pixels": self.settings.max_image_pixels,
                "formats": [*self.settings.image_formats],
            },
        }

    def caches(self) -> dict[str, Cache]:
        """Return the caches by name, for the metrics."""
        return {
            "text": self.encoder.text_cache,
            "image": self.image_cache,
            "classifier": self.classifiers,
        }

    def close(self) -> None:
        """Finish what runs, then close encoder and gallery; calling it twice is fine."""
        self.draining = True
        self.workers.close()
        self.canary_workers.close()
        self.remote_images.close()
        self.decoding.close()
        close_decoder(self.decode)
        self.encoder.close()
        self.gallery.close()


def open_engine(settings: Settings, *, metrics: Metrics, encoder: Encoder | None = None) -> Engine:
    """Load the model (unless ``encoder`` is given), open the gallery and warm both up.

    Raises:
        SightlineError: the model or the gallery cannot be opened; the message says what to do.
    """
    started = time.monotonic()
    model = None if encoder else chosen_model(settings)
    loaded = encoder or _load(settings, model)
    shared = SharedEncoder(
        loaded,
        observer=metrics,
        limits=batch_limits(settings),
        text_cache=VectorCache(settings.text_cache_entries),
    )
    decode: ImageDecoder = decode_image
    try:
        decode = open_decoder(settings, decode_limits(settings))
        gallery = Gallery.open(
            settings.gallery,
            shared,
            limits=decode_limits(settings),
            decode=decode,
            model=model,
            read_only=settings.read_only,
            observer=metrics.index,
        )
        engine = Engine(
            settings,
            encoder=shared,
            gallery=gallery,
            metrics=metrics,
            running=None
            if encoder
            else RunningModel.of(loaded, model, precision=settings.precision),
        )
        publish_state(metrics.live, engine)
        engine.canary()
    except BaseException:
        close_decoder(decode)
        shared.close()
        raise
    logger.info(
        "engine open",
        extra={
            "model": shared.name,
            "encoder_id": shared.encoder_id,
            "gallery": str(settings.gallery),
            "items": gallery.collection.count(),
            "took_ms": round((time.monotonic() - started) * 1000),
        },
    )
    return engine


def _load(settings: Settings, model: str | None) -> Encoder:
    return load_encoder(
        model or STARTER_MODEL,
        runtime=settings.runtime,
        precision=settings.precision,
        threads=settings.threads,
        device=settings.device,
        cache_folder=compiled_folder(settings.compile_cache),
        compile_towers=settings.compile_towers,
    )


def chosen_model(settings: Settings) -> str | None:
    """Return the model to load: the named one, else the gallery's own; ``None``: the starter.

    A path becomes absolute, because it is recorded in the gallery for later commands.

    Raises:
        StorageError: there is a gallery, but it cannot be read.
    """
    if settings.model is None:
        return recorded_model(settings.gallery)
    path = Path(settings.model).expanduser()
    return str(path.resolve()) if path.exists() else settings.model


def decode_limits(settings: Settings) -> DecodeLimits:
    """Return what an uploaded picture may cost."""
    return DecodeLimits(
        max_bytes=settings.max_image_bytes,
        max_pixels=settings.max_image_pixels,
        max_side=settings.max_image_side,
        formats=settings.image_formats,
    )


def batch_limits(settings: Settings) -> BatchLimits:
    """Return how much waits for the model and how much it takes at once."""
    return BatchLimits(
        max_batch_images=settings.max_batch_images,
        max_batch_texts=settings.max_batch_texts,
        max_queued_images=settings.max_queued_images,
        max_queued_texts=settings.max_queued_texts,
        aging_s=settings.priority_aging_s,
        timeout_s=settings.model_timeout_s,
    )
