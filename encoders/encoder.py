"""The seam every model is used through: images or texts in, L2-normalised embeddings out.

# N = items of a batch, D = embedding dimension, S = image size in pixels
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from core.types import FloatArray, PixelArray
from encoders.confidence import Calibration
from encoders.preprocessing import Preprocessing


class Encoder(Protocol):
    """A loaded dual encoder. One thread at a time may embed and close."""

    @property
    def encoder_id(self) -> str:
        """Digest of weights, preprocessing and tokenizer: only equal ids are comparable."""
        ...

    @property
    def name(self) -> str:
        """A readable name, for example ``starter`` or ``ViT-B-32``."""
        ...

    @property
    def dim(self) -> int:
        """D, the embedding dimension."""
        ...

    @property
    def preprocessing(self) -> Preprocessing:
        """How image bytes become the pixels that ``encode_images`` takes."""
        ...

    @property
    def logit_scale(self) -> float:
        """The learned inverse temperature, exponentiated: logits = logit_scale * cosine + bias."""
        ...

    @property
    def logit_bias(self) -> float:
        """The learned bias of sigmoid-trained models, 0.0 for softmax-trained ones."""
        ...

    @property
    def context_length(self) -> int:
        """Tokens of a text that the model reads, special tokens included; the rest is cut."""
        ...

    @property
    def calibration(self) -> Calibration | None:
        """How likely hits are relevant; ``None`` where the model has not been calibrated."""
        ...

    def encode_images(self, pixels_NSS3: PixelArray) -> FloatArray:
        """Return the (N, D) embeddings of preprocessed uint8 pixels (N, S, S, 3).

        Raises:
            EncoderError: the shape does not fit the model, or the output is not finite.
        """
        ...

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """Return the (N, D) embeddings of texts; over-long texts are truncated.

        Raises:
            EncoderError: the output is not finite.
        """
        ...

    def clean_text(self, text: str) -> str:
        """Return the text as the tokenizer reads it: where two are equal, so are their embeddings.

        Any thread may call this.
        """
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has, special tokens included, before truncation.

        Any thread may call this.
        """
        ...

    def close(self) -> None:
        """Release the model; later calls are an error."""
        ...
