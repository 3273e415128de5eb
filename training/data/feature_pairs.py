"""Pairs whose images, texts or both are embeddings that were computed before.

# N = pairs, B = pairs of a batch, D = embedding dim
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from core.artifacts import canonical_json
from core.errors import PairsError
from core.pairs.captions import captions_of
from core.pairs.pair import Pair, PairList
from core.types import IdArray
from training.data.batches import Batch
from training.data.captions import CaptionTable, refuse_single_caption
from training.data.feature_cache import FeatureCache, Features, ImageFeatures
from training.data.feature_config import Views
from training.data.feature_shard import ImageTower
from training.data.heldout import HeldOut
from training.data.mixture import CaptionedData
from training.data.pair_dataset import PairSource
from training.data.prompts import resolve_templates
from training.data.teacher import Teacher


class PairTable(CaptionedData, Protocol):
    """Training data that knows its pairs and their captions."""

    @property
    def pairs(self) -> Sequence[Pair]:
        """Return the pairs by index."""
        ...

    @property
    def captions(self) -> CaptionTable:
        """Return the captions of all pairs."""
        ...

    @property
    def skipped(self) -> dict[str, str]:
        """Return ids of pairs that could not be used, with the reason."""
        ...

    @property
    def num_distinct_captions(self) -> int:
        """Return how many different captions there are."""
        ...


class FeaturePairs:
    """``PairTable`` whose images are embeddings: once they are on disk, no picture is read."""

    def __init__(
        self,
        pairs: Sequence[Pair],
        source: PairSource,
        *,
        tower: ImageTower,
        cache: FeatureCache,
        views: Views | None = None,
    ) -> None:
        """Embed the pictures that are not on disk yet, leave out what cannot be used, tokenise.

        Raises:
            PairsError: no pair is left, or all have the same caption.
            IntegrityError: an embedding on disk is damaged.
            TrainingError: the disk refuses the embeddings.
        """
        self.skipped = dict(pairs.skipped) if isinstance(pairs, PairList) else {}
        self.skipped |= {pair.id: "it has no caption" for pair in pairs if not captions_of(pair)}
        captioned = [pair for pair in pairs if captions_of(pair)]
        self._features = cache.images([pair.image for pair in captioned], tower, views=views)
        skipped = self._features.skipped
        self.skipped |= {captioned[row].id: reason for row, reason in skipped.items()}
        rows = [row for row in range(len(captioned)) if row not in skipped]
        if not rows:
            name, reason = next(iter(self.skipped.items()), ("", "there are no pairs"))
            raise PairsError(
                f"none of the {len(pairs)} pairs can be used; the first, {name!r}: {reason}"
            )
        self._rows_N = np.array(rows, np.int64)
        self.pairs = [captioned[row] for row in rows]
        self.captions = CaptionTable(
            self.pairs,
            source.tokenize,
            seed=source.seed,
            templates=resolve_templates(source.config.templates),
            cache=source.token_cache,
        )
        refuse_single_caption(self.captions, num_pairs=len(self))
        self.fingerprint = _fingerprint(captioned, self._features)

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
        """Return the pairs at the indices, their images as embeddings (B, D)."""
        captions_B = self.captions.rows(indices_B, epoch=epoch)
        rows_B = self._rows_N[indices_B]
        identities_B = self._features.identities_N[rows_B]
        groups_BG = np.stack([identities_B, self.captions.groups(captions_B)], 1)
        return Batch(
            images=torch.from_numpy(self._features.rows(rows_B, epoch=epoch)),
            texts=self.captions.tokens(captions_B),
            groups=torch.from_numpy(groups_BG),
            ids=tuple(self.pairs[index].id for index in indices_B.tolist()),
        )


class EmbeddedPairs:
    """A ``PairTable`` with embeddings beside or in place of what its batches hold."""

    def __init__(
        self, inner: PairTable, *, texts: Features | None = None, teacher: Teacher | None = None
    ) -> None:
        """Show ``texts``, one row a caption, in place of tokens, and what a teacher says."""
        self._inner, self._texts, self._teacher = inner, texts, teacher
        self._index_of = {pair.id: index for index, pair in enumerate(inner.pairs)}
        self.fingerprint = inner.fingerprint
        self.pairs, self.captions = inner.pairs, inner.captions
        self.skipped = inner.skipped

    def __len__(self) -> int:
        return len(self._inner)

    @property
    def num_distinct_captions(self) -> int:
        """Return how many different captions there are: few of them make training hard."""
        return self.captions.num_distinct

    def caption_groups(self, indices_B: IdArray, *, epoch: int) -> IdArray:
        """Return the number (B,) of the caption that each pair shows in an epoch."""
        return self._inner.caption_groups(indices_B, epoch=epoch)

    def batch(self, indices_B: IdArray, *, epoch: int) -> Batch:
        """Return the pairs at the indices; what the inner data left out is left out."""
        batch = self._inner.batch(indices_B, epoch=epoch)
        kept_B = np.array([self._index_of[name] for name in batch.ids], np.int64)
        captions_B = self.captions.rows(kept_B, epoch=epoch)
        if self._texts is not None:
            batch = replace(batch, texts=torch.from_numpy(self._texts.rows(captions_B)))
        if self._teacher is not None:
            batch = replace(batch, teacher=self._teacher.of(kept_B, captions_B))
        return batch


@dataclass(frozen=True, slots=True)
class FeatureHeldOut:
    """``HeldOut`` where a side is embeddings, so that an evaluation runs the other tower alone."""

    heldout: HeldOut
    """What they were computed from."""
    images: Tensor | None = None
    """(N, D) of its images, in order; ``None`` shows the images themselves."""
    texts: Tensor | None = None
    """(M, D) of its texts, in order; ``None`` shows the texts themselves."""

    @property
    def relevant(self) -> Sequence[frozenset[int]]:
        """For each text, the indices of the images it describes."""
        return self.heldout.relevant

    def image_batches(self, size: int) -> Iterator[Tensor]:
        """Yield the images or their embeddings in order, at most ``size`` at a time."""
        if self.images is None:
            return self.heldout.image_batches(size)
        return _parts(self.images, size)

    def text_batches(self, size: int) -> Iterator[Tensor]:
        """Yield the texts or their embeddings in order, at most ``size`` at a time."""
        if self.texts is None:
            return self.heldout.text_batches(size)
        return _parts(self.texts, size)


def _parts(rows: Tensor, size: int) -> Iterator[Tensor]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _fingerprint(pairs: Sequence[Pair], features: ImageFeatures) -> str:
    """Return a digest of ids, captions and contents; deleting the pictures changes nothing."""
    digest = hashlib.sha256(features.digest.encode())
    for pair in pairs:
        digest.update(canonical_json([pair.id, *captions_of(pair)]))
    return digest.hexdigest()
