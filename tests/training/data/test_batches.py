"""Rules of the order and size of batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.errors import ConfigError, PairsError
from tests.training.tiny import tensor_data
from training.data.batches import BatchPlan


def test_an_epoch_shows_every_pair_once() -> None:
    """Batches of an epoch are a permutation cut in pieces."""
    plan = BatchPlan(num_pairs=10, batch_size=3, seed=1, drop_last=False)

    batches = list(plan.epoch_batches(0))

    # The rest of one pair has no negative, so it is left out.
    assert [len(batch) for batch in batches] == [3, 3, 3]
    assert len(set(np.concatenate(batches).tolist())) == 9


@pytest.mark.parametrize(("drop_last", "sizes"), [(True, [4, 4]), (False, [4, 4, 3])])
def test_the_last_batch_is_dropped_by_default(drop_last: bool, sizes: list[int]) -> None:  # noqa: FBT001 - a case
    """A smaller batch is only used when asked for."""
    plan = BatchPlan(num_pairs=11, batch_size=4, seed=0, drop_last=drop_last)

    assert [len(batch) for batch in plan.epoch_batches(0)] == sizes
    assert plan.steps_per_epoch == len(sizes)


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    """Trap 13: another epoch or seed is another order; the same ones are the same."""
    plan = BatchPlan(num_pairs=50, batch_size=5, seed=3)

    assert plan.order(2).tolist() == BatchPlan(num_pairs=50, batch_size=9, seed=3).order(2).tolist()
    assert plan.order(2).tolist() != plan.order(1).tolist()
    other_seed = BatchPlan(num_pairs=50, batch_size=5, seed=4)
    assert plan.order(2).tolist() != other_seed.order(2).tolist()


def test_a_cursor_continues_where_it_stands() -> None:
    """Starting at batch 2 gives the same batches as skipping two."""
    plan = BatchPlan(num_pairs=20, batch_size=4, seed=0)

    all_batches = [batch.tolist() for batch in plan.epoch_batches(1)]

    assert [batch.tolist() for batch in plan.epoch_batches(1, cursor=2)] == all_batches[2:]


@pytest.mark.parametrize(
    ("num_pairs", "message"), [(0, "empty"), (1, "1 pair; a contrastive loss needs at least 2")]
)
def test_too_little_data_is_refused(num_pairs: int, message: str) -> None:
    """Neither nothing nor a single pair can be contrasted."""
    with pytest.raises(PairsError, match=message):
        BatchPlan(num_pairs=num_pairs, batch_size=2, seed=0)


def test_a_batch_larger_than_the_data_is_refused() -> None:
    """The message names both numbers and the setting to change."""
    with pytest.raises(ConfigError, match=r"batch_size = 8 .* 5 training pairs.*batch_size=5"):
        BatchPlan(num_pairs=5, batch_size=8, seed=0)


def test_a_batch_of_one_is_refused() -> None:
    """There would be no negative."""
    with pytest.raises(ConfigError, match="at least 2"):
        BatchPlan(num_pairs=5, batch_size=1, seed=0)


def test_tensor_data_gives_the_rows_asked_for() -> None:
    """Rows, names and identities follow the indices."""
    data = tensor_data(6)

    batch = data.batch(np.array([4, 1]), epoch=0)

    assert torch.equal(batch.images, data.images[[4, 1]])
    assert torch.equal(batch.texts, data.texts[[4, 1]])
    assert batch.ids == ("4", "1")
    assert batch.groups.tolist() == [[4], [1]]


def test_tensor_data_of_different_lengths_is_refused() -> None:
    """Images, texts, groups and ids belong together row by row."""
    data = tensor_data(6)

    with pytest.raises(ValueError, match=r"\[5, 6\]"):
        type(data)(data.images, data.texts[:5])


def test_the_fingerprint_follows_the_content() -> None:
    """Equal tensors have the same fingerprint, others do not."""
    assert tensor_data(6).fingerprint == tensor_data(6).fingerprint
    assert tensor_data(6).fingerprint != tensor_data(6, seed=1).fingerprint
