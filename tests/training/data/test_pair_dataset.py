"""Rules of pairs on disk as training data and as held-out data."""

from __future__ import annotations

import io
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import ConfigError, IntegrityError, PairsError
from core.pairs.captions import captions_of
from core.pairs.pair import Pair
from core.pairs.reading import read_pairs
from encoders.preprocessing import preprocess_bytes
from tests.fakes import picture_bytes
from tests.training.tiny import letters, pair_source, write_shapes
from training.data.augmentation import AugmentationConfig
from training.data.captions import CaptionTable
from training.data.config import DataConfig
from training.data.pair_dataset import HeldOutPairs, PairDataset, PairSource, fingerprint_of

PLAIN = DataConfig(batch_size=2, workers=1, augmentation=AugmentationConfig(enabled=False))


def shapes(folder: Path, *, per_kind: int = 1) -> list[Pair]:
    """Return pairs of coloured shapes."""
    return read_pairs(write_shapes(folder, per_kind=per_kind, seed=0))


def colour_pairs(folder: Path, *names: str) -> list[Pair]:
    """Write one picture per name (``red``, ``blue``, ...) and return pairs with that caption."""
    pairs = []
    for number, name in enumerate(names):
        path = folder / f"{number}.png"
        path.write_bytes(picture_bytes(name))
        pairs.append(Pair(id=path.name, image=path, captions=(name,)))
    return pairs


def test_without_augmentation_pixels_are_those_of_serving(tmp_path: Path) -> None:
    """One implementation: decode, resize and crop as the encoder does; uint8."""
    pairs, source = shapes(tmp_path / "a"), pair_source(PLAIN)

    batch = PairDataset(pairs, source).batch(np.array([4]), epoch=0)

    pixels = preprocess_bytes(pairs[4].image.read_bytes(), source.preprocessing)
    assert np.array_equal(batch.images.numpy(), pixels[None])
    assert batch.ids == (pairs[4].id,)


@pytest.mark.parametrize("cache", ["memory", "disk", "off", "auto"])
def test_the_cache_changes_nothing(tmp_path: Path, cache: str) -> None:
    """Augmented batches are equal with every kind of cache, and on a second opening."""
    pairs, indices = shapes(tmp_path / "a"), np.array([7, 0, 3])
    expected = PairDataset(pairs, pair_source()).batch(indices, epoch=2)
    source = replace(pair_source(DataConfig(cache=cache)), cache_folder=tmp_path / "cache")  # type: ignore[arg-type]  # one of the literals

    for _ in range(2):
        found = PairDataset(pairs, source).batch(indices, epoch=2)

        assert torch.equal(found.images, expected.images)
        assert torch.equal(found.texts, expected.texts)
        assert torch.equal(found.groups, expected.groups)


def test_a_damaged_disk_cache_is_noticed(tmp_path: Path) -> None:
    """Its digest is verified when it is opened."""
    pairs = shapes(tmp_path / "a")
    source = replace(pair_source(DataConfig(cache="disk")), cache_folder=tmp_path / "cache")
    PairDataset(pairs, source)
    path = next((tmp_path / "cache").glob("*/pixels.npy"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))

    with pytest.raises(IntegrityError, match="damaged"):
        PairDataset(pairs, source)


def test_batches_depend_on_seed_epoch_and_index_alone(tmp_path: Path) -> None:
    """The same pair looks the same in any batch, other in another epoch or with another seed."""
    pairs = shapes(tmp_path / "a")
    data = PairDataset(pairs, pair_source())

    first = data.batch(np.array([5, 2]), epoch=1)
    again = data.batch(np.array([1, 2, 3]), epoch=1)

    assert torch.equal(first.images[1], again.images[1])
    assert torch.equal(first.texts[1], again.texts[1])
    assert not torch.equal(first.images, data.batch(np.array([5, 2]), epoch=2).images)
    other = PairDataset(pairs, pair_source(seed=1))
    assert not torch.equal(first.images, other.batch(np.array([5, 2]), epoch=1).images)


def test_every_caption_gets_its_turn(tmp_path: Path) -> None:
    """Which caption a picture shows with changes by epoch, and only among its own."""
    pairs = shapes(tmp_path / "a")
    table = CaptionTable(pairs, letters, seed=0)

    rows = {int(table.rows(np.array([4]), epoch=epoch)[0]) for epoch in range(20)}

    assert rows == {8, 9}


def test_equal_captions_and_equal_pictures_share_a_group(tmp_path: Path) -> None:
    """Column 0 is the picture, column 1 the caption; case and spaces do not matter."""
    pairs = colour_pairs(tmp_path, "red", "red", "blue", "green")
    pairs[3] = replace(pairs[3], captions=(" RED ",))

    groups = PairDataset(pairs, pair_source()).batch(np.arange(4), epoch=0).groups.tolist()

    assert groups[0] == groups[1]
    assert groups[0][1] == groups[3][1]
    assert len({row[0] for row in groups}) == 3
    assert groups[2][1] != groups[0][1]


def test_corrupt_pictures_are_skipped_and_named(tmp_path: Path) -> None:
    """The rest is used; each skipped pair has its reason."""
    pairs = colour_pairs(tmp_path, "red", "blue", "green")
    pairs[1].image.write_bytes(picture_bytes("blue")[:30])
    pairs.append(Pair(id="gone", image=tmp_path / "gone.png", captions=("gone",)))
    pairs.append(Pair(id="silent", image=pairs[0].image, captions=()))

    data = PairDataset(pairs, pair_source())

    assert len(data) == 2
    assert data.batch(np.arange(2), epoch=0).ids == ("0.png", "2.png")
    assert data.skipped.keys() == {"1.png", "gone", "silent"}
    assert data.skipped["silent"] == "it has no caption"


def test_without_a_cache_a_corrupt_picture_leaves_its_batch(tmp_path: Path) -> None:
    """It is found when it is read; the batch is smaller by one and the pair is named."""
    pairs = colour_pairs(tmp_path, "red", "blue", "green")
    pairs[1].image.write_bytes(b"")
    data = PairDataset(pairs, pair_source(DataConfig(cache="off")))

    batch = data.batch(np.array([2, 1, 0]), epoch=0)

    assert batch.ids == ("2.png", "0.png")
    assert len(batch.images) == len(batch.texts) == len(batch.groups) == 2
    assert list(data.skipped) == ["1.png"]
    assert len(data.batch(np.array([1]), epoch=0)) == 0


def test_a_label_serves_where_there_is_no_caption() -> None:
    """Class folders can be trained on."""
    assert captions_of(Pair(id="a", image=Path("a.png"), captions=(), label="cat")) == ("cat",)
    assert captions_of(Pair(id="a", image=Path("a.png"), captions=("b",), label="cat")) == ("b",)


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    """The message names the first pair and its reason."""
    pairs = colour_pairs(tmp_path, "red")
    pairs[0].image.write_bytes(b"")

    with pytest.raises(PairsError, match=r"none of the 1 pairs can be used; the first, '0\.png'"):
        PairDataset(pairs, pair_source())


def test_no_pairs_is_an_error() -> None:
    """An empty list is as useless."""
    with pytest.raises(PairsError, match="there are no pairs"):
        PairDataset([], pair_source())


def test_a_cache_beyond_its_limit_is_refused(tmp_path: Path) -> None:
    """Asked for by name it is an error; ``auto`` decodes each time instead."""
    pairs = shapes(tmp_path / "a")

    with pytest.raises(ConfigError, match=r"data\.cache_limit_mb is 0"):
        PairDataset(pairs, pair_source(DataConfig(cache="memory", cache_limit_mb=0.001)))
    data = PairDataset(pairs, pair_source(DataConfig(cache="auto", cache_limit_mb=0.001)))
    assert len(data.batch(np.arange(3), epoch=0)) == 3


def test_the_fingerprint_does_not_depend_on_the_folder(tmp_path: Path) -> None:
    """A moved data set is the same; another caption or order is not."""
    pairs = shapes(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    moved = read_pairs(tmp_path / "b" / "pairs.jsonl")

    assert fingerprint_of(moved) == fingerprint_of(pairs)
    assert fingerprint_of(pairs[::-1]) != fingerprint_of(pairs)
    assert fingerprint_of([replace(pairs[0], captions=("x",)), *pairs[1:]]) != fingerprint_of(pairs)


def test_held_out_captions_are_queries_with_sets_of_images(tmp_path: Path) -> None:
    """Every caption is a query; images that share it are all relevant."""
    pairs = colour_pairs(tmp_path, "red", "blue", "green")
    pairs[0] = replace(pairs[0], captions=("warm", "Colour"))
    pairs[2] = replace(pairs[2], captions=("colour",))

    heldout = HeldOutPairs(pairs, pair_source())

    assert heldout.relevant == (
        frozenset({0}),
        frozenset({0, 2}),
        frozenset({1}),
        frozenset({0, 2}),
    )
    assert [len(part) for part in heldout.image_batches(2)] == [2, 1]
    assert [len(part) for part in heldout.text_batches(3)] == [3, 1]


def test_held_out_pictures_are_not_augmented(tmp_path: Path) -> None:
    """They are prepared as for serving, whatever the recipe says."""
    pairs, source = shapes(tmp_path / "a"), pair_source()

    images = torch.cat(list(HeldOutPairs(pairs, source).image_batches(4)))

    pixels = [preprocess_bytes(pair.image.read_bytes(), source.preprocessing) for pair in pairs]
    assert np.array_equal(images.numpy(), np.stack(pixels))


def test_a_corrupt_held_out_picture_is_skipped(tmp_path: Path) -> None:
    """It is neither query nor answer, and it is named."""
    pairs = colour_pairs(tmp_path, "red", "blue")
    pairs[0].image.write_bytes(b"")

    heldout = HeldOutPairs(pairs, pair_source())

    assert len(heldout) == 1
    assert heldout.relevant == (frozenset({0}),)
    assert list(heldout.skipped) == ["0.png"]


def test_one_caption_for_all_is_refused(tmp_path: Path) -> None:
    """Every pair would be a positive of every other: there is nothing to learn."""
    pairs = [replace(pair, captions=("a photo",)) for pair in colour_pairs(tmp_path, "red", "blue")]

    with pytest.raises(PairsError, match="all 2 pairs have the same caption, 'a photo'"):
        PairDataset(pairs, pair_source())


def test_samples_that_could_not_be_read_are_among_the_skipped(tmp_path: Path) -> None:
    """What ``read_pairs`` left out is named beside what cannot be decoded."""
    (tmp_path / "pairs.csv").write_text("image,caption\n0.png,red\n,empty\n1.png,blue\n2.png,x\n")
    colour_pairs(tmp_path, "red", "blue")

    data = PairDataset(read_pairs(tmp_path / "pairs.csv"), pair_source())

    assert len(data) == 2
    assert data.skipped.keys() == {"pairs.csv:3", "2.png"}


def test_classes_are_trained_with_prompts_and_judged_with_the_first(tmp_path: Path) -> None:
    """Class folders with ``data.templates``; prompts of one class are positives of each other."""
    pairs = [
        replace(pair, captions=(), label=pair.captions[0])
        for pair in colour_pairs(tmp_path, "red", "blue", "red")
    ]
    source = pair_source(DataConfig(batch_size=2, templates=("1 {}", "2 {}")))
    data = PairDataset(pairs, source)

    texts = torch.cat([data.batch(np.array([0]), epoch=epoch).texts for epoch in range(12)])
    batch = data.batch(np.arange(3), epoch=0)
    heldout = HeldOutPairs(pairs, source)

    assert {tuple(row) for row in texts.tolist()} == {
        tuple(row) for row in letters(["1 red", "2 red"]).tolist()
    }
    assert batch.groups[0, 1] == batch.groups[2, 1] != batch.groups[1, 1]
    assert data.caption_groups(np.arange(3), epoch=0).tolist() == batch.groups[:, 1].tolist()
    assert heldout.relevant == (frozenset({0, 2}), frozenset({1}), frozenset({0, 2}))
    queries = torch.cat(list(heldout.text_batches(8)))
    assert torch.equal(queries, letters(["1 red", "1 blue", "1 red"]))


def test_plain_batches_are_the_same_with_and_without_a_cache(tmp_path: Path) -> None:
    """Without augmentation a cached batch is gathered at once: parity with one at a time."""
    pairs, indices = shapes(tmp_path / "a"), np.array([7, 0, 3, 3])

    gathered = PairDataset(pairs, pair_source(PLAIN)).batch(indices, epoch=2)
    single = PairDataset(pairs, pair_source(replace(PLAIN, cache="off"))).batch(indices, epoch=2)

    assert torch.equal(gathered.images, single.images)
    assert torch.equal(gathered.texts, single.texts)
    assert torch.equal(gathered.groups, single.groups)
    assert gathered.ids == single.ids


def test_pictures_inside_a_tar_train_like_files(tmp_path: Path) -> None:
    """Every format is one map-style data set: equal pixels, tokens and groups."""
    pairs = shapes(tmp_path / "a")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for number, pair in enumerate(pairs):
            assert isinstance(pair.image, Path)
            tar.add(pair.image, f"{number:03d}.png")
            text = "\n".join(pair.captions).encode()
            info = tarfile.TarInfo(f"{number:03d}.txt")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
    indices = np.array([8, 1, 4])

    packed = PairDataset(read_pairs(tmp_path / "a.tar"), pair_source()).batch(indices, epoch=3)

    loose = PairDataset(pairs, pair_source()).batch(indices, epoch=3)
    assert torch.equal(packed.images, loose.images)
    assert torch.equal(packed.texts, loose.texts)
    assert torch.equal(packed.groups, loose.groups)
    assert packed.ids == ("a.tar!008", "a.tar!001", "a.tar!004")


def test_training_pictures_are_resized_by_the_filter_of_the_model(tmp_path: Path) -> None:
    """With the nearest neighbour a picture of three colours has no others."""
    pairs, source = shapes(tmp_path / "a"), pair_source()
    near = replace(source, preprocessing=replace(source.preprocessing, interpolation="nearest"))

    def colours(used: PairSource) -> int:
        images = PairDataset(pairs, used).batch(np.array([0]), epoch=0).images
        return len(np.unique(images.numpy().reshape(-1, 3), axis=0))

    assert colours(near) == 2
    assert colours(source) > 2


def test_held_out_pictures_keep_their_labels(tmp_path: Path) -> None:
    """In the order of the pictures, without those that cannot be read."""
    pairs = [
        replace(pair, label=label)
        for pair, label in zip(
            colour_pairs(tmp_path, "red", "blue", "green"), ["warm", None, "cold"], strict=True
        )
    ]
    pairs[0].image.write_bytes(b"no picture")

    assert HeldOutPairs(pairs, pair_source()).labels == (None, "cold")
