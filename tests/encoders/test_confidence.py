"""Rules of encoders.confidence: the formula, and that a higher score never means less."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UsageError
from encoders.confidence import Calibration, ConfidenceLine, confidence_of, reaches

LINE = ConfidenceLine(score_weight=2.0, gap_weight=10.0, offset=-1.0)


def test_the_probability_is_the_logistic_of_score_and_gap() -> None:
    """2 * .5 + 10 * (.5 - .3) - 1 = 2, whose logistic is .880797."""
    found_K = confidence_of(LINE, np.array([0.5], np.float32), reach=0.3)

    assert found_K.tolist() == pytest.approx([1 / (1 + math.exp(-2))])


def test_the_reach_is_the_score_of_one_background_image_in_a_hundred() -> None:
    """Of scores 0, .01, ... 1.0 the quantile .99 is .99."""
    angles_B = np.arccos(np.linspace(0.0, 1.0, 101))
    background_BD = np.stack([np.cos(angles_B), np.sin(angles_B)], axis=1).astype(np.float32)

    found_N = reaches(np.array([[1.0, 0.0]], np.float32), background_BD)

    assert found_N.tolist() == pytest.approx([0.99], abs=1e-6)


@pytest.mark.parametrize("count", [1, 2, 7, 256])
def test_the_reach_is_the_quantile_of_numpy(count: int) -> None:
    """For any number of background images, with the same rule between two of them."""
    rng = np.random.default_rng(0)
    queries_ND = rng.standard_normal((5, 8)).astype(np.float32)
    background_BD = rng.standard_normal((count, 8)).astype(np.float32)
    expected_N = np.quantile((queries_ND @ background_BD.T).astype(np.float64), 0.99, axis=1)

    assert reaches(queries_ND, background_BD).tolist() == pytest.approx(expected_N.tolist())


def test_the_same_score_is_worth_less_where_the_background_reaches_higher() -> None:
    """What tells a picky query from one that everything resembles."""
    score_K = np.array([0.4], np.float32)

    assert confidence_of(LINE, score_K, reach=0.35) < confidence_of(LINE, score_K, reach=0.1)


@settings(deadline=None, derandomize=True)
@given(
    scores=st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=30),
    weights=st.tuples(st.floats(0, 1e3), st.floats(0, 1e3)).filter(lambda pair: max(pair) > 0),
    offset=st.floats(-100, 100),
    reach=st.floats(-1, 1),
)
def test_a_higher_score_never_has_a_lower_confidence(
    scores: list[float], weights: tuple[float, float], offset: float, reach: float
) -> None:
    """For one query, whatever was fitted, up to the last digit of the exponential."""
    line = ConfidenceLine(*weights, offset)
    found_K = confidence_of(line, np.array(sorted(scores), np.float32), reach=reach)

    assert (np.diff(found_K) >= -1e-15).all()
    assert ((found_K >= 0) & (found_K <= 1)).all()


@pytest.mark.parametrize(
    "weights", [(-1.0, 2.0, 0.0), (1.0, -2.0, 0.0), (0.0, 0.0, 0.0), (math.nan, 1.0, 0.0)]
)
def test_a_line_that_falls_or_is_flat_is_refused(weights: tuple[float, float, float]) -> None:
    """The hits would be in another order than their confidences."""
    with pytest.raises(UsageError, match="calibrate the model again"):
        ConfidenceLine(*weights)


def test_a_kind_without_a_line_has_no_confidence() -> None:
    """Calibrated for texts, asked with a picture."""
    calibration = Calibration("e" * 16, np.eye(4, dtype=np.float32), {"text": LINE})
    query_D, scores_K = np.eye(4, dtype=np.float32)[0], np.array([0.5], np.float32)

    assert calibration.confidence("image", query_D, scores_K) is None
    assert calibration.confidence("text", query_D, scores_K) is not None


def test_a_calibration_that_rates_nothing_is_refused() -> None:
    """No lines, or a background without vectors."""
    with pytest.raises(UsageError, match="lines for"):
        Calibration("e" * 16, np.eye(4, dtype=np.float32), {})
    with pytest.raises(UsageError, match="background of shape"):
        Calibration("e" * 16, np.empty((0, 4), np.float32), {"text": LINE})
