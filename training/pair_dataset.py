"""Pairs on disk as training batches and as held-out retrieval.

# B = pairs of a batch, S = side of the model's square, L = context length in tokens
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.artifacts import canonical_json, sha256_bytes
from core.errors import ConfigError, ImageError, NotFoundError, PairsError
from core.pairs import Pair
from core.progress import ProgressFactory, silent
from core.types import IdArray, PixelArray
from encoders.preprocessing import Preprocessing, normalise_pixels
from training.augmentation import augment
from training.batches import Batch
from training.captions import CaptionTable, Tokenize, captions_of, identity_of, tokenized
from training.config import DataConfig
from training.pictures import (
    Pictures,
    pictures_in_memory,
    pictures_on_disk,
    stored_bytes,
    uncached_pictures,
)
from training.randomness import stream


@dataclass(frozen=True, slots=True)
class PairSource:
    """What turns pairs into tensors: the same for training and for held-out pairs."""

    preprocessing: Preprocessing
    """Of the model."""
    tokenize: Tokenize
    """Of the model."""
    config: DataConfig
    """Batching, cache and augmentation."""
    seed: int = 0
    """Of augmentation and caption choice."""
    cache_folder: Path = Path("picture-cache")
    """Where ``cache = "disk"`` keeps decoded pictures."""
    progress: ProgressFactory = silent
    """Shows the decoding."""

    def open_pictures(self, pairs: Sequence[Pair], *, margin: float) -> Pictures:
        """Return the pictures of pairs, cached as the config says.

        Raises:
            ConfigError: a cache was asked for that is larger than its limit.
        """
        size = math.ceil(self.preprocessing.image_size * margin)
        preprocessing = replace(self.preprocessing, image_size=size)
        kind = self.config.cache
        megabytes = stored_bytes(len(pairs), preprocessing) / 1e6
        fits = megabytes <= self.config.cache_limit_mb
        if kind in ("memory", "disk") and not fits:
            raise ConfigError(
                f"the decoded pictures need {megabytes:.0f} MB, data.cache_limit_mb is "
                f"{self.config.cache_limit_mb:.0f}; raise it or use data.cache = off"
            )
        if kind == "off" or not fits:
            return uncached_pictures(pairs, preprocessing)
        workers = max(1, self.config.workers)
        if kind == "disk":
            return pictures_on_disk(
                pairs,
                preprocessing,
                folder=self.cache_folder,
                fingerprint=fingerprint_of(pairs),
                workers=workers,
                progress=self.progress,
            )
        return pictures_in_memory(pairs, preprocessing, workers=workers, progress=self.progress)

    def image_tensor(self, pixels: Sequence[PixelArray]) -> Tensor:
        """Return normalised float32 images (B, 3, S, S), channels last in memory."""
        images_B3SS = torch.from_numpy(normalise_pixels(np.stack(pixels), self.preprocessing))
        return images_B3SS.contiguous(memory_format=torch.channels_last)


def fingerprint_of(pairs: Sequence[Pair]) -> str:
    """Return a digest of the ids, captions, labels and file sizes of pairs, in order.

    Paths do not enter, so a data set may be moved.
    """
    digest = hashlib.sha256()
    for pair in pairs:
        size = pair.image.stat().st_size if pair.image.is_file() else -1
        digest.update(canonical_json([pair.id, *captions_of(pair), size]))
    return digest.hexdigest()


class PairDataset:
    """Training data of the trainer (``TrainingData``) over pairs on disk."""

    def __init__(self, pairs: Sequence[Pair], source: PairSource) -> None:
        """Leave out pairs without caption or picture, fill the cache, tokenise.

        Raises:
            PairsError: no pair is left.
            ConfigError: a cache was asked for that is larger than its limit.
        """
        augmented = source.config.augmentation.enabled
        usable = _Usable.of(pairs, source, margin=source.config.decode_margin if augmented else 1.0)
        self.skipped = usable.skipped
        self.fingerprint = fingerprint_of(pairs)
        self._source, self._pictures, self._rows = source, usable.pictures, usable.rows
        self._pairs = usable.pairs
        self._captions = CaptionTable(usable.pairs, source.tokenize, seed=source.seed)

    def __len__(self) -> int:
        return len(self._pairs)

    @property
    def num_distinct_captions(self) -> int:
        """Return how many different captions there are: few of them make training hard."""
        return self._captions.num_distinct

    def batch(self, indices_B: IdArray, *, epoch: int) -> Batch:
        """Return the pairs at the indices; a picture that cannot be read now is left out."""
        kept, pixels, image_groups = [], [], []
        for index in indices_B:
            picture = self._read(int(index))
            if picture is None:
                continue
            kept.append(int(index))
            image_groups.append(_digest(picture))
            rng = stream("augmentation", self._source.seed, epoch, int(index))
            size = self._source.preprocessing.image_size
            pixels.append(augment(picture, rng, self._source.config.augmentation, size=size))
        rows_B = self._captions.rows(np.array(kept, dtype=np.int64), epoch=epoch)
        groups_BG = np.stack([np.array(image_groups, np.int64), self._captions.groups(rows_B)], 1)
        return Batch(
            images=self._source.image_tensor(pixels) if pixels else torch.empty(0),
            texts=self._captions.tokens(rows_B),
            groups=torch.from_numpy(groups_BG),
            ids=tuple(self._pairs[index].id for index in kept),
        )

    def _read(self, index: int) -> PixelArray | None:
        try:
            return self._pictures.read(self._rows[index])
        except (ImageError, NotFoundError) as error:
            self.skipped[self._pairs[index].id] = str(error)
            return None


class HeldOutPairs:
    """Held-out pairs as a retrieval task (``HeldOut``), by the rules of ``sightline evaluate``.

    Every caption is a query, and a caption that several images share makes all of those relevant.
    """

    def __init__(self, pairs: Sequence[Pair], source: PairSource) -> None:
        """Decode the pictures as for serving and collect the captions.

        Raises:
            PairsError: no pair is left.
            ConfigError: a cache was asked for that is larger than its limit.
        """
        in_memory = replace(source, config=replace(source.config, cache="memory"))
        usable = _Usable.of(pairs, in_memory, margin=1.0)
        self.skipped = usable.skipped
        self._source = source
        self._pixels = [usable.pictures.read(row) for row in usable.rows]
        texts: list[str] = []
        images_of_text: dict[str, set[int]] = {}
        for number, pair in enumerate(usable.pairs):
            for text in captions_of(pair):
                texts.append(text)
                images_of_text.setdefault(identity_of(text), set()).add(number)
        self._tokens_ML = tokenized(texts, source.tokenize)
        self.relevant = tuple(frozenset(images_of_text[identity_of(text)]) for text in texts)

    def __len__(self) -> int:
        return len(self._pixels)

    def image_batches(self, size: int) -> Iterator[Tensor]:
        """Yield the images in order, at most ``size`` at a time."""
        for start in range(0, len(self._pixels), size):
            yield self._source.image_tensor(self._pixels[start : start + size])

    def text_batches(self, size: int) -> Iterator[Tensor]:
        """Yield the captions in order, at most ``size`` at a time."""
        for start in range(0, len(self._tokens_ML), size):
            yield self._tokens_ML[start : start + size]


@dataclass(frozen=True, slots=True)
class _Usable:
    """The pairs that have a caption and, as far as is known, a picture."""

    pairs: list[Pair]
    rows: list[int]
    pictures: Pictures
    skipped: dict[str, str]

    @classmethod
    def of(cls, pairs: Sequence[Pair], source: PairSource, *, margin: float) -> _Usable:
        """Open the pictures and leave out what cannot be used.

        Raises:
            PairsError: nothing is left.
        """
        skipped = {pair.id: "it has no caption" for pair in pairs if not captions_of(pair)}
        captioned = [pair for pair in pairs if pair.id not in skipped]
        pictures = source.open_pictures(captioned, margin=margin)
        skipped |= {captioned[row].id: reason for row, reason in pictures.skipped.items()}
        rows = [row for row in range(len(captioned)) if row not in pictures.skipped]
        if not rows:
            first = next(iter(skipped.items()), ("", "there are no pairs"))
            raise PairsError(
                f"none of the {len(pairs)} pairs can be used; the first, {first[0]!r}: {first[1]}"
            )
        return cls([captioned[row] for row in rows], rows, pictures, skipped)


def _digest(pixels: PixelArray) -> int:
    """Return a 63-bit number that equal pictures share."""
    return int(sha256_bytes(pixels.tobytes())[:15], 16)
