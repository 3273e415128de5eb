"""Rules of embedding pairs into a folder: aligned, in parts, gone on with, read by others.

# N = rows, D = embedding dimension
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from core.artifacts import sha256_bytes
from core.errors import ArtifactError, ConflictError, EncoderError
from core.pairs.reading import read_pairs
from core.types import FloatArray, PixelArray
from encoders.embedding import encode_image_bytes
from index.bulk_embedding import EmbedOptions, EmbedSummary, embed_into_folder
from index.embedding_folder import RECORD, Skipped
from index.gallery import Gallery
from index.importing import import_clip_retrieval
from tests.fakes import COLOURS, FakeEncoder, picture_bytes

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return a folder of six pictures with a caption each."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in COLOURS:
        (folder / f"{name}.png").write_bytes(picture_bytes(name))
        (folder / f"{name}.txt").write_text(f"a {name} thing\n")
    return folder


def embed(source: Path, out: Path, **options: Any) -> EmbedSummary:
    """Embed a source with the stand-in for a model."""
    return embed_into_folder(FakeEncoder(), read_pairs(source), out, EmbedOptions(**options))


def matrix(out: Path, kind: str) -> FloatArray:
    """Return the rows of all parts in order."""
    return np.concatenate([np.load(path) for path in sorted((out / kind).glob("*.npy"))])


def metadata(out: Path) -> list[dict[str, Any]]:
    """Return the metadata of all parts in order."""
    paths = sorted((out / "metadata").glob("*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def test_rows_are_the_embeddings_of_image_and_caption(pictures: Path, tmp_path: Path) -> None:
    """In order of the source, in half precision, with the place of the image beside them."""
    encoder, names = FakeEncoder(), sorted(COLOURS)
    summary = embed(pictures, tmp_path / "out", part_items=4)

    assert (summary.rows, summary.skipped, summary.plan.parts) == (6, 0, 2)
    images = encode_image_bytes(encoder, [picture_bytes(name) for name in names])
    found_ND = matrix(tmp_path / "out", "img_emb")
    np.testing.assert_array_equal(found_ND, np.array(images, np.float16))
    texts_ND = encoder.encode_texts([f"a {name} thing" for name in names])
    np.testing.assert_array_equal(matrix(tmp_path / "out", "text_emb"), texts_ND.astype(np.float16))
    assert [(row["image_path"], row["caption"]) for row in metadata(tmp_path / "out")] == [
        (str(pictures / f"{name}.png"), f"a {name} thing") for name in names
    ]


def test_the_files_are_those_that_clip_retrieval_writes(pictures: Path, tmp_path: Path) -> None:
    """Names, types, shapes and first columns, against the writer of the package itself."""
    embed(pictures, tmp_path / "ours")
    folder = importlib.util.find_spec("clip_retrieval")
    assert folder is not None, "pip install --no-deps -r requirements/peers.txt"
    assert folder.submodule_search_locations
    path = Path(folder.submodule_search_locations[0]) / "clip_inference" / "writer.py"
    spec = importlib.util.spec_from_file_location("peer_writer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sink = module.OutputSink(str(tmp_path / "theirs"), True, True, False, 0, 1)
    rows = metadata(tmp_path / "ours")
    sink.add(
        {
            "image_embs": matrix(tmp_path / "ours", "img_emb"),
            "text_embs": matrix(tmp_path / "ours", "text_emb"),
            "image_filename": [row["image_path"] for row in rows],
            "text": [row["caption"] for row in rows],
        }
    )
    sink.flush()

    for name in ("img_emb/img_emb_0.npy", "text_emb/text_emb_0.npy"):
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes()
    name = "metadata/metadata_0.parquet"
    theirs = pq.read_table(tmp_path / "theirs" / name)
    ours = pq.read_table(tmp_path / "ours" / name).select(theirs.column_names)
    assert ours.to_pylist() == theirs.to_pylist()


def test_import_makes_the_gallery_that_add_would_make(pictures: Path, tmp_path: Path) -> None:
    """Ids, captions and vectors are those of the same files added, within half precision."""
    embed(pictures, tmp_path / "out", part_items=4)
    with Gallery.open(tmp_path / "gallery", FakeEncoder()) as gallery:
        summary = import_clip_retrieval(gallery, tmp_path / "out")
        items = gallery.collection.scroll().items
        vectors_ND = gallery.collection.vectors([item.id for item in items])

    assert (dict(summary.counts), summary.with_file) == ({"created": 6}, 6)
    captions = FakeEncoder().encode_texts([item.caption for item in items])
    assert (vectors_ND * captions).sum(axis=1).min() > 0.99
    added = [sha256_bytes(picture_bytes(name))[:16] for name in sorted(COLOURS)]
    assert sorted(item.id for item in items) == sorted(added)


def test_a_bad_image_is_left_out_named_and_written_down(pictures: Path, tmp_path: Path) -> None:
    """Its neighbours stay with their captions."""
    (pictures / "green.png").write_bytes(picture_bytes("green")[:40])
    (pictures / "red.png").unlink()
    pairs = read_pairs(pictures)
    (pictures / "white.png").unlink()
    named: list[Skipped] = []

    summary = embed_into_folder(
        FakeEncoder(), pairs, tmp_path / "out", EmbedOptions(), on_skipped=named.append
    )

    rows = [row["caption"] for row in metadata(tmp_path / "out")]
    assert rows == ["a black thing", "a blue thing", "a yellow thing"]
    assert (
        len(matrix(tmp_path / "out", "img_emb")) == len(matrix(tmp_path / "out", "text_emb")) == 3
    )
    assert (summary.rows, summary.skipped) == (3, 2)
    lines = (tmp_path / "out/skipped/skipped_0.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [dataclasses.asdict(one) for one in named]
    assert [(one.place, one.code) for one in named] == [
        ("green.png", "image_undecodable"),
        ("white.png", "not_found"),
    ]


def test_a_pair_without_a_caption_has_a_row_of_zeros(pictures: Path, tmp_path: Path) -> None:
    """Rows stay aligned; where no pair has a caption there is no matrix of captions."""
    (pictures / "blue.txt").unlink()
    embed(pictures, tmp_path / "out")
    lengths_N = np.linalg.norm(matrix(tmp_path / "out", "text_emb"), axis=1)

    assert (lengths_N > 0).tolist() == [True, False, True, True, True, True]
    for path in pictures.glob("*.txt"):
        path.unlink()
    embed(pictures, tmp_path / "bare")
    assert not (tmp_path / "bare" / "text_emb").exists()


def test_one_side_alone_is_embedded_when_asked(pictures: Path, tmp_path: Path) -> None:
    """Without images no image is read, and a pair without a caption is left out with the reason."""
    (pictures / "blue.txt").unlink()
    (pictures / "green.png").write_bytes(b"no image")
    captions = embed(pictures, tmp_path / "captions", images=False, precision="float32")
    images = embed(pictures, tmp_path / "images", captions=False)

    assert (captions.rows, captions.skipped, images.rows) == (5, 1, 5)
    assert not (tmp_path / "captions" / "img_emb").exists()
    assert matrix(tmp_path / "captions", "text_emb").dtype == np.float32
    assert "it has no caption" in (tmp_path / "captions/skipped/skipped_0.jsonl").read_text()
    assert not (tmp_path / "images" / "text_emb").exists()


def test_finished_parts_are_not_embedded_again(pictures: Path, tmp_path: Path) -> None:
    """A second call with nothing left to do asks the model for nothing and says the same."""
    first = embed(pictures, tmp_path / "out", part_items=2)
    encoder = FakeEncoder()
    options = EmbedOptions(part_items=2)
    again = embed_into_folder(encoder, read_pairs(pictures), tmp_path / "out", options)

    assert (encoder.image_calls, encoder.text_calls) == (0, 0)
    assert (again.rows, again.gone_on_at, again.bound_by) == (first.rows, 6, None)


@pytest.mark.slow
def test_kill_9_keeps_finished_parts_and_the_rest_is_made_later(tmp_path: Path) -> None:
    """Killed in the third part; the same command makes the folder that it makes undisturbed."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(45):
        (folder / f"{number:02}.png").write_bytes(picture_bytes((number, 0, 0), size=(8, 8)))

    def run(out: str, call: int) -> subprocess.CompletedProcess[str]:
        arguments = [folder, tmp_path / out, call]
        return subprocess.run(
            [sys.executable, "-m", "tests.index.killed_embedding", *map(str, arguments)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    killed, resumed, whole = run("out", 3), run("out", 999), run("whole", 999)

    assert (killed.returncode, resumed.returncode) == (-9, 0), killed.stderr + resumed.stderr
    # One part may have waited to be written when the process died.
    assert resumed.stdout in {"20\n", "30\n"}
    assert whole.stdout == "0\n"
    files = sorted(path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*"))
    for name in files:
        if (tmp_path / "whole" / name).is_file():
            assert (tmp_path / "out" / name).read_bytes() == (
                tmp_path / "whole" / name
            ).read_bytes()


@pytest.mark.parametrize("changed", ["options", "source", "model"])
def test_another_plan_is_refused(pictures: Path, tmp_path: Path, changed: str) -> None:
    """Rows of two sources or models side by side would be worthless; nothing is touched."""
    embed(pictures, tmp_path / "out")
    before = (tmp_path / "out" / RECORD).read_bytes()
    if changed == "source":
        (pictures / "red.txt").write_text("another caption\n")
    encoder = FakeEncoder("fa4e000000000002" if changed == "model" else "fa4e000000000001")
    options = EmbedOptions(precision="float32" if changed == "options" else "float16")

    with pytest.raises(ConflictError, match="name a new folder"):
        embed_into_folder(encoder, read_pairs(pictures), tmp_path / "out", options)
    assert (tmp_path / "out" / RECORD).read_bytes() == before


def test_a_folder_of_something_else_is_refused(pictures: Path, tmp_path: Path) -> None:
    """So is a record that cannot be read."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(ConflictError, match="holds something already"):
        embed(pictures, tmp_path / "out")

    (tmp_path / "out" / RECORD).write_text('{"plan": {}, "finished": "all"}')
    with pytest.raises(ArtifactError, match="no record"):
        embed(pictures, tmp_path / "out")


class ChoosyEncoder(FakeEncoder):
    """Fails on batches that hold something black."""

    def encode_images(self, pixels_NSS3: PixelArray) -> FloatArray:
        """Refuse a black picture."""
        if (pixels_NSS3.reshape(len(pixels_NSS3), -1).mean(axis=1) < 10).any():
            raise EncoderError("the output is not finite")
        return super().encode_images(pixels_NSS3)


def test_what_the_model_refuses_fails_alone(pictures: Path, tmp_path: Path) -> None:
    """The batch is sent again one by one; the culprit is written down."""
    summary = embed_into_folder(
        ChoosyEncoder(), read_pairs(pictures), tmp_path / "out", EmbedOptions()
    )

    assert (summary.rows, summary.skipped) == (5, 1)
    assert "black.png" in (tmp_path / "out/skipped/skipped_0.jsonl").read_text()
