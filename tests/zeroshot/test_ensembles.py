"""Rules of the ways in which the prompts of a label come together.

# C = labels, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from core.errors import UsageError
from core.types import FloatArray
from tests.fakes import FakeEncoder
from zeroshot.classifier import build_classifier
from zeroshot.classifier_cache import ClassifierCache
from zeroshot.labels import Label
from zeroshot.templates import check_templates

THREE = check_templates(["a {}", "the {}", "one {} here"])
LABELS = [Label("cat", aliases=("kitten",)), Label("dog"), Label("other", background=True)]


class RandomTexts(FakeEncoder):
    """An encoder whose texts have directions and lengths by chance, always the same."""

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """Return vectors of lengths between 1 and 3."""
        self.text_calls += 1
        rows = [np.random.default_rng(list(text.encode())).standard_normal(8) for text in texts]
        return np.array(rows, np.float32)


def images(count: int) -> FloatArray:
    """Return unit embeddings by chance."""
    drawn_ND = np.random.default_rng(3).standard_normal((count, 8))
    return (drawn_ND / np.linalg.norm(drawn_ND, axis=1, keepdims=True)).astype(np.float32)


def cosines_with_prompts(images_ND: FloatArray) -> list[FloatArray]:
    """Return the cosines of images with each prompt, one array per label."""
    found = []
    for label in LABELS:
        prompts_PD = RandomTexts().encode_texts(label.prompts_in(THREE))
        units_PD = prompts_PD / np.linalg.norm(prompts_PD, axis=1, keepdims=True)
        found.append(images_ND @ units_PD.T)
    return found


def test_embedding_is_the_cosine_with_the_mean_direction() -> None:
    """Against a naive mean of unit vectors."""
    images_ND = images(5)
    means = []
    for label in LABELS:
        prompts_PD = RandomTexts().encode_texts(label.prompts_in(THREE))
        mean_D = (prompts_PD / np.linalg.norm(prompts_PD, axis=1, keepdims=True)).mean(axis=0)
        means.append(mean_D / np.linalg.norm(mean_D))

    scores = build_classifier(RandomTexts(), LABELS, THREE).classify(images_ND)

    np.testing.assert_allclose(scores.cosines_NC, images_ND @ np.stack(means).T, atol=1e-6)


def test_logit_is_the_mean_of_the_cosines_of_the_prompts() -> None:
    """Averaging logits is not averaging embeddings: the mean vector keeps its length."""
    images_ND = images(5)
    expected_NC = np.stack([c.mean(axis=1) for c in cosines_with_prompts(images_ND)], axis=1)

    scores = build_classifier(RandomTexts(), LABELS, THREE, ensemble="logit").classify(images_ND)

    np.testing.assert_allclose(scores.cosines_NC, expected_NC, atol=1e-6)


def test_max_is_the_best_of_the_cosines_of_the_prompts() -> None:
    """Labels with unequal numbers of prompts too."""
    images_ND = images(5)
    expected_NC = np.stack([c.max(axis=1) for c in cosines_with_prompts(images_ND)], axis=1)

    scores = build_classifier(RandomTexts(), LABELS, THREE, ensemble="max").classify(images_ND)

    np.testing.assert_allclose(scores.cosines_NC, expected_NC, atol=1e-6)


def test_an_unknown_ensemble_is_refused() -> None:
    """The message names the three."""
    with pytest.raises(UsageError, match="expected embedding, logit, max"):
        build_classifier(RandomTexts(), LABELS, THREE, ensemble="mean")  # type: ignore[arg-type]


def test_each_ensemble_is_a_classifier_of_its_own_in_the_cache() -> None:
    """And each is built once."""
    cache, encoder = ClassifierCache(), RandomTexts()

    first = cache.get(encoder, LABELS, THREE)
    best = cache.get(encoder, LABELS, THREE, ensemble="max")

    assert first is cache.get(encoder, LABELS, THREE)
    assert best is cache.get(encoder, LABELS, THREE, ensemble="max")
    assert (cache.misses, cache.hits) == (2, 2)


def test_background_labels_are_known_to_the_scores() -> None:
    """By their column, and by a mark on the label."""
    scores = build_classifier(RandomTexts(), LABELS, THREE).classify(images(1))

    assert scores.background == frozenset({2})
    assert {item.label: item.background for item in scores.top(0, 3)} == {
        "cat": False,
        "dog": False,
        "other": True,
    }
