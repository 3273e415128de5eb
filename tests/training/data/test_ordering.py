"""Rules of the order of an epoch."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from core.errors import ConfigError
from tests.training.tiny import tensor_data
from training.data.batches import Batch
from training.data.config import DataConfig
from training.data.mixture import Mixture
from training.data.ordering import Ordering
from training.data.tensor_data import TensorData


def test_without_settings_every_pair_comes_once() -> None:
    """An epoch is a permutation; another epoch is another one."""
    order = Ordering(tensor_data(20), DataConfig(batch_size=4), 0)

    assert sorted(order(0).tolist()) == list(range(20))
    assert order(0).tolist() == order(0).tolist() != order(1).tolist()


def test_weights_decide_how_often_a_data_set_is_shown() -> None:
    """Of 24 pairs three quarters come from the second set, which has half as many as the first."""
    mixture = Mixture([tensor_data(16), tensor_data(8, first=100)])
    order = Ordering(mixture, DataConfig(batch_size=4, weights=(1.0, 3.0)), 0)

    shown = Counter(int(index) % 24 >= 16 for index in order(0))

    assert shown == {True: 18, False: 6}


def test_weights_for_other_data_sets_are_refused() -> None:
    """The message says how many there are."""
    with pytest.raises(ConfigError, match=r"data\.weights has 2 numbers for 1 data sets"):
        Ordering(tensor_data(8), DataConfig(batch_size=4, weights=(1.0, 2.0)), 0)


def test_equal_captions_are_spread_over_batches() -> None:
    """Trap 11: four captions, four times each, and batches of four: all captions in each batch."""
    groups = torch.tensor([[0, number % 4] for number in range(16)])
    data = TensorData(torch.zeros(16, 2), torch.zeros(16, 2), groups)
    config = DataConfig(batch_size=4, distinct_captions_in_batch=True)

    order = Ordering(data, config, 0)(0)

    batches = [{int(index) % 4 for index in order[start : start + 4]} for start in (0, 4, 8, 12)]
    assert sorted(order.tolist()) == list(range(16))
    assert batches == [{0, 1, 2, 3}] * 4


class Anonymous:
    """Training data that knows no captions."""

    fingerprint = "x"

    def __len__(self) -> int:
        """Return eight."""
        return 8

    def batch(self, indices_B: object, *, epoch: int) -> Batch:
        """Never asked."""
        raise NotImplementedError


def test_data_without_captions_cannot_be_spread() -> None:
    """The message names the setting."""
    with pytest.raises(ConfigError, match=r"distinct_captions_in_batch needs captions"):
        Ordering(Anonymous(), DataConfig(batch_size=4, distinct_captions_in_batch=True), 0)
