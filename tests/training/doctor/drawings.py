"""Small pictures that differ as photographs do, and pairs of them on disk."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from core.pairs.pair import PairList
from core.pairs.reading import read_pairs
from training.doctor.fingerprint import Fingerprints, fingerprint_of


def scene(seed: int, *, size: tuple[int, int] = (96, 80)) -> Image.Image:
    """Return soft patches of colour: no two seeds look alike."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(40, 215, size=(6, 6, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, format: str = "PNG", **options: int) -> bytes:
    """Return the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def prints_of(images: Sequence[Image.Image]) -> Fingerprints:
    """Return the fingerprints of pictures in memory."""
    found = [fingerprint_of(image) for image in images]
    return Fingerprints(
        np.array([one.hash for one in found], np.uint64),
        np.stack([np.frombuffer(one.cells, np.uint8) for one in found]),
    )


def write_pairs(
    folder: Path, files: Mapping[str, bytes], captions: Mapping[str, Sequence[str]]
) -> Path:
    """Write pictures and a ``pairs.jsonl`` with a line for each key of ``captions``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    lines = [
        json.dumps({"image": name, "captions": list(texts)}) for name, texts in captions.items()
    ]
    target = folder / "pairs.jsonl"
    target.write_text("\n".join(lines) + "\n")
    return target


def pairs_of(folder: Path, files: Mapping[str, bytes]) -> PairList:
    """Write pictures, each with a caption of its own, and read them as pairs."""
    captions = {name: [f"a picture called {name}"] for name in files}
    return read_pairs(write_pairs(folder, files, captions))
