"""Rules of webdataset tars."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from core.errors import NotFoundError, PairsError
from core.pairs.image_file import FileSlice, image_stamp
from core.pairs.reading import read_pairs

RED, BLUE = b"red picture", b"blue picture, a longer one"


def write_tar(path: Path, members: Sequence[tuple[str, bytes]]) -> Path:
    """Write members in order; a name that ends in a slash is a directory."""
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name.rstrip("/"))
            info.size = len(data)
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
            tar.addfile(info, io.BytesIO(data))
    return path


def test_members_of_a_key_are_a_sample(tmp_path: Path) -> None:
    """Picture, captions, more and class; each picture is read from its place."""
    fields = json.dumps({"caption": "from json", "width": 5}).encode()
    path = write_tar(
        tmp_path / "shard-000.tar",
        [
            ("0001.jpg", RED),
            ("0001.txt", b"ein rotes Bild\na red one"),
            ("0001.json", fields),
            ("0002.json", fields),
            ("0002.PNG", BLUE),
            ("0003.cls", b"7\n"),
            ("0003.webp", RED),
        ],
    )

    first, second, third = read_pairs(path)

    assert (first.id, second.id) == ("shard-000.tar!0001", "shard-000.tar!0002")
    assert first.captions == ("ein rotes Bild", "a red one")
    assert first.metadata == {"width": 5}
    assert second.captions == ("from json",)
    assert third.label == "7"
    images = [pair.image for pair in (first, second, third)]
    assert all(isinstance(image, FileSlice) for image in images)
    assert [image.read() for image in images if isinstance(image, FileSlice)] == [RED, BLUE, RED]
    assert str(images[1]) == f"{path}!0002.PNG"
    assert image_stamp(images[1]) == len(BLUE)


def test_directories_links_and_hidden_members_are_no_samples(tmp_path: Path) -> None:
    """``tar -cf`` of a folder writes them; keys keep their folder."""
    path = write_tar(
        tmp_path / "a.tar",
        [
            ("./", b""),
            ("./cats/", b""),
            ("./cats/._1.jpg", b"resource fork"),
            ("./cats/1.jpg", RED),
            ("./cats/1.txt", b"a cat"),
            ("./__meta__.json", b"{}"),
            ("./dogs/1.jpg", BLUE),
            ("./dogs/1.txt", b"a dog"),
            ("./notes.md", b"-"),
        ],
    )

    pairs = read_pairs(path)

    assert [(pair.id, pair.captions) for pair in pairs] == [
        ("a.tar!cats/1", ("a cat",)),
        ("a.tar!dogs/1", ("a dog",)),
    ]
    assert pairs.skipped == {}


def test_bad_samples_are_skipped_and_named(tmp_path: Path) -> None:
    """Without a picture, with two, with broken JSON or text that is not UTF-8."""
    path = write_tar(
        tmp_path / "a.tar",
        [
            ("1.txt", b"no picture"),
            ("2.jpg", RED),
            ("2.png", BLUE),
            ("3.jpg", RED),
            ("3.json", b"{"),
            ("4.jpg", RED),
            ("4.txt", b"caf\xe9"),
            ("5.jpg", RED),
            ("5.txt", b"fine"),
        ],
    )

    pairs = read_pairs(path)

    assert [pair.id for pair in pairs] == ["a.tar!5"]
    assert pairs.skipped["a.tar!1"] == "it has no picture"
    assert pairs.skipped["a.tar!2"] == "it has two pictures, '2.jpg' and another"
    assert "a.tar!3.json: not valid JSON" in pairs.skipped["a.tar!3"]
    assert "a.tar!4.txt is not UTF-8" in pairs.skipped["a.tar!4"]


def test_the_samples_before_a_cut_remain(tmp_path: Path) -> None:
    """A download that stopped: the sample in the cut and the tar are named."""
    whole = write_tar(
        tmp_path / "a.tar", [("1.jpg", RED), ("1.txt", b"x"), ("2.txt", b"y"), ("2.jpg", RED * 99)]
    )
    data = whole.read_bytes()
    start = data.index(RED * 99)

    whole.write_bytes(data[: start + 600])
    pairs = read_pairs(whole)

    assert [pair.id for pair in pairs] == ["a.tar!1"]
    assert pairs.skipped["a.tar!2"] == "the tar is cut within '2.jpg'"
    assert "cut or damaged after the sample '2'" in pairs.skipped["a.tar"]


@pytest.mark.parametrize("end", ["in a header", "between members"])
def test_a_cut_outside_a_picture_is_noticed(tmp_path: Path, end: str) -> None:
    """Also where every member that is left is whole."""
    path = write_tar(tmp_path / "a.tar", [("1.jpg", RED), ("2.jpg", RED)])
    path.write_bytes(path.read_bytes()[: 1024 + (100 if end == "in a header" else 0)])

    pairs = read_pairs(path)

    assert [pair.id for pair in pairs] == ["a.tar!1"]
    assert "cut" in pairs.skipped["a.tar"]


def test_a_tar_that_shrank_is_noticed_when_read(tmp_path: Path) -> None:
    """A picture is all there or an error, never half of it."""
    path = write_tar(tmp_path / "a.tar", [("1.jpg", RED)])
    image = read_pairs(path)[0].image
    assert isinstance(image, FileSlice)

    path.write_bytes(path.read_bytes()[:515])
    with pytest.raises(NotFoundError, match=r"a\.tar!1\.jpg cannot be read: .* ends before it"):
        image.read()
    path.unlink()
    with pytest.raises(NotFoundError, match=r"a\.tar!1\.jpg cannot be read: No such file"):
        image.read()


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tgz", "a.tar"])
def test_a_compressed_tar_is_refused_with_the_remedy(tmp_path: Path, name: str) -> None:
    """Nothing in it has a place; told by its name or by its first bytes."""
    plain = write_tar(tmp_path / "plain", [("1.jpg", RED)])
    (tmp_path / name).write_bytes(gzip.compress(plain.read_bytes()))

    with pytest.raises(PairsError, match=r"is compressed, .*plain \.tar"):
        read_pairs(tmp_path / name)


@pytest.mark.parametrize("data", [b"", b"not a tar" * 100])
def test_what_is_no_tar_is_refused(tmp_path: Path, data: bytes) -> None:
    """An empty file is none either."""
    (tmp_path / "a.tar").write_bytes(data)

    with pytest.raises(PairsError, match=r"a\.tar is not a tar"):
        read_pairs(tmp_path / "a.tar")


def test_a_tar_without_members_holds_no_images(tmp_path: Path) -> None:
    """It is a tar, but of no use."""
    with pytest.raises(PairsError, match="holds no images"):
        read_pairs(write_tar(tmp_path / "a.tar", []))


def test_a_folder_or_a_pattern_of_tars_is_one_source(tmp_path: Path) -> None:
    """Equal keys of different tars are different samples; img2dataset's other files are ignored."""
    for number in range(2):
        write_tar(tmp_path / f"s-{number:03d}.tar", [("1.jpg", RED), ("1.txt", b"x")])
        (tmp_path / f"s-{number:03d}_stats.json").write_text("{}")
    ids = ["s-000.tar!1", "s-001.tar!1"]

    assert [pair.id for pair in read_pairs(tmp_path)] == ids
    assert [pair.id for pair in read_pairs(tmp_path / "s-{000..001}.tar")] == ids
    assert [pair.id for pair in read_pairs(tmp_path / "s-*.tar")] == ids


def test_a_tar_has_no_splits(tmp_path: Path) -> None:
    """The choice is not ignored."""
    path = write_tar(tmp_path / "a.tar", [("1.jpg", RED)])

    with pytest.raises(PairsError, match="no splits"):
        read_pairs(Path(f"{path}#train"))
