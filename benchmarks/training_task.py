"""What both trainers of ``benchmarks/training.py`` are given: pictures, captions, first weights."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.torch import save_file

from training.towers.open_clip_model import ModelConfig, build_model

WORDS = """a the of on in with and man woman dog cat street table red white small large old two
people sitting standing holding near front side water grass train bus plate food room""".split()  # noqa: SIM905
VOCABULARY, CONTEXT = 49408, 77


@dataclass(frozen=True, slots=True)
class Task:
    """A model with a batch that fits it."""

    name: str
    architecture: dict[str, object]
    """As open_clip describes it."""
    batch: int
    """Pairs per step."""
    steps: int
    """Steps of a run."""
    picture: tuple[int, int] = (640, 480)
    """Width and height of the JPEG files."""

    @property
    def pairs(self) -> int:
        """Return how many pairs a run of one epoch needs."""
        return self.batch * self.steps


def architecture(
    image: tuple[int, int, int, int], text: tuple[int, int], *, dim: int
) -> dict[str, object]:
    """Return an open_clip architecture.

    Args:
        image: side in pixels, patch, width and layers of the vision transformer.
        text: width and layers of the text transformer.
        dim: of the embeddings.
    """
    size, patch, width, layers = image
    return {
        "embed_dim": dim,
        "vision_cfg": {
            "image_size": size,
            "patch_size": patch,
            "width": width,
            "layers": layers,
            "head_width": 64,
        },
        "text_cfg": {
            "context_length": CONTEXT,
            "vocab_size": VOCABULARY,
            "width": text[0],
            "heads": text[0] // 64,
            "layers": text[1],
        },
    }


VIT_S_32 = architecture((224, 32, 384, 12), (384, 12), dim=384)
TINY = architecture((64, 8, 192, 6), (192, 6), dim=192)
VIT_B_32 = architecture((224, 32, 768, 12), (512, 12), dim=512)
LOCKED_B_16 = architecture((224, 16, 768, 12), (384, 12), dim=384)
SMOKE = architecture((32, 16, 64, 2), (64, 1), dim=64)


def write_pairs(folder: Path, count: int, *, size: tuple[int, int]) -> Path:
    """Write JPEG files and a ``pairs.csv`` (``filepath,title``), and return its path.

    Captions have as many words as those of COCO: 10.5 on average, at least 7.
    """
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    target = folder / "pairs.csv"
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["filepath", "title"])
        for number in range(count):
            path = folder / f"{number}.jpg"
            path.write_bytes(jpeg(rng, size))
            words = max(7, round(rng.normal(10.5, 2.4)))
            writer.writerow([path, " ".join(rng.choice(WORDS, words))])
    return target


def jpeg(rng: np.random.Generator, size: tuple[int, int]) -> bytes:
    """Return a picture of soft colours with some grain, about as hard to decode as a photograph."""
    width, height = size
    coarse = rng.integers(0, 256, (max(2, height // 16), max(2, width // 16), 3), np.uint8)
    soft = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    grain = rng.integers(-12, 13, (height, width, 1), np.int16)
    pixels = (np.asarray(soft, np.int16) + grain).clip(0, 255).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


def write_model(folder: Path, model: dict[str, object]) -> str:
    """Write random weights as a folder and return the name by which both trainers load it."""
    folder.mkdir(parents=True)
    built = build_model(ModelConfig(architecture=model), seed=0)
    colours = {name: built.preprocess_cfg[name] for name in ("mean", "std")}
    config = {"model_cfg": built.model_cfg, "preprocess_cfg": colours}
    (folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    tensors = {name: value.contiguous() for name, value in built.model.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors", metadata={"format": "pt"})
    return f"local-dir:{folder}"
