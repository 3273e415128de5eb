"""What is minimised: the section ``[loss]`` of a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.errors import ConfigError
from training.ranges import check_positive, check_range

LossKind = Literal["softmax", "sigmoid"]
PositiveRule = Literal["shared", "own"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LossConfig:
    """The contrastive loss, its temperature, and what is added to it."""

    kind: LossKind = "softmax"
    """``softmax`` is CLIP's symmetric cross-entropy; ``sigmoid`` is SigLIP's loss, which judges
    every image with every text alone and has a learned bias."""
    positives: PositiveRule = "shared"
    """``shared``: pairs with the same picture or the same caption are positives of each other;
    ``own``: only the two sides of a pair are, as in CLIP, and equal captions repel each other."""
    label_smoothing: float = 0.0
    """Part of the target that is spread evenly over the batch, softmax only; 0 is CLIP's."""
    tile_rows: int = 512
    """Rows of the logit matrix in memory at once; changes memory and speed, never the result but
    for rounding. Of 64 to 2048, 256 and 512 were fastest in ``benchmarks/loss.py``; 512 rows take
    16 MiB at a batch of 8,192."""
    matryoshka_dims: tuple[int, ...] = ()
    """The loss is also taken on the first so many dimensions of the embeddings, so that an index
    may keep only those; ascending, each below the model's dimension. Empty is off."""
    matryoshka_weights: tuple[float, ...] = ()
    """Weight of each of ``matryoshka_dims``; all dimensions together have 1. Empty: 1 each."""
    distillation_weight: float = 0.0
    """Weight of the distance to a teacher's similarities, added to the loss; 0 is off, 1 is what
    open_clip uses. The data must hold the teacher's embeddings."""
    distillation_scale: float = 0.0
    """Inverse temperature of the teacher's similarities; 0 takes the teacher's own."""
    initial_scale: float = 0.0
    """Inverse temperature of a model that starts at random; 0 takes 1/0.07 for softmax and 10 for
    sigmoid. See ``initialise_temperature`` for pretrained models."""
    initial_bias: float = -10.0
    """Bias of the sigmoid at the start: most pairs of a batch do not belong together."""

    def __post_init__(self) -> None:
        """Refuse values out of range, and settings that would have no effect."""
        check_range("loss.label_smoothing", self.label_smoothing, low=0, high=0.9)
        check_range("loss.tile_rows", self.tile_rows, low=1)
        check_range("loss.distillation_weight", self.distillation_weight, low=0, high=1e6)
        check_range("loss.distillation_scale", self.distillation_scale, low=0, high=1e4)
        check_range("loss.initial_scale", self.initial_scale, low=0, high=1e4)
        check_range("loss.initial_bias", self.initial_bias, low=-1e3, high=1e3)
        if self.kind == "sigmoid" and self.label_smoothing:
            raise ConfigError(
                f"loss.label_smoothing = {self.label_smoothing:g} needs loss.kind = softmax: "
                "the sigmoid loss has no distribution to smooth"
            )
        if self.distillation_scale and not self.distillation_weight:
            raise ConfigError("loss.distillation_scale needs loss.distillation_weight above 0")
        _check_matryoshka(self.matryoshka_dims, self.matryoshka_weights)


def _check_matryoshka(dims: tuple[int, ...], weights: tuple[float, ...]) -> None:
    for dim in dims:
        check_range("loss.matryoshka_dims", dim, low=1)
    if list(dims) != sorted(set(dims)):
        raise ConfigError(f"loss.matryoshka_dims = {list(dims)}: expected ascending, each once")
    for weight in weights:
        check_positive("loss.matryoshka_weights", weight)
    if weights and len(weights) != len(dims):
        raise ConfigError(
            f"loss.matryoshka_weights has {len(weights)} numbers for {len(dims)} "
            "loss.matryoshka_dims: give one for each, or none"
        )
