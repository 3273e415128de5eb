"""Rules of zeroshot.temperature.

# N = images, C = labels
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import UsageError
from zeroshot.classifier import Classifier
from zeroshot.scores import softmax
from zeroshot.temperature import MOST_TEMPERATURE, fit_temperature


def drawn(images: int, *, temperature: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return logits that are too sure by ``temperature``, and truths drawn from what is right."""
    generator = np.random.default_rng(5)
    right_NC = 2.0 * generator.standard_normal((images, 4))
    draws_N = generator.random(images)
    sums_NC = np.cumsum(softmax(right_NC), axis=1)
    truth_N = np.minimum((draws_N[:, None] > sums_NC).sum(axis=1), 3)
    return right_NC * temperature, truth_N.astype(np.int64)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_temperature_that_spoiled_the_logits_is_found(temperature: float) -> None:
    """4000 images pin it down to a few percent."""
    fit = fit_temperature(*drawn(4000, temperature=temperature))

    assert fit.temperature == pytest.approx(temperature, rel=0.08)
    assert fit.ece_after < 0.03
    assert fit.nll_after <= fit.nll_before


def test_it_is_the_minimum_of_a_fine_search() -> None:
    """No temperature of a grid of 2000 has a lower loss."""
    logits_NC, truth_N = drawn(300, temperature=2.0)
    fit = fit_temperature(logits_NC, truth_N)

    def loss(temperature: float) -> float:
        own_N = softmax(logits_NC / temperature)[np.arange(len(truth_N)), truth_N]
        return float(-np.log(own_N).mean())

    assert fit.nll_after == pytest.approx(loss(fit.temperature), abs=1e-12)
    assert fit.nll_after <= min(loss(t) for t in np.geomspace(0.05, 50.0, 2000)) + 1e-9


def test_labels_and_their_order_are_bit_equal_before_and_after() -> None:
    """Whatever the temperature, also where scores run out of digits."""
    generator = np.random.default_rng(8)
    matrix_CD = generator.standard_normal((7, 16)).astype(np.float32)
    matrix_CD /= np.linalg.norm(matrix_CD, axis=1, keepdims=True)
    images_ND = generator.standard_normal((200, 16)).astype(np.float32)
    images_ND /= np.linalg.norm(images_ND, axis=1, keepdims=True)
    classifier = Classifier(
        labels=tuple("abcdefg"),
        matrix_CD=matrix_CD,
        background_BD=np.empty((0, 16), np.float32),
        logit_scale=100.0,
        logit_bias=0.0,
        encoder_id="fa4e",
        template_digest="",
    )

    before = classifier.classify(images_ND)

    for temperature in (1e-6, 0.01, 0.757, 1.7, 100.0, 1e9):
        after = classifier.classify(images_ND, temperature=temperature)
        for image in range(len(images_ND)):
            assert [item.label for item in after.top(image, 7)] == [
                item.label for item in before.top(image, 7)
            ]


@pytest.mark.parametrize("wrong", [False, True])
def test_a_search_that_ends_at_a_bound_says_so(wrong: bool) -> None:  # noqa: FBT001 - a parameter
    """All right: the surer the better. All wrong: the less sure the better."""
    logits_NC = np.tile([[3.0, 0.0]], (4, 1))
    fit = fit_temperature(logits_NC, np.full(4, int(wrong), np.int64))

    assert fit.at_bound
    assert fit.accuracy == float(not wrong)
    assert (fit.temperature > 1.0) == wrong
    assert fit.temperature <= MOST_TEMPERATURE


@pytest.mark.parametrize(
    ("logits", "truth"),
    [
        (np.zeros((0, 2)), np.zeros(0, np.int64)),
        (np.zeros((2, 2)), np.zeros(1, np.int64)),
        (np.zeros(2), np.zeros(2, np.int64)),
        (np.zeros((1, 2)), np.array([2])),
        (np.zeros((1, 2)), np.array([-1])),
        (np.full((1, 2), np.nan), np.array([0])),
    ],
)
def test_what_has_no_temperature_is_refused(
    logits: NDArray[np.float64], truth: NDArray[np.int64]
) -> None:
    """No images, shapes that do not fit, truths out of range, and what is not finite."""
    with pytest.raises(UsageError):
        fit_temperature(logits, truth)
