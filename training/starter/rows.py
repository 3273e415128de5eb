"""Training pairs of the heads: picture features and class prototypes with their captions.

# N = rows, V = views, F = features, B = pairs of a batch, C = classes, T = templates,
# W = text width
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from core.types import IdArray
from training.data.batches import Batch
from training.randomness import stream
from training.ranges import check_range
from training.starter.class_texts import ClassTexts
from training.starter.feature_cache import FeatureSet
from training.starter.prototypes import PrototypeConfig

TEMPLATES = ("{}", "A {}.", "A picture of a {}.")
MAX_TEMPLATE_LENGTH = 60
"""Longer captions are sentences already and are put into no template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionConfig:
    """Which captions a row may have and how they are drawn."""

    max_tags: int = 8
    """Most tags of a picture that are used."""
    max_kinds: int = 6
    """Most hypernyms of a class that are used, nearest first."""
    tag_share: float = 0.35
    """How often a picture's caption is a tag and not its name."""
    kind_share: float = 0.4
    """How often a class's caption is a hypernym or a description and not a name."""
    descriptions: int = 2
    """How many times each description is listed among the hypernyms."""

    def __post_init__(self) -> None:
        """Refuse shares outside [0, 1]."""
        check_range("captions.tag_share", self.tag_share, low=0, high=1)
        check_range("captions.kind_share", self.kind_share, low=0, high=1)


@dataclass(frozen=True, slots=True)
class RowTexts:
    """The captions of one row: names first, then the wider ones."""

    concept: str
    names: tuple[str, ...]
    others: tuple[str, ...]
    share: float
    """How often one of the others is drawn, where there are any."""


def picture_texts(features: FeatureSet, config: CaptionConfig) -> list[RowTexts]:
    """Return the captions of pictures: the name, or now and then a tag."""
    return [
        RowTexts(
            concept=f"picture:{picture.concept}",
            names=picture.captions[:1],
            others=picture.captions[1 : 1 + config.max_tags],
            share=config.tag_share,
        )
        for picture in features.pictures
    ]


def class_row_texts(classes: Sequence[ClassTexts], config: CaptionConfig) -> list[RowTexts]:
    """Return the captions of classes: a name, or now and then what it is or how it looks."""
    return [
        RowTexts(
            concept=f"class:{number}",
            names=tuple(dict.fromkeys((texts.name, *texts.synonyms))),
            others=texts.kinds[: config.max_kinds]
            + (texts.description, f"{texts.name}: {texts.description}") * config.descriptions,
            share=config.kind_share,
        )
        for number, texts in enumerate(classes)
    ]


def in_templates(caption: str) -> tuple[str, ...]:
    """Return a caption in every template; a long one unchanged, as often."""
    if len(caption) > MAX_TEMPLATE_LENGTH:
        return (caption,) * len(TEMPLATES)
    return tuple(template.replace("{}", caption) for template in TEMPLATES)


@dataclass(frozen=True, slots=True)
class HeadRows:
    """A ``TrainingData`` of tower outputs: what a row is depends on (seed, epoch, row) alone."""

    features_NVF: Tensor
    """Views of the pictures, float16."""
    prototypes_CF: Tensor
    """One stand-in per ImageNet class."""
    residuals_NF: Tensor
    """Picture features minus their mean: noise for the stand-ins."""
    texts: Sequence[RowTexts]
    """Captions of the pictures, then of the classes."""
    sentences: Mapping[str, Tensor]
    """(T, W) sentence vectors of every caption in every template."""
    prototypes: PrototypeConfig
    seed: int
    fingerprint: str = field(init=False)
    """Digest of features and captions."""
    _numbers: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Take the digest and number the captions and concepts."""
        digest = hashlib.sha256(repr((self.texts, self.prototypes, self.seed)).encode())
        for tensor in (self.features_NVF, self.prototypes_CF):
            digest.update(tensor.contiguous().numpy().tobytes())
        object.__setattr__(self, "fingerprint", digest.hexdigest())
        words = [word for row in self.texts for word in (row.concept, *row.names, *row.others)]
        numbers = {word: number for number, word in enumerate(dict.fromkeys(words))}
        object.__setattr__(self, "_numbers", numbers)

    def __len__(self) -> int:
        return len(self.features_NVF) + self.prototypes.copies * len(self.prototypes_CF)

    def batch(self, indices_B: IdArray, *, epoch: int) -> Batch:
        """Return the pairs at the indices: one view and one caption each."""
        rows = [self._pair(int(index), epoch) for index in indices_B]
        features, sentences, groups = zip(*rows, strict=True)
        return Batch(
            images=torch.stack(features),
            texts=torch.stack(sentences),
            groups=torch.tensor(groups, dtype=torch.int64),
            ids=tuple(str(index) for index in indices_B),
        )

    def _pair(self, index: int, epoch: int) -> tuple[Tensor, Tensor, tuple[int, int]]:
        rng = stream("starter-row", self.seed, epoch, index)
        num_pictures, num_views = self.features_NVF.shape[:2]
        if index < num_pictures:
            text, features_F = self.texts[index], self._view(index, int(rng.integers(num_views)))
        else:
            number = (index - num_pictures) % len(self.prototypes_CF)
            text, features_F = self.texts[num_pictures + number], self._stand_in(number, rng)
        caption = _draw_caption(text, rng)
        sentence_W = self.sentences[caption][int(rng.integers(len(TEMPLATES)))]
        return features_F, sentence_W, (self._numbers[text.concept], self._numbers[caption])

    def _view(self, index: int, view: int) -> Tensor:
        return self.features_NVF[index, view].float()

    def _stand_in(self, number: int, rng: np.random.Generator) -> Tensor:
        residual_F = self.residuals_NF[int(rng.integers(len(self.residuals_NF)))].float()
        noisy_F = self.prototypes_CF[number] + self.prototypes.noise * residual_F
        return noisy_F.clamp(min=0.0)


def _draw_caption(text: RowTexts, rng: np.random.Generator) -> str:
    wide = text.others and rng.random() < text.share
    choices = text.others if wide else text.names
    return choices[int(rng.integers(len(choices)))]
