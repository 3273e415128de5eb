"""What every runtime does around its towers: check shapes, sort texts by length, normalise.

# N = items, n = items of one run, D = embedding dimension, S = image size
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np

from core.errors import EncoderError
from core.types import FloatArray, PixelArray
from encoders.cleaning import clean_text
from encoders.confidence import Calibration
from encoders.preprocessing import Preprocessing
from encoders.spec import ModelSpec, encoder_id
from encoders.tokenizer import TextTokenizer, TokenBatch

_CHANNELS = 3


class TwoTowerEncoder(ABC):
    """An ``Encoder`` but for the calls that run a tower."""

    def __init__(
        self, spec: ModelSpec, definition: bytes, *, calibration: Calibration | None = None
    ) -> None:
        """Keep the spec and read the ``tokenizer.json`` given as ``definition``."""
        self._spec = spec
        self._calibration = calibration
        self._tokenizer = TextTokenizer(definition, spec.text)
        self._encoder_id = encoder_id(spec)

    @property
    def encoder_id(self) -> str:
        """Digest of weights, preprocessing and tokenizer: only equal ids are comparable."""
        return self._encoder_id

    @property
    def name(self) -> str:
        """The name in the spec."""
        return self._spec.name

    @property
    def dim(self) -> int:
        """D, the embedding dimension."""
        return self._spec.dim

    @property
    def preprocessing(self) -> Preprocessing:
        """How image bytes become the pixels that ``encode_images`` takes."""
        return self._spec.preprocessing

    @property
    def logit_scale(self) -> float:
        """The learned inverse temperature, exponentiated."""
        return self._spec.logit_scale

    @property
    def logit_bias(self) -> float:
        """The learned bias, 0.0 for softmax-trained models."""
        return self._spec.logit_bias

    @property
    def context_length(self) -> int:
        """Tokens of a text that the model reads, special tokens included."""
        return self._spec.text.context_length

    @property
    def calibration(self) -> Calibration | None:
        """How likely hits are relevant; ``None`` where the model has not been calibrated."""
        return self._calibration

    def encode_images(self, pixels_NSS3: PixelArray) -> FloatArray:
        """Return the (N, D) embeddings of preprocessed uint8 pixels (N, S, S, 3).

        Raises:
            EncoderError: the shape does not fit the model, or the output is not finite.
        """
        _check_pixels(pixels_NSS3, self.preprocessing.image_size)
        embeddings_ND = np.empty((len(pixels_NSS3), self.dim), np.float32)
        start = 0
        for outputs_nD in self._run_images(pixels_NSS3):
            embeddings_ND[start : start + len(outputs_nD)] = outputs_nD
            start += len(outputs_nD)
        return unit_rows(embeddings_ND)

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """Return the (N, D) embeddings of texts; over-long texts are truncated.

        Raises:
            EncoderError: the output is not finite.
        """
        token_ids = self._tokenizer.token_ids(texts)
        # Texts of like length share a run, so that little is spent on filling.
        by_length = sorted(range(len(token_ids)), key=lambda row: len(token_ids[row]))
        embeddings_ND = np.empty((len(texts), self.dim), np.float32)
        ends = list(accumulate(self._sizes_of_text_runs(len(texts))))
        rows_of = [by_length[start:end] for start, end in pairwise([0, *ends])]
        batches = [self._tokenizer.pad([token_ids[row] for row in rows]) for rows in rows_of]
        for rows, outputs_nD in zip(rows_of, self._run_texts(batches), strict=True):
            embeddings_ND[rows] = outputs_nD
        return unit_rows(embeddings_ND)

    def clean_text(self, text: str) -> str:
        """Return the text as the tokenizer reads it: where two are equal, so are their embeddings.

        Any thread may call this.
        """
        return clean_text(text, self._spec.text.cleaning)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has, special tokens included, before truncation."""
        return self._tokenizer.count_tokens(texts)

    @abstractmethod
    def close(self) -> None:
        """Release the towers; later calls are an error."""

    @abstractmethod
    def _run_images(self, pixels_NSS3: PixelArray) -> list[FloatArray]:
        """Return the raw embeddings of all pixels in order, in parts of any size."""

    @abstractmethod
    def _sizes_of_text_runs(self, count: int) -> list[int]:
        """Return how many texts each run takes; they add up to ``count``."""

    @abstractmethod
    def _run_texts(self, batches: Sequence[TokenBatch]) -> list[FloatArray]:
        """Return the raw embeddings of each batch, in order."""


def unit_rows(vectors_ND: FloatArray) -> FloatArray:
    """Return the rows scaled to length 1, in float32.

    Raises:
        EncoderError: a row is not finite, or is zero and has no direction.
    """
    norms_N1 = np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(norms_N1[:, 0]) | (norms_N1[:, 0] == 0.0))
    if bad.size:
        raise EncoderError(
            f"the model gave an embedding that is zero or not finite for item {int(bad[0])}; "
            "use float32, or verify the model: sightline models verify"
        )
    unit_ND: FloatArray = np.divide(vectors_ND, norms_N1, dtype=np.float32)
    return unit_ND


def _check_pixels(pixels_NSS3: PixelArray, size: int) -> None:
    expected = (size, size, _CHANNELS)
    if pixels_NSS3.ndim != len(expected) + 1 or pixels_NSS3.shape[1:] != expected:
        raise EncoderError(
            f"pixels have the shape {pixels_NSS3.shape}, the model takes (N, {size}, {size}, 3); "
            "preprocess the pictures with the encoder's own preprocessing"
        )
    if pixels_NSS3.dtype != np.uint8:
        raise EncoderError(f"pixels are {pixels_NSS3.dtype}, expected uint8 from 0 to 255")
