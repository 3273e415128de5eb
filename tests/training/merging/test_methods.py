"""Rules of training.merging.methods: which weights win."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from training.merging.methods import Score, greedy_soup, interpolation, uniform_soup
from training.merging.weights import Weights

MODELS = {"a": 0.0, "b": 4.0, "c": 10.0, "d": 5.0}


def load(source: str) -> dict[str, Tensor]:
    """Return a model of one number."""
    return {"x": torch.tensor(MODELS[source])}


def near(target: float) -> object:
    """Return a measure that is highest at a number, with its negative as what is kept."""

    def measure(weights: Weights) -> Score:
        value = -abs(weights["x"].item() - target)
        return Score(value, {"mean_mrr": value}, {"mean_mrr": -value})

    return measure


def number(weights: Mapping[str, Tensor]) -> float:
    """Return the one number of a model."""
    return weights["x"].item()


def test_the_sweep_finds_the_best_alpha() -> None:
    """Between 0 and 10, the number 3 is at alpha 0.3; trials are in order of alpha."""
    merged = interpolation(["a", "c"], load, (1.0, 0.3, 0.0), near(3.0))

    assert number(merged.weights) == 3
    assert [trial.name for trial in merged.trials] == ["0", "0.3", "1"]
    assert [trial.chosen for trial in merged.trials] == [False, True, False]
    assert merged.parts == {"a": 0.7, "c": 0.3}


def test_of_two_equal_alphas_the_lower_is_chosen() -> None:
    """It is nearer to the base, so it forgets less."""
    merged = interpolation(["a", "c"], load, (0.6, 0.4), near(5.0))

    assert merged.parts["c"] == 0.4


def test_without_measure_the_one_alpha_is_taken() -> None:
    """Nothing is measured and nothing is listed."""
    merged = interpolation(["a", "b"], load, (0.25,), None)

    assert number(merged.weights) == 1
    assert merged.trials == ()


def test_a_uniform_soup_is_the_mean_of_all() -> None:
    """(0 + 4 + 5) / 3 is 3, listed after each of its parts."""
    merged = uniform_soup(["a", "b", "d"], load, near(3.0))

    assert number(merged.weights) == 3
    assert [trial.name for trial in merged.trials] == ["a", "b", "d", "their mean"]
    assert [trial.score.value for trial in merged.trials] == [-3, -1, -2, 0]
    assert number(uniform_soup(["a", "b"], load, None).weights) == 2


def test_a_greedy_soup_takes_what_helps_by_hand() -> None:
    """Target 4.4: b (4) is best; with d 4.5, kept; with a 3, left out; with c 6.3, left out."""
    merged = greedy_soup(["a", "b", "c", "d"], load, near(4.4))

    assert number(merged.weights) == 4.5
    assert [(trial.name, trial.chosen) for trial in merged.trials] == [
        ("b", True),
        ("+ d", True),
        ("+ a", False),
        ("+ c", False),
    ]
    assert merged.parts == {"b": 0.5, "d": 0.5}


def test_a_model_that_changes_nothing_is_taken() -> None:
    """Wortsman's recipe accepts equality."""
    merged = greedy_soup(["a", "b"], load, lambda weights: Score(1.0, {}, {}))

    assert merged.parts == {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize("target", [-1.0, 0.0, 2.3, 4.4, 4.6, 7.0, 20.0])
def test_a_greedy_soup_is_never_worse_than_the_best_single_model(target: float) -> None:
    """By its rule of acceptance, for any target."""
    measure = near(target)
    merged = greedy_soup(list(MODELS), load, measure)

    best = max(measure(load(source)).value for source in MODELS)
    assert measure(merged.weights).value >= best
