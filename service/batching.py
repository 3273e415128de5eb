"""One encoder for all requests: any thread may call it, one thread runs the model.

Texts are embedded once and remembered; what has to be computed goes to the lanes of the inference
thread in pieces of one batch, with the priority of its request.

# N = inputs, S = image size, D = embedding dimension
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import EncoderError, SightlineError
from core.types import FloatArray, PixelArray
from encoders.confidence import Calibration
from encoders.encoder import Encoder
from encoders.preprocessing import Preprocessing
from service.inference import InferenceThread
from service.lanes import BatchObserver, InputT, Job, Lane, OutputT
from service.request_scope import CURRENT_SCOPE, RequestScope
from service.vector_cache import VectorCache

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much waits, how much runs at once, and for how long."""

    max_batch_images: int = 16
    """Images of one model call."""
    max_batch_texts: int = 64
    """Texts of one model call."""
    max_queued_images: int = 256
    """Images that may wait."""
    max_queued_texts: int = 2048
    """Texts that may wait."""
    aging_s: float = 0.5
    """Seconds after which waiting work goes first, whatever its priority."""
    timeout_s: float = 60.0
    """Seconds after which a model call that has not returned counts as stuck."""


class SharedEncoder:
    """An ``Encoder`` that any thread may call; requests share batches but never an error."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        observer: BatchObserver,
        limits: BatchLimits | None = None,
        text_cache: VectorCache | None = None,
    ) -> None:
        """Start the inference thread; ``encoder`` belongs to it from now on."""
        limits = limits or BatchLimits()
        self.text_cache = VectorCache(0) if text_cache is None else text_cache
        self._encoder = encoder
        common: dict[str, Any] = {"aging_s": limits.aging_s, "observer": observer}
        self._images: Lane[PixelArray, FloatArray] = Lane(
            "image",
            self._run_images,
            max_batch=limits.max_batch_images,
            max_queued=limits.max_queued_images,
            **common,
        )
        common |= {"max_batch": limits.max_batch_texts, "max_queued": limits.max_queued_texts}
        self._texts: Lane[str, FloatArray] = Lane("text", self._run_texts, **common)
        self._lanes: tuple[Lane[Any, Any], ...] = (self._texts, self._images)
        self._inference = InferenceThread(
            self._lanes, observer=observer, timeout_s=limits.timeout_s
        )
        self._closed = False

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

    def check(self) -> None:
        """Do nothing where the model takes work; waits for no model call.

        Raises:
            NotReadyError: the model is stuck, or the service is closing.
        """
        self._inference.check()

    @property
    def calibration(self) -> Calibration | None:
        """How likely hits are relevant; ``None`` where the model has not been calibrated."""
        return self._encoder.calibration

    def queued(self, lane: str) -> int:
        """Return how many inputs wait in the lane ``text`` or ``image``."""
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
            NotReadyError: the model is stuck, or the service is closing.
        """
        keys = [(self.encoder_id, self._encoder.clean_text(text)) for text in texts]

        def compute(places: list[int]) -> list[FloatArray | SightlineError]:
            return self._submit(self._texts, [texts[place] for place in places])

        return self._stacked(self.text_cache.fetch(keys, compute, at_once=self._texts.max_batch))

    async def encode_texts_async(self, texts: Sequence[str]) -> list[FloatArray]:
        """Return the (D,) embedding of each text to a task of the event loop; they are read-only.

        For a few short texts, which are cleaned in the loop's thread. The task waits without a
        thread of its own; whoever ends the request cancels it, and its texts leave the lane.

        Raises:
            BusyError: too many texts wait for the model.
            EncoderError: the model failed on one of the texts.
            NotReadyError: the model is stuck, or the service is closing.
        """
        keys = [(self.encoder_id, self._encoder.clean_text(text)) for text in texts]

        async def compute(places: list[int]) -> list[FloatArray | SightlineError]:
            return await self._submit_async(self._texts, [texts[place] for place in places])

        outcomes = await self.text_cache.fetch_async(keys, compute)
        return [_vector_of(outcome) for outcome in outcomes]

    def encode_texts_uncached(self, texts: Sequence[str]) -> FloatArray:
        """Return the (N, D) embeddings of texts, always by the model: the canary's way."""
        outcomes: list[FloatArray | SightlineError] = self._submit(self._texts, texts)
        return self._stacked(outcomes)

    def clean_text(self, text: str) -> str:
        """Return the text as the tokenizer reads it."""
        return self._encoder.clean_text(text)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has before truncation."""
        return self._encoder.count_tokens(texts)

    def close(self) -> None:
        """Finish what waits, end the thread and release the model; calling it twice is fine."""
        if self._closed:
            return
        self._closed = True
        if self._inference.close():
            self._encoder.close()
        else:
            logger.error("the model does not answer; it is left as it is")

    def _submit(
        self, lane: Lane[InputT, OutputT], inputs: Sequence[InputT]
    ) -> list[OutputT | SightlineError]:
        """Queue the inputs one batch at a time, so that a large request lets others in between."""
        scope = CURRENT_SCOPE.get()
        outcomes: list[OutputT | SightlineError] = []
        for start in range(0, len(inputs), lane.max_batch):
            if scope is not None:
                scope.check()
            job: Job[InputT, OutputT] = Job(inputs[start : start + lane.max_batch], scope)
            self._inference.submit(lane, job)
            of_job: list[OutputT | SightlineError] = self._outcomes(lane, job)
            outcomes += of_job
        return outcomes

    def _outcomes(
        self, lane: Lane[InputT, OutputT], job: Job[InputT, OutputT]
    ) -> list[OutputT | SightlineError]:
        """Wait for a job; when its client goes away it leaves the lane at once."""
        scope = job.scope
        if scope is None:
            return job.wait()
        forget = scope.when_abandoned(lambda: self._inference.withdraw(lane, job))
        try:
            return job.wait()
        finally:
            forget()
            _note_stages(scope, job)

    async def _submit_async(
        self, lane: Lane[InputT, OutputT], inputs: Sequence[InputT]
    ) -> list[OutputT | SightlineError]:
        """Queue the inputs one batch at a time, as ``_submit`` does, for a task."""
        scope = CURRENT_SCOPE.get()
        outcomes: list[OutputT | SightlineError] = []
        for start in range(0, len(inputs), lane.max_batch):
            job: Job[InputT, OutputT] = Job(inputs[start : start + lane.max_batch], scope)
            self._inference.submit_soon(lane, job)
            try:
                outcomes += await job.wait_async()
            finally:
                if not job.done.is_open():
                    self._inference.withdraw(lane, job)
                if scope is not None:
                    _note_stages(scope, job)
        return outcomes

    def _run_images(self, pixels_N: list[PixelArray]) -> FloatArray:
        return _checked(self._encoder.encode_images(np.stack(pixels_N)), len(pixels_N), self.dim)

    def _run_texts(self, texts: list[str]) -> FloatArray:
        return _checked(self._encoder.encode_texts(texts), len(texts), self.dim)

    def _stacked(self, outcomes: Iterable[FloatArray | SightlineError]) -> FloatArray:
        rows = [_vector_of(outcome) for outcome in outcomes]
        return np.stack(rows) if rows else np.empty((0, self.dim), np.float32)


def _vector_of(outcome: FloatArray | SightlineError) -> FloatArray:
    if isinstance(outcome, SightlineError):
        raise outcome
    return outcome


def _note_stages(scope: RequestScope, job: Job[Any, Any]) -> None:
    """Note how long a job waited and ran, where its request is known: for its line of the log."""
    now, begun_at = time.monotonic(), job.begun_at
    scope.note("queue", job.queued_at, (begun_at or now) - job.queued_at)
    if begun_at is not None:
        scope.note("model", begun_at, now - begun_at)


def _checked(vectors_ND: FloatArray, count: int, dim: int) -> FloatArray:
    """Refuse a wrong shape or a NaN here, where halving the batch still finds its cause."""
    if vectors_ND.shape != (count, dim):
        raise EncoderError(f"the model gave shape {vectors_ND.shape}, expected {(count, dim)}")
    if not np.isfinite(vectors_ND).all():
        raise EncoderError("the model gave a vector that is not finite")
    return vectors_ND
