"""Rules of training.starter.held_out_pairs: what the confidence may be fitted on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from core.errors import ArtifactError
from training.starter.held_out_pairs import (
    GALLERY_SELECTION,
    captions_of,
    gallery_stamps,
    held_out_pictures,
    write_pairs,
)
from training.starter.picture_sets import is_held_out
from training.starter.pictures import Picture


def picture(name: str, concept: str = "cat", path: Path | None = None) -> Picture:
    """Return a picture that says its concept."""
    return Picture(name, concept, (f"A {concept}.",), path)


def test_nothing_of_the_gallery_and_nothing_trained_on_is_in_it() -> None:
    """Stamps of the gallery are in neither part, clip art of training in no pair."""
    concepts = [f"concept {number}" for number in range(30)]
    sets = {
        "stamps": [picture(f"stamps/{number}") for number in range(6)],
        "clip-art": [picture(f"clip-art/{concept}", concept) for concept in concepts],
        "twemoji": [picture(f"twemoji/{number}") for number in range(7)],
        "noto": [picture("noto/1")],
    }

    pairs, background = held_out_pictures(sets, frozenset({"stamps/0", "stamps/3"}))

    assert [one.name for one in background] == ["stamps/1", "stamps/4"]
    names = [one.name for one in pairs]
    clip_art = [f"clip-art/{concept}" for concept in concepts if is_held_out(concept)]
    assert names == ["stamps/2", "stamps/5", *clip_art, "twemoji/0", "twemoji/3", "twemoji/6"]


def test_the_folders_of_a_stamp_are_captions() -> None:
    """In the singular, without the folders that name a style."""
    assert captions_of(picture("stamps/animals/cats/cartoon/lion", "lion")) == [
        "A lion.",
        "animal",
        "cat",
    ]
    assert captions_of(picture("clip-art/animals/lion", "lion")) == ["A lion."]


def test_the_gallery_names_its_stamps() -> None:
    """All 172 of its own table."""
    found = gallery_stamps(GALLERY_SELECTION)

    assert len(found) == 172
    assert "stamps/animals/fish/lionfish" in found


def test_pictures_are_written_on_white_beside_their_captions(tmp_path: Path) -> None:
    """What cannot be rendered is left out; a folder that exists is refused."""
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    (tmp_path / "bad.png").write_bytes(b"bad")
    good = picture("stamps/cats/clear", path=tmp_path / "clear.png")
    bad = picture("stamps/cats/bad", path=tmp_path / "bad.png")

    assert write_pairs([good, bad], [good], tmp_path / "out") == (1, 1)

    (row,) = (json.loads(line) for line in (tmp_path / "out/pairs.jsonl").read_text().splitlines())
    assert row["captions"] == ["A cat.", "cat"]
    with Image.open(tmp_path / "out" / row["image"]) as written:
        assert written.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    with pytest.raises(ArtifactError, match="exists already"):
        write_pairs([], [], tmp_path / "out")
