"""Rules of zero-shot labels during training."""

from __future__ import annotations

import tracemalloc

import numpy as np
import open_clip
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, top_k_accuracy_score
from torch import Tensor, nn

from core.errors import ConfigError, UsageError
from core.types import FloatArray
from training.data.heldout import chosen_value, evaluate
from training.data.tensor_data import TensorHeldOut
from training.towers.dual_encoder import as_dual_encoder
from training.towers.forward import TwoTowers
from training.zero_shot import UNLABELLED, class_vectors, label_task, zero_shot_metrics


def first_letters(texts: list[str]) -> Tensor:
    """Tokenise by the codes of four letters."""
    return torch.tensor([[ord(letter) for letter in text[:4].ljust(4)] for text in texts])


class Embedding(nn.Module):
    """Images are their own embeddings; a text is the sum of vectors of its letters."""

    def __init__(self) -> None:
        """Draw a vector per letter."""
        super().__init__()
        torch.manual_seed(0)
        self.letters = nn.Embedding(128, 6)
        self.logit_scale = nn.Parameter(torch.tensor(1.0))

    def encode_image(self, image: Tensor) -> Tensor:
        """Return the input."""
        return image

    def encode_text(self, text: Tensor, *, normalize: bool = False) -> Tensor:
        """Return (N, 6), of length one if asked."""
        places = torch.arange(1, text.shape[1] + 1)[:, None]
        summed: Tensor = (self.letters(text) * places).sum(dim=1)
        return nn.functional.normalize(summed, dim=-1) if normalize else summed


def unit(rows: FloatArray) -> FloatArray:
    """Return the rows at length one."""
    scaled: FloatArray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def random_case(*, images: int, classes: int) -> tuple[FloatArray, FloatArray, np.ndarray]:
    """Return unit images, unit classes and the truth."""
    rng = np.random.default_rng(0)
    vectors = unit(rng.normal(size=(classes, 8)))
    truth = rng.integers(0, classes, size=images)
    return unit(vectors[truth] + rng.normal(size=(images, 8))), vectors, truth


def test_metrics_worked_out_by_hand() -> None:
    """Three of four right; class 0 has recalls 2/3, class 1 has 1, so the mean is 5/6."""
    classes = np.eye(2, dtype=np.float32)
    images = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1]], np.float32)

    metrics = zero_shot_metrics(images, classes, np.array([0, 0, 0, 1]))

    assert metrics == pytest.approx(
        {
            "zero_shot_accuracy": 0.75,
            "zero_shot_mean_per_class_recall": 5 / 6,
            "zero_shot_chance": 0.5,
        }
    )


def test_accuracy_in_the_top_five_needs_more_than_five_classes() -> None:
    """With ten classes chance is 1/10 and 5/10; with five the top five are all of them."""
    assert "zero_shot_accuracy@5" not in zero_shot_metrics(*random_case(images=20, classes=5))

    metrics = zero_shot_metrics(*random_case(images=20, classes=10))
    assert metrics["zero_shot_chance"] == 0.1
    assert metrics["zero_shot_chance@5"] == 0.5


def test_metrics_are_those_of_scikit_learn() -> None:
    """Top-1, top-5 and balanced accuracy of 300 images in 12 classes."""
    images, classes, truth = random_case(images=300, classes=12)
    scores = images @ classes.T

    metrics = zero_shot_metrics(images, classes, truth)

    assert metrics["zero_shot_accuracy"] == top_k_accuracy_score(truth, scores, k=1)
    assert metrics["zero_shot_accuracy@5"] == top_k_accuracy_score(truth, scores, k=5)
    assert metrics["zero_shot_mean_per_class_recall"] == pytest.approx(
        balanced_accuracy_score(truth, scores.argmax(axis=1))
    )


def test_the_size_of_tiles_changes_nothing() -> None:
    """One row at a time, seven rows, or all at once."""
    case = random_case(images=40, classes=9)

    whole = zero_shot_metrics(*case)

    assert zero_shot_metrics(*case, tile_scores=1) == whole
    assert zero_shot_metrics(*case, tile_scores=63) == whole


def test_scores_are_never_all_in_memory() -> None:
    """20 000 images by 1000 classes would be 80 MB of scores; a tile of 0.4 MB is held."""
    images, classes, truth = random_case(images=20_000, classes=1000)
    tracemalloc.start()

    zero_shot_metrics(images, classes, truth, tile_scores=100_000)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The confusion matrix of 1000 classes is 8 MB, and it is made with a copy.
    assert peak < 40e6


def test_images_without_label_do_not_count() -> None:
    """An image of no class is neither right nor wrong."""
    images, classes, truth = random_case(images=30, classes=4)
    some = truth.copy()
    some[10:] = UNLABELLED

    assert zero_shot_metrics(images, classes, some) == zero_shot_metrics(
        images[:10], classes, truth[:10]
    )


def test_labels_of_other_images_are_refused() -> None:
    """As many classes as images, or they belong to something else."""
    images, classes, truth = random_case(images=30, classes=4)

    with pytest.raises(UsageError, match="30 held-out images, but the labels of 29"):
        zero_shot_metrics(images, classes, truth[:-1])


def test_classes_are_the_labels_sorted_without_case() -> None:
    """Cat and CAT are one class, spelled as it sorts first; no label is no class."""
    task = label_task(["dog", "Cat", None, "CAT ", "dog", ""], first_letters, ("{}",))

    assert task is not None
    assert task.classes == ("CAT", "dog")
    assert task.truth_N.tolist() == [1, 0, UNLABELLED, 0, 1, UNLABELLED]


def test_prompts_are_by_class_then_template() -> None:
    """Two classes in two templates are four rows, in batches of at most three."""
    task = label_task(["dog", "cat"], first_letters, ("{}", "a {}"))

    assert task is not None
    batches = list(task.prompt_batches(3))
    assert [len(batch) for batch in batches] == [3, 1]
    assert torch.equal(torch.cat(batches), first_letters(["cat", "a cat", "dog", "a dog"]))


@pytest.mark.parametrize("labels", [[], [None, None], ["cat", "Cat", None]])
def test_fewer_than_two_classes_are_no_task(labels: list[str | None]) -> None:
    """There is nothing to tell apart."""
    assert label_task(labels, first_letters, ("{}",)) is None


def test_class_vectors_are_those_of_open_clip() -> None:
    """The classifier that open_clip builds from the same prompts."""
    model, names, templates = Embedding(), ["cat", "dog", "cow"], ("{}", "a {}", "my {}")
    task = label_task(names, first_letters, templates)
    assert task is not None

    with torch.no_grad():
        prompts = model.encode_text(task.prompts_PL, normalize=True).numpy()
        theirs = open_clip.build_zero_shot_classifier(
            model, first_letters, list(task.classes), list(templates)
        )

    assert class_vectors(prompts, num_classes=3) == pytest.approx(theirs.T.numpy(), abs=1e-6)


def test_it_is_measured_beside_retrieval() -> None:
    """Images that are the text embeddings of their classes are all labelled right."""
    model, labels = Embedding(), ["cat", "dog", "cow", "dog"]
    task = label_task(labels, first_letters, ("{}",))
    tokens = first_letters(labels)
    with torch.no_grad():
        images = model.encode_text(tokens)
    relevant = [frozenset({0}), frozenset({1, 3}), frozenset({2}), frozenset({1, 3})]

    metrics = evaluate(
        TwoTowers(as_dual_encoder(model)),
        TensorHeldOut(images, tokens, relevant),
        batch_size=3,
        device=torch.device("cpu"),
        labels=task,
    )

    assert metrics["zero_shot_accuracy"] == 1.0
    assert metrics["zero_shot_chance"] == pytest.approx(1 / 3)
    assert metrics["mean_mrr"] == 1.0
    assert chosen_value(metrics, "zero_shot_accuracy") == 1.0
    assert chosen_value(metrics, "hit@5") == metrics["mean_hit@5"]


def test_a_metric_that_was_not_measured_cannot_decide() -> None:
    """Without labels the message says what to do."""
    with pytest.raises(ConfigError, match="fewer than two labels"):
        chosen_value({"mean_mrr": 0.5}, "zero_shot_accuracy")
