"""Rules of training.data.feature_cache: computed once, and never a wrong one found."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import IntegrityError
from core.types import FloatArray, PixelArray
from encoders.preprocessing import Preprocessing
from training.data import feature_cache
from training.data.augmentation import AugmentationConfig
from training.data.feature_cache import FeatureCache, Features, TextTower
from training.data.feature_config import Views
from training.data.feature_shard import ImageTower

COLOURS = ((250, 0, 0), (0, 250, 0), (0, 0, 250), (90, 90, 90), (250, 250, 0))
VIEWS = Views(3, AugmentationConfig(crop_scale=(0.3, 0.5)), seed=1, margin=1.25)


class Tower:
    """A tower that counts what it embeds: mean red, green and blue of a picture."""

    def __init__(self, weights: str = "a") -> None:
        """Start at none."""
        self.seen = 0
        self.tower = ImageTower({"weights": weights}, Preprocessing(image_size=8), self._embed)

    def _embed(self, pixels_nSS3: PixelArray) -> FloatArray:
        assert pixels_nSS3.shape[1:] == (8, 8, 3)
        self.seen += len(pixels_nSS3)
        return pixels_nSS3.mean(axis=(1, 2)).astype(np.float32)


def pictures(folder: Path) -> list[Path]:
    """Write five pictures of one colour each."""
    folder.mkdir()
    files = []
    for number, colour in enumerate(COLOURS):
        files.append(folder / f"{number}.png")
        Image.new("RGB", (8, 8), colour).save(files[-1])
    return files


def test_the_embeddings_are_those_of_the_tower(tmp_path: Path) -> None:
    """Row i is picture i, whatever the order in which rows are asked."""
    found = FeatureCache(tmp_path / "cache").images(pictures(tmp_path / "p"), Tower().tower)

    assert np.array_equal(
        found.rows(np.array([4, 0, 4]), epoch=3), [COLOURS[4], COLOURS[0], COLOURS[4]]
    )
    assert found.skipped == {}


def test_a_hit_reads_no_picture(tmp_path: Path) -> None:
    """The pictures may be deleted, and another run trains on."""
    files = pictures(tmp_path / "p")
    first = FeatureCache(tmp_path / "cache").images(files, Tower().tower)
    for file in files:
        file.unlink()
    tower = Tower()

    second = FeatureCache(tmp_path / "cache").images(files, tower.tower)

    assert tower.seen == 0
    rows = np.arange(5)
    assert np.array_equal(first.rows(rows, epoch=0), second.rows(rows, epoch=0))
    assert first.digest == second.digest
    assert np.array_equal(first.identities_N, second.identities_N)


def test_other_weights_miss(tmp_path: Path) -> None:
    """A tower that learned since gives other embeddings."""
    files, tower = pictures(tmp_path / "p"), Tower("b")
    FeatureCache(tmp_path / "cache").images(files, Tower("a").tower)

    FeatureCache(tmp_path / "cache").images(files, tower.tower)

    assert tower.seen == 5


@pytest.mark.parametrize(
    "change", [{"mean": (0.5, 0.5, 0.5)}, {"interpolation": "bilinear"}, {"resize_mode": "squash"}]
)
def test_another_preprocessing_misses(tmp_path: Path, change: dict[str, object]) -> None:
    """The same tower sees other pixels."""
    files, tower = pictures(tmp_path / "p"), Tower()
    FeatureCache(tmp_path / "cache").images(files, tower.tower)

    changed = replace(tower.tower, preprocessing=replace(tower.tower.preprocessing, **change))
    FeatureCache(tmp_path / "cache").images(files, changed)

    assert tower.seen == 10


def test_a_changed_file_misses(tmp_path: Path) -> None:
    """Also when its size stays; its embedding is the new one."""
    files, tower = pictures(tmp_path / "p"), Tower()
    FeatureCache(tmp_path / "cache").images(files, tower.tower)
    size = files[1].stat().st_size
    Image.new("RGB", (8, 8), (0, 249, 0)).save(files[1])
    assert files[1].stat().st_size == size
    os.utime(files[1], (1, 1))

    found = FeatureCache(tmp_path / "cache").images(files, tower.tower)

    assert tower.seen == 10
    assert found.rows(np.array([1]), epoch=0).tolist() == [[0, 249, 0]]


def test_files_that_moved_hit(tmp_path: Path) -> None:
    """Contents count, not places and names."""
    files, tower = pictures(tmp_path / "p"), Tower()
    FeatureCache(tmp_path / "cache").images(files, tower.tower)

    (tmp_path / "p").rename(tmp_path / "q")
    FeatureCache(tmp_path / "cache").images(
        [tmp_path / "q" / file.name for file in files], tower.tower
    )

    assert tower.seen == 5


def test_only_shards_that_changed_are_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures added at the end, or broken-off work, cost what is missing."""
    monkeypatch.setattr(feature_cache, "SHARD_ROWS", 2)
    files, tower = pictures(tmp_path / "p"), Tower()
    FeatureCache(tmp_path / "cache").images(files[:4], tower.tower)

    found = FeatureCache(tmp_path / "cache").images(files, tower.tower)

    assert tower.seen == 5
    rows = np.array([4, 1, 3, 0])
    assert np.array_equal(found.rows(rows, epoch=0), [COLOURS[row] for row in rows])


@pytest.mark.parametrize("workers", [0, 2])
def test_unreadable_pictures_are_named_and_the_rest_embedded(tmp_path: Path, workers: int) -> None:
    """In the first run and in the next one, which finds them on disk."""
    files, tower = pictures(tmp_path / "p"), Tower()
    files[1].write_bytes(b"no picture")
    files[3].unlink()

    for _ in range(2):
        found = FeatureCache(tmp_path / "cache", workers=workers).images(files, tower.tower)
        assert sorted(found.skipped) == [1, 3]
        assert found.skipped[3]
        assert np.array_equal(found.rows(np.array([2, 4]), epoch=0), [COLOURS[2], COLOURS[4]])
    assert tower.seen == 3


def test_a_picture_that_comes_back_is_embedded(tmp_path: Path) -> None:
    """Its absence is no lasting fact, even though its digest was known before."""
    files, tower = pictures(tmp_path / "p"), Tower()
    FeatureCache(tmp_path / "cache").images(files, tower.tower)
    data = files[0].read_bytes()
    files[0].unlink()
    assert FeatureCache(tmp_path / "cache").images(files, Tower("b").tower).skipped.keys() == {0}

    files[0].write_bytes(data)

    assert FeatureCache(tmp_path / "cache").images(files, Tower("b").tower).skipped == {}


def test_only_unreadable_pictures_are_no_crash(tmp_path: Path) -> None:
    """There is nothing to embed."""
    found = FeatureCache(tmp_path / "cache").images([tmp_path / "x.png"], Tower().tower)

    assert found.skipped.keys() == {0}


def test_half_precision_is_stored_and_float32_given(tmp_path: Path) -> None:
    """Half the room; values are rounded to the nearest float16."""
    files = pictures(tmp_path / "p")
    cache = FeatureCache(tmp_path / "cache", dtype="float16")
    tower = ImageTower(
        {}, Preprocessing(image_size=8), lambda pixels: np.full((len(pixels), 2), 1 / 3, np.float32)
    )

    found = cache.images(files, tower)

    assert found.features.shards[0].dtype == np.float16
    rows = found.rows(np.array([0]), epoch=0)
    assert rows.dtype == np.float32
    assert rows.tolist() == [[float(np.float16(1 / 3))] * 2]
    assert FeatureCache(tmp_path / "cache").images(files, tower).rows(np.array([0]), epoch=0)[
        0, 0
    ] == np.float32(1 / 3)


def gradients(folder: Path) -> list[Path]:
    """Write five different pictures that no crop leaves unchanged."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    files = []
    for number in range(5):
        files.append(folder / f"{number}.png")
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(files[-1])
    return files


def test_views_differ_and_are_drawn_by_seed_epoch_and_row(tmp_path: Path) -> None:
    """Over the epochs a picture shows each of its views, in every run the same ones."""
    files = gradients(tmp_path / "p")
    found = FeatureCache(tmp_path / "cache").images(files, Tower().tower, views=VIEWS)
    rows = np.arange(5)

    shown = [found.rows(rows, epoch=epoch) for epoch in range(24)]

    for row in range(5):
        assert len({epoch[row].tobytes() for epoch in shown}) == 3
    tower = Tower()
    again = FeatureCache(tmp_path / "other").images(files, tower.tower, views=VIEWS)
    assert tower.seen == 15
    assert np.array_equal(again.rows(rows[::-1], epoch=7), shown[7][::-1])


def test_views_of_another_seed_or_crop_miss(tmp_path: Path) -> None:
    """They are part of what an embedding depends on."""
    files, tower = gradients(tmp_path / "p"), Tower()
    for views in (
        VIEWS,
        replace(VIEWS, seed=2),
        replace(VIEWS, count=2),
        replace(VIEWS, margin=1.5),
    ):
        FeatureCache(tmp_path / "cache").images(files, tower.tower, views=views)

    assert tower.seen == 5 * (3 + 3 + 2 + 3)


def test_a_damaged_embedding_is_found(tmp_path: Path) -> None:
    """It is never trained on."""
    files = pictures(tmp_path / "p")
    FeatureCache(tmp_path / "cache").images(files, Tower().tower)
    (file,) = tmp_path.rglob("features.npy")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)

    with pytest.raises(IntegrityError, match="delete"):
        FeatureCache(tmp_path / "cache").images(files, Tower().tower)


def text_tower(seen: list[int], texts: list[str], weights: str = "a") -> TextTower:
    """Embed texts by their length, and note how many."""

    def embed(rows: slice) -> FloatArray:
        seen.append(len(texts[rows]))
        return np.array([[len(text)] for text in texts[rows]], np.float32)

    return TextTower({"weights": weights}, embed, lambda rows: "\n".join(texts[rows]).encode())


def test_texts_are_embedded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other weights and other texts are computed, the same ones found; in parts too."""
    monkeypatch.setattr(feature_cache, "SHARD_ROWS", 2)
    texts, seen = ["a", "bb", "ccc"], []
    cache = FeatureCache(tmp_path)

    first = cache.texts(3, text_tower(seen, texts))
    assert first.rows(np.array([2, 0])).tolist() == [[3], [1]]
    cache.texts(3, text_tower(seen, texts))
    assert sum(seen) == 3
    cache.texts(3, text_tower(seen, texts, "b"))
    assert sum(seen) == 6
    cache.texts(3, text_tower(seen, ["a", "bb", "dddd"]))
    assert sum(seen) == 7


def test_rows_of_no_shard_are_empty() -> None:
    """Nothing asked, nothing given."""
    assert Features(()).rows(np.array([], np.int64)).shape == (0, 0)
