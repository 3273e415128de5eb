"""Both towers of a model as the trainer calls them.

# B = pairs of the batch, S = side of a picture, L = tokens of a text, D = embedding dim
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from core.errors import TrainingError
from encoders.preprocessing import Preprocessing
from training.towers.attention import attend_in_float32
from training.towers.class_token import compute_class_token_only
from training.towers.compiling import compiled
from training.towers.dual_encoder import DualEncoder
from training.towers.text_parts import bucket, cheapest_parts
from training.towers.trimming import Trimming, trimming_of

_LEVELS = 255.0


class TwoTowers(nn.Module):
    """The towers as one module, so that gradients of several processes can be averaged.

    What they compute is what the model computes, to rounding, with less work: texts are cut to the
    length they have where that is exact, the last block of a vision transformer makes only the
    token that is used, and attention avoids a slow kernel. Pictures may come as uint8, a quarter of
    the memory of float32.
    """

    def __init__(
        self,
        model: DualEncoder,
        preprocessing: Preprocessing | None = None,
        *,
        compile_towers: bool = False,
    ) -> None:
        """Share the parameters of ``model``, which is on its device already.

        Args:
            model: both towers.
            preprocessing: mean and deviation of the colours, for pictures that come as uint8.
            compile_towers: train through ``torch.compile``; evaluation stays as it is.
        """
        super().__init__()
        self.model = model
        self.splits_texts = True
        """Whether texts of a batch may be embedded in several parts; processes that share the
        weights of a block must call it equally often, and set this to false."""
        self._preprocessing = preprocessing
        self._trimming = trimming_of(model)
        compute_class_token_only(model)
        attend_in_float32(model)
        self._compiles = compile_towers
        self._compiled_images, self._compiled_texts = self._embed_images, self._embed_texts
        if compile_towers:
            self._compiled_images = compiled(self._embed_images, name="image tower")
            self._compiled_texts = compiled(self._embed_texts, name="text tower")

    @property
    def trims_texts(self) -> bool:
        """Return whether texts are cut to the length they have."""
        return self._trimming is not None

    def images(self, images: Tensor) -> Tensor:
        """Return the (B, D) embeddings of images, not normalised.

        Args:
            images: what the model takes, or uint8 pictures (B, S, S, 3).

        Raises:
            TrainingError: uint8 pictures without preprocessing, or towers that cannot be compiled.
        """
        if images.dtype == torch.uint8 and self._preprocessing is None:
            raise TrainingError(
                "the batch holds uint8 pictures, but the towers were made without preprocessing; "
                "give it to TwoTowers (RunData.preprocessing), or make batches of floats"
            )
        return self._chosen(self._embed_images, self._compiled_images)(images)

    def texts(self, texts: Tensor) -> Tensor:
        """Return the (B, D) embeddings of texts, not normalised.

        Raises:
            TrainingError: towers that cannot be compiled.
        """
        if self._trimming is None or not self._trimming.fits(texts) or not len(texts):
            return self._chosen(self._embed_texts, self._compiled_texts)(texts)
        if self._compiles and self.training:
            longest = int(self._trimming.lengths(texts).max())
            length = bucket(longest, context=self._trimming.context)
            return self._compiled_texts(texts[:, :length].contiguous())
        return self._trimmed(self._trimming, texts)

    def forward(self, images: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embeddings of both sides."""
        return self.images(images), self.texts(texts)

    def _chosen(
        self, plain: Callable[[Tensor], Tensor], fast: Callable[[Tensor], Tensor]
    ) -> Callable[[Tensor], Tensor]:
        return fast if self._compiles and self.training else plain

    def _embed_images(self, images: Tensor) -> Tensor:
        if images.dtype == torch.uint8 and self._preprocessing is not None:
            images = normalised(images, self._preprocessing)
        return self.model.encode_image(images)

    def _embed_texts(self, texts: Tensor) -> Tensor:
        if self._trimming is None or not self._trimming.fits(texts):
            return self.model.encode_text(texts)
        return self._trimming.embed(self._trimming.prepare(texts), texts)

    def _trimmed(self, trimming: Trimming, ids_BL: Tensor) -> Tensor:
        """Embed neighbours in length together and put the rows back in order."""
        lengths_B, order_B = trimming.lengths(ids_BL).sort(stable=True)
        lengths = lengths_B.tolist()
        ids_BL = ids_BL[:, : lengths[-1]]
        if not self.splits_texts:
            return trimming.embed(trimming.prepare(ids_BL), ids_BL)
        prepared = trimming.prepare(ids_BL)
        parts = [
            trimming.embed(
                prepared[order_B[part.start : part.stop], : part.length],
                ids_BL[order_B[part.start : part.stop], : part.length],
            )
            for part in cheapest_parts(lengths, device=ids_BL.device.type)
        ]
        return torch.cat(parts)[order_B.argsort()]


def normalised(pictures_BSS3: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Return (pixels / 255 - mean) / std as float32 (B, 3, S, S), channels last in memory.

    The numbers are those of ``encoders.preprocessing.normalise_pixels``.
    """
    mean_311, std_311 = (
        torch.tensor(values, device=pictures_BSS3.device).view(3, 1, 1)
        for values in (preprocessing.mean, preprocessing.std)
    )
    return (pictures_BSS3.permute(0, 3, 1, 2).float() / _LEVELS - mean_311) / std_311
