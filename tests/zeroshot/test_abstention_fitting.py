"""Rules of zeroshot.abstention_fitting."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import UsageError
from zeroshot.abstention import Abstain
from zeroshot.abstention_fitting import fit_label_scores, fit_rules
from zeroshot.classifier import Classifier
from zeroshot.scores import Scores


def scores_of(cosines: list[list[float]]) -> Scores:
    """Return what two orthogonal labels say of images with these cosines."""
    rest = [[*pair, (1 - pair[0] ** 2 - pair[1] ** 2) ** 0.5] for pair in cosines]
    classifier = Classifier(
        labels=("cat", "dog"),
        matrix_CD=np.eye(3, dtype=np.float32)[:2],
        background_BD=np.empty((0, 3), np.float32),
        logit_scale=10.0,
        logit_bias=0.0,
        encoder_id="fa4e",
        template_digest="",
    )
    return classifier.classify(np.array(rest, np.float32))


KNOWN = scores_of([[0.8, 0.1], [0.1, 0.7], [0.6, 0.2], [0.3, 0.5]])
UNKNOWN = scores_of([[0.4, 0.1], [0.2, 0.1], [0.05, 0.45]])


def test_each_rule_keeps_the_share_of_known_images() -> None:
    """At three of four, each threshold passes three known images, by its own value."""
    rules = fit_rules(KNOWN, UNKNOWN, keep=0.75)

    assert {rule.name for rule in rules} == {"min_cosine", "max_energy", "min_score", "min_margin"}
    for rule in rules:
        abstain = Abstain(**{rule.name: rule.threshold})
        kept = [abstain.reason(KNOWN, image) is None for image in range(4)]
        passing = [abstain.reason(UNKNOWN, image) is None for image in range(3)]
        assert sum(kept) == 3, rule
        assert rule.false_positive_rate == pytest.approx(sum(passing) / 3)


def test_the_best_rule_comes_first() -> None:
    """The cosine parts all known images from all unknown ones here; the score does not."""
    rules = fit_rules(KNOWN, UNKNOWN)

    assert rules[0].name == "min_cosine"
    assert rules[0].auroc == 1.0
    assert [rule.auroc for rule in rules] == sorted((r.auroc for r in rules), reverse=True)


def test_without_unknown_images_there_is_no_rule() -> None:
    """There is nothing to tell apart."""
    none = scores_of([[0.1, 0.1]])
    empty = Scores(
        none.labels, none.scores_NC[:0], none.cosines_NC[:0], none.logits_NC[:0], np.empty(0)
    )

    with pytest.raises(UsageError, match="0 unknown"):
        fit_rules(KNOWN, empty)


def brute_force(scores_N: list[float], right_N: list[bool], precision: float) -> float | None:
    """Return the least score at which all at or above it reach the precision."""
    reached = []
    for threshold in scores_N:
        kept = [right for score, right in zip(scores_N, right_N, strict=True) if score >= threshold]
        if sum(kept) / len(kept) >= precision:
            reached.append(threshold)
    return min(reached, default=None)


def test_the_least_score_of_a_label_equals_a_search_of_all() -> None:
    """Rounded scores, so that many tie; unknown images count as wrong."""
    generator = np.random.default_rng(6)
    for precision in (0.5, 0.7, 0.9, 1.0):
        first_N = generator.random(80).round(1)
        scores_NC = np.stack([first_N, 1 - first_N], axis=1)
        truth_N = np.where(generator.random(80) < first_N, 0, generator.integers(-1, 2, 80))
        found = fit_label_scores(scores_NC, truth_N, precision=precision)
        for label in (0, 1):
            rows = np.flatnonzero(np.argmax(scores_NC, axis=1) == label)
            own = scores_NC[rows, label].tolist()
            right = (truth_N[rows] == label).tolist()
            assert found[label] == brute_force(own, right, precision)


def test_a_precision_that_is_not_reached_has_no_score() -> None:
    """Nor has a label that is the best one of no image."""
    scores_NC = np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0]])

    assert fit_label_scores(scores_NC, np.array([1, 0]), precision=0.9) == (None, None, None)


def test_a_precision_out_of_range_is_refused() -> None:
    """Above 0 and at most 1."""
    with pytest.raises(UsageError, match=r"target precision 1\.5"):
        fit_label_scores(np.zeros((1, 2)), np.zeros(1, np.int64), precision=1.5)
    with pytest.raises(UsageError, match="shape"):
        fit_label_scores(np.zeros((1, 2)), np.zeros(2, np.int64), precision=0.5)
