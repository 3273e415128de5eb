"""Rules of data sets that Hugging Face ``datasets`` saved, written by the library itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest

from core.errors import PairsError
from core.pairs.image_file import FileSlice
from core.pairs.reading import read_pairs
from tests.fakes import picture_bytes

COLOURS = ("red", "green", "blue")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Show no progress bars."""
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def saved(folder: Path, *, splits: tuple[str, ...] = (), shards: int = 1) -> Path:
    """Save three pictures with captions and classes, as one data set or as several splits."""
    rows: dict[str, list[Any]] = {
        "image": [{"bytes": picture_bytes(colour), "path": None} for colour in COLOURS],
        "captions": [[f"{colour} {number}" for number in range(2)] for colour in COLOURS],
        "label": [0, 1, 0],
    }
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "captions": datasets.List(datasets.Value("string")),
            "label": datasets.ClassLabel(names=["warm", "cold"]),
        }
    )
    data = datasets.Dataset.from_dict(rows, features=features)
    if splits:
        datasets.DatasetDict(dict.fromkeys(splits, data)).save_to_disk(folder)
    else:
        data.save_to_disk(folder, num_shards=shards)
    return folder


def test_pictures_are_slices_of_the_saved_file(tmp_path: Path) -> None:
    """Bytes, captions and names of classes come back; nothing is decoded or copied."""
    pairs = read_pairs(saved(tmp_path / "data"))

    for pair, colour in zip(pairs, COLOURS, strict=True):
        assert isinstance(pair.image, FileSlice)
        assert pair.image.read() == picture_bytes(colour)
        assert pair.captions == (f"{colour} 0", f"{colour} 1")
    assert [pair.label for pair in pairs] == ["warm", "cold", "warm"]
    assert pairs[1].id == "data-00000-of-00001.arrow!2"


def test_shards_and_shuffled_data(tmp_path: Path) -> None:
    """Every shard is read, and a selection is saved as what it selects."""
    data = datasets.load_from_disk(saved(tmp_path / "all", shards=3)).select([2, 0])
    data.save_to_disk(tmp_path / "some")

    def read(name: str) -> list[bytes]:
        images = [pair.image for pair in read_pairs(tmp_path / name)]
        return [image.read() for image in images if isinstance(image, FileSlice)]

    assert read("all") == [picture_bytes(colour) for colour in COLOURS]
    assert read("some") == [picture_bytes("blue"), picture_bytes("red")]


def test_paths_in_place_of_bytes(tmp_path: Path) -> None:
    """A column of text is a column of files."""
    data = datasets.Dataset.from_dict({"filepath": ["a.jpg"], "title": ["x"], "n": [3]})
    data.save_to_disk(tmp_path / "data")

    pairs = read_pairs(tmp_path / "data")

    assert pairs[0].image == tmp_path / "data" / "a.jpg"
    assert pairs[0].metadata == {"n": 3}


def test_one_of_several_splits_must_be_named(tmp_path: Path) -> None:
    """A single one needs no name; a wrong name lists the right ones."""
    several = saved(tmp_path / "several", splits=("train", "val"))
    single = saved(tmp_path / "single", splits=("train",))

    assert len(read_pairs(Path(f"{several}#val"))) == 3
    assert len(read_pairs(single)) == 3
    with pytest.raises(PairsError, match="splits train, val; name one, for example several#train"):
        read_pairs(several)
    with pytest.raises(PairsError, match="no split 'test'; it has train, val"):
        read_pairs(Path(f"{several}#test"))
    with pytest.raises(PairsError, match="single data set and has no split 'val'"):
        read_pairs(Path(f"{saved(tmp_path / 'plain')}#val"))


def test_damaged_folders_say_why(tmp_path: Path) -> None:
    """A cut Arrow file, a missing one, a state that is none."""
    folder = saved(tmp_path / "data")
    arrow = folder / "data-00000-of-00001.arrow"
    arrow.write_bytes(arrow.read_bytes()[:300])
    with pytest.raises(PairsError, match="not a readable Arrow file"):
        read_pairs(folder)
    arrow.unlink()
    with pytest.raises(PairsError, match="not a readable Arrow file"):
        read_pairs(folder)
    (folder / "state.json").write_text("{}")
    with pytest.raises(PairsError, match="names no data files"):
        read_pairs(folder)
    (folder / "state.json").write_text("[")
    with pytest.raises(PairsError, match=r"state\.json cannot be read"):
        read_pairs(folder)


def test_a_compressed_arrow_file_is_refused(tmp_path: Path) -> None:
    """Its cells have no place in the file."""
    table = pa.table({"image": pa.array([b"x" * 5000, b"y" * 5000]), "text": ["x", "y"]})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(tmp_path / "a.arrow", table.schema, options=options) as stream:
        stream.write_table(table)
    (tmp_path / "state.json").write_text(json.dumps({"_data_files": [{"filename": "a.arrow"}]}))

    with pytest.raises(PairsError, match=r"a\.arrow is compressed; save the data set again"):
        read_pairs(tmp_path)
