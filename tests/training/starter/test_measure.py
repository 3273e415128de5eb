"""Hit rates and the calibrated temperature."""

from __future__ import annotations

import torch

from training.starter.measure import best_logit_scale, hit_rates, relevant_by_caption


def test_any_of_the_relevant_images_is_a_hit() -> None:
    """A caption of two images is found when either is first."""
    images_ND = torch.eye(3)
    texts_MD = torch.tensor([[0.0, 0.9, 0.1], [0.9, 0.0, 0.1]])

    rates = hit_rates(texts_MD, images_ND, [frozenset({0, 1}), frozenset({2})])

    assert rates == {"hit@1": 0.5, "hit@5": 1.0, "hit@10": 1.0}


def test_images_of_one_caption_are_listed_together() -> None:
    """Captions are counted once, in the order of their first image."""
    texts, relevant = relevant_by_caption(["cat", "dog", "cat"])

    assert texts == ["cat", "dog"]
    assert relevant == [frozenset({0, 2}), frozenset({1})]


def test_a_noisy_model_gets_a_lower_scale() -> None:
    """A model that is often wrong should be less sure."""
    cosines_NM = torch.tensor([[0.5, 0.1], [0.5, 0.1], [0.1, 0.5], [0.1, 0.5]])
    right, noisy = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 0])

    sure = best_logit_scale(cosines_NM, right, low=1.0, high=100.0)
    unsure = best_logit_scale(cosines_NM, noisy, low=1.0, high=100.0)

    assert unsure < sure
