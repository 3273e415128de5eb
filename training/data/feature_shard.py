"""The embeddings of some thousand pictures, as they lie on disk together.

# n = pictures of the shard, V = views, D = embedding dim, S = side of the model's square
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ImageError, NotFoundError
from core.pairs.image_file import ImageFile
from core.prefetch import prefetched
from core.types import FloatArray, JSONObject, PixelArray
from encoders.preprocessing import Preprocessing
from training.data.augmentation import augment
from training.data.feature_config import FeatureType, Views
from training.data.pictures import decode_file, identity_of_pixels
from training.randomness import stream

EMBEDDED_AT_ONCE = 64
"""Pictures or texts that go through a tower together; more are no faster on a CPU."""


@dataclass(frozen=True, slots=True)
class ImageTower:
    """What turns pictures into embeddings, and all that this depends on."""

    key: JSONObject
    """Identifies weights and architecture."""
    preprocessing: Preprocessing
    """How a picture becomes pixels."""
    embed: Callable[[PixelArray], FloatArray]
    """uint8 (n, S, S, 3) to float32 (n, D)."""


@dataclass(frozen=True, slots=True)
class ImageShard:
    """The pictures of one part on disk."""

    images: Sequence[ImageFile]
    digests: Sequence[str]
    """sha256 of each picture."""
    tower: ImageTower
    views: Views | None
    dtype: FeatureType
    workers: int

    @property
    def key(self) -> JSONObject:
        """Return everything that the arrays depend on."""
        return {
            **self.tower.key,
            "preprocessing": repr(self.tower.preprocessing),
            "images": [*self.digests],
            "views": repr(self.views),
            "dtype": self.dtype,
        }

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Decode and embed the pictures."""
        identities_n = np.zeros(len(self.images), np.int64)
        reasons = [""] * len(self.images)
        parts: list[FloatArray] = []
        pending: list[PixelArray] = []
        readable: list[int] = []
        decoded = prefetched(self._decoded, range(len(self.images)), workers=self.workers)
        for number, result in enumerate(decoded):
            if isinstance(result, str):
                reasons[number] = result
                continue
            readable.append(number)
            identities_n[number] = identity_of_pixels(result)
            pending.extend(self._shown(result))
            if len(pending) >= EMBEDDED_AT_ONCE:
                parts.append(self.tower.embed(np.stack(pending)))
                pending = []
        if pending:
            parts.append(self.tower.embed(np.stack(pending)))
        return {
            "features": self._placed(parts, readable),
            "identities": identities_n,
            "reasons": np.array(reasons, np.str_),
        }

    def _placed(self, parts: list[FloatArray], readable: list[int]) -> NDArray[Any]:
        """Return (n, V, D) with a zero row for each picture that cannot be read."""
        count = self.views.count if self.views else 1
        dim = parts[0].shape[1] if parts else 0
        placed_nVD = np.zeros((len(self.images), count, dim), self.dtype)
        if parts:
            placed_nVD[readable] = np.concatenate(parts).reshape(len(readable), count, dim)
        return placed_nVD

    def _decoded(self, number: int) -> PixelArray | str:
        preprocessing = self.tower.preprocessing
        margin = self.views.margin if self.views else 1.0
        size = math.ceil(preprocessing.image_size * margin)
        try:
            return decode_file(self.images[number], replace(preprocessing, image_size=size))
        except (ImageError, NotFoundError) as error:
            return str(error)

    def _shown(self, picture: PixelArray) -> list[PixelArray]:
        """Return the pixels of each view."""
        if self.views is None:
            return [picture]
        content = identity_of_pixels(picture)
        size = self.tower.preprocessing.image_size
        return [
            augment(
                picture,
                stream("feature view", self.views.seed, view, content),
                self.views.augmentation,
                size=size,
                interpolation=self.tower.preprocessing.interpolation,
            )
            for view in range(self.views.count)
        ]
