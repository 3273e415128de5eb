"""JPEG bytes to the pixels of a model: open_clip's transform, ours, and what was tried beside it.

    python -m benchmarks.preprocessing [--quick] [--rows FILE]

One thread, milliseconds an image, every way in turn on the same photographs. The note of a line
holds the fidelity: the starter model's cosine to the exact pixels (mean, least) and how much of the
top 10 in the example gallery stays, for pictures of that gallery enlarged to the size at hand.

# N = photographs, G = gallery, S = image size, D = embedding dimension
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import numpy as np
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from benchmarks.bench_part import Plan, run_part
from benchmarks.bench_rows import Row
from benchmarks.environments import ROOT
from benchmarks.photographs import SIZES, photographs
from core.types import FloatArray, PixelArray
from encoders.encoder import Encoder
from encoders.loading import STARTER_MODEL, load_encoder
from encoders.preprocessing import Preprocessing, preprocess, preprocess_bytes

PART = "preprocessing"
PEER = "open_clip's transform"
TOP = 10
OURS = Preprocessing()
Way = Callable[[bytes], PixelArray]


def exact(data: bytes) -> PixelArray:
    """Decode and resize the whole picture, then crop: open_clip's pixels."""
    return np.asarray(_cropped_after(_decoded(data)))


def drafted_to_size(data: bytes) -> PixelArray:
    """Let the decoder go down to the model's size itself, then resize the crop's part."""
    return _cropped_first(_decoded(data, draft=OURS.image_size))


def reduced(data: bytes) -> PixelArray:
    """Average whole steps, then resize the crop's part."""
    image = _decoded(data)
    return _cropped_first(image.reduce(max(1, min(image.size) // OURS.image_size)))


WAYS: dict[str, Way] = {
    "sightline": lambda data: preprocess_bytes(data, OURS),
    "whole picture resized, decoded at full scale": exact,
    "decoded down to the model's size (not taken)": drafted_to_size,
    "averaged in whole steps (not taken)": reduced,
}


def measure(plan: Plan) -> Iterator[Row]:
    """Time every way at every size, and hold its embeddings against those of the exact pixels."""
    transform = image_transform_v2(PreprocessCfg(size=OURS.image_size), is_train=False)

    def peer(data: bytes) -> object:
        return transform(Image.open(io.BytesIO(data)))

    rounds = plan.rounds(quick=3, full=9)
    with closing(load_encoder(STARTER_MODEL, threads=1)) as encoder:
        gallery = Fidelity(encoder, most=8 if plan.is_quick else 32)
        for name, size in SIZES.items():
            data = [
                found for _, found in photographs(list(range(4 if size[0] > 2000 else 16)), size)
            ]
            spent = timed([peer, *WAYS.values()], data, rounds)
            notes = [gallery.note(way, min(size)) for way in WAYS.values()]
            for way, ours, note in zip(WAYS, spent[1:], notes, strict=True):
                yield Row(PART, f"{name}: {way}", "ms", "less", ours, PEER, spent[0], note=note)


def timed(
    ways: Sequence[Callable[[bytes], object]], data: Sequence[bytes], rounds: int
) -> list[tuple[float, ...]]:
    """Return milliseconds an image of each way, one number a round; the ways take turns."""
    found: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for way, numbers in zip(ways, found, strict=True):
            started = time.perf_counter()
            for one in data:
                way(one)
            numbers.append((time.perf_counter() - started) / len(data) * 1000)
    return [tuple(numbers) for numbers in found]


class Fidelity:
    """What other pixels do to the embeddings and the answers of the starter model."""

    def __init__(self, encoder: Encoder, *, most: int) -> None:
        """Embed the example gallery."""
        self._encoder = encoder
        paths = sorted((ROOT / "examples" / "gallery").rglob("*.jpg"))
        images = [Image.open(path).convert("RGB") for path in paths]
        self._gallery_GD = self._embed([preprocess(image, OURS) for image in images])
        self._pictures = images[:: len(images) // most][:most]

    def note(self, way: Way, short_side: int) -> str:
        """Return cosine and top 10 of a way, for pictures whose shorter side has so many pixels."""
        data = [_enlarged(picture, short_side) for picture in self._pictures]
        exact_ND = self._embed([exact(one) for one in data])
        found_ND = self._embed([way(one) for one in data])
        cosines_N = (exact_ND * found_ND).sum(axis=1)
        pairs = zip(self._top(exact_ND), self._top(found_ND), strict=True)
        same = np.mean([len(left & right) / TOP for left, right in pairs])
        return f"cosine {cosines_N.mean():.4f} (least {cosines_N.min():.4f}), top 10 {same:.1%}"

    def _embed(self, pixels: list[PixelArray]) -> FloatArray:
        return self._encoder.encode_images(np.stack(pixels))

    def _top(self, queries_ND: FloatArray) -> list[set[int]]:
        order_NG = np.argsort(-queries_ND @ self._gallery_GD.T, axis=1)
        return [set(row) for row in order_NG[:, :TOP].tolist()]


def _decoded(data: bytes, *, draft: int | None = None) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    if draft is not None:
        image.draft(None, (draft, draft))
    return image.convert("RGB")


def _enlarged(picture: Image.Image, short_side: int) -> bytes:
    factor = short_side / min(picture.size)
    size = (round(picture.width * factor), round(picture.height * factor))
    buffer = io.BytesIO()
    picture.resize(size, Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _scaled(image: Image.Image) -> tuple[int, int, int, int]:
    """Return width and height after resizing, and left and top of the crop."""
    side, short = OURS.image_size, min(image.size)
    width, height = (side if n == short else int(side * n / short) for n in image.size)
    return width, height, round((width - side) / 2), round((height - side) / 2)


def _cropped_after(image: Image.Image) -> Image.Image:
    width, height, left, top = _scaled(image)
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    return resized.crop((left, top, left + OURS.image_size, top + OURS.image_size))


def _cropped_first(image: Image.Image) -> PixelArray:
    width, height, left, top = _scaled(image)
    across, down, side = image.width / width, image.height / height, OURS.image_size
    box = (left * across, top * down, (left + side) * across, (top + side) * down)
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC, box=box))


if __name__ == "__main__":
    run_part(measure, __doc__)
