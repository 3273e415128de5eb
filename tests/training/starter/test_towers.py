"""The parts of the starter model on small random inputs."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import normalize

from training.starter.prototypes import class_prototypes, mean_activation
from training.starter.text_tower import TextTower
from training.starter.towers import CONSE_CLASSES, ConSE, mixed


def _random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_conse_of_a_sure_classifier_is_the_text_of_its_class() -> None:
    """With all probability on one class, the mixture is that class's vector."""
    texts_CW = normalize(_random(100, 8), dim=-1)
    logits_1C = torch.zeros(1, 100)
    logits_1C[0, 42] = 1000.0

    assert torch.allclose(ConSE(texts_CW)(logits_1C)[0], texts_CW[42], atol=1e-6)


def test_conse_ignores_all_but_the_likeliest_classes() -> None:
    """Changing the text of the least likely class changes nothing."""
    logits_1C = torch.arange(CONSE_CLASSES + 1, dtype=torch.float32)[None]
    texts_CW = _random(CONSE_CLASSES + 1, 8)
    changed_CW = texts_CW.clone()
    changed_CW[0] = 100.0

    assert torch.equal(ConSE(texts_CW)(logits_1C), ConSE(changed_CW)(logits_1C))


def test_the_parts_of_an_image_weigh_alike_whatever_their_length() -> None:
    """Both parts are normalised before they are added, and so is their sum."""
    image_12 = mixed(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 30.0]]), 0.6)

    assert torch.allclose(image_12, torch.tensor([[0.6, 0.4]]) / 0.52**0.5)


def test_padding_does_not_change_a_text() -> None:
    """A text has the same vector alone and beside a longer one."""
    tower = TextTower().eval()
    nn.init.normal_(tower.positions)
    ids = torch.tensor([[5, 6, 7]])
    padded = torch.tensor([[5, 6, 7, 0, 0]])

    alone = tower(ids, torch.ones_like(ids))
    beside = tower(padded, (padded > 0).long())

    assert torch.allclose(alone, beside, atol=1e-5)


def test_the_mean_activation_is_between_the_bounds_of_the_activation() -> None:
    """ReLU6 of a variable far below, at, and far above its range."""
    mean_F = mean_activation(torch.tensor([-50.0, 3.0, 50.0]), torch.tensor([1.0, 0.0, 1.0]))

    assert torch.allclose(mean_F, torch.tensor([0.0, 3.0, 6.0]))


def test_the_classifier_recognises_the_prototypes() -> None:
    """A prototype lies in the direction of its own class."""
    classifier_CF = _random(10, 64)

    prototypes_CF = class_prototypes(torch.zeros(64), classifier_CF, distance=4.0)

    assert (prototypes_CF @ classifier_CF.T).argmax(dim=1).tolist() == list(range(10))
    assert torch.allclose(prototypes_CF.norm(dim=1).mean(), torch.tensor(4.0))
