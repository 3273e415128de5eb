"""Which templates help: each alone, all but one, and forward selection as OpenAI found its seven.

Choose on validation images only, and report on others: the best of many subsets looks better on
the images that chose it than it is.
Source: OpenAI's notebook "Prompt engineering for ImageNet": forward selection from 80 to 7.

# N = images, C = labels, T = templates, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import FloatArray, IdArray
from encoders.encoder import Encoder
from zeroshot.label_matrix import label_means, unit_rows
from zeroshot.labels import Label, check_label_list
from zeroshot.templates import TemplateSet, check_templates


@dataclass(frozen=True, slots=True)
class Ablation:
    """Accuracies on the same images."""

    templates: tuple[str, ...]
    accuracy: float
    """All templates together."""
    alone: tuple[float, ...]
    """Each template by itself."""
    without: tuple[float | None, ...]
    """All but that template; ``None`` where it is the only one."""

    @property
    def gains(self) -> tuple[float | None, ...]:
        """What each template adds to the others: ``accuracy - without``."""
        return tuple(None if rest is None else self.accuracy - rest for rest in self.without)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of forward selection."""

    template: str
    accuracy: float
    """Of the templates chosen so far, this one among them."""


def template_embeddings(
    encoder: Encoder, labels: Sequence[str | Label], templates: TemplateSet
) -> FloatArray:
    """Return the unit embedding of each label in each template (C, T, D), aliases averaged.

    Raises:
        LabelSetError: labels that cannot be used.
        UsageError: a label with prompts of its own, to which templates mean nothing.
        EncoderError: the model fails.
    """
    checked = check_label_list(labels)
    own = [label.text for label in checked if label.prompts]
    if own:
        raise UsageError(f"{own[0]!r} has prompts of its own; templates can only be judged without")
    # Two templates of a stored set are never alike, so each is a set of one.
    parts = []
    for template in templates.templates:
        means_CD = label_means(encoder, checked, check_templates([template]))
        parts.append(unit_rows(means_CD.astype(np.float64)).astype(np.float32))
    return np.stack(parts, axis=1)


def ablate_templates(
    embeddings_CTD: FloatArray,
    images_ND: FloatArray,
    truth_N: IdArray,
    *,
    templates: TemplateSet,
) -> Ablation:
    """Return the accuracy of all templates, of each alone, and of all but each.

    Raises:
        UsageError: no images, or shapes that do not fit.
    """
    _check(embeddings_CTD, images_ND, truth_N, templates)
    sum_CD = embeddings_CTD.sum(axis=1)
    count = len(templates.templates)
    alone = [_accuracy(embeddings_CTD[:, t], images_ND, truth_N) for t in range(count)]
    without = [
        _accuracy(sum_CD - embeddings_CTD[:, t], images_ND, truth_N) if count > 1 else None
        for t in range(count)
    ]
    return Ablation(
        templates=templates.templates,
        accuracy=_accuracy(sum_CD, images_ND, truth_N),
        alone=tuple(alone),
        without=tuple(without),
    )


def select_templates(
    embeddings_CTD: FloatArray,
    images_ND: FloatArray,
    truth_N: IdArray,
    *,
    templates: TemplateSet,
    most: int = 7,
) -> tuple[Step, ...]:
    """Add the template that helps most, again and again, until none helps or ``most`` are chosen.

    Among equals the earlier template is taken.

    Raises:
        UsageError: no images, shapes that do not fit, or ``most`` below 1.
    """
    _check(embeddings_CTD, images_ND, truth_N, templates)
    if most < 1:
        raise UsageError(f"most = {most}: expected 1 or more", param="most")
    chosen: list[int] = []
    steps: list[Step] = []
    sum_CD = np.zeros_like(embeddings_CTD[:, 0])
    while len(chosen) < min(most, len(templates.templates)):
        left = [t for t in range(len(templates.templates)) if t not in chosen]
        found = [_accuracy(sum_CD + embeddings_CTD[:, t], images_ND, truth_N) for t in left]
        best = int(np.argmax(found))
        if steps and found[best] <= steps[-1].accuracy:
            break
        chosen.append(left[best])
        sum_CD = sum_CD + embeddings_CTD[:, left[best]]
        steps.append(Step(templates.templates[left[best]], found[best]))
    return tuple(steps)


def _accuracy(sum_CD: NDArray[np.float32], images_ND: FloatArray, truth_N: IdArray) -> float:
    """Return how often the direction of the true label is the nearest one."""
    directions_CD = unit_rows(sum_CD.astype(np.float64)).astype(np.float32)
    best_N = np.argmax(images_ND @ directions_CD.T, axis=1)
    return float(np.count_nonzero(best_N == truth_N) / len(truth_N))


def _check(
    embeddings_CTD: FloatArray, images_ND: FloatArray, truth_N: IdArray, templates: TemplateSet
) -> None:
    fits = (
        embeddings_CTD.shape[1] == len(templates.templates)
        and embeddings_CTD.shape[2] == images_ND.shape[1]
        and truth_N.shape == images_ND.shape[:1]
    )
    if not fits or len(truth_N) == 0:
        raise UsageError(
            f"embeddings {embeddings_CTD.shape}, images {images_ND.shape}, truths {truth_N.shape} "
            f"and {len(templates.templates)} templates do not fit together"
        )
