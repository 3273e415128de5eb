"""The towers of an open_clip model as ONNX files.

# N = items, L = tokens, S = image size
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from core.errors import EncoderError
from encoders.open_clip_source import OpenClipModel
from encoders.tokenizer import TextTokenizer
from encoders.torch_attention import use_plain_attention
from encoders.torch_towers import ImageTower, text_tower

_PROTOBUF_LIMIT_BYTES = 1_900_000_000
"""A protobuf file ends at 2 GB; larger weights go into a file of their own."""

_EXAMPLE_TEXTS = ("a photo of a cat", "two dogs on the beach")


def write_image_onnx(model: OpenClipModel, path: Path) -> None:
    """Write the image tower: uint8 ``pixels`` (N, S, S, 3) to ``embedding`` (N, D).

    Raises:
        EncoderError: the tower cannot be exported.
    """
    use_plain_attention(model.module)
    size = model.spec.preprocessing.image_size
    pixels_NSS3 = torch.zeros((2, size, size, 3), dtype=torch.uint8)
    tower = ImageTower(model.module, model.spec.preprocessing)
    items = torch.export.Dim("items")
    export_tower(tower, {"pixels": pixels_NSS3}, ({0: items},), path)


def write_text_onnx(model: OpenClipModel, path: Path) -> None:
    """Write the text tower: int64 ``input_ids`` and ``attention_mask`` (N, L) to ``embedding``.

    L is free where the spec says that texts may be trimmed, else it is the context length.

    Raises:
        EncoderError: the tower cannot be exported.
    """
    use_plain_attention(model.module)
    spec = model.spec.text
    batch = TextTokenizer(model.definition, spec).tokenize(_EXAMPLE_TEXTS)
    inputs = {
        "input_ids": torch.from_numpy(batch.input_ids_NL),
        "attention_mask": torch.from_numpy(batch.attention_mask_NL),
    }
    shape: dict[int, Any] = {0: torch.export.Dim("items")}
    if spec.trim:
        shape[1] = torch.export.Dim("tokens", max=spec.context_length)
    export_tower(text_tower(model.module, pad_id=spec.pad_id), inputs, (shape, shape), path)


def write_weights(model: OpenClipModel, path: Path) -> None:
    """Write the weights of both towers as safetensors, by the names that open_clip gives them."""
    state = model.module.state_dict()
    # Each tensor has to own its memory, which tied weights do not.
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in state.items()}, path)


def export_tower(
    tower: nn.Module,
    inputs: dict[str, Tensor],
    shapes: Sequence[dict[int, Any]],
    path: Path,
) -> None:
    """Write one tower as an ONNX file.

    Args:
        tower: is put into evaluation mode.
        inputs: an example of each input, by name and in order.
        shapes: for each input the axes that are free, as ``torch.export.Dim``.
        path: where to; weights beyond 2 GB go into a file beside it.

    Raises:
        EncoderError: torch cannot export the tower.
    """
    size_bytes = sum(tensor.nbytes for tensor in tower.state_dict().values())
    try:
        with torch.no_grad(), _quiet():
            torch.onnx.export(
                tower.eval(),
                tuple(inputs.values()),
                str(path),
                dynamo=True,
                dynamic_shapes=tuple(shapes),
                input_names=list(inputs),
                output_names=["embedding"],
                external_data=size_bytes > _PROTOBUF_LIMIT_BYTES,
                verbose=False,
            )
    except (torch.onnx.OnnxExporterError, RuntimeError, ValueError, TypeError) as error:
        raise EncoderError(
            f"torch cannot export the tower to {path.name}: {error}; run the model with torch"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the remarks of the exporter that say nothing about the result."""
    logger = logging.getLogger("onnxscript")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Both inputs of the text tower share their axes, as they should.
            warnings.filterwarnings("ignore", message="# The axis name", category=UserWarning)
            # torch's own way to export an LSTM.
            warnings.filterwarnings("ignore", message="The tensor attributes self.*_flat_weights")
            warnings.filterwarnings("ignore", message="_check_is_size", category=FutureWarning)
            yield
    finally:
        logger.setLevel(level)
