"""Stand-ins for training tests: a dual encoder of two matrices, and pairs that it can learn.

# N = pairs, F = features of an image, T = features of a text, D = embedding dimension
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from encoders.preprocessing import Preprocessing
from training.config import RunConfig, TrainConfig
from training.data.config import DataConfig
from training.data.pair_dataset import PairSource
from training.data.tensor_data import TensorData, TensorHeldOut
from training.losses.temperature import INITIAL_LOG_SCALE
from training.optimiser import OptimiserConfig
from training.run_values import RunData
from training.schedule import ScheduleConfig

IMAGE_FEATURES, TEXT_FEATURES = 6, 5
COLOURS = {"red": (220, 30, 30), "green": (30, 180, 30), "blue": (30, 30, 220)}
SHAPES = ("circle", "square", "triangle")


class TinyDualEncoder(nn.Module):
    """Two matrices with dropout and batch norm, so that state and randomness matter."""

    def __init__(self, *, seed: int = 0, dim: int = 4) -> None:
        """Draw the weights from a seed."""
        super().__init__()
        torch.manual_seed(seed)
        self.image = nn.Linear(IMAGE_FEATURES, dim)
        self.text = nn.Linear(TEXT_FEATURES, dim)
        self.norm = nn.BatchNorm1d(IMAGE_FEATURES)
        self.dropout = nn.Dropout(0.1)
        self.logit_scale = nn.Parameter(torch.tensor(INITIAL_LOG_SCALE))

    def encode_image(self, image: Tensor) -> Tensor:
        """Return (N, D) embeddings."""
        embeddings: Tensor = self.image(self.dropout(self.norm(image)))
        return embeddings

    def encode_text(self, text: Tensor) -> Tensor:
        """Return (N, D) embeddings."""
        embeddings: Tensor = self.text(text)
        return embeddings


def tensor_data(count: int = 24, *, seed: int = 0, first: int = 0) -> TensorData:
    """Return pairs whose two sides are linear images of one hidden vector."""
    generator = torch.Generator().manual_seed(seed)
    hidden_N4 = torch.randn(200, 4, generator=generator)
    images_NF = hidden_N4 @ torch.randn(4, IMAGE_FEATURES, generator=generator)
    texts_NT = hidden_N4 @ torch.randn(4, TEXT_FEATURES, generator=generator)
    rows = slice(first, first + count)
    return TensorData(images_NF[rows], texts_NT[rows])


def run_data(count: int = 24) -> RunData:
    """Return training pairs and twelve held-out ones of the same kind."""
    heldout = tensor_data(12, first=150)
    relevant = [frozenset({number}) for number in range(12)]
    return RunData(tensor_data(count), TensorHeldOut(heldout.images, heldout.texts, relevant))


def tiny_config(
    *, epochs: int = 3, batch_size: int = 8, data: DataConfig | None = None, **run: int
) -> TrainConfig:
    """Return a config for quick runs; ``run`` fills whole-number settings of ``RunConfig``."""
    return TrainConfig(
        data=data or DataConfig(batch_size=batch_size, workers=0),
        optimiser=OptimiserConfig(learning_rate=1e-2, weight_decay=0.1),
        schedule=ScheduleConfig(epochs=epochs),
        run=RunConfig(device="cpu", log_every_steps=1, **run),
    )


def with_run(config: TrainConfig, **changes: object) -> TrainConfig:
    """Return the config with other settings of the run."""
    return replace(config, run=replace(config.run, **changes))  # type: ignore[arg-type]


def still_model() -> TinyDualEncoder:
    """Return a model whose only changes are those of the optimiser."""
    model = TinyDualEncoder()
    model.norm = nn.Identity()  # type: ignore[assignment]  # it moves by itself
    return model


def write_shapes(folder: Path, *, per_kind: int, seed: int, size: int = 32) -> Path:
    """Draw coloured shapes at random places with captions, and return their ``pairs.jsonl``."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    lines = []
    for colour, rgb in COLOURS.items():
        for shape in SHAPES:
            for number in range(per_kind):
                name = f"{colour}-{shape}-{number}.png"
                _draw(shape, rgb, rng, size).save(folder / name)
                captions = [f"a {colour} {shape}", f"{shape} in {colour}"]
                lines.append(json.dumps({"image": name, "captions": captions}))
    target = folder / "pairs.jsonl"
    target.write_text("\n".join(lines) + "\n")
    return target


def letters(texts: list[str]) -> Tensor:
    """Tokenise by letters: the codes of the first eight, padded with 0."""
    codes = [[ord(letter) for letter in text[:8].ljust(8, "\0")] for text in texts]
    return torch.tensor(codes, dtype=torch.int64)


def pair_source(data: DataConfig | None = None, *, size: int = 16, seed: int = 0) -> PairSource:
    """Return a source of small pictures and letter tokens."""
    return PairSource(
        preprocessing=Preprocessing(image_size=size),
        tokenize=letters,
        config=data or DataConfig(batch_size=2, workers=1),
        seed=seed,
    )


def _draw(
    shape: str, rgb: tuple[int, int, int], rng: np.random.Generator, size: int
) -> Image.Image:
    image = Image.new("RGB", (size, size), (255, 255, 255))
    pen = ImageDraw.Draw(image)
    side = int(rng.integers(size // 2, size * 3 // 4))
    left, top = (int(value) for value in rng.integers(0, size - side, size=2))
    right, bottom = left + side, top + side
    if shape == "circle":
        pen.ellipse((left, top, right, bottom), fill=rgb)
    elif shape == "square":
        pen.rectangle((left, top, right, bottom), fill=rgb)
    else:
        pen.polygon([(left, bottom), (right, bottom), ((left + right) // 2, top)], fill=rgb)
    return image
