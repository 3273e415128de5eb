"""Rebuild examples/pairs, the small emoji training set, from unpacked npm packages.

    python examples/build_pairs.py --packages /tmp/npm

The folder holds one unpacked package per name, slashes and all: /tmp/npm/@iconify-json/noto.
SOURCES.md says which versions were used. Drawing the SVG styles needs `pip install resvg-py`.

Three styles are for training, the fourth (Twemoji) is held out: every concept is seen in training,
so the held-out file measures recognition across drawing styles, not zero-shot learning.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import io
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
SIDE_PX = 64
COLOURS = 96
"""Palette size of the PNGs; keeps an image near 2 kB without visible banding at 64 px."""
RenderSvg = Callable[[str], bytes]


class PairsError(Exception):
    """A package, an emoji or a dependency is missing."""


@dataclass(frozen=True, slots=True)
class Style:
    """One set of emoji drawings."""

    name: str
    package: str
    license: str
    author: str
    is_heldout: bool = False


STYLES = (
    Style("noto", "@iconify-json/noto", "Apache-2.0", "Google"),
    Style("fluent-3d", "@lobehub/fluent-emoji-3d", "MIT", "Microsoft"),
    Style("fluent-flat", "@iconify-json/fluent-emoji-flat", "MIT", "Microsoft"),
    Style("twemoji", "@iconify-json/twemoji", "CC-BY-4.0", "Twitter and contributors", True),
)


@dataclass(frozen=True, slots=True)
class Concept:
    """One emoji: its code point sequence without variation selectors, and its captions."""

    code: str
    label: str
    category: str
    captions: tuple[str, ...]


def bare_code(code: str) -> str:
    """Return a lower-case code without variation selectors: the sets disagree about those."""
    return code.lower().replace("-fe0f", "")


def make_captions(label: str, category: str, tags: list[str]) -> tuple[str, ...]:
    """Return the name, the name with its tags, and the name with its category."""
    captions = [label, f"{label}, {category}"]
    if tags:
        captions.insert(1, ", ".join([label, *tags]))
    return tuple(captions)


def read_concepts(selection: Path, packages: Path) -> list[Concept]:
    """Join the selected codes and tags with the names of emojibase."""
    data_path = packages / "emojibase-data" / "en" / "data.json"
    if not data_path.is_file():
        raise PairsError(f"{data_path} does not exist; unpack the npm package emojibase-data there")
    emojis = {bare_code(item["hexcode"]): item for item in json.loads(data_path.read_text("utf-8"))}
    concepts = []
    with selection.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            item = emojis.get(row["code"])
            if item is None:
                raise PairsError(f"emojibase-data has no emoji {row['code']!r}")
            label = item["label"]
            tags = [tag for tag in row["tags"].split(";") if tag]
            captions = make_captions(label, row["category"], tags)
            concepts.append(Concept(row["code"], label, row["category"], captions))
    return concepts


def load_svg_renderer() -> RenderSvg:
    """Return a function from SVG text to PNG bytes of SIDE_PX on a side."""
    try:
        resvg = importlib.import_module("resvg_py")
    except ImportError as error:
        raise PairsError("drawing SVG needs resvg-py: pip install resvg-py") from error
    return lambda svg: bytes(resvg.svg_to_bytes(svg_string=svg, width=SIDE_PX, height=SIDE_PX))


class IconifySet:
    """The SVG drawings of an @iconify-json package, by emoji code."""

    def __init__(self, folder: Path, render: RenderSvg) -> None:
        """Read the drawings and the code points of an unpacked package."""
        self._render = render
        self._icons = json.loads((folder / "icons.json").read_text("utf-8"))
        chars = json.loads((folder / "chars.json").read_text("utf-8"))
        self._names = {bare_code(code): name for code, name in chars.items()}

    def image(self, code: str) -> Image.Image:
        """Draw one emoji; raise KeyError if the set lacks it."""
        name = self._names[code]
        icon = self._icons["icons"].get(name)
        if icon is None:
            icon = self._icons["icons"][self._icons["aliases"][name]["parent"]]
        width = icon.get("width", self._icons.get("width", 16))
        height = icon.get("height", self._icons.get("height", 16))
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
            f' viewBox="0 0 {width} {height}">{icon["body"]}</svg>'
        )
        return Image.open(io.BytesIO(self._render(svg)))


class WebpSet:
    """The pictures of @lobehub/fluent-emoji-3d, by emoji code."""

    def __init__(self, folder: Path) -> None:
        """List the pictures of an unpacked package."""
        self._paths = {bare_code(path.stem): path for path in (folder / "assets").glob("*.webp")}

    def image(self, code: str) -> Image.Image:
        """Open one emoji; raise KeyError if the set lacks it."""
        return Image.open(self._paths[code])


def open_style(style: Style, packages: Path, render: RenderSvg) -> IconifySet | WebpSet:
    """Open the package of a style; raise PairsError if it is not unpacked."""
    folder = packages / style.package
    if not folder.is_dir():
        raise PairsError(f"{folder} does not exist; unpack the npm package {style.package} there")
    return IconifySet(folder, render) if (folder / "icons.json").exists() else WebpSet(folder)


def save_on_white(image: Image.Image, path: Path) -> None:
    """Write a small palette PNG of the picture on white."""
    cutout = image.convert("RGBA").resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    flat = Image.new("RGB", cutout.size, "white")
    flat.paste(cutout, mask=cutout)
    palette = flat.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette.save(path, "PNG", optimize=True)


def write_style(
    style: Style, concepts: list[Concept], drawings: IconifySet | WebpSet, output: Path
) -> list[str]:
    """Write the pictures of one style; return its jsonl lines."""
    folder = output / "images" / style.name
    folder.mkdir(parents=True)
    lines = []
    for concept in concepts:
        try:
            save_on_white(drawings.image(concept.code), folder / f"{concept.code}.png")
        except KeyError as error:
            raise PairsError(f"{style.package} has no {concept.code} ({concept.label})") from error
        metadata = {
            "category": concept.category,
            "style": style.name,
            "source": style.package,
            "license": style.license,
            "author": style.author,
        }
        record = {
            "image": f"images/{style.name}/{concept.code}.png",
            "captions": list(concept.captions),
            "label": concept.label,
            "metadata": metadata,
        }
        lines.append(json.dumps(record, ensure_ascii=False))
    return lines


def build(packages: Path, selection: Path, output: Path) -> None:
    """Write images/, train.jsonl and heldout.jsonl under output."""
    concepts = read_concepts(selection, packages)
    render = load_svg_renderer()
    shutil.rmtree(output / "images", ignore_errors=True)
    files: dict[str, list[str]] = {"train.jsonl": [], "heldout.jsonl": []}
    for style in STYLES:
        drawings = open_style(style, packages, render)
        name = "heldout.jsonl" if style.is_heldout else "train.jsonl"
        files[name] += write_style(style, concepts, drawings, output)
    for name, lines in files.items():
        (output / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{name}: {len(lines)} pairs, {len(concepts)} concepts")


def main(argv: list[str] | None = None) -> int:
    """Build the set; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--packages", type=Path, required=True, help="folder of unpacked packages")
    parser.add_argument("--selection", type=Path, default=HERE / "pairs_selection.csv")
    parser.add_argument("--output", type=Path, default=HERE / "pairs")
    args = parser.parse_args(argv)
    try:
        build(args.packages, args.selection, args.output)
    except PairsError as error:
        print(f"build_pairs: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
