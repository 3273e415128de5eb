"""Rules of training.data.teacher: what a teacher says of each pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import ArtifactError, PairsError
from core.pairs.pair import Pair
from core.pairs.reading import read_pairs
from encoders.decoding import read_image_file
from encoders.loading import STARTER_MODEL, load_encoder
from encoders.preprocessing import preprocess_bytes
from tests.fakes import FakeEncoder
from tests.training.tiny import write_shapes
from training.data.feature_cache import FeatureCache
from training.data.teacher import open_teacher, read_teacher, teacher_of_encoder

PAIRS = [Pair("b", Path("b.png"), ("two",)), Pair("a", Path("a.png"), ("one", "two"))]
TEXTS = ["two", "one"]


def write(path: Path, **changes: object) -> Path:
    """Write the embeddings of three pairs and three captions."""
    arrays = {
        "ids": np.array(["a", "b", "c"]),
        "image": np.array([[3.0, 4.0], [0.0, 2.0], [1.0, 0.0]], np.float16),
        "captions": np.array(["one", "two", "three"]),
        "text": np.array([[1.0, 0.0], [0.0, 5.0], [1.0, 1.0]], np.float32),
        "logit_scale": np.array(50.0),
        **changes,
    }
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def test_a_file_is_read_by_id_and_caption(tmp_path: Path) -> None:
    """Its own order does not matter; rows are normalised float32."""
    teacher = open_teacher(
        str(write(tmp_path / "t.npz")), PAIRS, TEXTS, cache=FeatureCache(tmp_path / "cache")
    )

    said = teacher.of(np.array([1, 0]), np.array([0, 1]))

    assert said.image_BT.numpy() == pytest.approx(np.array([[0.6, 0.8], [0.0, 1.0]]))
    assert said.text_BT.tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert said.logit_scale == 50


def test_a_file_without_scale_has_that_of_clip(tmp_path: Path) -> None:
    """100 is where CLIP's temperature ends."""
    assert (
        read_teacher(write(tmp_path / "t.npz", logit_scale=None), PAIRS, TEXTS).logit_scale == 100
    )


@pytest.mark.parametrize(
    ("pairs", "texts", "message"),
    [
        ([*PAIRS, Pair("d", Path("d"), ("one",))], TEXTS, "lacks 1 of 3 ids, the first 'd'"),
        (PAIRS, [*TEXTS, "four", "five"], "lacks 2 of 4 captions, the first 'four'"),
    ],
)
def test_what_is_missing_is_named(
    tmp_path: Path, pairs: list[Pair], texts: list[str], message: str
) -> None:
    """A student cannot be taught about pairs that the teacher never saw."""
    with pytest.raises(PairsError, match=message):
        read_teacher(write(tmp_path / "t.npz"), pairs, texts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": None}, "needs the arrays captions and text"),
        ({"image": np.zeros((2, 2))}, r"image has shape \(2, 2\) for ids of shape \(3,\)"),
        ({"ids": np.array([None, "a", "b"], dtype=object)}, "no .npz of plain arrays"),
    ],
)
def test_a_malformed_file_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    """Python objects are never loaded."""
    with pytest.raises(ArtifactError, match=message):
        read_teacher(write(tmp_path / "t.npz", **changes), PAIRS, TEXTS)


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x03\x04 cut"])
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    """With the name of the file."""
    (tmp_path / "t.npz").write_bytes(data)

    with pytest.raises(ArtifactError, match=r"t\.npz"):
        read_teacher(tmp_path / "t.npz", PAIRS, TEXTS)


@pytest.mark.slow
def test_a_model_folder_teaches_what_it_encodes(tmp_path: Path) -> None:
    """The starter model, by its own preprocessing, once: then the pictures may go."""
    pairs = read_pairs(write_shapes(tmp_path / "p", per_kind=1, seed=0))[:3]
    texts = ["a red circle", "a blue square"]
    encoder, cache = load_encoder(STARTER_MODEL, threads=1), FeatureCache(tmp_path / "cache")
    pixels = [
        preprocess_bytes(read_image_file(pair.image), encoder.preprocessing) for pair in pairs
    ]
    images, captions = encoder.encode_images(np.stack(pixels)), encoder.encode_texts(texts)
    scale = encoder.logit_scale

    encoder.close()

    first = open_teacher(str(STARTER_MODEL), pairs, texts, cache=cache)
    for pair in pairs:
        Path(str(pair.image)).unlink()
    teacher = open_teacher(str(STARTER_MODEL), pairs, texts, cache=cache)

    said = teacher.of(np.array([2, 0]), np.array([1, 0]))
    assert said.image_BT.numpy() == pytest.approx(images[[2, 0]], abs=1e-5)
    assert said.text_BT.numpy() == pytest.approx(captions[[1, 0]], abs=1e-5)
    assert said.logit_scale == pytest.approx(scale)
    assert first.of(np.array([2, 0]), np.array([1, 0])).image_BT.equal(said.image_BT)


def test_a_picture_that_the_teacher_cannot_see_is_named(tmp_path: Path) -> None:
    """The student would be taught nothing about it."""
    with pytest.raises(PairsError, match="the picture of 'b'"):
        teacher_of_encoder(FakeEncoder(), PAIRS, TEXTS, cache=FeatureCache(tmp_path))
