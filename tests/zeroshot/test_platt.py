"""Rules of zeroshot.platt.

# N = images, C = labels
"""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import UsageError
from zeroshot.platt import fit_line, fit_platt
from zeroshot.scores import sigmoid


def test_the_line_is_the_one_of_least_loss_for_platts_targets() -> None:
    """The slope of the loss is zero in both directions, with the softened targets."""
    generator = np.random.default_rng(0)
    cosines_N = 0.2 + 0.03 * generator.standard_normal(400)
    holds_N = generator.random(400) < sigmoid(80.0 * (cosines_N - 0.22))
    found = fit_line(cosines_N, holds_N)
    assert found is not None
    slope, offset = found
    positives = int(holds_N.sum())
    targets_N = np.where(holds_N, (positives + 1) / (positives + 2), 1 / (400 - positives + 2))

    rest_N = sigmoid(slope * cosines_N + offset) - targets_N

    assert float(rest_N.sum()) == pytest.approx(0.0, abs=1e-5)
    assert float((rest_N * cosines_N).sum()) == pytest.approx(0.0, abs=1e-5)
    assert slope == pytest.approx(80.0, rel=0.4)


def test_labels_that_can_be_told_apart_keep_a_finite_line() -> None:
    """Without softened targets the slope would grow without end."""
    found = fit_line(np.array([0.1, 0.1, 0.3, 0.3]), np.array([False, False, True, True]))
    assert found is not None

    probabilities_N = sigmoid(found[0] * np.array([0.1, 0.3]) + found[1])

    np.testing.assert_allclose(probabilities_N, [1 / 4, 3 / 4], atol=1e-6)


def test_a_label_without_both_kinds_of_images_gets_no_line() -> None:
    """Nor does one that holds the less the higher its cosine is."""
    cosines_NC = np.array([[0.1, 0.1, 0.1, 0.1], [0.3, 0.3, 0.3, 0.3], [0.2, 0.2, 0.2, 0.2]])
    holds_NC = np.array(
        [[True, False, False, True], [True, False, True, False], [True, False, False, False]]
    )

    platt = fit_platt(cosines_NC, holds_NC)

    assert platt.fitted.tolist() == [False, False, True, False]
    logits_NC = platt.logits(cosines_NC, np.full((3, 4), 7.0))
    assert logits_NC[:, [0, 1, 3]].tolist() == [[7.0] * 3] * 3
    assert np.all(np.diff(logits_NC[np.argsort(cosines_NC[:, 2]), 2]) > 0)


def test_equal_cosines_give_the_share_of_images() -> None:
    """There is no line through one point, but there is a probability."""
    found = fit_line(np.full(8, 0.25), np.arange(8) < 2)
    assert found is not None

    expected = (2 * (3 / 4) + 6 * (1 / 8)) / 8

    assert sigmoid(np.array([found[0] * 0.25 + found[1]]))[0] == pytest.approx(expected, abs=1e-6)


def test_shapes_that_differ_are_refused() -> None:
    """Both have a row an image and a column a label."""
    with pytest.raises(UsageError, match="shape"):
        fit_platt(np.zeros((2, 2)), np.zeros((2, 3), np.bool_))
