"""One encoder for all requests: any thread may call it, one thread runs the model.

Batching is greedy: whenever the model is free it takes what waits, up to one batch, from the lane
whose first job is oldest. There is no timer: an idle service adds no waiting time, a busy one
forms batches by itself.

# N = inputs, S = image size, D = embedding dimension
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from core.errors import EncoderError, NotReadyError, SightlineError
from core.types import FloatArray, PixelArray
from encoders.encoder import Encoder
from encoders.preprocessing import Preprocessing
from service.lanes import InputT, Job, Lane, OutputT
from service.request_scope import CURRENT_SCOPE
from service.text_cache import TextCache


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much waits and how much runs at once."""

    max_batch_images: int = 16
    """Images of one model call."""
    max_batch_texts: int = 64
    """Texts of one model call."""
    max_queued_images: int = 256
    """Images that may wait."""
    max_queued_texts: int = 2048
    """Texts that may wait."""


class BatchObserver(Protocol):
    """Told of every batch; called on the inference thread."""

    def batch_done(self, lane: str, *, size: int, took_s: float, waited_s: float) -> None:
        """Note a batch of ``size`` inputs whose oldest waited ``waited_s`` seconds."""
        ...


class SharedEncoder:
    """An ``Encoder`` that any thread may call; requests share batches but never an error."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        observer: BatchObserver,
        limits: BatchLimits | None = None,
        text_cache: TextCache | None = None,
    ) -> None:
        """Start the inference thread; ``encoder`` belongs to it from now on."""
        limits = limits or BatchLimits()
        self.text_cache = TextCache(0) if text_cache is None else text_cache
        self._encoder = encoder
        self._observer = observer
        self._images: Lane[PixelArray, FloatArray] = Lane(
            "image",
            self._run_images,
            max_batch=limits.max_batch_images,
            max_queued=limits.max_queued_images,
        )
        text_limits = {"max_batch": limits.max_batch_texts, "max_queued": limits.max_queued_texts}
        self._texts: Lane[str, FloatArray] = Lane("text", self._run_texts, **text_limits)
        self._tokens: Lane[str, int] = Lane("tokens", encoder.count_tokens, **text_limits)
        self._lanes: tuple[Lane[Any, Any], ...] = (self._texts, self._images, self._tokens)
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="inference", daemon=True)
        self._thread.start()

    @property
    def encoder_id(self) -> str:
        """Digest of weights, preprocessing and tokenizer."""
        return self._encoder.encoder_id

    @property
    def name(self) -> str:
        """A readable name of the model."""
        return self._encoder.name

    @property
    def dim(self) -> int:
        """D, the embedding dimension."""
        return self._encoder.dim

    @property
    def preprocessing(self) -> Preprocessing:
        """How image bytes become pixels."""
        return self._encoder.preprocessing

    @property
    def logit_scale(self) -> float:
        """The learned inverse temperature, exponentiated."""
        return self._encoder.logit_scale

    @property
    def logit_bias(self) -> float:
        """The learned bias of sigmoid-trained models."""
        return self._encoder.logit_bias

    @property
    def context_length(self) -> int:
        """Tokens of a text that the model reads."""
        return self._encoder.context_length

    def queued(self, lane: str) -> int:
        """Return how many inputs wait in ``text``, ``image`` or ``tokens``."""
        return next(item.queued for item in self._lanes if item.name == lane)

    def encode_images(self, pixels_NSS3: PixelArray) -> FloatArray:
        """Return the (N, D) embeddings of preprocessed pixels.

        Raises:
            BusyError: too many images wait for the model.
            DeadlineError: the time of the request ended.
            EncoderError: the model failed on one of the images.
        """
        return self._stacked(self.encode_each_image(list(pixels_NSS3)))

    def encode_each_image(
        self, pixels_N: Sequence[PixelArray]
    ) -> list[FloatArray | SightlineError]:
        """Return the (D,) embedding of each (S, S, 3) picture, or the error of that picture.

        Raises:
            BusyError: too many images wait for the model.
            DeadlineError: the time of the request ended.
        """
        return self._submit(self._images, pixels_N)

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """Return the (N, D) embeddings of texts, from the cache where it has them.

        Raises:
            BusyError: too many texts wait for the model.
            DeadlineError: the time of the request ended.
            EncoderError: the model failed on one of the texts.
        """
        found = {text: self.text_cache.get(self.encoder_id, text) for text in dict.fromkeys(texts)}
        missing = [text for text, vector_D in found.items() if vector_D is None]
        for text, vector_D in zip(missing, self._embed_texts(missing), strict=True):
            self.text_cache.put(self.encoder_id, text, vector_D)
            found[text] = vector_D
        rows = [vector_D for text in texts if (vector_D := found[text]) is not None]
        return self._stacked(rows)

    def encode_texts_uncached(self, texts: Sequence[str]) -> FloatArray:
        """Return the (N, D) embeddings of texts, always by the model: the canary's way."""
        return self._embed_texts(list(texts))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has before truncation."""
        outcomes = self._submit(self._tokens, texts)
        for outcome in outcomes:
            if isinstance(outcome, SightlineError):
                raise outcome
        return [count for count in outcomes if isinstance(count, int)]

    def close(self) -> None:
        """Finish what waits, end the thread and release the model; calling it twice is fine."""
        with self._wake:
            if self._closing:
                return
            self._closing = True
            self._wake.notify_all()
        self._thread.join()
        self._encoder.close()

    def _embed_texts(self, texts: list[str]) -> FloatArray:
        outcomes: list[FloatArray | SightlineError] = self._submit(self._texts, texts)
        return self._stacked(outcomes)

    def _submit(
        self, lane: Lane[InputT, OutputT], inputs: Sequence[InputT]
    ) -> list[OutputT | SightlineError]:
        """Queue the inputs one batch at a time, so that a large request lets others in between."""
        outcomes: list[OutputT | SightlineError] = []
        for start in range(0, len(inputs), lane.max_batch):
            scope = CURRENT_SCOPE.get()
            if scope is not None:
                scope.check()
            job: Job[InputT, OutputT] = Job(inputs[start : start + lane.max_batch], scope)
            with self._wake:
                if self._closing:
                    raise NotReadyError("the service is shutting down; try again on another one")
                lane.put(job)
                self._wake.notify()
            outcomes += job.wait()
        return outcomes

    def _serve(self) -> None:
        while (work := self._next_batch()) is not None:
            lane, jobs = work
            started = time.monotonic()
            lane.run(jobs)
            self._observer.batch_done(
                lane.name,
                size=sum(len(job.inputs) for job in jobs),
                took_s=time.monotonic() - started,
                waited_s=started - jobs[0].queued_at,
            )

    def _next_batch(self) -> tuple[Lane[Any, Any], list[Job[Any, Any]]] | None:
        """Wait for work; ``None`` when the encoder closes and nothing is left."""
        with self._wake:
            while True:
                waiting = [lane for lane in self._lanes if lane.oldest() is not None]
                if waiting:
                    lane = min(waiting, key=lambda lane: lane.oldest() or 0.0)
                    if jobs := lane.take():
                        return lane, jobs
                elif self._closing:
                    return None
                else:
                    self._wake.wait()

    def _run_images(self, pixels_N: list[PixelArray]) -> FloatArray:
        return _checked(self._encoder.encode_images(np.stack(pixels_N)), len(pixels_N), self.dim)

    def _run_texts(self, texts: list[str]) -> FloatArray:
        return _checked(self._encoder.encode_texts(texts), len(texts), self.dim)

    def _stacked(self, outcomes: Iterable[FloatArray | SightlineError]) -> FloatArray:
        rows = []
        for outcome in outcomes:
            if isinstance(outcome, SightlineError):
                raise outcome
            rows.append(outcome)
        return np.stack(rows) if rows else np.empty((0, self.dim), np.float32)


def _checked(vectors_ND: FloatArray, count: int, dim: int) -> FloatArray:
    """Refuse a wrong shape or a NaN here, where halving the batch still finds its cause."""
    if vectors_ND.shape != (count, dim):
        raise EncoderError(f"the model gave shape {vectors_ND.shape}, expected {(count, dim)}")
    if not np.isfinite(vectors_ND).all():
        raise EncoderError("the model gave a vector that is not finite")
    return vectors_ND
