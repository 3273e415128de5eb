"""Attention of bfloat16 towers on a CPU, computed in float32 between its projections.

torch's bfloat16 kernel takes three times as long for gradients there as its float32 kernel (14 ms
against 4.8 ms for 16 pictures of 50 tokens on one core). The projections stay in bfloat16.

# N = items, L = tokens, W = width of the tower
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_KNOWN_OPTIONS = frozenset({"need_weights", "attn_mask"})


def attend_in_float32(model: nn.Module) -> None:
    """Change every plain ``nn.MultiheadAttention`` of a model in place.

    It acts where autocast computes in bfloat16 on a CPU, and nothing changes elsewhere. Parameters
    keep their names and may be parametrised.
    """
    for module in model.modules():
        if isinstance(module, nn.MultiheadAttention) and _is_plain(module):
            # A bound method survives a deep copy of the module: it is bound to the copy then.
            module.__dict__["forward"] = MethodType(_attend, module)


def _is_plain(attention: nn.MultiheadAttention) -> bool:
    same_width = attention.in_proj_weight is not None
    special = attention.bias_k is not None or attention.add_zero_attn or attention.dropout
    return same_width and attention.batch_first and not special


def _attend(
    attention: nn.MultiheadAttention, query_NLW: Tensor, *others: Any, **options: Any
) -> tuple[Tensor, Tensor | None]:
    mask = options.get("attn_mask")
    covered = len(others) == 2 and options.keys() <= _KNOWN_OPTIONS  # noqa: PLR2004 - key, value
    if not covered or options.get("need_weights", True) or (mask is not None and mask.ndim != 2):  # noqa: PLR2004 - one mask for all
        return type(attention).forward(attention, query_NLW, *others, **options)
    if not _in_bfloat16(query_NLW):
        return type(attention).forward(attention, query_NLW, *others, **options)
    query, key, value = (
        _heads(tokens, attention.num_heads) for tokens in _projected(attention, query_NLW, *others)
    )
    with torch.autocast("cpu", enabled=False):
        attended = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=None if mask is None else mask.float()
        )
    return attention.out_proj(attended.transpose(1, 2).flatten(2)), None


def _heads(tokens_NLW: Tensor, count: int) -> Tensor:
    """Split the width into heads, in float32: (N, heads, L, W / heads)."""
    items, length, _ = tokens_NLW.shape
    return tokens_NLW.reshape(items, length, count, -1).transpose(1, 2).float()


def _in_bfloat16(tokens: Tensor) -> bool:
    is_on = tokens.device.type == "cpu" and torch.is_autocast_enabled("cpu")
    return is_on and torch.get_autocast_dtype("cpu") == torch.bfloat16


def _projected(attention: nn.MultiheadAttention, *inputs: Tensor) -> Sequence[Tensor]:
    """Return query, key and value; self-attention takes one product for the three."""
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    if inputs[0] is inputs[1] is inputs[2]:
        return functional.linear(inputs[0], weight, bias).chunk(3, -1)
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    return [
        functional.linear(tokens, part, own_bias)
        for tokens, part, own_bias in zip(inputs, weight.chunk(3), biases, strict=True)
    ]
