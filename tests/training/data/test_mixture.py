"""Rules of several data sets as one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import ConfigError, PairsError
from core.pairs.reading import read_pairs
from tests.training.tiny import pair_source, tensor_data, write_shapes
from training.data.batches import TeacherEmbeddings
from training.data.mixture import Mixture, joined, shares, weighted_order
from training.data.pair_dataset import PairDataset
from training.data.tensor_data import TensorData


def shapes(folder: Path, *, size: int = 16) -> PairDataset:
    """Return coloured shapes, nine pictures with two captions each."""
    pairs = read_pairs(write_shapes(folder, per_kind=1, seed=0))
    return PairDataset(pairs, pair_source(size=size))


def test_pairs_are_numbered_one_part_after_another() -> None:
    """A batch holds those of the first part first."""
    first, second = tensor_data(5), tensor_data(7, first=40)
    mixture = Mixture([first, second])

    batch = mixture.batch(np.array([11, 4, 5, 0]), epoch=0)

    assert len(mixture) == 12
    expected = torch.cat([first.images[[4, 0]], second.images[[6, 0]]])
    assert torch.equal(batch.images, expected)
    assert torch.equal(batch.texts, torch.cat([first.texts[[4, 0]], second.texts[[6, 0]]]))
    assert batch.ids == ("4", "0", "6", "0")


def test_equal_captions_and_pictures_of_two_parts_are_positives(tmp_path: Path) -> None:
    """Groups are hashes, so parts that hold the same pair agree about it."""
    mixture = Mixture([shapes(tmp_path / "a"), shapes(tmp_path / "b")])

    batch = mixture.batch(np.array([3, 9 + 3, 9 + 4]), epoch=0)

    assert torch.equal(batch.groups[0, 0], batch.groups[1, 0])
    assert not torch.equal(batch.groups[0, 0], batch.groups[2, 0])
    known = mixture.caption_groups(np.array([9 + 4, 3, 9 + 3]), epoch=0)
    assert known.tolist() == batch.groups[[2, 0, 1], 1].tolist()


def test_a_pair_that_is_shown_again_looks_different(tmp_path: Path) -> None:
    """Pass p in epoch e is what the part shows in epoch e + p."""
    part = shapes(tmp_path / "a")
    mixture = Mixture([part, tensor_like(part)])

    batch = mixture.batch(np.array([2, 2 + 2 * len(mixture)]), epoch=1)

    assert torch.equal(batch.images[0], part.batch(np.array([2]), epoch=1).images[0])
    assert torch.equal(batch.images[1], part.batch(np.array([2]), epoch=3).images[0])
    assert not torch.equal(batch.images[0], batch.images[1])


def test_what_a_teacher_says_is_joined_too() -> None:
    """Row by row; if it is silent on a part there is no teacher for the batch."""
    batch = tensor_data(3).batch(np.arange(3), epoch=0)
    images, texts = torch.arange(6.0).reshape(3, 2), torch.arange(6.0, 12.0).reshape(3, 2)
    taught = replace(batch, teacher=TeacherEmbeddings(images, texts, 30.0))

    both = joined([taught, taught]).teacher

    assert both is not None
    assert torch.equal(both.image_BT, torch.cat([images, images]))
    assert torch.equal(both.text_BT, torch.cat([texts, texts]))
    assert both.logit_scale == 30
    assert joined([taught, batch]).teacher is None


def tensor_like(part: PairDataset) -> TensorData:
    """Return tensors of the sizes that a part gives."""
    batch = part.batch(np.arange(len(part)), epoch=0)
    return TensorData(batch.images, batch.texts, batch.groups)


def test_the_fingerprint_covers_every_part() -> None:
    """Order and content count."""
    first, second = tensor_data(5), tensor_data(7)

    prints = {
        Mixture(parts).fingerprint for parts in ([first, second], [second, first], [first, first])
    }

    assert len(prints) == 3
    assert Mixture([first, second]).fingerprint in prints


def test_unreadable_pictures_are_left_out_of_a_mixed_batch(tmp_path: Path) -> None:
    """Also where one part has none left."""
    source = pair_source(replace(pair_source().config, cache="off"))
    good = PairDataset(read_pairs(write_shapes(tmp_path / "a", per_kind=1, seed=0)), source)
    pairs = read_pairs(write_shapes(tmp_path / "b", per_kind=1, seed=0))
    for pair in pairs:
        assert isinstance(pair.image, Path)
        pair.image.write_bytes(b"")
    mixture = Mixture([good, PairDataset(pairs, source)])

    assert mixture.batch(np.array([9, 1, 10]), epoch=0).ids == (
        good.batch(np.array([1]), epoch=0).ids
    )
    assert len(mixture.batch(np.array([9, 10]), epoch=0)) == 0


def test_parts_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """Pictures of another size cannot stand in one batch; nothing cannot be mixed."""
    mixture = Mixture([shapes(tmp_path / "a"), shapes(tmp_path / "b", size=24)])

    with pytest.raises(ConfigError, match="pictures of different sizes"):
        mixture.batch(np.array([0, 9]), epoch=0)
    with pytest.raises(PairsError, match="at least one"):
        Mixture([])


def test_shares_follow_the_weights() -> None:
    """Largest remainders, by hand: 10 in 2:1:1 is 5, 2.5, 2.5; the earlier one gets the rest."""
    assert shares([2, 1, 1], length=10) == (5, 3, 2)
    assert shares([1], length=7) == (7,)
    with pytest.raises(ConfigError, match="none of the 10 pairs"):
        shares([1000, 1], length=10)


def test_an_epoch_has_the_shares_and_depends_on_seed_and_epoch_alone() -> None:
    """Sizes do not matter for the shares; literal values keep old checkpoints resumable."""
    order = weighted_order([100, 10], [1, 1], seed=0, epoch=0, length=20)

    assert Counter((order % 110 >= 100).tolist()) == {False: 10, True: 10}
    again = weighted_order([100, 10], [1, 1], seed=0, epoch=0, length=20)
    assert order.tolist() == again.tolist()
    for seed, epoch in ((1, 0), (0, 1)):
        other = weighted_order([100, 10], [1, 1], seed=seed, epoch=epoch, length=20)
        assert other.tolist() != order.tolist()
    # The third pair of the part of two is its second pass: 9 is 4 + 5.
    literal = weighted_order([3, 2], [1, 1], seed=0, epoch=0, length=6)
    assert literal.tolist() == [1, 4, 2, 3, 0, 9]


def test_no_pair_comes_again_before_its_part_is_exhausted() -> None:
    """Across epochs too: the draws of a part are whole permutations, one after another."""
    sizes, total = (7, 3), 10
    drawn: dict[bool, list[int]] = {False: [], True: []}
    for epoch in range(12):
        for index in weighted_order(sizes, [3, 2], seed=5, epoch=epoch, length=10).tolist():
            drawn[index % total >= sizes[0]].append(index)

    for part, (first, size) in enumerate([(0, 7), (7, 3)]):
        line = drawn[bool(part)]
        for turn in range(len(line) // size):
            shown = line[turn * size : (turn + 1) * size]
            assert sorted(shown) == [turn * total + first + place for place in range(size)]


def test_one_weight_for_each_part() -> None:
    """A wrong number of weights is named."""
    with pytest.raises(ConfigError, match="has 1 numbers for 2 data sets"):
        weighted_order([3, 2], [1], seed=0, epoch=0, length=5)
