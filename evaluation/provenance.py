"""What a number was measured with: enough to tell whether two reports may be compared."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field

from core.artifacts import canonical_json, sha256_bytes
from core.pairs.pair import Pair
from core.types import JSONObject, JSONValue
from encoders.encoder import Encoder

_PACKAGES = ("sightline", "numpy", "pillow", "openvino", "torch", "open_clip_torch")


@dataclass(frozen=True, slots=True)
class Provenance:
    """The model, the data and the machine; ``None`` where there is none or nobody says."""

    encoder_id: str | None = None
    """Digest of weights, preprocessing and tokenizer."""
    model: str | None = None
    """The model's readable name."""
    preprocessing_digest: str | None = None
    """sha256 of the preprocessing's fields."""
    logit_scale: float | None = None
    logit_bias: float | None = None
    crops: int = 1
    """Views of each image whose embeddings were averaged."""
    data_digest: str | None = None
    """sha256 of ids, captions, labels and image bytes; the same wherever the files lie."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of Python and of the packages that take part, where installed."""
    host: dict[str, str] = field(default_factory=dict)
    """Kind of machine; no name of it."""


def provenance(
    encoder: Encoder, pairs: Sequence[Pair], digests: Sequence[str | None]
) -> Provenance:
    """Return the provenance of embeddings of ``pairs`` by ``encoder``.

    Args:
        encoder: the model.
        pairs: all of them, the ones with unreadable images too.
        digests: sha256 of each pair's image bytes, ``None`` where they could not be read.
    """
    preprocessing: JSONObject = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in dataclasses.asdict(encoder.preprocessing).items()
    }
    return dataclasses.replace(
        machine(),
        encoder_id=encoder.encoder_id,
        model=encoder.name,
        preprocessing_digest=sha256_bytes(canonical_json(preprocessing)),
        logit_scale=float(encoder.logit_scale),
        logit_bias=float(encoder.logit_bias),
        data_digest=data_digest(pairs, digests),
    )


def machine() -> Provenance:
    """Return the provenance of an evaluation without a model: versions and machine."""
    return Provenance(
        # In the order that a file of embeddings keeps them in.
        versions=dict(sorted({"python": platform.python_version(), **_package_versions()}.items())),
        host={
            "cpus": str(os.cpu_count() or 0),
            "machine": platform.machine(),
            "system": platform.system(),
        },
    )


def data_digest(pairs: Sequence[Pair], digests: Sequence[str | None]) -> str:
    """Return the sha256 of ids, captions, labels and the digests of the images' bytes."""
    rows: list[JSONValue] = [
        [pair.id, digest, list(pair.captions), pair.label]
        for pair, digest in zip(pairs, digests, strict=True)
    ]
    return sha256_bytes(canonical_json(rows))


def _package_versions() -> dict[str, str]:
    versions: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
