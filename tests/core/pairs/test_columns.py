"""Rules of which column is what."""

from __future__ import annotations

import pytest

from core.errors import PairsError
from core.pairs.columns import Asked, Columns, find_columns, looks_like_url


@pytest.mark.parametrize(
    ("names", "image", "captions"),
    [
        (["filepath", "title"], "filepath", ("title",)),
        (["Image Path", "Alt-Text"], "Image Path", ("Alt-Text",)),
        (["key", "url", "file_name", "TEXT"], "file_name", ("TEXT",)),
        (["caption", "image", "path", "text"], "image", ("caption",)),
        (
            ["jpg", "caption_0", "caption_2", "caption_1"],
            "jpg",
            ("caption_0", "caption_1", "caption_2"),
        ),
        (
            ["image", "sentence 2", "sentence 1", "sentence"],
            "image",
            ("sentence", "sentence 1", "sentence 2"),
        ),
    ],
)
def test_usual_names_are_found(names: list[str], image: str, captions: tuple[str, ...]) -> None:
    """Tables of open_clip, img2dataset, LAION and Flickr need no option."""
    columns = find_columns(names, Asked(), where="here")

    assert (columns.image, columns.captions) == (image, captions)


def test_every_column_has_one_use() -> None:
    """What is left over is metadata."""
    names = ["ID", "Split", "image", "text", "label", "class", "n"]

    assert find_columns(names, Asked(), where="here") == Columns(
        image="image",
        captions=("text",),
        label="label",
        id="ID",
        split="Split",
        others=("class", "n"),
    )


def test_a_name_that_is_asked_for_wins() -> None:
    """Also over usual names, and first as it is written."""
    asked = Asked(image_column="Foto", caption_column="text,title")

    columns = find_columns(["image", "foto", "Foto", "title", "text"], asked, where="here")

    assert (columns.image, columns.captions) == ("Foto", ("text", "title"))


def test_a_column_with_a_comma_in_its_name_can_be_asked_for() -> None:
    """The whole name is tried before the list."""
    columns = find_columns(["image", "a,b"], Asked(caption_column="a,b"), where="here")

    assert columns.captions == ("a,b",)


def test_captions_may_be_optional() -> None:
    """A line of JSON may lack them; a table may not."""
    assert find_columns(["image"], Asked(), where="here", need_captions=False).captions == ()
    with pytest.raises(PairsError, match="here: no caption column; looked for caption, captions"):
        find_columns(["image"], Asked(), where="here")


def test_addresses_are_told_from_paths() -> None:
    """Without regard to case."""
    assert looks_like_url("HTTPS://x/a.jpg")
    assert looks_like_url("s3://bucket/a.jpg")
    assert not looks_like_url("https/a.jpg")
    assert not looks_like_url("C:/a.jpg")
