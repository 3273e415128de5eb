"""Rules of training.merging.weights: what becomes of each tensor."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.errors import ConfigError, ConflictError
from training.merging.weights import Average, interpolated, moved_statistics


def weights(value: float, *, scale: float = 2.0, seen: int = 0) -> dict[str, Tensor]:
    """Return a matrix, a temperature and the buffers of a batch norm."""
    return {
        "matrix": torch.tensor([[value, -value], [0.0, -0.0]]),
        "logit_scale": torch.tensor(scale),
        "norm.running_mean": torch.tensor([value]),
        "norm.num_batches_tracked": torch.tensor(seen),
    }


def random_weights(seed: int) -> dict[str, Tensor]:
    """Return weights without round numbers."""
    generator = torch.Generator().manual_seed(seed)
    return {
        "a": torch.randn(7, 5, generator=generator),
        "half": torch.randn(3, generator=generator).half(),
    }


def same_bits(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Return whether two tables hold the same bytes."""
    return first.keys() == second.keys() and all(
        value.numpy().tobytes() == second[name].numpy().tobytes() for name, value in first.items()
    )


def test_the_ends_are_the_inputs_to_the_bit() -> None:
    """Alpha 0 is the base and 1 the tuned model, the sign of a zero included."""
    base, tuned = weights(1.1, seen=3), weights(0.3, scale=4.0, seen=9)

    assert same_bits(interpolated(base, tuned, 0), base)
    assert same_bits(interpolated(base, tuned, 1), tuned)


def test_the_midpoint_by_hand() -> None:
    """(1 + 3) / 2 is 2; a counter of batches is the base's."""
    middle = interpolated(weights(1.0, seen=3), weights(3.0, seen=9), 0.5)

    assert middle["matrix"].tolist() == [[2.0, -2.0], [0.0, 0.0]]
    assert middle["norm.running_mean"].tolist() == [2.0]
    assert middle["norm.num_batches_tracked"].item() == 3


def test_trap_25_the_temperature_is_interpolated_as_a_logarithm() -> None:
    """A quarter of the way from log scale 2 to 4 is 2.5, whose scale is the geometric mean."""
    mixed = interpolated(weights(1, scale=2.0), weights(1, scale=4.0), 0.25)

    assert mixed["logit_scale"].item() == 2.5
    assert mixed["logit_scale"].dtype == torch.float32


def test_interpolation_equals_the_formula_and_keeps_types() -> None:
    """Any alpha gives (1 - alpha) * base + alpha * tuned, rounded once."""
    base, tuned = random_weights(1), random_weights(2)

    mixed = interpolated(base, tuned, 0.3)

    for name, value in mixed.items():
        expected = 0.7 * base[name].double() + 0.3 * tuned[name].double()
        assert torch.equal(value, expected.to(base[name].dtype))


def test_inputs_are_not_touched() -> None:
    """What is returned shares no memory with what was given."""
    base, tuned = weights(1.0), weights(3.0)

    for alpha in (0, 0.5, 1):
        interpolated(base, tuned, alpha)["matrix"].fill_(7)
    average = Average()
    average.add(base)
    average.mean()["matrix"].fill_(7)
    average.add(tuned)

    assert same_bits(base, weights(1.0))
    assert same_bits(tuned, weights(3.0))


def test_the_average_of_equal_models_is_that_model() -> None:
    """Averaging does not round away what all models agree on."""
    average = Average()
    for _ in range(3):
        average.add(random_weights(1))

    assert same_bits(average.mean(), random_weights(1))


def test_the_average_by_hand_and_with_one_more() -> None:
    """(1 + 2) / 2 is 1.5; with 6 more it is 3, and asking does not add it."""
    average = Average()
    average.add(weights(1.0))
    average.add(weights(2.0))

    assert average.mean(weights(6.0))["matrix"][0, 0] == 3
    assert average.mean()["matrix"][0, 0] == 1.5
    assert average.count == 2


def test_an_empty_average_with_one_model_is_that_model() -> None:
    """The first candidate of a soup is compared as it is."""
    assert same_bits(Average().mean(weights(0.3)), weights(0.3))


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_an_alpha_outside_is_refused(alpha: float) -> None:
    """Extrapolation is a mistake of the command line."""
    with pytest.raises(ConfigError, match="between 0 and 1"):
        interpolated(weights(1), weights(2), alpha)


def test_whole_numbers_that_differ_are_refused() -> None:
    """A table of indices cannot be averaged, and taking one of two would be wrong silently."""
    first, second = {"positions": torch.tensor([0, 1])}, {"positions": torch.tensor([1, 0])}
    average = Average()
    average.add(first)

    for merge in (
        lambda: interpolated(first, second, 0.5),
        lambda: average.add(second),
        lambda: average.mean(second),
    ):
        with pytest.raises(ConflictError, match="positions"):
            merge()


def test_moved_statistics_are_named() -> None:
    """Batch norm that stayed frozen needs no warning."""
    assert moved_statistics(weights(1), weights(2)) == ["norm.running_mean"]
    assert moved_statistics(weights(1), weights(1, scale=3, seen=5)) == []
