"""The runtime with torch: any open_clip model on the CPU or on CUDA.

# N = items, S = image size
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, cast

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

_IMAGES_PER_RUN_GPU = 256
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
        compile_towers: bool = False,
        calibration: Calibration | None = None,
    ) -> None:
        """Move both towers to the device.

        Args:
            model: is changed and belongs to the encoder from now on.
            precision: of weights and arithmetic.
            threads: CPU threads of the whole process, 0 for torch's own choice.
            device: ``auto`` takes CUDA where there is one.
            compile_towers: translate the towers by ``torch.compile`` when they first run, which
                takes up to minutes; for GPUs and models that run for hours.
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
        on_gpu = self._device.type == "cuda"
        self._images_per_run = _IMAGES_PER_RUN_GPU if on_gpu else IMAGES_PER_RUN
        image: nn.Module = ImageTower(model.module, model.spec.preprocessing)
        image = image.eval().to(self._device, dtype)
        if on_gpu:
            # The pixels come in this order; on a CPU it gains nothing.
            image = image.to(memory_format=torch.channels_last)
        text: nn.Module = text_tower(model.module, pad_id=model.spec.text.pad_id)
        text = text.eval().to(self._device, dtype)
        self._image_tower: nn.Module | None = _compiled(image) if compile_towers else image
        self._text_tower: nn.Module | None = _compiled(text) if compile_towers else text

    def close(self) -> None:
        """Release the towers; later calls are an error."""
        self._image_tower = self._text_tower = None

    def _run_images(self, pixels_NSS3: PixelArray) -> list[FloatArray]:
        size = self._images_per_run
        parts = [pixels_NSS3[start : start + size] for start in range(0, len(pixels_NSS3), size)]
        return _fetched(
            self._run(self._image_tower, torch.from_numpy(np.ascontiguousarray(part_nSS3)))
            for part_nSS3 in parts
        )

    def _sizes_of_text_runs(self, count: int) -> list[int]:
        full, rest = divmod(count, TEXTS_PER_RUN)
        return [TEXTS_PER_RUN] * full + ([rest] if rest else [])

    def _run_texts(self, batches: Sequence[TokenBatch]) -> list[FloatArray]:
        return _fetched(
            self._run(
                self._text_tower,
                torch.from_numpy(batch.input_ids_NL),
                torch.from_numpy(batch.attention_mask_NL),
            )
            for batch in batches
        )

    @torch.inference_mode()
    def _run(self, tower: nn.Module | None, *inputs: Tensor) -> Tensor:
        """Begin one run of a tower; a GPU goes on while the next one is begun."""
        if tower is None:
            raise EncoderError("the encoder is closed; load it again")
        on_gpu = self._device.type == "cuda"
        moved = (
            # Only from pinned memory the copy runs beside the work.
            tensor.pin_memory().to(self._device, non_blocking=True) if on_gpu else tensor
            for tensor in inputs
        )
        output: Tensor = tower(*moved)
        return output.float()


def _compiled(tower: nn.Module) -> nn.Module:
    """Return a tower that torch translates when it first runs, once for all sizes of a batch."""
    return cast("nn.Module", torch.compile(tower, dynamic=True))


def _fetched(outputs: Iterable[Tensor]) -> list[FloatArray]:
    """Return the results in the memory of the processor; the first waits until all are begun."""
    return [output.cpu().numpy() for output in list(outputs)]


def _device(device: str) -> torch.device:
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise EncoderError("torch finds no CUDA device; use the device cpu or auto")
    return torch.device("cuda" if has_cuda and device != "cpu" else "cpu")
