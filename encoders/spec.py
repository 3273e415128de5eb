"""What one dual encoder is, as data: ``model.json`` and the encoder id."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from core.artifacts import canonical_json, sha256_bytes
from core.errors import ConfigError
from core.types import JSONObject
from encoders.preprocessing import Preprocessing

Cleaning = Literal["none", "whitespace", "lower", "canonicalize"]
"""What happens to a text before it is tokenised; the names are open_clip's."""

_ENCODER_ID_DIGITS = 16
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class TextSpec:
    """How texts become token ids."""

    context_length: int = 77
    """Most tokens of a text, special tokens included; longer ones are cut and keep their last."""
    pad_id: int = 0
    """Token id that fills up the shorter texts of a batch."""
    cleaning: Cleaning = "lower"
    """Repair and folding before tokenising."""
    trim: bool = True
    """Whether a batch may be as short as its longest text with the same embeddings. False pads
    every text to ``context_length``; decided by a check when the model is exported."""

    def __post_init__(self) -> None:
        """Refuse a context without room for a token between the two special ones.

        Raises:
            ConfigError: a length or id out of range.
        """
        if self.context_length < 1:
            raise ConfigError(f"context_length = {self.context_length}: expected 1 or more")
        if self.pad_id < 0:
            raise ConfigError(f"pad_id = {self.pad_id}: expected 0 or more")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One dual encoder: what it is called, takes and gives, and the digests that identify it."""

    name: str
    """A readable name, for example ``ViT-B-32``."""
    dim: int
    """D, the embedding dimension."""
    preprocessing: Preprocessing
    text: TextSpec
    weights_digest: str
    """sha256 over the weights of both towers, see ``weights_digest``."""
    tokenizer_digest: str
    """sha256 of ``tokenizer.json``."""
    logit_scale: float = 100.0
    """Learned inverse temperature, exponentiated: logits = logit_scale * cosine + logit_bias."""
    logit_bias: float = 0.0
    """Learned bias of sigmoid-trained models; 0.0 for softmax-trained ones."""
    source: str = ""
    """Where the weights came from, for example ``ViT-B-32/laion2b_s34b_b79k``."""
    license: str = ""
    """Licence of the weights, as their publisher states it; empty where unknown."""

    def __post_init__(self) -> None:
        """Refuse values that no encoder has.

        Raises:
            ConfigError: an empty name, a dimension, scale or digest out of range.
        """
        if not self.name:
            raise ConfigError("name is empty; give the model a name")
        if self.dim < 1:
            raise ConfigError(f"dim = {self.dim}: expected 1 or more")
        if not (math.isfinite(self.logit_scale) and self.logit_scale > 0.0):
            raise ConfigError(f"logit_scale = {self.logit_scale}: expected a number above 0")
        if not math.isfinite(self.logit_bias):
            raise ConfigError(f"logit_bias = {self.logit_bias}: expected a finite number")
        for digest in (self.weights_digest, self.tokenizer_digest):
            if not _SHA256.fullmatch(digest):
                raise ConfigError(f"{digest!r} is not a sha256 of 64 hexadecimal digits")

    def to_json(self) -> JSONObject:
        """Return the content of ``model.json``; ``core.config.from_mapping`` reads it back."""
        return cast("JSONObject", _plain(dataclasses.asdict(self)))


def encoder_id(spec: ModelSpec) -> str:
    """Return the 16 hexadecimal digits that decide whether two vectors may be compared.

    They come from all that changes an embedding: weights, preprocessing, tokenizer and the way
    texts are cleaned, cut and padded. The runtime, the ONNX files and the name do not count.
    """
    identity: JSONObject = {
        "weights": spec.weights_digest,
        "tokenizer": spec.tokenizer_digest,
        "preprocessing": _plain(dataclasses.asdict(spec.preprocessing)),
        "context_length": spec.text.context_length,
        "pad_id": spec.text.pad_id,
        "cleaning": spec.text.cleaning,
    }
    return sha256_bytes(canonical_json(identity))[:_ENCODER_ID_DIGITS]


def weights_digest(weights: Mapping[str, NDArray[Any]]) -> str:
    """Return the sha256 over named arrays: name, dtype, shape and bytes, sorted by name."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        digest.update(canonical_json([name, array.dtype.name, list(array.shape)]))
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """Return tuples as lists and dicts recursively, as JSON would read them back."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
