"""Pairs that the starter model was not trained on, as files: its confidence is calibrated on them.

    python -m training.starter.held_out_pairs --cache data/starter-cache --out data/starter-held-out

Writes ``pairs.jsonl`` (stamps, a fifth of the clip art, a third of Twemoji) and ``background/``
(every second stamp, which is then no pair). Stamps that are in the example gallery are in neither,
so that the gallery can be measured on.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from core.errors import ArtifactError
from training.starter import packages
from training.starter.picture_sets import is_held_out, read_picture_sets
from training.starter.pictures import Picture, PictureError, render

logger = logging.getLogger(__name__)

GALLERY_SELECTION = Path(__file__).parents[2] / "examples" / "gallery_selection.csv"
EMOJI_STEP = 3
"""Every third emoji, so that they are not most of the pairs: few people search for emoji."""

_STAMPS_FOLDER = "tuxpaint/stamps/"
_STYLE_FOLDERS = frozenset({"cartoon", "photo"})


def held_out_pictures(
    sets: dict[str, list[Picture]], in_gallery: frozenset[str]
) -> tuple[list[Picture], list[Picture]]:
    """Return the pictures of the pairs and those of the background."""
    stamps = [picture for picture in sets["stamps"] if picture.name not in in_gallery]
    clip_art = [picture for picture in sets["clip-art"] if is_held_out(picture.concept)]
    return [*stamps[1::2], *clip_art, *sets["twemoji"][::EMOJI_STEP]], stamps[::2]


def captions_of(picture: Picture) -> list[str]:
    """Return name and tags; the folders of a stamp say what kind of thing it is."""
    if not picture.name.startswith("stamps/"):
        return list(picture.captions)
    folders = [name for name in picture.name.split("/")[1:-1] if name not in _STYLE_FOLDERS]
    return [*picture.captions, *(name.removesuffix("s") for name in folders)]


def gallery_stamps(selection: Path) -> frozenset[str]:
    """Return the names of the stamps in the example gallery, as ``stamps/FOLDER/NAME``."""
    with selection.open(encoding="utf-8", newline="") as file:
        paths = [row["path"] for row in csv.DictReader(file)]
    inside = [path.partition(_STAMPS_FOLDER)[2] for path in paths if _STAMPS_FOLDER in path]
    return frozenset(f"stamps/{Path(path).with_suffix('').as_posix()}" for path in inside)


def write_pairs(pictures: list[Picture], background: list[Picture], out: Path) -> tuple[int, int]:
    """Write both; return how many pairs and background images could be rendered.

    Raises:
        ArtifactError: ``out`` exists.
    """
    if out.exists():
        raise ArtifactError(f"{out} exists already; choose a new name")
    rows = [
        {"image": name, "captions": captions_of(picture)}
        for picture, name in _rendered(pictures, out, "images")
    ]
    lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    (out / "pairs.jsonl").write_text(lines, encoding="utf-8")
    return len(rows), len(list(_rendered(background, out, "background")))


def _rendered(pictures: list[Picture], out: Path, folder: str) -> Iterator[tuple[Picture, str]]:
    """Write pictures on white; yield each with its path inside ``out``."""
    (out / folder).mkdir(parents=True)
    for picture in pictures:
        try:
            drawn = render(picture)
        except PictureError as error:
            logger.info("picture left out", extra={"reason": str(error)})
            continue
        page = Image.new("RGB", drawn.size, "white")
        page.paste(drawn, mask=drawn.getchannel("A"))
        name = f"{folder}/{picture.name.replace('/', '_')}.png"
        page.save(out / name)
        yield picture, name


def main(arguments: list[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.starter.held_out_pairs", description=__doc__
    )
    parser.add_argument("--cache", type=Path, default=Path("data/starter-cache"))
    parser.add_argument("--out", type=Path, required=True, help="new folder")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO)
    folders = {one: packages.fetch(one, options.cache / "packages") for one in packages.PACKAGES}
    pictures, background = held_out_pictures(
        read_picture_sets(folders), gallery_stamps(GALLERY_SELECTION)
    )
    pairs, images = write_pairs(pictures, background, options.out)
    logger.info("written", extra={"pairs": pairs, "background": images})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
