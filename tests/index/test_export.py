"""Rules of exports: open formats hold everything, and reading them back gives the same gallery."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from core.artifacts import write_json
from core.errors import ArtifactError, EncoderMismatchError, IntegrityError
from index.adding import NewImage
from index.clip_retrieval import read_clip_retrieval
from index.doctor import examine
from index.export import export_gallery
from index.export_reading import embed_export, import_export, is_export
from index.export_tables import ExportedItem, TableFormat, read_table, write_table
from index.gallery import Gallery
from tests.fakes import FakeEncoder, picture_bytes
from tests.index.test_doctor import flip_vector
from tests.index.writing import ROOT, WRITER

COLOURS = ("red", "green", "blue", "yellow")
ENCODER_ID = FakeEncoder().encoder_id


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a gallery of three kept pictures and one that is read from its file."""
    source = tmp_path / "yellow.jpg"
    source.write_bytes(picture_bytes("yellow", format="JPEG"))
    folder = tmp_path / "g"
    with Gallery.open(folder, FakeEncoder(), model="some/model") as gallery:
        gallery.add(
            [
                NewImage(
                    source.read_bytes() if name == "yellow" else picture_bytes(name),
                    id=name,
                    caption=f"a {name}\nth\u00efng",
                    metadata={"n": [1, 2.5, None, {"deep": name}], "\u00e9": True},
                    source=str(source) if name == "yellow" else None,
                )
                for name in COLOURS
            ]
        )
    return folder


def content(folder: Path) -> list[object]:
    """Return everything that a gallery holds of each item."""
    with Gallery.open(folder, FakeEncoder(), read_only=True) as gallery:
        items = gallery.collection.scroll(limit=1000).items
        vectors_ND = gallery.collection.vectors([item.id for item in items])
        pictures = [gallery.image(item.id) for item in items]
        return [items, vectors_ND.tolist(), pictures, gallery.collection.binding]


@pytest.mark.parametrize("table", ["parquet", "jsonl"])
def test_an_export_read_back_is_the_same_gallery(
    folder: Path, tmp_path: Path, table: TableFormat
) -> None:
    """Ids, captions, metadata, pictures and every bit of the vectors; again changes nothing."""
    summary = export_gallery(folder, tmp_path / "e", table=table, images=True)
    done = import_export(tmp_path / "e", tmp_path / "back", encoder_id=None)

    assert (summary.items, summary.pictures, summary.damaged) == (4, 4, ())
    assert dict(done.counts) == {"created": 4}
    assert done.without_picture == []
    assert content(tmp_path / "back") == content(folder)
    again = import_export(tmp_path / "e", tmp_path / "back", encoder_id=ENCODER_ID)
    assert dict(again.counts) == {"unchanged": 4}
    with Gallery.open(tmp_path / "back", FakeEncoder(), read_only=True) as gallery:
        assert examine(gallery.collection, encoder=FakeEncoder()).faults == ()


def test_other_tools_read_the_folder(folder: Path, tmp_path: Path) -> None:
    """NumPy, Parquet and clip-retrieval's layout, row by row."""
    export_gallery(folder, tmp_path / "e", images=True)

    vectors_ND = np.load(tmp_path / "e" / "img_emb" / "img_emb_0.npy")
    rows = pyarrow.parquet.read_table(
        tmp_path / "e" / "metadata" / "metadata_0.parquet"
    ).to_pylist()
    assert (vectors_ND.dtype, vectors_ND.shape) == (np.float32, (4, FakeEncoder.dim))
    assert [row["id"] for row in rows] == list(COLOURS)
    assert json.loads(rows[0]["metadata"])["n"][3] == {"deep": "red"}
    assert (tmp_path / "e" / rows[0]["image_path"]).read_bytes() == picture_bytes("red")
    assert rows[3]["image_path"].endswith(".jpg")
    (part,) = read_clip_retrieval(tmp_path / "e")
    assert (part.rows, part.dim) == (4, FakeEncoder.dim)


def test_without_images_the_paths_stay(folder: Path, tmp_path: Path) -> None:
    """What the gallery kept itself cannot be shown after the import, and is named."""
    export_gallery(folder, tmp_path / "e")
    done = import_export(tmp_path / "e", tmp_path / "back", encoder_id=None)

    assert not (tmp_path / "e" / "images").exists()
    assert done.without_picture == ["red", "green", "blue"]
    with Gallery.open(tmp_path / "back", FakeEncoder(), read_only=True) as gallery:
        assert gallery.image("yellow") == (tmp_path / "yellow.jpg").read_bytes()


def test_an_empty_gallery_travels(tmp_path: Path) -> None:
    """Nothing comes out as nothing."""
    Gallery.open(tmp_path / "g", FakeEncoder()).close()

    assert export_gallery(tmp_path / "g", tmp_path / "e").items == 0
    assert import_export(tmp_path / "e", tmp_path / "back", encoder_id=None).counts.total() == 0


def test_a_damaged_vector_is_left_out_and_named(folder: Path, tmp_path: Path) -> None:
    """What is whole can be saved from a gallery that is not."""
    flip_vector(folder)

    summary = export_gallery(folder, tmp_path / "e")
    assert (summary.items, summary.damaged) == (3, ("red",))
    assert import_export(tmp_path / "e", tmp_path / "back", encoder_id=None).counts.total() == 3


def test_a_picture_that_is_gone_is_named(folder: Path, tmp_path: Path) -> None:
    """The item is exported without it."""
    (tmp_path / "yellow.jpg").unlink()

    summary = export_gallery(folder, tmp_path / "e", images=True)
    assert (summary.items, summary.pictures) == (4, 3)
    assert summary.without_picture == ("yellow",)


def test_another_model_is_refused_unless_it_embeds_again(folder: Path, tmp_path: Path) -> None:
    """Vectors of two models never meet; pictures can be embedded anew."""
    other = FakeEncoder("0000000000000002")
    export_gallery(folder, tmp_path / "e", images=True)

    with pytest.raises(EncoderMismatchError, match="--re-embed"):
        import_export(tmp_path / "e", tmp_path / "back", encoder_id=other.encoder_id)
    assert not (tmp_path / "back").exists()
    done = embed_export(tmp_path / "e", tmp_path / "back", other, model="other")

    assert dict(done.counts) == {"created": 4}
    assert other.images_seen == 4
    with Gallery.open(tmp_path / "back", other, read_only=True) as gallery:
        assert gallery.collection.binding.encoder_id == other.encoder_id
        assert gallery.item("blue").metadata["n"] == [1, 2.5, None, {"deep": "blue"}]
        assert gallery.image("blue") == picture_bytes("blue")


def test_embedding_again_names_what_it_cannot_embed(folder: Path, tmp_path: Path) -> None:
    """Without its picture an item cannot be embedded, and is not stored."""
    export_gallery(folder, tmp_path / "e")

    done = embed_export(tmp_path / "e", tmp_path / "back", FakeEncoder(), model=None)
    assert done.without_picture == ["red", "green", "blue"]
    assert dict(done.counts) == {"created": 1}


def test_a_damaged_export_stores_nothing(folder: Path, tmp_path: Path) -> None:
    """Every file is compared with its digest before anything is stored."""
    export_gallery(folder, tmp_path / "e")
    path = tmp_path / "e" / "img_emb" / "img_emb_0.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))

    with pytest.raises(IntegrityError, match=r"img_emb_0\.npy is damaged"):
        import_export(tmp_path / "e", tmp_path / "back", encoder_id=None)
    assert not (tmp_path / "back").exists()


def test_nothing_is_overwritten(folder: Path, tmp_path: Path) -> None:
    """An export is a new folder."""
    with pytest.raises(ArtifactError, match="exists already"):
        export_gallery(folder, folder)


@pytest.mark.parametrize("digest", ["../../secret", "AB" * 32, ""])
def test_a_digest_that_is_none_is_refused(tmp_path: Path, digest: str) -> None:
    """It would become the name of a file."""
    path = tmp_path / "metadata_0.jsonl"
    write_table(path, [ExportedItem("a", "", "", "{}", digest, None)])

    with pytest.raises(ArtifactError, match="no table of an export"):
        list(read_table(path))


def test_an_export_is_told_from_other_folders(folder: Path, tmp_path: Path) -> None:
    """By the kind in its manifest."""
    export_gallery(folder, tmp_path / "e")
    write_json(tmp_path / "manifest.json", {"kind": "model"})

    assert is_export(tmp_path / "e")
    assert not is_export(tmp_path)
    assert not is_export(folder)


@pytest.mark.slow
def test_an_export_beside_a_writing_process_is_one_state(tmp_path: Path) -> None:
    """Rows and vectors belong together although items come and go meanwhile."""
    folder = tmp_path / "g"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        last = -1
        while last < 60:
            last = int(process.stdout.readline().split()[1])
        export_gallery(folder, tmp_path / "e", table="jsonl")
        process.kill()
    import_export(tmp_path / "e", tmp_path / "back", encoder_id=None)
    with Gallery.open(tmp_path / "back", FakeEncoder(), read_only=True) as gallery:
        names = [item.id for item in gallery.collection.scroll(limit=1000).items]
        assert f"n{last}" in names
        for name in names:
            n = int(name[1:])
            (wanted_D,) = FakeEncoder().encode_images(
                np.full((1, 16, 16, 3), (n % 256, n // 256, 0), np.uint8)
            )
            assert gallery.collection.vectors([name])[0] @ wanted_D > 0.9999
