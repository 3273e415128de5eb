"""Pictures that services fall over, each with the status that it should get.

Built, not stored: a repository of bombs would be one itself.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.fakes import picture_bytes

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "I;16", "F", "PA")


def gradient() -> Image.Image:
    """Return a grey ramp, which looks the same in every mode."""
    ramp = np.tile(np.linspace(128, 255, 64, dtype=np.uint8), (48, 1))
    return Image.fromarray(ramp)


def in_mode(mode: str) -> bytes:
    """Return the ramp as a file whose pixels are stored in ``mode``."""
    image = gradient()
    if mode == "I;16":
        return encoded(Image.fromarray(np.asarray(image).astype(np.uint16) * 257), "PNG")
    if mode == "I":
        return encoded(Image.fromarray(np.asarray(image).astype(np.int32) * 257), "TIFF")
    if mode == "F":
        return encoded(Image.fromarray(np.asarray(image).astype(np.float32) / 255), "TIFF")
    if mode == "PA":
        return encoded(image.convert("P").convert("PA"), "TIFF")
    if mode in {"CMYK", "YCbCr"}:
        return encoded(image.convert("RGB").convert(mode), "TIFF")
    return encoded(image.convert(mode), "PNG")


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    """Return the bytes of a picture."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def oriented(orientation: int) -> bytes:
    """Return the ramp with an EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(gradient().convert("RGB"), "JPEG", exif=exif)


def png_of_size(width: int, height: int, *, bits: int = 1) -> bytes:
    """Return a PNG that claims a size, with pixels for the first rows only."""
    head = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    rows = zlib.compress(bytes(min(10_000, height * (1 + (width * bits + 7) // 8))))
    chunks = [_chunk(b"IHDR", head), _chunk(b"IDAT", rows), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def with_chunks(*chunks: tuple[bytes, bytes]) -> bytes:
    """Return a good PNG with more chunks behind its head."""
    picture = picture_bytes("red")
    extra = b"".join(_chunk(kind, data) for kind, data in chunks)
    return picture[:33] + extra + picture[33:]


def animation(format: str, frames: int = 300) -> bytes:
    """Return an animated picture whose first frame is red."""
    first = Image.new("RGB", (16, 16), (220, 20, 20))
    others = [Image.new("RGB", (16, 16), (0, number % 256, 200)) for number in range(1, frames)]
    return encoded(first, format, save_all=True, append_images=others)


def accepted() -> dict[str, bytes]:
    """Return odd pictures that are pictures."""
    text = PngInfo()
    for number in range(5000):
        text.add_text(f"k{number}", "x")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("run.js", "alert(1)")
    red = picture_bytes("red", format="JPEG")
    return {
        "jpeg and zip": red + archive.getvalue(),
        "jpeg and html": red + b"<html><script>alert(1)</script></html>",
        "jpeg with html in its comment": red[:2] + _segment(b"<script>alert(1)</script>") + red[2:],
        "5000 text chunks": encoded(Image.new("RGB", (4, 4), (220, 20, 20)), "PNG", pnginfo=text),
        "broken colour profile": with_chunks((b"iCCP", b"x\0\0" + zlib.compress(b"no profile"))),
        "large colour profile": with_chunks((b"iCCP", b"x\0\0" + zlib.compress(bytes(200_000)))),
        "damaged exif": red[:2] + _exif(b"Exif\0\0MM\0*\xff\xff\xff\xff") + red[2:],
        "exif that points at itself": red[:2] + _exif(_looping_exif()) + red[2:],
        "one pixel": picture_bytes("red", size=(1, 1)),
        "animated gif": animation("GIF"),
        "animated webp": animation("WEBP"),
        "animated png": animation("PNG"),
        "strip": picture_bytes("red", size=(20_000, 1)),
    }


def refused() -> dict[str, tuple[bytes, int]]:
    """Return what must not be decoded, with its status."""
    bomb = encoded(Image.new("1", (13_300, 13_300)), "PNG")
    zipped_text = b"comment\0\0" + zlib.compress(b"a" * 2_000_000, 9)
    red = picture_bytes("red", size=(60, 40), format="JPEG")
    return {
        "bomb of one bit": (bomb, 413),
        "65535 x 1": (png_of_size(65_535, 1), 413),
        "1 x 65535": (png_of_size(1, 65_535), 413),
        "2^31 x 2^31": (png_of_size(2**31 - 1, 2**31 - 1), 413),
        "0 x 0 png": (png_of_size(0, 0), 422),
        "0 x 0 gif": (b"GIF89a" + bytes(7) + b";", 422),
        "claims more rows than it has": (png_of_size(4000, 4000), 422),
        "text bomb": (with_chunks((b"zTXt", zipped_text)), 422),
        "profile bomb": (with_chunks((b"iCCP", b"x\0\0" + zlib.compress(bytes(9_000_000)))), 422),
        "empty": (b"", 422),
        "jpeg with a huge size": (_with_jpeg_size(red, 65_000, 65_000), 413),
        "webp with a huge size": (_huge_webp(), 413),
        "bmp with a negative size": (_negative_bmp(), 413),
        "svg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', 415),
        "svg of entities": (b'<!DOCTYPE a [<!ENTITY b "&a;&a;">]><svg>&b;</svg>', 415),
        "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n", 415),
        "pdf": (b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj", 415),
        "psd": (b"8BPS\0\1" + bytes(30), 415),
        "html": (b"<!DOCTYPE html><script>alert(1)</script>", 415),
        "fits": (b"SIMPLE  =                    T" + b" " * 2850, 415),
        "ico": (encoded(Image.new("RGB", (16, 16)), "ICO"), 415),
        "tiff": (picture_bytes(format="TIFF"), 415),
        "avif": (picture_bytes(format="AVIF"), 415),
        "zip": (b"PK\x03\x04" + bytes(40), 415),
        "elf": (b"\x7fELF" + bytes(40), 415),
        "svg behind spaces": (b"\xef\xbb\xbf \n<svg/>", 415),
    }  # fmt: skip


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _segment(comment: bytes) -> bytes:
    return b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment


def _exif(payload: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload


def _looping_exif() -> bytes:
    """Return EXIF whose directory names itself as its sub-directory and as the next one."""
    entry = struct.pack("<HHII", 0x8769, 4, 1, 8)
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1) + entry + b"\x08\0\0\0"


def _with_jpeg_size(data: bytes, width: int, height: int) -> bytes:
    place = data.index(b"\xff\xc0")
    return data[: place + 5] + struct.pack(">HH", height, width) + data[place + 9 :]


def _negative_bmp() -> bytes:
    head = struct.pack("<IHHIIiiHHI", 70, 0, 0, 54, 40, -9, -9, 1, 24, 0)
    return b"BM" + head + bytes(40)


def _huge_webp() -> bytes:
    """Return an extended WebP of 16384 x 16384 without pixels."""
    side = (16_384 - 1).to_bytes(3, "little")
    chunk = b"VP8X" + struct.pack("<I", 10) + bytes(4) + side + side
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk
