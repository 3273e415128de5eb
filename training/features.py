"""Locked towers as stored embeddings: what a run needs to train from the feature cache.

# N = images, M = texts, D = embedding dim
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from core.errors import ConfigError
from core.pairs.pair import Pair
from core.types import JSONObject
from training.config import TrainConfig
from training.data.captions import CaptionTable
from training.data.feature_cache import FeatureCache, Features, TextTower
from training.data.feature_config import views_of
from training.data.feature_pairs import EmbeddedPairs, FeatureHeldOut, FeaturePairs, PairTable
from training.data.feature_shard import ImageTower
from training.data.heldout import HeldOut
from training.data.pair_dataset import PairDataset, PairSource
from training.towers.computed import Side, image_embedder, token_embedder, tower_key
from training.towers.forward import TwoTowers
from training.towers.open_clip_model import BuiltModel
from training.zero_shot import LabelTask


def computed_sides(config: TrainConfig) -> frozenset[Side]:
    """Return the sides whose embeddings a recipe computes once: the towers that are locked whole.

    Raises:
        ConfigError: the cache is asked for and no tower is locked whole, or the pictures change
            during the run.
    """
    if not config.data.features.cache:
        return frozenset()
    frozen = frozenset(name for name, tower in config.towers.items() if tower.is_frozen)
    if not frozen:
        raise ConfigError(
            "data.features.cache needs a tower that is locked whole: set towers.image.mode = "
            "locked without unlocked_layers and train_projection, or data.features.cache = false"
        )
    if "image" in frozen and config.schedule.image_sizes:
        raise ConfigError(
            "schedule.image_sizes changes the pictures during the run, so data.features.cache "
            "cannot hold their embeddings; remove one of them"
        )
    return cast("frozenset[Side]", frozen)


@dataclass(frozen=True, slots=True)
class LockedTowers:
    """The towers of a run before it starts, and where their embeddings are kept."""

    built: BuiltModel
    """The model with its weights loaded, and the towers locked."""
    device: torch.device
    """Where the model is; it is moved there."""
    cache: FeatureCache
    sides: frozenset[Side]
    """Which towers are computed once."""

    def open_pairs(self, pairs: Sequence[Pair], source: PairSource) -> PairTable:
        """Return training data in which the locked sides are embeddings.

        Raises:
            ConfigError: augmentation that features cannot show.
            PairsError: no pair can be used.
            IntegrityError: a part on disk is damaged.
            TrainingError: the disk refuses a part.
        """
        data: PairTable
        if "image" in self.sides:
            config = source.config
            views = views_of(
                config.features,
                config.augmentation,
                seed=source.seed,
                margin=config.decode_margin,
            )
            tower, cache = self.image_tower(), self.cache
            data = FeaturePairs(pairs, source, tower=tower, cache=cache, views=views)
        else:
            data = PairDataset(pairs, source)
        if "text" in self.sides:
            data = EmbeddedPairs(data, texts=self.text_features(data.captions))
        return data

    def image_tower(self) -> ImageTower:
        """Return what embeds pictures."""
        embed = image_embedder(self._towers, device=self.device)
        return ImageTower(self._key("image"), self.built.preprocessing, embed)

    def text_features(self, captions: CaptionTable) -> Features:
        """Return the embeddings of all captions, computed where they are not on disk.

        Raises:
            IntegrityError: a part on disk is damaged.
            TrainingError: the disk refuses a part.
        """
        tokens_ML = captions.tokens_ML
        tower = TextTower(
            self._key("text"),
            embed=token_embedder(self._towers, tokens_ML, device=self.device),
            content=lambda rows: tokens_ML[rows].tobytes(),
        )
        return self.cache.texts(len(tokens_ML), tower)

    def heldout(self, heldout: HeldOut, *, batch_size: int) -> FeatureHeldOut:
        """Return held-out pairs with the locked sides embedded, in memory."""
        images = texts = None
        if "image" in self.sides:
            images = self._embedded(self._towers.images, heldout.image_batches(batch_size))
        if "text" in self.sides:
            texts = self._embedded(self._towers.texts, heldout.text_batches(batch_size))
        return FeatureHeldOut(heldout, images, texts)

    def labels(self, labels: LabelTask, *, batch_size: int) -> LabelTask:
        """Return a zero-shot task whose prompts are embeddings where the text tower is locked."""
        if "text" not in self.sides:
            return labels
        prompts = self._embedded(self._towers.texts, labels.prompt_batches(batch_size))
        return replace(labels, prompts_PL=prompts)

    @property
    def _towers(self) -> TwoTowers:
        return TwoTowers(self.built.model.to(self.device), self.built.preprocessing)

    def _key(self, side: Side) -> JSONObject:
        architecture = cast("JSONObject", self.built.model_cfg)
        return tower_key(self.built.model, side, architecture=architecture)

    @torch.no_grad()
    def _embedded(self, encode: Callable[[Tensor], Tensor], batches: Iterator[Tensor]) -> Tensor:
        model = self.built.model
        was_training = model.training
        model.eval()
        try:
            return torch.cat([encode(batch.to(self.device)).float().cpu() for batch in batches])
        finally:
            model.train(was_training)
