"""Rebuild examples/gallery and examples/queries from unpacked packages.

    python examples/build_gallery.py --package tuxpaint-stamps-default=/tmp/src/tuxpaint ...

Each row of gallery_selection.csv names one picture by package and path; SOURCES.md says which
package versions were used and how to unpack them. A path "file.rcc!member" is a member of a Qt
resource file, the container in which GCompris ships its pictures.

The JPEG bytes depend on the Pillow version; the choice of pictures, their sizes, the captions and
the licences do not.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

HERE = Path(__file__).resolve().parent
LONG_SIDE_PX = 400
JPEG_QUALITY = 82
CUTOUT_MARGIN = 0.08
"""White border around a transparent cut-out, as a fraction of its long side."""

RCC_DIRECTORY = 0x02
RCC_ZLIB = 0x01
RCC_ZSTD = 0x04
RCC_NODE_BYTES = {1: 14, 2: 22, 3: 22}


class GalleryError(Exception):
    """A package, a picture or a row of the selection is missing or unusable."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of gallery_selection.csv."""

    output: str
    """"gallery" or "queries"."""
    file: str
    package: str
    path: str
    label: str
    category: str
    captions: tuple[str, ...]
    license: str
    author: str
    source_url: str

    def record(self) -> dict[str, object]:
        """Return the pairs.jsonl object of this picture."""
        metadata = {
            "category": self.category,
            "source": self.package,
            "license": self.license,
            "author": self.author,
        }
        if self.source_url:
            metadata["source_url"] = self.source_url
        return {
            "id": Path(self.file).stem,
            "image": f"images/{self.file}",
            "captions": list(self.captions),
            "label": self.label,
            "metadata": metadata,
        }


def read_selection(path: Path) -> list[Row]:
    """Read the selection; raise GalleryError on a repeated file name or an empty field."""
    with path.open(encoding="utf-8", newline="") as stream:
        raw_rows = list(csv.DictReader(stream))
    rows: list[Row] = []
    for number, raw in enumerate(raw_rows, start=2):
        empty = [name for name, value in raw.items() if not value and name != "source_url"]
        if empty:
            raise GalleryError(f"{path.name} line {number}: {', '.join(empty)} is empty")
        captions = tuple(part.strip() for part in raw.pop("captions").split(";"))
        rows.append(Row(captions=captions, **raw))
    names = [(row.output, row.file) for row in rows]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise GalleryError(f"{path.name}: repeated file names: {repeated}")
    return rows


def read_rcc_member(blob: bytes, member: str) -> bytes:
    """Return one file of a Qt binary resource (.rcc); raise GalleryError if it is not there."""
    magic, version, tree, data, names = struct.unpack_from(">4s4I", blob)
    if magic != b"qres" or version not in RCC_NODE_BYTES:
        raise GalleryError("not a Qt resource file of version 1 to 3")
    node_bytes = RCC_NODE_BYTES[version]
    node = tree
    for part in member.split("/"):
        count, first = struct.unpack_from(">2I", blob, node + 6)
        children = (tree + node_bytes * index for index in range(first, first + count))
        found = next((child for child in children if _rcc_name(blob, names, child) == part), None)
        if found is None:
            raise GalleryError(f"no member {member!r}")
        node = found
    flags = struct.unpack_from(">H", blob, node + 4)[0]
    if flags & (RCC_DIRECTORY | RCC_ZSTD):
        raise GalleryError(f"member {member!r} is a folder or compressed with zstd")
    start = data + struct.unpack_from(">I", blob, node + 10)[0]
    size = struct.unpack_from(">I", blob, start)[0]
    content = blob[start + 4 : start + 4 + size]
    return zlib.decompress(content[4:]) if flags & RCC_ZLIB else content


def _rcc_name(blob: bytes, names: int, node: int) -> str:
    start = names + struct.unpack_from(">I", blob, node)[0]
    length = struct.unpack_from(">H", blob, start)[0]
    return blob[start + 6 : start + 6 + 2 * length].decode("utf-16-be")


def read_source(row: Row, packages: dict[str, Path]) -> bytes:
    """Return the bytes of the picture that a row names."""
    if row.package not in packages:
        raise GalleryError(f"{row.file}: give --package {row.package}=FOLDER")
    relative, _, member = row.path.partition("!")
    path = packages[row.package] / relative
    if not path.is_file():
        raise GalleryError(f"{row.file}: {path} does not exist; see SOURCES.md for the version")
    blob = path.read_bytes()
    if not member:
        return blob
    try:
        return read_rcc_member(blob, member)
    except GalleryError as error:
        raise GalleryError(f"{row.file}: {path}: {error}") from error


def to_gallery_image(blob: bytes) -> Image.Image:
    """Decode, put a transparent picture on white with a margin, and shrink the long side."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(blob)))
    if image.has_transparency_data:
        cutout = image.convert("RGBA")
        box = cutout.getchannel("A").getbbox()
        cutout = cutout.crop(box) if box else cutout
        margin = round(CUTOUT_MARGIN * max(cutout.size))
        image = Image.new("RGB", (cutout.width + 2 * margin, cutout.height + 2 * margin), "white")
        image.paste(cutout, (margin, margin), cutout)
    image = image.convert("RGB")
    image.thumbnail((LONG_SIDE_PX, LONG_SIDE_PX), Image.Resampling.LANCZOS)
    return image


def write_folder(rows: list[Row], packages: dict[str, Path], folder: Path) -> None:
    """Write images and, for the gallery, pairs.jsonl."""
    is_gallery = rows[0].output == "gallery"
    images = folder / "images" if is_gallery else folder
    images.mkdir(parents=True, exist_ok=True)
    for row in rows:
        image = to_gallery_image(read_source(row, packages))
        # A fresh save carries no EXIF, profile or comment unless one is passed.
        image.info.clear()
        image.save(images / row.file, "JPEG", quality=JPEG_QUALITY, optimize=True)
    if is_gallery:
        lines = [json.dumps(row.record(), ensure_ascii=False) for row in rows]
        (folder / "pairs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def parse_packages(arguments: list[str]) -> Iterator[tuple[str, Path]]:
    """Yield (name, folder) of each NAME=FOLDER argument."""
    for argument in arguments:
        name, _, folder = argument.partition("=")
        if not Path(folder).is_dir():
            raise GalleryError(f"--package {argument}: want NAME=FOLDER with an existing folder")
        yield name, Path(folder)


def main(argv: list[str] | None = None) -> int:
    """Build both folders; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--package", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--selection", type=Path, default=HERE / "gallery_selection.csv")
    parser.add_argument("--output", type=Path, default=HERE, help="parent of gallery/ and queries/")
    args = parser.parse_args(argv)
    try:
        packages = dict(parse_packages(args.package))
        rows = read_selection(args.selection)
        for output in ("gallery", "queries"):
            chosen = [row for row in rows if row.output == output]
            write_folder(chosen, packages, args.output / output)
            print(f"{output}: {len(chosen)} images")
    except GalleryError as error:
        print(f"build_gallery: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
