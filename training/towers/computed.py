"""Towers whose embeddings are computed already, and what they were computed with.

# B = pairs of the batch, n = items embedded at once, D = embedding dim, S = side of the square,
# L = context length in tokens
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.types import FloatArray, JSONObject, PixelArray
from encoders.preprocessing import Preprocessing
from encoders.spec import weights_digest
from training.towers.dual_encoder import DualEncoder
from training.towers.forward import TwoTowers
from training.towers.parts import Tower, tower_parts

Side = Literal["image", "text"]

_SIDES_IN_CONFIG = {"image": "vision_cfg", "text": "text_cfg"}
_STARTING_VALUES = ("init_logit_scale", "init_logit_bias")


class FeatureTowers(TwoTowers):
    """Both towers where batches and held-out data hold embeddings of one side, or of both."""

    def __init__(
        self,
        model: DualEncoder,
        preprocessing: Preprocessing | None = None,
        *,
        computed: Collection[Side],
        compile_towers: bool = False,
    ) -> None:
        """Share the parameters of ``model``; ``computed`` names the sides that are not run."""
        super().__init__(model, preprocessing, compile_towers=compile_towers)
        self._computed = frozenset(computed)

    def images(self, images: Tensor) -> Tensor:
        """Return the (B, D) embeddings of images, given as such or to be computed."""
        return images if "image" in self._computed else super().images(images)

    def texts(self, texts: Tensor) -> Tensor:
        """Return the (B, D) embeddings of texts, given as such or to be computed."""
        return texts if "text" in self._computed else super().texts(texts)


def tower_key(model: nn.Module, side: Side, *, architecture: JSONObject) -> JSONObject:
    """Return what identifies the function that a tower computes, for the feature cache.

    The weights alone do not: the number of heads and the activation have none.

    Args:
        model: holds the tower.
        side: which of the two.
        architecture: the open_clip config of the model (``BuiltModel.model_cfg``).

    Raises:
        ConfigError: the model has no module by which the tower could be told.
    """
    tower = tower_parts(model).tower(side)
    without = (_SIDES_IN_CONFIG["text" if side == "image" else "image"], *_STARTING_VALUES)
    own = {name: value for name, value in architecture.items() if name not in without}
    return {"side": side, "weights": _digest(tower), "architecture": own}


def image_embedder(
    towers: TwoTowers, *, device: torch.device
) -> Callable[[PixelArray], FloatArray]:
    """Return what embeds uint8 pixels (n, S, S, 3) as training does, in float32 (n, D).

    The towers were made with the preprocessing of the model.
    """

    def embed(pixels_nSS3: PixelArray) -> FloatArray:
        return _embedded(towers, towers.images, torch.from_numpy(pixels_nSS3).to(device))

    return embed


def token_embedder(
    towers: TwoTowers, tokens_ML: NDArray[np.int32], *, device: torch.device
) -> Callable[[slice], FloatArray]:
    """Return what embeds a range of tokenised texts as training does, in float32 (n, D)."""

    def embed(rows: slice) -> FloatArray:
        tokens_nL = torch.from_numpy(tokens_ML[rows].astype(np.int64))
        return _embedded(towers, towers.texts, tokens_nL.to(device))

    return embed


@torch.no_grad()
def _embedded(towers: TwoTowers, encode: Callable[[Tensor], Tensor], batch: Tensor) -> FloatArray:
    was_training = towers.training
    towers.eval()
    try:
        embeddings: FloatArray = encode(batch).float().cpu().numpy()
    finally:
        towers.train(was_training)
    return embeddings


def _digest(tower: Tower) -> str:
    """Return the sha256 over the parameters and the buffers of a tower."""
    tensors = {name: value.detach() for name, value in tower.parameters.items()}
    for number, module in enumerate(tower.modules):
        for name, buffer in module.named_buffers():
            tensors[f"{number}/{name}"] = buffer
    return weights_digest({name: value.cpu().numpy() for name, value in tensors.items()})
