"""Rules of taking over embeddings of clip-retrieval: aligned, of this model, not made again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.artifacts import sha256_bytes
from core.errors import ArtifactError, EncoderMismatchError, NotFoundError
from core.types import FloatArray
from encoders.preprocessing import preprocess_bytes
from index.gallery import Gallery
from index.importing import import_clip_retrieval
from index.ingest import ImageFile, add_files
from index.query import Query, parse_query
from tests.fakes import FakeEncoder, picture_bytes

COLOURS = ("red", "green", "blue", "yellow", "white")


class Folder:
    """A folder as clip-retrieval writes it, half precision and all."""

    def __init__(self, root: Path) -> None:
        """Write five pictures with captions and embeddings, in parts of three and two."""
        self.root, self.photos = root, root / "photos"
        self.photos.mkdir(parents=True)
        for colour in COLOURS:
            (self.photos / f"{colour}.png").write_bytes(picture_bytes(colour))
        self.write(0, COLOURS[:3])
        self.write(1, COLOURS[3:])

    def write(self, part: int, colours: Sequence[str], *, like: Sequence[str] = ()) -> None:
        """Write a part; ``like`` embeds other pictures than the metadata name."""
        encoder = FakeEncoder()
        images_ND = np.concatenate([image_vector(encoder, colour) for colour in like or colours])
        texts_ND = encoder.encode_texts([f"a {colour} thing" for colour in colours])
        for name, vectors_ND in (("img_emb", images_ND), ("text_emb", texts_ND)):
            (self.root / name).mkdir(exist_ok=True)
            np.save(self.root / name / f"{name}_{part}.npy", vectors_ND.astype(np.float16))
        (self.root / "metadata").mkdir(exist_ok=True)
        table = {
            "image_path": [str(self.photos / f"{colour}.png") for colour in colours],
            "caption": [f"a {colour} thing" for colour in colours],
            "exif": ["{}" for _ in colours],
            "width": [32 for _ in colours],
        }
        pq.write_table(pa.table(table), self.root / "metadata" / f"metadata_{part}.parquet")


def image_vector(encoder: FakeEncoder, colour: str) -> FloatArray:
    """Return the embedding of a picture, shape (1, D)."""
    pixels = preprocess_bytes(picture_bytes(colour), encoder.preprocessing)
    return encoder.encode_images(pixels[np.newaxis])


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Return a folder of five rows."""
    return Folder(tmp_path / "cr")


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    """Yield an empty gallery."""
    with Gallery.open(tmp_path / "gallery", FakeEncoder()) as opened:
        yield opened


def seen(gallery: Gallery) -> int:
    """Return how many pictures the model has embedded."""
    assert isinstance(gallery.encoder, FakeEncoder)
    return gallery.encoder.images_seen


def test_rows_become_items_that_are_found(gallery: Gallery, folder: Folder) -> None:
    """With caption, metadata and picture; the model only embeds what the check compares."""
    summary = import_clip_retrieval(gallery, folder.root)

    assert summary.counts == {"created": 5}
    assert summary.with_file == 5
    assert (summary.checked.images, summary.checked.texts) == (5, 5)
    assert summary.checked.median_cosine == pytest.approx(1, abs=1e-3)
    assert seen(gallery) == 5
    hit = gallery.search(Query(parse_query("blue"), k=1)).hits[0]
    assert (hit.caption, hit.metadata["width"]) == ("a blue thing", 32)
    assert "exif" not in hit.metadata
    assert gallery.image(hit.id) == picture_bytes("blue")
    assert gallery.thumbnail(hit.id).startswith(b"\xff\xd8")
    lengths = np.linalg.norm(gallery.collection.vectors([hit.id]), axis=1)
    assert lengths == pytest.approx(1, abs=1e-6)


def test_adding_the_files_later_changes_nothing(gallery: Gallery, folder: Folder) -> None:
    """The items are those that ``add`` would have made; a second import changes nothing either."""
    import_clip_retrieval(gallery, folder.root)
    before = seen(gallery)

    files = [ImageFile(path) for path in sorted(folder.photos.iterdir())]
    assert {str(added.result.status) for added in add_files(gallery, files)} == {"unchanged"}
    assert seen(gallery) == before
    assert import_clip_retrieval(gallery, folder.root).counts == {"unchanged": 5}
    assert gallery.collection.count() == 5


def test_pictures_that_are_elsewhere_can_be_found_but_not_shown(
    gallery: Gallery, folder: Folder
) -> None:
    """Captions alone can prove the model; a picture that turns up later is an item of its own."""
    for path in folder.photos.iterdir():
        path.unlink()

    summary = import_clip_retrieval(gallery, folder.root)

    assert summary.counts == {"created": 5}
    assert (summary.with_file, summary.checked.images, summary.checked.texts) == (0, 0, 5)
    hit = gallery.search(Query(parse_query("blue"), k=1)).hits[0]
    assert hit.metadata["image_path"] == str(folder.photos / "blue.png")
    with pytest.raises(NotFoundError, match="is not stored any more"):
        gallery.image(hit.id)
    assert import_clip_retrieval(gallery, folder.root).counts == {"unchanged": 5}


def test_relative_paths_start_from_a_root(gallery: Gallery, folder: Folder) -> None:
    """Or from the folder itself."""
    table = pa.table({"image_path": ["red.png", "green.png", "blue.png"]})
    pq.write_table(table, folder.root / "metadata" / "metadata_0.parquet")

    assert import_clip_retrieval(gallery, folder.root).with_file == 2
    assert import_clip_retrieval(gallery, folder.root, image_root=folder.photos).with_file == 5


def test_another_model_is_refused_before_anything_is_stored(
    gallery: Gallery, folder: Folder
) -> None:
    """Here the embeddings are those of other pictures, as another model's would be."""
    folder.write(0, ["red", "green", "blue"], like=["green", "blue", "red"])
    folder.write(1, ["yellow", "white"], like=["blue", "black"])

    with pytest.raises(EncoderMismatchError, match="not of this model: 5 pictures and 5 captions"):
        import_clip_retrieval(gallery, folder.root)
    assert gallery.collection.count() == 0


def test_captions_alone_reveal_another_model(gallery: Gallery, folder: Folder) -> None:
    """Without pictures the embeddings of the captions are compared."""
    for path in folder.photos.iterdir():
        path.unlink()
    for part, rows in ((0, 3), (1, 2)):
        path = folder.root / "text_emb" / f"text_emb_{part}.npy"
        np.save(path, np.eye(8, dtype=np.float16)[4 : 4 + rows])

    with pytest.raises(EncoderMismatchError, match="0 pictures and 5 captions"):
        import_clip_retrieval(gallery, folder.root)


def test_another_dimension_or_length_is_refused(gallery: Gallery, folder: Folder) -> None:
    """Vectors that were not normalised are not cosines' material."""
    path = folder.root / "img_emb" / "img_emb_0.npy"
    vectors_ND = np.load(path)
    np.save(path, vectors_ND * 3)
    with pytest.raises(EncoderMismatchError, match="no vectors of length 1"):
        import_clip_retrieval(gallery, folder.root)

    for part, rows in ((0, 3), (1, 2)):
        np.save(folder.root / "img_emb" / f"img_emb_{part}.npy", np.eye(9, dtype="f2")[:rows])
    with pytest.raises(EncoderMismatchError, match="dimension 9, the model makes 8"):
        import_clip_retrieval(gallery, folder.root)


def test_a_bad_row_is_named_and_the_others_are_stored(gallery: Gallery, folder: Folder) -> None:
    """A row of zeros stands for a picture that could not be read; a caption can be too long."""
    path = folder.root / "img_emb" / "img_emb_0.npy"
    vectors_ND = np.load(path)
    vectors_ND[1] = 0
    np.save(path, vectors_ND)
    captions = ["x" * 70_000, "b"]
    table = pa.table({"image_path": ["p", "q"], "caption": captions})
    pq.write_table(table, folder.root / "metadata" / "metadata_1.parquet")

    summary = import_clip_retrieval(gallery, folder.root)

    assert summary.counts == {"created": 3, "error": 2}
    assert [error["path"] for error in summary.errors] == [
        "metadata_0.parquet:2",
        "metadata_1.parquet:1",
    ]


def test_rows_that_do_not_fit_their_metadata_are_refused(gallery: Gallery, folder: Folder) -> None:
    """One row too few would give every later picture the caption of its neighbour."""
    path = folder.root / "img_emb" / "img_emb_1.npy"
    np.save(path, np.load(path)[:1])
    with pytest.raises(ArtifactError, match=r"img_emb_1.npy has 1, metadata_1.parquet has 2"):
        import_clip_retrieval(gallery, folder.root)

    path.unlink()
    with pytest.raises(ArtifactError, match="img_emb has the parts 0, metadata 0, 1"):
        import_clip_retrieval(gallery, folder.root)


@pytest.mark.parametrize("data", [b"", b"\x93NUMPY", b"\x80\x04N."])
def test_what_is_no_matrix_is_refused(gallery: Gallery, folder: Folder, data: bytes) -> None:
    """Pickles above all are never loaded."""
    (folder.root / "img_emb" / "img_emb_0.npy").write_bytes(data)

    with pytest.raises(ArtifactError, match="is not a readable matrix"):
        import_clip_retrieval(gallery, folder.root)


def test_other_folders_and_files_are_refused(
    gallery: Gallery, folder: Folder, tmp_path: Path
) -> None:
    """No embeddings at all, integers, a metadata file that is none."""
    with pytest.raises(ArtifactError, match=r"holds no img_emb/img_emb_0\.npy"):
        import_clip_retrieval(gallery, tmp_path)
    (folder.root / "metadata" / "metadata_1.parquet").write_bytes(b"PAR1")
    with pytest.raises(ArtifactError, match="is not a readable Parquet file"):
        import_clip_retrieval(gallery, folder.root)
    np.save(folder.root / "img_emb" / "img_emb_0.npy", np.eye(3, 8, dtype=np.int64))
    with pytest.raises(ArtifactError, match="holds int64 of shape"):
        import_clip_retrieval(gallery, folder.root)


def test_captions_that_are_stored_stay_where_the_folder_has_none(
    gallery: Gallery, folder: Folder
) -> None:
    """As with every other way of adding."""
    red = folder.photos / "red.png"
    list(add_files(gallery, [ImageFile(red, caption="mine")]))
    table = pa.table({"image_path": [str(red), "x", "y"]})
    pq.write_table(table, folder.root / "metadata" / "metadata_0.parquet")

    import_clip_retrieval(gallery, folder.root)

    assert gallery.item(sha256_bytes(red.read_bytes())[:16]).caption == "mine"
