"""Runs the frozen image tower over many pictures: exported once, run by OpenVINO.

It is five times as quick as torch on a CPU, and training sees what the served model computes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor, nn

from core.types import FloatArray, PixelArray
from encoders.openvino_core import openvino_core
from encoders.openvino_runtime import import_openvino
from training.starter.feature_cache import Tower
from training.starter.graphs import image_graph
from training.starter.image_tower import ImageTower


class _Features(nn.Module):
    """The tower without its logits."""

    def __init__(self, tower: ImageTower) -> None:
        """Take the tower."""
        super().__init__()
        self.tower = tower

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the pooled features of pixels."""
        features_NF: Tensor = self.tower(pixels)[0]
        return features_NF


def tower_runner(tower: ImageTower, file: Path, *, image_size: int) -> Tower:
    """Return a function from pixels to pooled features; the graph is kept in ``file``."""
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        graph = image_graph(_Features(tower), image_size=image_size)
        file.write_bytes(graph.SerializeToString())
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino_core(import_openvino()).compile_model(str(file), "CPU", settings)

    def run(pixels_NSS3: PixelArray) -> FloatArray:
        """Return the (N, F) features of pixels."""
        return np.array(compiled(pixels_NSS3)[0], dtype=np.float32)

    return run
