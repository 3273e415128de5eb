"""Writes the starter model as a model folder that needs no torch.

# D = embedding dim
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from core.artifacts import sha256_file
from encoders.folder import (
    CARD_NAME,
    IMAGE_ONNX_NAME,
    TEXT_ONNX_NAME,
    TOKENIZER_NAME,
    ModelFolder,
    write_model_folder,
)
from encoders.preprocessing import Preprocessing
from encoders.spec import ModelSpec, TextSpec, weights_digest
from training.starter.compact import save, store_as_float16, store_as_int8
from training.starter.graphs import image_graph, text_graph
from training.starter.text_tower import MAX_TOKENS, WIDTH
from training.starter.towers import StarterImage, StarterText

IMAGE_SIZE = 224
PREPROCESSING = Preprocessing(
    image_size=IMAGE_SIZE,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    interpolation="bicubic",
    resize_mode="shortest",
)
SOURCE = "python -m training.starter.build"
CARD_FILE = Path(__file__).parent / "MODEL_CARD.md"


def write_starter(
    image: StarterImage, text: StarterText, *, tokenizer: Path, logit_scale: float, target: Path
) -> ModelFolder:
    """Export both towers with compact weights and write the folder, which must not exist."""
    image_onnx = image_graph(image, image_size=IMAGE_SIZE)
    text_onnx = text_graph(text, context_length=MAX_TOKENS)
    store_as_float16(image_onnx)
    store_as_int8(text_onnx)
    spec = ModelSpec(
        name="starter",
        dim=WIDTH,
        preprocessing=PREPROCESSING,
        text=TextSpec(context_length=MAX_TOKENS, pad_id=0, cleaning="lower", trim=True),
        weights_digest=weights_digest({**_arrays("image", image), **_arrays("text", text)}),
        tokenizer_digest=sha256_file(tokenizer),
        logit_scale=logit_scale,
        source=SOURCE,
        license="Apache-2.0",
    )
    files: dict[str, Path | bytes] = {
        IMAGE_ONNX_NAME: save(image_onnx),
        TEXT_ONNX_NAME: save(text_onnx),
        TOKENIZER_NAME: tokenizer,
        CARD_NAME: CARD_FILE,
    }
    return write_model_folder(target, spec, files)


def _arrays(prefix: str, module: nn.Module) -> dict[str, NDArray[np.generic]]:
    state = module.state_dict()
    return {f"{prefix}.{name}": tensor.numpy() for name, tensor in state.items()}
