"""The settings of data: which columns and captions, how batches are made, what is kept decoded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from training.data.augmentation import AugmentationConfig
from training.data.feature_config import FeatureConfig
from training.data.prompts import resolve_templates
from training.ranges import check_positive, check_range

CacheKind = Literal["auto", "memory", "disk", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """How pairs become batches."""

    batch_size: int = 256
    """Pairs per step, which is also the number of negatives plus one; as many as memory takes."""
    drop_last: bool = True
    """Leave out the last, smaller batch of an epoch: fewer negatives change the loss's scale."""
    image_column: str = ""
    """Column or field of the image; empty tries the usual names."""
    caption_column: str = ""
    """Column or field of the caption, or several with commas; empty tries the usual names."""
    image_root: str = ""
    """Folder that relative image paths start from; empty is the folder of the file itself."""
    templates: tuple[str, ...] = ()
    """Prompts of a picture that has a class but no caption: the name of a template set, or texts
    with ``{}``; empty uses the name of the class alone."""
    weights: tuple[float, ...] = ()
    """Share of each of several data sets in an epoch; empty shows every pair once."""
    heldout_fraction: float = 0.0
    """Part of the training pairs that is held out where no held-out pairs are given; 0 is none."""
    distinct_captions_in_batch: bool = False
    """Spread equal captions over different batches as far as possible."""
    workers: int = 1
    """Threads that prepare batches ahead; changes the speed, never the result."""
    cache: CacheKind = "auto"
    """Where decoded pictures are kept; ``auto`` is memory up to the limit, else off."""
    cache_limit_mb: float = 2048
    """Most memory or disk for decoded pictures, in MB (10^6 bytes)."""
    decode_margin: float = 1.15
    """Side of a decoded picture over the model's: a random crop of it still has enough pixels."""
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    """Random changes of the pictures."""
    teacher: str = ""
    """Model folder, open_clip source or ``.npz`` of embeddings whose similarities are learned too,
    with ``loss.distillation_weight``; empty is none."""
    features: FeatureConfig = field(default_factory=FeatureConfig)
    """What is kept of towers that are locked whole."""

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be."""
        check_range("data.batch_size", self.batch_size, low=2)
        check_range("data.workers", self.workers, low=0, high=256)
        check_positive("data.cache_limit_mb", self.cache_limit_mb)
        check_range("data.decode_margin", self.decode_margin, low=1, high=4)
        check_range("data.heldout_fraction", self.heldout_fraction, low=0, high=0.5)
        for weight in self.weights:
            check_positive("data.weights", weight)
        resolve_templates(self.templates)
