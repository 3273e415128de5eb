"""Rules of the evaluation during training."""

from __future__ import annotations

import tracemalloc

import pytest
import torch
from torch import Tensor, nn

from training.data.heldout import chance_hit, evaluate, inverted
from training.data.tensor_data import TensorHeldOut
from training.towers.dual_encoder import as_dual_encoder
from training.towers.forward import TwoTowers


class Identity(nn.Module):
    """A dual encoder whose inputs are its embeddings."""

    def __init__(self) -> None:
        """Have a temperature, as the contract asks."""
        super().__init__()
        self.logit_scale = nn.Parameter(torch.tensor(1.0))

    def encode_image(self, image: Tensor) -> Tensor:
        """Return the input."""
        return image

    def encode_text(self, text: Tensor) -> Tensor:
        """Return the input."""
        return text


def evaluated(
    images: Tensor, texts: Tensor, relevant: list[frozenset[int]], *, batch_size: int = 2
) -> dict[str, float]:
    """Evaluate embeddings as they are."""
    return evaluate(
        TwoTowers(as_dual_encoder(Identity())),
        TensorHeldOut(images, texts, relevant),
        batch_size=batch_size,
        device=torch.device("cpu"),
    )


def test_ranks_worked_out_by_hand() -> None:
    """Three images; the first text finds its image first, the second finds it last."""
    images = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    texts = torch.tensor([[1.0, 0.1], [0.0, 1.0]])

    metrics = evaluated(images, texts, [frozenset({0}), frozenset({0})])

    assert metrics["text_to_image_hit@1"] == 0.5
    assert metrics["text_to_image_hit@5"] == 1.0
    assert metrics["text_to_image_mrr"] == pytest.approx((1 + 1 / 3) / 2)
    # Only image 0 has texts: it is the one query of the other direction and finds text 0 first.
    assert metrics["image_to_text_hit@1"] == 1.0
    assert metrics["mean_mrr"] == pytest.approx((2 / 3 + 1) / 2)


def test_any_relevant_image_counts() -> None:
    """Trap 12: a caption that two images share is answered by either."""
    images = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    texts = torch.tensor([[1.0, 0.0]])

    metrics = evaluated(images, texts, [frozenset({0, 1})])

    assert metrics["text_to_image_hit@1"] == 1.0
    assert metrics["text_to_image_chance_hit@1"] == 1.0


def test_the_size_of_batches_changes_nothing() -> None:
    """Embedding two or seven at a time gives the same numbers."""
    generator = torch.Generator().manual_seed(0)
    images, texts = torch.randn(20, 4, generator=generator), torch.randn(9, 4, generator=generator)
    relevant = [frozenset({number, number + 5}) for number in range(9)]

    small = evaluated(images, texts, relevant, batch_size=2)

    assert small == evaluated(images, texts, relevant, batch_size=7)


@pytest.mark.parametrize(
    ("relevant", "items", "k", "expected"),
    [(1, 10, 1, 0.1), (1, 10, 5, 0.5), (2, 4, 1, 0.5), (2, 4, 2, 5 / 6), (1, 3, 10, 1.0)],
)
def test_chance_worked_out_by_hand(relevant: int, items: int, k: int, expected: float) -> None:
    """For two of four in two draws: 1 - (2/4)(1/3) = 5/6."""
    assert chance_hit(relevant, items, k) == pytest.approx(expected)


def test_relevance_is_turned_around() -> None:
    """Each image gets the texts that name it; one without texts gets none."""
    found = inverted([frozenset({0, 2}), frozenset({2})], num_images=3)

    assert found == [frozenset({0}), frozenset(), frozenset({0, 1})]


def test_the_mode_of_the_model_is_kept() -> None:
    """A model in training is in training afterwards, one in evaluation too."""
    towers = TwoTowers(as_dual_encoder(Identity()))
    heldout = TensorHeldOut(torch.eye(2), torch.eye(2), [frozenset({0}), frozenset({1})])
    for training in (True, False):
        towers.train(training)

        evaluate(towers, heldout, batch_size=2, device=torch.device("cpu"))

        assert towers.training is training


@pytest.mark.slow
def test_the_scores_of_all_queries_are_never_in_memory_at_once() -> None:
    """Peers run out of memory here: 8000 texts by 8000 images are 512 MB in float64."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(8000, 4, generator=generator)
    texts = torch.randn(8000, 4, generator=generator)
    relevant = [frozenset({number}) for number in range(8000)]
    tracemalloc.start()

    evaluated(images, texts, relevant, batch_size=4000)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
