"""Broken pictures made from good ones, the same ones every time: what fuzzers find first."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "TIFF")
_SIZES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)


def seed_pictures(format: str) -> list[bytes]:
    """Return small pictures of a format that use different parts of its decoder."""
    pixels = np.random.default_rng(3).integers(0, 256, (23, 31, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    pictures = [(image, {})]
    if format == "JPEG":
        pictures += [(image, {"progressive": True}), (image.convert("CMYK"), {})]
    elif format in {"PNG", "TIFF"}:
        pictures += [(image.convert("P"), {}), (image.convert("RGBA"), {})]
        pictures += [(Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 109), {})]
    elif format == "WEBP":
        pictures += [(image, {"lossless": True}), (image.convert("RGBA"), {})]
    if format in {"GIF", "WEBP", "PNG"}:
        frames = {"save_all": True, "append_images": [image.rotate(90), image.rotate(180)]}
        pictures += [(image, frames)]
    return [_bytes_of(picture, format, options) for picture, options in pictures]


def mutations(format: str, count: int, *, seed: int = 0) -> Iterator[bytes]:
    """Yield ``count`` damaged files: flipped bits, size fields, cuts, doubled and mixed pieces."""
    chance = random.Random(f"{format} {seed}")
    seeds = seed_pictures(format)
    damages = (_flip_bits, _write_size, _cut, _double_piece, _drop_piece, _noise)
    for number in range(count):
        data = bytearray(seeds[number % len(seeds)])
        for _ in range(chance.randint(1, 3)):
            chance.choice(damages)(data, chance)
        if number % 7 == 0:
            data = _mixed(data, seeds[chance.randrange(len(seeds))], chance)
        yield bytes(data)


def _bytes_of(image: Image.Image, format: str, options: dict[str, object]) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def _flip_bits(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _write_size(data: bytearray, chance: random.Random) -> None:
    """Write an extreme number where a size or a count may stand, mostly near the head."""
    end = min(len(data), 200) if chance.random() < 0.7 else len(data)
    layout = chance.choice((">I", "<I", ">H", "<H", "B"))
    width = struct.calcsize(layout)
    place = chance.randrange(max(1, end - width))
    value = chance.choice(_SIZES) & ((1 << 8 * width) - 1)
    data[place : place + width] = struct.pack(layout, value)


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(1, len(data)) + 1 :]


def _double_piece(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data))
    piece = data[start : start + chance.randint(1, 64)]
    data[start:start] = piece * chance.randint(1, 20)


def _drop_piece(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data))
    del data[start + 1 : start + chance.randint(2, 64)]


def _noise(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data))
    length = min(len(data) - start, chance.randint(1, 32))
    data[start : start + length] = chance.randbytes(length)


def _mixed(data: bytearray, other: bytes, chance: random.Random) -> bytearray:
    """Return the head of one file with the tail of another."""
    place = chance.randrange(min(len(data), len(other)))
    return data[:place] + bytearray(other[place:])
