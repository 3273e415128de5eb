"""Embeddings as open_clip itself makes them: its transform, its tokenizer, its forward pass.

# N = samples, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from open_clip.model import get_model_preprocess_cfg
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch.nn import functional

from core.types import FloatArray
from encoders.open_clip_source import OpenClipModel


@torch.no_grad()
def reference_images(model: OpenClipModel, pictures: Sequence[Image.Image]) -> FloatArray:
    """Return unit embeddings (N, D) of decoded pictures."""
    module = cast("Any", model.module)
    transform = image_transform_v2(
        PreprocessCfg(**get_model_preprocess_cfg(module)), is_train=False
    )
    pixels = torch.stack([transform(picture) for picture in pictures])
    embeddings: FloatArray = functional.normalize(
        module.encode_image(pixels, normalize=False), dim=-1
    ).numpy()
    return embeddings


@torch.no_grad()
def reference_texts(model: OpenClipModel, texts: Sequence[str]) -> FloatArray:
    """Return unit embeddings (N, D) of texts, each filled up to the whole context."""
    module = cast("Any", model.module)
    token_ids = model.tokenizer(list(texts))
    embeddings: FloatArray = functional.normalize(
        module.encode_text(token_ids, normalize=False), dim=-1
    ).numpy()
    return embeddings
