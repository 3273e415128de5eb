"""Zero-shot labels on held-out pictures during training, with what chance would reach.

# N = images, C = classes, T = templates, P = prompts (C * T), L = tokens, D = embedding dim
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from core.errors import UsageError
from core.types import FloatArray, IdArray
from evaluation.label_metrics import (
    accuracy,
    confusion_matrix,
    counts_of_confusion,
    mean_per_class_recall,
    true_label_ranks,
)
from training.data.captions import Tokenize, tokenized
from training.data.prompts import prompts_of
from zeroshot.texts import tidy

TOP_K = 5
"""Accuracy among the best five is reported too, where there are more classes than that."""
UNLABELLED = -1
"""Class of an image that has no label."""

_LEAST_CLASSES = 2
_TILE_SCORES = 1 << 22


@dataclass(frozen=True, slots=True)
class LabelTask:
    """Which class each held-out image belongs to, and the prompts of the classes."""

    classes: tuple[str, ...]
    """Names of the classes, sorted."""
    truth_N: IdArray
    """Class of each held-out image, in their order; ``UNLABELLED`` where it has none."""
    prompts_PL: Tensor
    """Inputs of ``encode_text``: the T prompts of the first class, then those of the second."""

    def prompt_batches(self, size: int) -> Iterator[Tensor]:
        """Yield the prompts in order, at most ``size`` at a time."""
        for start in range(0, len(self.prompts_PL), size):
            yield self.prompts_PL[start : start + size]


def label_task(
    labels: Sequence[str | None], tokenize: Tokenize, templates: Sequence[str]
) -> LabelTask | None:
    """Return the task of telling the classes of held-out images apart.

    Labels that differ in case and white space alone are one class, as in ``sightline evaluate``.
    There is no task where fewer than two classes occur.

    Args:
        labels: of every held-out image, in their order; ``None`` where it has none.
        tokenize: of the model.
        templates: prompts, each with one ``{}`` for the label.
    """
    found = [tidy(label) if label else "" for label in labels]
    names = {label.casefold(): label for label in sorted(found, reverse=True) if label}
    if len(names) < _LEAST_CLASSES:
        return None
    classes = sorted(names.values())
    number_of = {label.casefold(): number for number, label in enumerate(classes)}
    numbers = [number_of.get(label.casefold(), UNLABELLED) for label in found]
    prompts = [prompt for label in classes for prompt in prompts_of(label, templates)]
    return LabelTask(tuple(classes), np.array(numbers, np.int64), tokenized(prompts, tokenize))


def class_vectors(prompts_PD: FloatArray, *, num_classes: int) -> FloatArray:
    """Return (C, D) unit vectors: the mean over templates of unit embeddings, at length one.

    Source: Radford et al. 2021, arXiv:2103.00020, section 3.1.4.
    """
    means_CD = prompts_PD.reshape(num_classes, -1, prompts_PD.shape[1]).mean(axis=1)
    norms_C1 = np.linalg.norm(means_CD, axis=1, keepdims=True)
    vectors_CD: FloatArray = means_CD / np.maximum(norms_C1, np.finfo(np.float32).tiny)
    return vectors_CD


def zero_shot_metrics(
    images_ND: FloatArray,
    classes_CD: FloatArray,
    truth_N: IdArray,
    *,
    tile_scores: int = _TILE_SCORES,
) -> dict[str, float]:
    """Return accuracy, accuracy in the top five and mean per-class recall, and their chance.

    At most ``tile_scores`` scores are in memory at once. A guess is right with the probability
    1 / C, whatever the sizes of the classes, so that is the chance of the mean recall too.

    Raises:
        UsageError: the images and their classes differ in number, or none has a class.
    """
    if len(images_ND) != len(truth_N):
        raise UsageError(f"{len(images_ND)} held-out images, but the labels of {len(truth_N)}")
    labelled_N = truth_N != UNLABELLED
    images_ND, truth_N, count = images_ND[labelled_N], truth_N[labelled_N], len(classes_CD)
    ranks, predicted = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    rows = max(1, tile_scores // count)
    for start in range(0, len(images_ND), rows):
        cosines_NC = images_ND[start : start + rows] @ classes_CD.T
        ranks.append(true_label_ranks(cosines_NC, truth_N[start : start + rows]))
        predicted.append(np.argmax(cosines_NC, axis=1).astype(np.int64))
    ranks_N = np.concatenate(ranks)
    confusion_CC = confusion_matrix(truth_N, np.concatenate(predicted), classes=count)
    values = {
        "zero_shot_accuracy": accuracy(ranks_N),
        "zero_shot_mean_per_class_recall": mean_per_class_recall(counts_of_confusion(confusion_CC)),
        "zero_shot_chance": 1 / count,
    }
    if count > TOP_K:
        values["zero_shot_accuracy@5"] = accuracy(ranks_N, k=TOP_K)
        values["zero_shot_chance@5"] = TOP_K / count
    return values
