"""Probes: classifiers trained on frozen image embeddings, with few images of a class and with all.

The linear probe is logistic regression, as CLIP's paper does it; the other heads begin with the
texts (zeroshot/heads.py). What a head leaves open, like the strength of the penalty, is chosen on
validation images only; the full-data probe is then fitted again on training and validation images,
the k-shot ones on their draws alone.
Source: Radford et al. 2021, arXiv:2103.00020, appendix A.3.

# N = images, C = classes, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from core.errors import UsageError
from core.progress import ProgressFactory, silent
from core.types import FloatArray, IdArray
from evaluation.embeddings import Embeddings
from evaluation.estimates import Statistics
from evaluation.overlap import refuse_shared_images
from evaluation.predictions import labels_of, truths_of
from evaluation.probe_heads import Logits, Parameters, ProbeHead, probe_head
from evaluation.prompts import Prompts
from zeroshot.few_shot import Examples
from zeroshot.heads import Head, HeadKind, TextHead


@dataclass(frozen=True, slots=True)
class ProbeOptions:
    """What to train."""

    shots: tuple[int | None, ...] = (1, 2, 4, 8, 16, None)
    """Training images of each class; ``None`` for all."""
    draws: int = 5
    """Random choices of the training images for each number of shots."""
    statistics: Statistics = field(default_factory=Statistics)
    head: HeadKind = "logistic"
    """The linear probe, or a head beside the texts: ``class_means`` or ``tip_adapter``."""


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """Embeddings with their classes."""

    images_ND: FloatArray
    truth_N: IdArray
    places_N: IdArray
    """Which pair each is of."""

    def rows(self, rows: IdArray) -> LabelledImages:
        """Return some of them."""
        return LabelledImages(self.images_ND[rows], self.truth_N[rows], self.places_N[rows])


@dataclass(frozen=True, slots=True)
class Fit:
    """One trained probe."""

    shots: int | None
    draw: int
    parameters: Parameters
    """``c``, the inverse strength of the penalty; ``weight``; or ``alpha`` and ``beta``."""
    validation: float
    """Accuracy on the validation images that they were chosen by."""
    accuracy: float
    """On the test."""
    head: Head = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Probes:
    """All of them, and what they were tested on."""

    labels: tuple[str, ...]
    test: LabelledImages
    fits: tuple[Fit, ...]
    train_images: int
    validation_images: int
    trainer: ProbeHead = field(repr=False, compare=False)
    template_digest: str | None = None
    """Of the texts that the probes begin with; ``None`` for the linear probe."""

    def logits(self, fit: Fit) -> Logits:
        """Return the logits (N, C) of a probe for the test images."""
        return self.trainer.logits(fit.head, self.test.images_ND)

    @property
    def best(self) -> Fit:
        """Return the first probe of most shots."""
        return max(self.fits, key=lambda fit: (fit.shots is None, fit.shots or 0, -fit.draw))


def train_probes(
    train: Embeddings,
    validation: Embeddings,
    test: Embeddings,
    options: ProbeOptions | None = None,
    *,
    progress: ProgressFactory = silent,
) -> Probes:
    """Train on k images of each class and on all, and score each probe on the test.

    Raises:
        UsageError: images that are tested on are trained or validated on, vectors of different
            models, scikit-learn is not installed, or a class with too few images.
        PairsError: no pair has a label.
    """
    options = options or ProbeOptions()
    _check(train, validation, test, options)
    prompts = _prompts(train, options)
    labels = tuple(labels_of(train.pairs)) if prompts is None else prompts.texts
    classifier = None if prompts is None else prompts.classifier(train.provenance)
    trainer = probe_head(options.head, classifier, classes=len(labels))
    sets = [_labelled(part, labels) for part in (train, validation, test)]
    for name, part in zip(("train", "val", "test"), sets, strict=True):
        if not len(part.truth_N):
            raise UsageError(f"--{name}: no image has a label that the training pairs have too")
    wanted = [
        (shots, draw)
        for shots in options.shots
        for draw in range(1 if shots is None else options.draws)
    ]
    fits = [] if prompts is None else [_texts_alone(sets, trainer)]
    with progress("train probes", total=len(wanted), unit="probes") as shown:
        for shots, draw in wanted:
            fits.append(_probe(sets, trainer, shots, draw, options.statistics.seed))
            shown.advance()
    return Probes(
        labels,
        sets[2],
        tuple(fits),
        len(sets[0].truth_N),
        len(sets[1].truth_N),
        trainer,
        None if prompts is None else prompts.templates.digest,
    )


def draw_shots(truth_N: IdArray, *, shots: int, classes: int, seed: int, draw: int) -> IdArray:
    """Return the rows of ``shots`` random images of each class, ascending.

    Raises:
        UsageError: a class has fewer.
    """
    generator = np.random.default_rng([seed, shots, draw])
    chosen = []
    for place in range(classes):
        rows = np.flatnonzero(truth_N == place)
        if len(rows) < shots:
            raise UsageError(
                f"a class has {len(rows)} training images, fewer than {shots} shots; leave these "
                "shots out",
                param="shots",
            )
        chosen.append(generator.choice(rows, shots, replace=False))
    return np.sort(np.concatenate(chosen))


def _probe(
    sets: Sequence[LabelledImages], trainer: ProbeHead, shots: int | None, draw: int, seed: int
) -> Fit:
    train, validation, test = sets
    if shots is not None:
        train = train.rows(
            draw_shots(train.truth_N, shots=shots, classes=trainer.classes, seed=seed, draw=draw)
        )

    examples = Examples(train.images_ND, train.truth_N)
    parameters, found = trainer.choose(examples, Examples(validation.images_ND, validation.truth_N))
    if shots is None:
        examples = Examples(
            np.concatenate([train.images_ND, validation.images_ND]),
            np.concatenate([train.truth_N, validation.truth_N]),
        )
    head = trainer.fit(examples, parameters)
    predicted_N = np.argmax(trainer.logits(head, test.images_ND), axis=1)
    accuracy = float((predicted_N == test.truth_N).mean())
    return Fit(shots, draw, parameters, found, accuracy, head)


def _texts_alone(sets: Sequence[LabelledImages], trainer: ProbeHead) -> Fit:
    """Return what the texts know without any training image: the probe of 0 shots."""
    head = TextHead()
    validation, test = (
        float((np.argmax(trainer.logits(head, part.images_ND), axis=1) == part.truth_N).mean())
        for part in sets[1:]
    )
    return Fit(0, 0, {}, validation, test, head)


def _prompts(train: Embeddings, options: ProbeOptions) -> Prompts | None:
    """Return the texts that a probe begins with; ``None`` for the linear one.

    Raises:
        UsageError: the training images were embedded without their labels.
    """
    if options.head == "logistic":
        return None
    if train.prompts is None:
        raise UsageError(
            f"a probe of kind {options.head} begins with the texts of the labels: embed the "
            "training images with --labels, or give the pairs themselves",
            param="head",
        )
    return train.prompts


def _labelled(embeddings: Embeddings, labels: Sequence[str]) -> LabelledImages:
    classes = truths_of(embeddings.pairs, labels).classes
    places = embeddings.images.places_G
    rows = [row for row, place in enumerate(places) if classes[place] is not None]
    return LabelledImages(
        embeddings.images.embeddings_GD[rows],
        np.array([classes[places[row]] for row in rows], np.int64),
        np.array([places[row] for row in rows], np.int64),
    )


def _check(
    train: Embeddings, validation: Embeddings, test: Embeddings, options: ProbeOptions
) -> None:
    if len({part.provenance.encoder_id for part in (train, validation, test)}) > 1:
        raise UsageError("train, val and test were embedded by different models; embed them again")
    if options.draws < 1 or any(shots is not None and shots < 1 for shots in options.shots):
        raise UsageError(
            f"draws = {options.draws}, shots = {list(options.shots)}: expected 1 or more"
        )
    refuse_shared_images(test, train, what="--train")
    refuse_shared_images(test, validation, what="--val")
    refuse_shared_images(validation, train, what="--train and --val")
