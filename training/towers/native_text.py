"""The text transformers of open_clip for texts of any length up to the context.

open_clip 3.3 takes the full context only, because it does not cut its causal mask.
A ``tower`` here is a ``CLIP`` model, which holds its text tower itself, or a ``TextTransformer``.

# B = texts, L = tokens of the longest of them, W = width of the tower, D = embedding dim
"""

from __future__ import annotations

from typing import Any

import torch
from open_clip.model import CLIP
from open_clip.transformer import TextTransformer
from torch import Tensor, nn


def ends_with_token(tower: Any) -> bool:
    """Return whether a tower is causal and takes a text's embedding from the token that ends it.

    What stands behind that token then changes nothing: no token before it attends to it.
    """
    if not isinstance(tower, CLIP | TextTransformer) or tower.attn_mask is None:
        return False
    has_class_token = getattr(tower, "cls_emb", None) is not None
    masks_padding = getattr(tower, "use_pad_mask", False)
    return not has_class_token and not masks_padding and _pool_type(tower) in ("argmax", "eos")


def end_positions(tower: Any, ids_BL: Tensor) -> Tensor:
    """Return the place (B,) of the token that ends each text, as open_clip finds it."""
    if _pool_type(tower) == "argmax":
        return ids_BL.argmax(dim=-1)
    return (ids_BL == end_token(tower)).int().argmax(dim=-1)


def end_token(tower: Any) -> int:
    """Return the id that ends a text; with ``argmax`` pooling that is the last of the table."""
    if _pool_type(tower) == "argmax":
        return int(tower.token_embedding.num_embeddings) - 1
    return int(tower.text_eos_id if isinstance(tower, CLIP) else tower.eos_id)


def token_embeddings(tower: Any, ids_BL: Tensor) -> Tensor:
    """Return the (B, L, W) embeddings of tokens at their places."""
    tokens_BLW = tower.token_embedding(ids_BL).to(tower.transformer.get_cast_dtype())
    places_LW = tower.positional_embedding[: ids_BL.shape[1]].to(tokens_BLW.dtype)
    embedded: Tensor = tokens_BLW + places_LW
    return embedded


def text_embeddings(tower: Any, tokens_BLW: Tensor, ends_B: Tensor) -> Tensor:
    """Return the (B, D) embeddings of texts from those of their tokens, not normalised."""
    length = tokens_BLW.shape[1]
    tokens_BLW = tower.transformer(tokens_BLW, attn_mask=tower.attn_mask[:length, :length])
    rows_B = torch.arange(len(tokens_BLW), device=tokens_BLW.device)
    pooled_BW: Tensor = tower.ln_final(tokens_BLW[rows_B, ends_B])
    projection = tower.text_projection
    if projection is None:
        return pooled_BW
    embeddings: Tensor = (
        projection(pooled_BW) if isinstance(projection, nn.Linear) else pooled_BW @ projection
    )
    return embeddings


def _pool_type(tower: Any) -> str:
    return str(tower.text_pool_type if isinstance(tower, CLIP) else tower.pool_type)
