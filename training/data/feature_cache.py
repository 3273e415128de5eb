"""Embeddings of a locked tower, computed once and kept on disk.

A tower that is locked whole and sees nothing random gives the same embedding in every epoch, so one
pass over the data is enough. The name of each part on disk is a digest of the tower's weights and
architecture, of how pictures are prepared, and of the contents of the pictures: whatever changes,
the old features are not found.

# N = pictures or texts, n = those of a shard, B = those of a batch, V = views, D = embedding dim,
# S = side of the model's square
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.artifacts import canonical_json, sha256_bytes
from core.pairs.image_file import ImageFile
from core.progress import ProgressFactory, silent
from core.types import FloatArray, IdArray, JSONObject
from training.data.feature_config import FeatureType, Views
from training.data.feature_shard import EMBEDDED_AT_ONCE, ImageShard, ImageTower
from training.data.file_digests import FileDigests
from training.data.shards import Arrays, ShardFolder
from training.randomness import draws

KIND = "features"
SHARD_ROWS = 4096
"""Pictures or texts of a part on disk: what a break-off loses at most."""


@dataclass(frozen=True, slots=True)
class TextTower:
    """What turns texts into embeddings, and all that this depends on."""

    key: JSONObject
    """Identifies weights and architecture."""
    embed: Callable[[slice], FloatArray]
    """A range of the texts to float32 (n, D)."""
    content: Callable[[slice], bytes]
    """A range of the texts as bytes that tell them apart."""


@dataclass(frozen=True, slots=True)
class Features:
    """Embeddings by number, on disk."""

    shards: tuple[NDArray[np.floating[Any]], ...]
    """Each (n, V, D) of ``SHARD_ROWS`` rows but for the last."""

    def rows(self, rows_B: IdArray, views_B: IdArray | None = None) -> FloatArray:
        """Return the embeddings (B, D), in float32; without ``views_B`` the first view of each."""
        chosen_B = np.zeros_like(rows_B) if views_B is None else views_B
        numbers_B, places_B = np.divmod(rows_B, SHARD_ROWS)
        dim = max((shard.shape[2] for shard in self.shards), default=0)
        found_BD = np.empty((len(rows_B), dim), np.float32)
        for number in np.unique(numbers_B):
            here_B = numbers_B == number
            found_BD[here_B] = self.shards[number][places_B[here_B], chosen_B[here_B]]
        return found_BD


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """Embeddings of pictures, with what else is known of each."""

    features: Features
    identities_N: IdArray
    """A 63-bit number that equal pictures share."""
    skipped: dict[int, str]
    """Numbers of pictures that cannot be read, with the reason; they have no embedding."""
    digest: str
    """sha256 over the contents of all pictures, in order."""
    views: Views | None = None
    """``None`` where only the plain picture was embedded."""

    def rows(self, rows_B: IdArray, *, epoch: int) -> FloatArray:
        """Return the embeddings (B, D) that an epoch shows, by (seed, epoch, row)."""
        if self.views is None:
            return self.features.rows(rows_B)
        bits_B = draws("feature view", self.views.seed, epoch, rows_B)
        views_B = (bits_B % np.uint64(self.views.count)).astype(np.int64)
        return self.features.rows(rows_B, views_B)


@dataclass(frozen=True, slots=True)
class FeatureCache:
    """Where embeddings are kept and how they are computed."""

    folder: Path
    dtype: FeatureType = "float32"
    workers: int = 1
    """Threads that decode pictures."""
    progress: ProgressFactory = silent

    def images(
        self, images: Sequence[ImageFile], tower: ImageTower, *, views: Views | None = None
    ) -> ImageFeatures:
        """Return the embeddings of pictures; those on disk already cost no look at the picture.

        Raises:
            IntegrityError: a part on disk is damaged.
            TrainingError: the disk refuses a part.
        """
        ledger = FileDigests(self.folder / "digests.sqlite", max(1, self.workers))
        folder = ShardFolder(self.folder, KIND)
        shards: list[Arrays] = []
        digests: list[str] = []
        with self.progress("embedding pictures", total=len(images), unit="pictures") as bar:
            for start in range(0, len(images), SHARD_ROWS):
                part = images[start : start + SHARD_ROWS]
                shard = ImageShard(part, ledger.of(part), tower, views, self.dtype, self.workers)
                if not folder.path(shard.key).exists():
                    # What is gone cannot be embedded, whatever it was.
                    there = ledger.of(part, also_gone=False)
                    shard = replace(shard, digests=there)
                shards.append(folder.open(shard.key, shard.arrays))
                digests.extend(shard.digests)
                bar.advance(len(part))
        return ImageFeatures(
            features=Features(tuple(shard["features"] for shard in shards)),
            identities_N=np.concatenate([shard["identities"] for shard in shards]),
            skipped={
                start * SHARD_ROWS + place: str(shard["reasons"][place])
                for start, shard in enumerate(shards)
                for place in np.flatnonzero(shard["reasons"] != "").tolist()
            },
            digest=sha256_bytes(canonical_json([*digests])),
            views=views,
        )

    def texts(self, count: int, tower: TextTower) -> Features:
        """Return the embeddings of ``count`` texts.

        Raises:
            IntegrityError: a part on disk is damaged.
            TrainingError: the disk refuses a part.
        """
        folder = ShardFolder(self.folder, KIND)
        shards = []
        with self.progress("embedding captions", total=count, unit="captions") as bar:
            for start in range(0, count, SHARD_ROWS):
                rows = slice(start, min(start + SHARD_ROWS, count))
                content = sha256_bytes(tower.content(rows))
                key: JSONObject = {**tower.key, "texts": content, "dtype": self.dtype}
                arrays = folder.open(key, partial(self._text_arrays, tower, rows))
                shards.append(arrays["features"])
                bar.advance(rows.stop - rows.start)
        return Features(tuple(shards))

    def _text_arrays(self, tower: TextTower, rows: slice) -> Mapping[str, NDArray[Any]]:
        parts = [
            tower.embed(slice(start, min(start + EMBEDDED_AT_ONCE, rows.stop)))
            for start in range(rows.start, rows.stop, EMBEDDED_AT_ONCE)
        ]
        return {"features": np.concatenate(parts)[:, None].astype(self.dtype)}
