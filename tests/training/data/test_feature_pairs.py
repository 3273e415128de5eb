"""Rules of training.data.feature_pairs: batches of embeddings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import PairsError
from core.pairs.pair import Pair
from core.pairs.reading import read_pairs
from core.types import FloatArray, PixelArray
from tests.training.tiny import pair_source, tensor_data, write_shapes
from training.data.augmentation import AugmentationConfig
from training.data.config import DataConfig
from training.data.feature_cache import FeatureCache, Features
from training.data.feature_pairs import EmbeddedPairs, FeatureHeldOut, FeaturePairs
from training.data.feature_shard import ImageTower
from training.data.pair_dataset import PairDataset
from training.data.teacher import StoredRows, Teacher
from training.data.tensor_data import TensorHeldOut

PLAIN = DataConfig(batch_size=2, workers=1, augmentation=AugmentationConfig(enabled=False))
SOURCE = pair_source(PLAIN)


def means(pixels_nSS3: PixelArray) -> FloatArray:
    """Stand for a tower: mean colours."""
    return pixels_nSS3.mean(axis=(1, 2)).astype(np.float32)


TOWER = ImageTower({}, SOURCE.preprocessing, means)


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    """Draw nine pairs, two of which show the same picture."""
    file = write_shapes(tmp_path / "shapes", per_kind=1, seed=0)
    folder = file.parent
    (folder / "blue-circle-0.png").write_bytes((folder / "red-circle-0.png").read_bytes())
    return read_pairs(file)


def feature_pairs(pairs: list[Pair], folder: Path) -> FeaturePairs:
    """Return the pairs as mean colours."""
    return FeaturePairs(pairs, SOURCE, tower=TOWER, cache=FeatureCache(folder))


def test_batches_equal_those_of_the_pictures(pairs: list[Pair], tmp_path: Path) -> None:
    """Captions, ids and groups are the same; the images are what the tower gives for them."""
    data, plain = feature_pairs(pairs, tmp_path / "cache"), PairDataset(pairs, SOURCE)
    indices = np.array([6, 0, 3, 4])

    for epoch in range(3):
        found, expected = data.batch(indices, epoch=epoch), plain.batch(indices, epoch=epoch)
        assert found.ids == expected.ids
        assert found.texts.equal(expected.texts)
        same = found.groups[:, None] == found.groups[None]
        assert same.equal(expected.groups[:, None] == expected.groups[None])
        assert found.images.shape == (4, 3)
        assert np.array_equal(
            data.caption_groups(indices, epoch=epoch), plain.caption_groups(indices, epoch=epoch)
        )
    assert (len(data), data.num_distinct_captions) == (len(plain), plain.num_distinct_captions)


def test_training_goes_on_without_the_pictures(pairs: list[Pair], tmp_path: Path) -> None:
    """The same data set, by its fingerprint, and the same batches."""
    first = feature_pairs(pairs, tmp_path / "cache")
    for pair in pairs:
        Path(str(pair.image)).unlink()

    second = feature_pairs(pairs, tmp_path / "cache")

    indices = np.arange(9)
    assert first.fingerprint == second.fingerprint
    assert first.batch(indices, epoch=1).images.equal(second.batch(indices, epoch=1).images)


def test_what_cannot_be_used_is_left_out_and_named(pairs: list[Pair], tmp_path: Path) -> None:
    """A broken picture and a pair without caption; the others keep their embeddings."""
    Path(str(pairs[0].image)).write_bytes(b"")
    pairs[1] = Pair(pairs[1].id, pairs[1].image, ())

    data = feature_pairs(pairs, tmp_path / "cache")

    assert data.skipped.keys() == {pairs[0].id, pairs[1].id}
    assert data.batch(np.array([0]), epoch=0).ids == (pairs[2].id,)


def test_no_pair_left_is_an_error(tmp_path: Path) -> None:
    """With the first reason."""
    with pytest.raises(PairsError, match="none of the 1 pairs"):
        feature_pairs([Pair("a", tmp_path / "a.png", ("a",))], tmp_path / "cache")


@pytest.mark.parametrize("change", ["caption", "picture"])
def test_other_data_has_another_fingerprint(pairs: list[Pair], tmp_path: Path, change: str) -> None:
    """A checkpoint is not resumed on it."""
    first = feature_pairs(pairs, tmp_path / "cache")
    if change == "caption":
        pairs[0] = Pair(pairs[0].id, pairs[0].image, ("another",))
    else:
        pairs[0] = Pair(pairs[0].id, pairs[1].image, pairs[0].captions)

    assert feature_pairs(pairs, tmp_path / "cache").fingerprint != first.fingerprint


def test_captions_as_embeddings(pairs: list[Pair], tmp_path: Path) -> None:
    """Row i of the texts belongs to the caption that pair i shows in the epoch."""
    inner = feature_pairs(pairs, tmp_path / "cache")
    count = len(inner.captions.texts)
    rows = np.arange(count, dtype=np.float32).reshape(count, 1, 1)
    data = EmbeddedPairs(inner, texts=Features((rows,)))
    indices = np.array([5, 2])

    batch = data.batch(indices, epoch=4)

    assert batch.texts[:, 0].tolist() == inner.captions.rows(indices, epoch=4).tolist()
    assert batch.images.equal(inner.batch(indices, epoch=4).images)
    assert batch.groups.equal(inner.batch(indices, epoch=4).groups)
    assert (len(data), data.fingerprint) == (len(inner), inner.fingerprint)
    assert np.array_equal(
        data.caption_groups(indices, epoch=4), inner.caption_groups(indices, epoch=4)
    )


def test_a_teacher_speaks_of_the_pairs_of_the_batch(pairs: list[Pair], tmp_path: Path) -> None:
    """Its rows are those of the pictures and of the captions that they show."""
    inner = feature_pairs(pairs, tmp_path / "cache")
    images = torch.eye(9).numpy()
    texts = torch.eye(len(inner.captions.texts)).numpy()
    data = EmbeddedPairs(inner, teacher=Teacher(StoredRows(images), StoredRows(texts), 20.0))
    indices = np.array([7, 1])

    teacher = data.batch(indices, epoch=2).teacher

    assert teacher is not None
    assert teacher.image_BT.argmax(dim=1).tolist() == [7, 1]
    assert teacher.text_BT.argmax(dim=1).tolist() == inner.captions.rows(indices, epoch=2).tolist()
    assert teacher.logit_scale == 20


def test_held_out_sides_are_shown_as_embeddings() -> None:
    """A side without embeddings is shown as it is; the answers stay."""
    data = tensor_data(5)
    inner = TensorHeldOut(data.images, data.texts, [frozenset({row}) for row in range(5)])
    features = torch.arange(10.0).reshape(5, 2)
    heldout = FeatureHeldOut(inner, images=features)

    assert [len(part) for part in heldout.image_batches(2)] == [2, 2, 1]
    assert torch.cat(list(heldout.image_batches(2))).equal(features)
    assert torch.cat(list(heldout.text_batches(2))).equal(data.texts)
    assert heldout.relevant == inner.relevant
    swapped = FeatureHeldOut(inner, texts=features)
    assert torch.cat(list(swapped.image_batches(3))).equal(data.images)
    assert torch.cat(list(swapped.text_batches(3))).equal(features)
