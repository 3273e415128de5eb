"""The runtime with torch: any open_clip model on the CPU or on CUDA.

# N = items, S = image size
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from core.errors import EncoderError
from core.types import FloatArray, PixelArray
from encoders.confidence import Calibration
from encoders.open_clip_source import OpenClipModel
from encoders.tokenizer import TokenBatch
from encoders.torch_attention import use_plain_attention
from encoders.torch_towers import ImageTower, text_tower
from encoders.tower_plan import IMAGES_PER_RUN, TEXTS_PER_RUN, Precision
from encoders.two_towers import TwoTowerEncoder

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class TorchEncoder(TwoTowerEncoder):
    """An open_clip model run by torch; an ``Encoder`` (one thread at a time)."""

    def __init__(
        self,
        model: OpenClipModel,
        *,
        precision: Precision = "float32",
        threads: int = 0,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        calibration: Calibration | None = None,
    ) -> None:
        """Move both towers to the device.

        Args:
            model: is changed and belongs to the encoder from now on.
            precision: of weights and arithmetic.
            threads: CPU threads of the whole process, 0 for torch's own choice.
            device: ``auto`` takes CUDA where there is one.
            calibration: of the model folder, where there is one.

        Raises:
            EncoderError: an unknown precision, or no CUDA where it was asked for.
        """
        super().__init__(model.spec, model.definition, calibration=calibration)
        if precision not in _DTYPES:
            raise EncoderError(
                f"precision = {precision!r}: with torch expected {' or '.join(_DTYPES)}"
            )
        if threads > 0:
            torch.set_num_threads(threads)
        self._device = _device(device)
        use_plain_attention(model.module)
        dtype = _DTYPES[precision]
        image = ImageTower(model.module, model.spec.preprocessing)
        self._image_tower: nn.Module | None = image.to(self._device, dtype)
        text = text_tower(model.module, pad_id=model.spec.text.pad_id)
        self._text_tower: nn.Module | None = text.to(self._device, dtype)

    def close(self) -> None:
        """Release the towers; later calls are an error."""
        self._image_tower = self._text_tower = None

    def _run_images(self, pixels_NSS3: PixelArray) -> list[FloatArray]:
        return [
            self._run(
                self._image_tower,
                torch.from_numpy(np.ascontiguousarray(pixels_NSS3[start : start + IMAGES_PER_RUN])),
            )
            for start in range(0, len(pixels_NSS3), IMAGES_PER_RUN)
        ]

    def _sizes_of_text_runs(self, count: int) -> list[int]:
        full, rest = divmod(count, TEXTS_PER_RUN)
        return [TEXTS_PER_RUN] * full + ([rest] if rest else [])

    def _run_texts(self, batches: Sequence[TokenBatch]) -> list[FloatArray]:
        return [
            self._run(
                self._text_tower,
                torch.from_numpy(batch.input_ids_NL),
                torch.from_numpy(batch.attention_mask_NL),
            )
            for batch in batches
        ]

    @torch.inference_mode()
    def _run(self, tower: nn.Module | None, *inputs: Tensor) -> FloatArray:
        """Run one chunk through a tower."""
        if tower is None:
            raise EncoderError("the encoder is closed; load it again")
        output: Tensor = tower(*(tensor.to(self._device) for tensor in inputs))
        embeddings: FloatArray = output.float().cpu().numpy()
        return embeddings


def _device(device: str) -> torch.device:
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise EncoderError("torch finds no CUDA device; use the device cpu or auto")
    return torch.device("cuda" if has_cuda and device != "cpu" else "cpu")
