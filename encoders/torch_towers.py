"""The towers of an open_clip model as modules that take what the ``Encoder`` protocol gives them.

# N = items, L = tokens, S = image size, D = embedding dimension, W = width of the text tower
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from open_clip.model import CLIP
from open_clip.transformer import TextTransformer
from torch import Tensor, nn

from encoders.preprocessing import Preprocessing
from encoders.tokenizer import TextTokenizer

_TRIM_TOLERANCE = 1e-4
_LEVELS = 255.0


class ImageTower(nn.Module):
    """uint8 pixels (N, S, S, 3) to embeddings (N, D), the normalisation of pixels included."""

    def __init__(self, model: Any, preprocessing: Preprocessing) -> None:
        """Wrap the image tower of an open_clip model."""
        super().__init__()
        self.visual = model.visual
        self._mean, self._std = preprocessing.mean, preprocessing.std

    def forward(self, pixels_NSS3: Tensor) -> Tensor:
        """Return the embeddings, not normalised."""
        mean, std = (
            torch.tensor(values, device=pixels_NSS3.device).view(1, 3, 1, 1)
            for values in (self._mean, self._std)
        )
        normalised_N3SS = (pixels_NSS3.permute(0, 3, 1, 2) / _LEVELS - mean) / std
        # In float32 up to here, whatever the precision of the weights.
        dtype = next(self.visual.parameters()).dtype
        return _pooled(self.visual(normalised_N3SS.to(dtype)))


class NativeTextTower(nn.Module):
    """open_clip's own text transformer for any length up to the context.

    open_clip 3.3 takes the full context only, because it does not cut its causal mask.
    """

    mask: Tensor | None
    positional_embedding: Tensor

    def __init__(self, tower: Any, pad_id: int) -> None:
        """Share the parameters of a ``CLIP`` model or of a ``TextTransformer``."""
        super().__init__()
        self._pad_id = pad_id
        self.token_embedding = tower.token_embedding
        self.positional_embedding = tower.positional_embedding
        self.transformer = tower.transformer
        self.ln_final = tower.ln_final
        self.text_projection = tower.text_projection
        is_clip = isinstance(tower, CLIP)
        self.pool_type = tower.text_pool_type if is_clip else tower.pool_type
        self.eos_id = tower.text_eos_id if is_clip else tower.eos_id
        self.register_buffer("mask", tower.attn_mask, persistent=False)

    def forward(self, input_ids_NL: Tensor, attention_mask_NL: Tensor) -> Tensor:
        """Return the embeddings, not normalised."""
        input_ids_NL = input_ids_NL.masked_fill(attention_mask_NL == 0, self._pad_id)
        length = input_ids_NL.shape[1]
        tokens_NLW = self.token_embedding(input_ids_NL) + self.positional_embedding[:length]
        mask = None if self.mask is None else self.mask[:length, :length]
        tokens_NLW = self.ln_final(self.transformer(tokens_NLW, attn_mask=mask))
        return self._project(self._pool(tokens_NLW, input_ids_NL))

    def _pool(self, tokens_NLW: Tensor, input_ids_NL: Tensor) -> Tensor:
        """Pick the token that stands for the text, as open_clip's ``text_global_pool`` does."""
        if self.pool_type == "first":
            return tokens_NLW[:, 0]
        if self.pool_type == "last":
            return tokens_NLW[:, -1]
        if self.pool_type == "argmax":
            position_N = input_ids_NL.argmax(dim=-1)
        else:
            position_N = (input_ids_NL == self.eos_id).int().argmax(dim=-1)
        return tokens_NLW[torch.arange(tokens_NLW.shape[0], device=tokens_NLW.device), position_N]

    def _project(self, pooled_NW: Tensor) -> Tensor:
        if self.text_projection is None:
            return pooled_NW
        if isinstance(self.text_projection, nn.Linear):
            projected: Tensor = self.text_projection(pooled_NW)
        else:
            projected = pooled_NW @ self.text_projection
        return projected


class OtherTextTower(nn.Module):
    """Any other text tower of open_clip, which derives its mask from the ids."""

    def __init__(self, tower: nn.Module, pad_id: int) -> None:
        """Wrap the ``text`` module of an open_clip model."""
        super().__init__()
        self._pad_id = pad_id
        self.tower = tower

    def forward(self, input_ids_NL: Tensor, attention_mask_NL: Tensor) -> Tensor:
        """Return the embeddings, not normalised."""
        input_ids_NL = input_ids_NL.masked_fill(attention_mask_NL == 0, self._pad_id)
        return _pooled(self.tower(input_ids_NL))


def text_tower(model: Any, *, pad_id: int) -> nn.Module:
    """Return the text tower of an open_clip model for ids and mask of any length it can take.

    Where the mask is 0 the tower sees ``pad_id``, whatever the ids are.
    """
    tower = model if isinstance(model, CLIP) else model.text
    return (NativeTextTower if is_native(tower) else OtherTextTower)(tower, pad_id)


def is_native(tower: object) -> bool:
    """Return whether ``NativeTextTower`` computes what ``tower`` does."""
    if not isinstance(tower, CLIP | TextTransformer):
        return False
    has_class_token = getattr(tower, "cls_emb", None) is not None
    pool_type = tower.text_pool_type if isinstance(tower, CLIP) else tower.pool_type
    masks_padding = getattr(tower, "use_pad_mask", False)
    return not has_class_token and not masks_padding and pool_type != "none"


@torch.no_grad()
def trims_exactly(tower: nn.Module, full: TextTokenizer, texts: Sequence[str]) -> bool:
    """Return whether texts may be cut to their own length without changing their embeddings.

    Exact for causal towers that pool at the end of the text and for towers that mask the filling;
    not for a tower that attends to it. ``full`` pads to the whole context.
    """
    try:
        for ids in full.token_ids(texts):
            batch = full.pad([ids])
            full_ids = torch.from_numpy(batch.input_ids_NL)
            mask = torch.from_numpy(batch.attention_mask_NL)
            whole = nn.functional.normalize(tower(full_ids, mask))
            short = nn.functional.normalize(tower(full_ids[:, : len(ids)], mask[:, : len(ids)]))
            if not torch.allclose(whole, short, rtol=0.0, atol=_TRIM_TOLERANCE):
                return False
    except (RuntimeError, ValueError, IndexError):
        # A tower that takes its full context only says so by failing.
        return False
    return True


def _pooled(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Drop the tokens that towers of captioning models return beside the pooled embedding."""
    return output[0] if isinstance(output, tuple) else output
