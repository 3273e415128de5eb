"""Rules of zeroshot.abstention."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.errors import UsageError
from zeroshot.abstention import Abstain
from zeroshot.scores import Scores

SCORES = Scores(
    labels=("cat", "dog", "bird"),
    scores_NC=np.array([[0.25, 0.5, 0.25]], np.float32),
    cosines_NC=np.array([[0.125, 0.25, 0.125]], np.float32),
    logits_NC=np.array([[1.25, 2.5, 1.25]]),
    energies_N=np.array([-3.0]),
)


def test_without_thresholds_there_is_always_a_label() -> None:
    """No rule, no reason to abstain."""
    assert Abstain().reason(SCORES, 0) is None


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Abstain(min_score=0.5), None),
        (Abstain(min_score=0.51), "min_score"),
        (Abstain(min_margin=0.25), None),
        (Abstain(min_margin=0.26), "min_margin"),
        (Abstain(min_cosine=0.25), None),
        (Abstain(min_cosine=0.26), "min_cosine"),
        (Abstain(max_energy=-3.0), None),
        (Abstain(max_energy=-3.01), "max_energy"),
        (Abstain(label_scores={"dog": 0.5, "cat": 0.9}), None),
        (Abstain(label_scores={"dog": 0.51}), "label_score"),
        (Abstain(label_scores={"dog": None}), "label_score"),
    ],
)
def test_a_threshold_is_passed_by_its_own_value(rule: Abstain, expected: str | None) -> None:
    """The best label has score .5, margin .25 and cosine .25; equal is enough."""
    assert rule.reason(SCORES, 0) == expected


def test_the_first_rule_that_fails_is_named() -> None:
    """Cosine before score before margin."""
    everything = Abstain(min_score=0.9, min_margin=0.9, min_cosine=0.9)

    assert everything.reason(SCORES, 0) == "min_cosine"
    assert Abstain(min_score=0.9, min_margin=0.9).reason(SCORES, 0) == "min_score"


def test_the_margin_of_a_single_label_is_its_score() -> None:
    """There is no second label to be confused with."""
    score_11, cosine_11 = np.array([[0.5]], np.float32), np.array([[0.3]], np.float32)
    single = Scores(("cat",), score_11, cosine_11, np.array([[3.0]]), np.array([-3.0]))

    assert Abstain(min_margin=0.5).reason(single, 0) is None
    assert Abstain(min_margin=0.6).reason(single, 0) == "min_margin"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_score", -0.1),
        ("min_score", 1.1),
        ("min_margin", float("nan")),
        ("min_cosine", -1.1),
        ("min_cosine", float("inf")),
        ("max_energy", float("nan")),
        ("label_scores", {"dog": 1.5}),
    ],
)
def test_thresholds_that_no_score_has_are_refused(name: str, value: Any) -> None:
    """The message names the threshold and its range."""
    with pytest.raises(UsageError, match=rf"{name}.* = .*expected"):
        Abstain(**{name: value})


def test_a_background_label_that_wins_gives_no_label() -> None:
    """Whatever the thresholds are; where it comes second it has no say."""
    winning = replace(SCORES, background=frozenset({1}))
    second = replace(SCORES, background=frozenset({0}))

    assert Abstain(min_cosine=0.9).reason(winning, 0) == "background"
    assert Abstain().reason(second, 0) is None
