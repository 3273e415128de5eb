"""The last block of a vision transformer, computed for the class token alone.

A tower that takes its embedding at the class token throws away what the last block makes of the
patches. Their keys and values are needed, the rest of the block is not: ten twelfths of it.

# B = pictures, T = tokens of a picture, the class token first, W = width of the tower
"""

from __future__ import annotations

from types import MethodType
from typing import Any

from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import Tensor, nn


def compute_class_token_only(model: nn.Module) -> None:
    """Change the last block of a model's image tower in place, where that is possible.

    Embeddings and gradients stay as they are. It is done for open_clip's own vision transformer
    with pooling at the class token, and not where something else has changed the block already.
    """
    visual: Any = getattr(model, "visual", None)
    if not isinstance(visual, VisionTransformer) or visual.output_tokens:
        return
    if visual.pool_type != "tok" or visual.attn_pool is not None:
        return
    block = visual.transformer.resblocks[-1]
    is_plain = type(block) is ResidualAttentionBlock and "forward" not in vars(block)
    if is_plain and visual.transformer.batch_first:
        # A bound method survives a deep copy of the block: it is bound to the copy then.
        block.__dict__["forward"] = MethodType(_class_token, block)


def _class_token(block: Any, tokens_BTW: Tensor, *_: object, **__: object) -> Tensor:
    """Return the class token (B, 1, W) behind the block."""
    normed_BTW = block.ln_1(tokens_BTW)
    attended_B1W = block.attention(normed_BTW[:, :1], normed_BTW, normed_BTW)
    class_B1W = tokens_BTW[:, :1] + block.ls_1(attended_B1W)
    result_B1W: Tensor = class_B1W + block.ls_2(block.mlp(block.ln_2(class_B1W)))
    return result_B1W
