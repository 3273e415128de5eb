"""Rules of Parquet files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import ConfigError, NotFoundError, PairsError
from core.pairs.pair import Pair
from core.pairs.parquet import ParquetCell
from core.pairs.reading import read_pairs

CELLS = [{"bytes": bytes([number]) * 50, "path": f"{number}.jpg"} for number in range(5)]


def test_a_column_of_paths(tmp_path: Path) -> None:
    """As in a CSV; lists of captions are several, plain columns are metadata."""
    table = pa.table(
        {
            "image_path": ["a.jpg", None, "b.jpg"],
            "captions": [["x", "y"], ["z"], []],
            "width": [3, 4, None],
            "vector": [[0.5], [0.5], [0.5]],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")

    pairs = read_pairs(tmp_path / "a.parquet")

    assert pairs == [
        Pair("a.jpg", tmp_path / "a.jpg", ("x", "y"), metadata={"width": 3}),
        Pair("b.jpg", tmp_path / "b.jpg", ()),
    ]
    assert pairs.skipped == {"a.parquet:2": "the column 'image_path' is empty"}


@pytest.mark.parametrize("kind", ["struct", "binary"])
def test_embedded_pictures_are_read_by_row(tmp_path: Path, kind: str) -> None:
    """From any row group, in any order, again after it was dropped."""
    column = pa.array(CELLS if kind == "struct" else [cell["bytes"] for cell in CELLS])
    table = pa.table({"jpg": column, "caption": list("abcde")})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2)

    pairs = read_pairs(tmp_path / "a.parquet")

    assert [pair.id for pair in pairs[:2]] == ["a.parquet!1", "a.parquet!2"]
    for row in (4, 0, 3, 2, 1, 4):
        image = pairs[row].image
        assert isinstance(image, ParquetCell)
        assert image.read() == CELLS[row]["bytes"]
        assert image.size_bytes() == 50
        assert str(image) == f"{tmp_path / 'a.parquet'}!{row + 1}"


def test_a_struct_of_paths_alone_is_paths(tmp_path: Path) -> None:
    """Hugging Face writes it for pictures that were not embedded."""
    cells = pa.array(
        [{"bytes": None, "path": "a.jpg"}, {"bytes": None, "path": "b.jpg"}],
        pa.struct({"bytes": pa.binary(), "path": pa.string()}),
    )
    pq.write_table(pa.table({"image": cells, "caption": ["x", "y"]}), tmp_path / "a.parquet")

    assert [pair.image for pair in read_pairs(tmp_path / "a.parquet")] == [
        tmp_path / "a.jpg",
        tmp_path / "b.jpg",
    ]


def test_a_row_without_a_picture_is_named_when_read(tmp_path: Path) -> None:
    """The bytes of others are there; which are missing is only known then."""
    cells = pa.array([{"bytes": b"x"}, {"bytes": None}])
    pq.write_table(pa.table({"image": cells, "caption": ["x", "y"]}), tmp_path / "a.parquet")
    image = read_pairs(tmp_path / "a.parquet")[1].image
    assert isinstance(image, ParquetCell)

    with pytest.raises(NotFoundError, match=r"a\.parquet!2 holds no picture"):
        image.read()


def test_classes_have_their_names(tmp_path: Path) -> None:
    """Hugging Face numbers them and keeps the names beside; -1 is none."""
    features = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    stored = json.dumps({"info": {"features": features}})
    table = pa.table({"image": ["a.jpg", "b.jpg", "c.jpg"], "label": [1, 0, -1]})
    table = table.replace_schema_metadata({"huggingface": stored})
    pq.write_table(table, tmp_path / "a.parquet")

    assert [pair.label for pair in read_pairs(tmp_path / "a.parquet")] == ["dog", "cat", None]


def test_a_folder_of_parquet_files_is_one_source(tmp_path: Path) -> None:
    """In order of their names."""
    for name in ("train-00001", "train-00000"):
        table = pa.table({"image": pa.array([{"bytes": b"x"}]), "text": [name]})
        pq.write_table(table, tmp_path / f"{name}.parquet")

    pairs = read_pairs(tmp_path)

    assert [pair.captions for pair in pairs] == [("train-00000",), ("train-00001",)]
    assert [pair.id for pair in pairs] == ["train-00000.parquet!1", "train-00001.parquet!1"]


def test_unusable_files_say_why(tmp_path: Path) -> None:
    """Not Parquet, no image column, one of another type, addresses alone."""
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 or not")
    with pytest.raises(PairsError, match="not a readable Parquet file"):
        read_pairs(path)
    pq.write_table(pa.table({"foto": ["a"], "caption": ["x"]}), path)
    with pytest.raises(PairsError, match=r"no image column; .*found foto, caption"):
        read_pairs(path)
    pq.write_table(pa.table({"image": [1], "caption": ["x"]}), path)
    with pytest.raises(PairsError, match="the image column 'image' is int64; expected a path"):
        read_pairs(path)
    pq.write_table(pa.table({"URL": ["http://x"], "TEXT": ["x"]}), path)
    with pytest.raises(PairsError, match="'URL' holds addresses"):
        read_pairs(path)
    pq.write_table(pa.table({"image": pa.array([], pa.string()), "caption": pa.array([])}), path)
    with pytest.raises(PairsError, match="holds no images"):
        read_pairs(path)


def test_a_file_that_is_gone_is_named_when_read(tmp_path: Path) -> None:
    """As with any picture."""
    pq.write_table(
        pa.table({"image": pa.array([{"bytes": b"x"}]), "text": ["x"]}), tmp_path / "a.parquet"
    )
    image = read_pairs(tmp_path / "a.parquet")[0].image
    assert isinstance(image, ParquetCell)
    assert image.stamp == (tmp_path / "a.parquet").stat().st_size
    (tmp_path / "a.parquet").unlink()

    assert image.stamp == -1
    with pytest.raises(NotFoundError, match=r"a\.parquet cannot be read"):
        image.read()


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The serving packages lack it."""
    (tmp_path / "a.parquet").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)

    with pytest.raises(ConfigError, match=r'pip install "sightline\[train\]"'):
        read_pairs(tmp_path / "a.parquet")
