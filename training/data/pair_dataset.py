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

from core.artifacts import canonical_json
from core.errors import ConfigError, ImageError, NotFoundError, PairsError
from core.pairs.captions import captions_of
from core.pairs.image_file import image_stamp
from core.pairs.pair import Pair, PairList
from core.progress import ProgressFactory, silent
from core.types import IdArray, PixelArray
from encoders.preprocessing import Preprocessing
from training.data.augmentation import augment
from training.data.batches import Batch
from training.data.captions import (
    CaptionTable,
    Tokenize,
    identities_of,
    refuse_single_caption,
    texts_of,
    tokenized,
)
from training.data.config import DataConfig
from training.data.pictures import (
    Pictures,
    pictures_in_memory,
    pictures_on_disk,
    stored_bytes,
    uncached_pictures,
)
from training.data.prompts import resolve_templates
from training.data.token_cache import TokenCache
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
    token_cache: TokenCache | None = None
    """Where tokens of captions are kept; ``None`` tokenises them each time."""
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


def fingerprint_of(pairs: Sequence[Pair]) -> str:
    """Return a digest of the ids, captions and picture sizes of pairs, in order.

    Paths do not enter, so a data set may be moved.
    """
    digest = hashlib.sha256()
    for pair in pairs:
        digest.update(canonical_json([pair.id, *captions_of(pair), image_stamp(pair.image)]))
    return digest.hexdigest()


class PairDataset:
    """Training data of the trainer (``TrainingData``) over pairs on disk."""

    def __init__(self, pairs: Sequence[Pair], source: PairSource) -> None:
        """Leave out pairs without caption or picture, fill the cache, tokenise.

        Raises:
            PairsError: no pair is left, or all have the same caption.
            ConfigError: a cache was asked for that is larger than its limit.
        """
        augmented = source.config.augmentation.enabled
        usable = _Usable.of(pairs, source, margin=source.config.decode_margin if augmented else 1.0)
        self.skipped = usable.skipped
        self.fingerprint = fingerprint_of(pairs)
        self._source, self._pictures, self.pairs = source, usable.pictures, usable.pairs
        self._rows_N = np.array(usable.rows, dtype=np.int64)
        self.captions = CaptionTable(
            usable.pairs,
            source.tokenize,
            seed=source.seed,
            templates=resolve_templates(source.config.templates),
            cache=source.token_cache,
        )
        refuse_single_caption(self.captions, num_pairs=len(self))

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def num_distinct_captions(self) -> int:
        """Return how many different captions there are: few of them make training hard."""
        return self.captions.num_distinct

    def caption_groups(self, indices_B: IdArray, *, epoch: int) -> IdArray:
        """Return the number (B,) of the caption that each pair shows in an epoch."""
        return self.captions.groups(self.captions.rows(indices_B, epoch=epoch))

    def batch(self, indices_B: IdArray, *, epoch: int) -> Batch:
        """Return the pairs at the indices; a picture that cannot be read now is left out."""
        kept_B, images = self._images(indices_B, epoch)
        rows_B = self.captions.rows(kept_B, epoch=epoch)
        image_groups_B = self._pictures.identities_N[self._rows_N[kept_B]]
        groups_BG = np.stack([image_groups_B, self.captions.groups(rows_B)], 1)
        return Batch(
            images=images,
            texts=self.captions.tokens(rows_B),
            groups=torch.from_numpy(groups_BG),
            ids=tuple(self.pairs[index].id for index in kept_B.tolist()),
        )

    def _images(self, indices_B: IdArray, epoch: int) -> tuple[IdArray, Tensor]:
        """Return the indices whose pictures can be read, and their images."""
        config, cache = self._source.config.augmentation, self._pictures.cache
        if cache is not None and not config.enabled:
            return indices_B, torch.from_numpy(cache[self._rows_N[indices_B]])
        size = self._source.preprocessing.image_size
        interpolation = self._source.preprocessing.interpolation
        kept, pixels = [], []
        for index in indices_B.tolist():
            picture = self._read(index)
            if picture is not None:
                rng = stream("augmentation", self._source.seed, epoch, index)
                kept.append(index)
                pixels.append(augment(picture, rng, config, size=size, interpolation=interpolation))
        images = torch.from_numpy(np.stack(pixels)) if pixels else torch.empty(0)
        return np.array(kept, dtype=np.int64), images

    def _read(self, index: int) -> PixelArray | None:
        try:
            return self._pictures.read(int(self._rows_N[index]))
        except (ImageError, NotFoundError) as error:
            self.skipped[self.pairs[index].id] = str(error)
            return None


class HeldOutPairs:
    """Held-out pairs as a retrieval task (``HeldOut``), by the rules of ``sightline evaluate``.

    Every caption is a query, and a caption that several images share makes all of those relevant.
    The query of a class is the first of the prompt templates. ``labels`` names the class of each
    image, for ``zero_shot.label_task``; ``None`` where it has none.
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
        self.labels = tuple(pair.label for pair in usable.pairs)
        template = resolve_templates(source.config.templates)[:1]
        texts: list[str] = []
        identities: list[str] = []
        images_of_text: dict[str, set[int]] = {}
        for number, pair in enumerate(usable.pairs):
            texts.extend(texts_of(pair, template))
            identities.extend(identities_of(pair, template))
            for identity in identities_of(pair, template):
                images_of_text.setdefault(identity, set()).add(number)
        self._tokens_ML = tokenized(texts, source.tokenize)
        self.relevant = tuple(frozenset(images_of_text[identity]) for identity in identities)

    def __len__(self) -> int:
        return len(self._pixels)

    def image_batches(self, size: int) -> Iterator[Tensor]:
        """Yield the images in order, at most ``size`` at a time."""
        for start in range(0, len(self._pixels), size):
            yield torch.from_numpy(np.stack(self._pixels[start : start + size]))

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
        skipped = dict(pairs.skipped) if isinstance(pairs, PairList) else {}
        skipped |= {pair.id: "it has no caption" for pair in pairs if not captions_of(pair)}
        captioned = [pair for pair in pairs if captions_of(pair)]
        pictures = source.open_pictures(captioned, margin=margin)
        skipped |= {captioned[row].id: reason for row, reason in pictures.skipped.items()}
        rows = [row for row in range(len(captioned)) if row not in pictures.skipped]
        if not rows:
            first = next(iter(skipped.items()), ("", "there are no pairs"))
            raise PairsError(
                f"none of the {len(pairs)} pairs can be used; the first, {first[0]!r}: {first[1]}"
            )
        return cls([captioned[row] for row in rows], rows, pictures, skipped)
