"""Trains the heads on cached tower outputs with the project's own trainer.

# N = rows, F = features, C = classes, W = text width
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from core.progress import ProgressFactory, silent
from training.checkpoint import read_checkpoint, restore_weights
from training.config import TrainConfig
from training.ranges import check_positive, check_range
from training.run_values import RunData
from training.starter.class_texts import NUM_CLASSES, ClassTexts
from training.starter.feature_cache import FeatureSet
from training.starter.image_tower import ImageTower
from training.starter.prototypes import PrototypeConfig, class_prototypes, mean_activation
from training.starter.rows import (
    CaptionConfig,
    HeadRows,
    class_row_texts,
    in_templates,
    picture_texts,
)
from training.starter.sentences import Sentences
from training.starter.towers import NUM_FEATURES, ConSE, Heads
from training.trainer import Trainer

STD_FLOOR = 0.05
"""Added to the deviation of a feature, so that rare features are not blown up."""
CLASS_TEXT_WEIGHTS = {"kinds": 0.3, "synonyms": 0.3, "description": 1.0, "prompt": 0.5}
"""Beside weight 1 of the name; chosen in docs/starter-model.md."""
CLASS_PROMPT = "a photo of a {}"
MAX_KINDS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadConfig:
    """The trained part of the starter model."""

    hidden: int = 768
    """Width of the MLP on image features."""
    dropout: float = 0.3
    """Share of the hidden units that a step switches off."""
    conse_weight: float = 0.5
    """w: how much of the score comes from ConSE; the rest comes from the heads."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        check_positive("heads.hidden", self.hidden)
        check_range("heads.dropout", self.dropout, low=0, high=0.9)
        check_range("heads.conse_weight", self.conse_weight, low=0, high=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StarterConfig:
    """The whole recipe of the starter model."""

    views: int = 4
    """Views of each training picture: the plain one and augmented ones."""
    captions: CaptionConfig = field(default_factory=CaptionConfig)
    """Which captions the rows have."""
    prototypes: PrototypeConfig = field(default_factory=PrototypeConfig)
    """Stand-ins for photographs."""
    heads: HeadConfig = field(default_factory=HeadConfig)
    """What is trained."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """How it is trained; its section ``model`` is not used."""

    def __post_init__(self) -> None:
        """Refuse a recipe without views."""
        check_range("views", self.views, low=1, high=64)


def class_text_matrix(classes: Sequence[ClassTexts], sentences: Sentences) -> Tensor:
    """Return the (C, W) class vectors of ConSE: name, synonyms, kinds, description and prompt."""
    parts: dict[str, list[Sequence[str]]] = {
        "kinds": [texts.kinds[:MAX_KINDS] or (texts.name,) for texts in classes],
        "synonyms": [texts.synonyms for texts in classes],
        "description": [(f"{texts.name}: {texts.description}",) for texts in classes],
        "prompt": [(CLASS_PROMPT.replace("{}", texts.name),) for texts in classes],
    }
    total_CW = sentences.vectors([texts.name for texts in classes])
    for name, lists in parts.items():
        mean_CW = torch.stack([sentences.vectors(texts).mean(dim=0) for texts in lists])
        total_CW = total_CW + CLASS_TEXT_WEIGHTS[name] * normalize(mean_CW, dim=-1)
    return normalize(total_CW, dim=-1)


def make_rows(
    features: FeatureSet,
    tower: ImageTower,
    classes: Sequence[ClassTexts],
    sentences: Sentences,
    config: StarterConfig,
) -> HeadRows:
    """Return the training pairs: pictures and stand-ins for photographs, with sentence vectors."""
    texts = [
        *picture_texts(features, config.captions),
        *class_row_texts(classes, config.captions),
    ]
    captions = dict.fromkeys(text for row in texts for text in (*row.names, *row.others))
    features_NVF = torch.from_numpy(features.features_NVF)
    flat_NF = features_NVF.flatten(0, 1)[::2]
    return HeadRows(
        features_NVF=features_NVF,
        prototypes_CF=class_prototypes(
            mean_activation(*tower.last_norm),
            tower.classifier.weight.detach(),
            distance=config.prototypes.distance,
        ),
        residuals_NF=(flat_NF - flat_NF.float().mean(dim=0)).half(),
        texts=texts,
        sentences={text: sentences.vectors(in_templates(text)) for text in captions},
        prototypes=config.prototypes,
        seed=config.train.run.seed,
    )


def fit_heads(
    rows: HeadRows,
    tower: ImageTower,
    class_texts_CW: Tensor,
    config: StarterConfig,
    *,
    folder: Path,
    progress: ProgressFactory = silent,
) -> Heads:
    """Train the heads in ``folder`` and return them in eval mode."""
    torch.manual_seed(config.train.run.seed)
    heads = Heads(
        conse=ConSE(class_texts_CW),
        classifier=nn.Linear(NUM_FEATURES, NUM_CLASSES),
        hidden=config.heads.hidden,
        dropout=config.heads.dropout,
    )
    heads.classifier.load_state_dict(tower.classifier.state_dict())
    plain_NF = rows.features_NVF[:, 0].float()
    heads.feature_mean.copy_(plain_NF.mean(dim=0))
    heads.feature_std.copy_(plain_NF.std(dim=0) + STD_FLOOR)
    result = Trainer(heads, RunData(rows), config.train, folder, progress).fit()
    restore_weights(heads, read_checkpoint(result.last))
    return heads.eval()
