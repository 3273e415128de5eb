"""Rules of training.doctor.scores and training.doctor.filtering."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import PairsError, UsageError
from core.pairs.pair import Pair, PairList
from core.pairs.reading import read_pairs
from encoders.preprocessing import preprocess_bytes
from tests.fakes import FakeEncoder, picture_bytes
from tests.training.doctor.drawings import write_pairs
from training.doctor.filtering import FilterRule, filter_pairs
from training.doctor.scores import PairScores, score_pairs

CAPTIONS = {
    "a.png": ["a red sheet"],
    "b.png": ["a blue sheet", "a green sheet"],
    "c.png": [],
    "d.png": ["a green sheet"],
}


@pytest.fixture
def pairs(tmp_path: Path) -> PairList:
    """Write a red, a blue and a broken picture, and one without caption."""
    files = {"a.png": picture_bytes("red"), "b.png": picture_bytes("blue"),
             "c.png": picture_bytes("red"), "d.png": b"broken"}  # fmt: skip
    return read_pairs(write_pairs(tmp_path, files, CAPTIONS))


def test_the_score_is_the_cosine_of_picture_and_caption(pairs: PairList) -> None:
    """Computed apart for the blue picture: the best of two captions, or their mean."""
    encoder = FakeEncoder()
    pixels = preprocess_bytes(picture_bytes("blue"), encoder.preprocessing)
    image_D = encoder.encode_images(pixels[None])[0]
    cosines = encoder.encode_texts(CAPTIONS["b.png"]) @ image_D

    best = score_pairs(encoder, pairs).score_N
    mean = score_pairs(encoder, pairs, captions="mean").score_N

    assert best[0] == pytest.approx(1, abs=1e-3)
    assert best[1] == pytest.approx(cosines.max())
    assert mean[1] == pytest.approx(cosines.mean())
    assert cosines.max() - cosines.min() > 0.5


def test_a_pair_without_score_says_why(pairs: PairList) -> None:
    """NaN in the scores, words beside them."""
    scores = score_pairs(FakeEncoder(), pairs)

    assert np.isnan(scores.score_N).tolist() == [False, False, True, True]
    assert scores.reason_of[2] == "no caption"
    assert scores.reason_of[3].startswith("cannot be used: this is bytes of no known image format")


def test_more_than_one_batch_keeps_the_order(tmp_path: Path) -> None:
    """Seventy pairs, every seventh with the wrong caption."""
    captions = {f"{number:02}.png": ["a red sheet" if number % 7 else "a blue sheet"]
                for number in range(70)}  # fmt: skip
    files = dict.fromkeys(captions, picture_bytes("red"))
    pairs = read_pairs(write_pairs(tmp_path, files, captions))

    scores = score_pairs(FakeEncoder(), pairs, threads=3)

    assert np.flatnonzero(scores.score_N < 0.5).tolist() == list(range(0, 70, 7))


def scored(*values: float) -> tuple[list[Pair], PairScores]:
    """Return pairs with the given scores; NaN is a pair without."""
    pairs = [Pair(str(row), Path(f"{row}.png"), ("a",)) for row in range(len(values))]
    score_N = np.array(values)
    reasons = dict.fromkeys(np.flatnonzero(np.isnan(score_N)).tolist(), "no caption")
    return pairs, PairScores(score_N, reasons)


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        (FilterRule(minimum_score=0.3), [1, 2, 4]),
        (FilterRule(minimum_score=0.31), [1, 4]),
        (FilterRule(keep_fraction=0.5), [1, 4]),
        (FilterRule(keep_fraction=0.75), [1, 2, 4]),
        (FilterRule(keep_fraction=0.01), [4]),
        (FilterRule(keep_fraction=1.0), [0, 1, 2, 4]),
    ],
)
def test_a_limit_or_a_share_decides(rule: FilterRule, kept: list[int]) -> None:
    """The share is of the pairs that have a score; one stays at least."""
    result = filter_pairs(*scored(0.1, 0.4, 0.3, float("nan"), 0.5), rule)

    assert [row for row, one in enumerate(result.judged) if not one.reason] == kept
    assert result.kept == len(kept)
    assert result.scored == 4


def test_equal_scores_stay_together() -> None:
    """Two of four at the limit: the order of the data does not decide."""
    result = filter_pairs(*scored(0.2, 0.2, 0.2, 0.9), FilterRule(keep_fraction=0.5))

    assert result.kept == 4


def test_what_goes_says_the_score_and_the_limit() -> None:
    """A person can check the decision."""
    result = filter_pairs(*scored(0.1, 0.4), FilterRule(minimum_score=0.25))

    assert result.judged[0].reason == "score 0.1000 is below 0.2500"
    assert result.judged[0].extra == {"score": 0.1}


def test_the_histogram_counts_every_score_once() -> None:
    """Bins of a round width, from the lowest to the highest score."""
    result = filter_pairs(*scored(0.1, 0.11, 0.2, 0.25, float("nan")), FilterRule(keep_fraction=1))

    assert list(result.histogram) == [f"0.{edge}" for edge in range(100, 260, 20)]
    assert list(result.histogram.values()) == [2, 0, 0, 0, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("minimum", "fraction"), [(None, None), (0.1, 0.1), (None, 0.0), (None, 1.1), (2.0, None)]
)
def test_a_rule_that_means_nothing_is_refused(
    minimum: float | None, fraction: float | None
) -> None:
    """No rule, two rules, or one out of range."""
    with pytest.raises(UsageError):
        FilterRule(minimum_score=minimum, keep_fraction=fraction)


def test_no_score_at_all_is_an_error() -> None:
    """An empty result would look like a strict filter."""
    with pytest.raises(PairsError, match="no pair could be scored"):
        filter_pairs(*scored(float("nan")), FilterRule(keep_fraction=0.5))
