"""Fitting a few-shot head: every candidate is judged on validation images, beside the texts alone.

Validation images are given, or the examples are held out in turn (k-fold, by label). Nothing is
ever chosen on images that are also reported as a test. A head replaces the texts only where it
labels more validation images rightly, by more than the standard error of the difference; the gain
is reported with its interval either way. The best of several candidates looks a little better on
the images that chose it than it will on new ones.

# N = validation images, C = labels, K = examples, D = embedding dimension
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import FloatArray, IdArray
from zeroshot.classifier import Classifier
from zeroshot.few_shot_candidates import Candidate, build_head, candidate_logits, candidates_of
from zeroshot.heads import HEAD_KINDS, Head, HeadKind, TextHead
from zeroshot.logistic import scikit_learn_is_installed
from zeroshot.reliability import negative_log_likelihood
from zeroshot.scores import softmax

HeadChoice = Literal["best", "text", "class_means", "tip_adapter", "logistic"]

FOLDS = 5
"""The examples are held out in this many parts."""

_RESAMPLES = 2000
_LEAST_FOR_FOLDS = 2


@dataclass(frozen=True, slots=True)
class Examples:
    """Unit image embeddings whose label is known."""

    embeddings_KD: FloatArray
    labels_K: IdArray
    """Column of each label."""


@dataclass(frozen=True, slots=True)
class HeadFit:
    """A fitted head and what is known of it."""

    head: Head
    parameters: Mapping[str, float]
    """What was chosen on validation: ``weight``; ``alpha``, ``beta``; or ``c``."""
    labels: int
    """Labels of the classifier."""
    examples: int
    shots: tuple[int, int]
    """Examples of the label with the fewest and of the one with the most."""
    validation: str
    """``given``, or ``5-fold``."""
    validation_images: int
    accuracy: float
    accuracy_text: float
    """Of the texts alone, on the same validation images."""
    gain_interval: tuple[float, float]
    """95 % of accuracy - accuracy_text: paired bootstrap over the validation images, seed 0."""
    better: int
    """Validation images that only the head labels rightly."""
    worse: int
    """Validation images that only the texts label rightly."""
    accuracies: Mapping[str, float]
    """Of the best candidate of each kind."""
    skipped: Mapping[str, str]
    """Kinds that could not be tried, and why."""


def fit_head(
    classifier: Classifier,
    examples: Examples,
    *,
    validation: Examples | None = None,
    kind: HeadChoice = "best",
    seed: int = 0,
) -> HeadFit:
    """Choose a head and its parameters on validation images, and fit it on all examples.

    Args:
        classifier: the labels, compiled with the encoder of the examples.
        examples: images to learn from; labels may have unequal numbers of them, or none.
        validation: images to choose by; without them the examples are held out in turn.
        kind: ``best`` takes the most accurate kind, or the texts where none is clearly better; a
            named kind is taken whatever it does. ``text`` tries no other, so that examples can be
            stored without the time that choosing takes.
        seed: of the split into folds.

    Raises:
        UsageError: too few examples, a kind that cannot be fitted on them, or shapes that do not
            fit.
    """
    _check(classifier, examples)
    splits = _splits(examples, validation, seed=seed)
    skipped = _skipped(examples, classes=len(classifier.labels), held_out=validation is None)
    if kind in skipped:
        raise UsageError(f"the head {kind} cannot be fitted: {skipped[kind]}", param="head")
    kinds: tuple[HeadKind, ...] = ("text",) if kind == "text" else HEAD_KINDS
    tried = [item for item in candidates_of(kinds) if item.kind not in skipped]
    outcomes = [_outcome(classifier, candidate, splits) for candidate in tried]
    best_of_kind = _best_of_kind(tried, outcomes)
    chosen = _chosen(best_of_kind, kind)
    text_N, chosen_N = best_of_kind["text"].correct_N, best_of_kind[chosen].correct_N
    candidate = best_of_kind[chosen].candidate
    counts_C = np.bincount(examples.labels_K, minlength=len(classifier.labels))
    return HeadFit(
        head=build_head(candidate, classifier, examples.embeddings_KD, examples.labels_K),
        parameters=dict(candidate.parameters),
        labels=len(classifier.labels),
        examples=len(examples.labels_K),
        shots=(int(counts_C.min()), int(counts_C.max())),
        validation="given" if validation is not None else f"{len(splits)}-fold",
        validation_images=len(text_N),
        accuracy=float(chosen_N.mean()),
        accuracy_text=float(text_N.mean()),
        gain_interval=_gain_interval(text_N, chosen_N),
        better=int(np.count_nonzero(chosen_N & ~text_N)),
        worse=int(np.count_nonzero(text_N & ~chosen_N)),
        accuracies={name: float(found.correct_N.mean()) for name, found in best_of_kind.items()},
        skipped=skipped,
    )


def best_candidate(
    classifier: Classifier, examples: Examples, validation: Examples, *, kind: HeadKind
) -> tuple[Candidate, float]:
    """Return the parameters of one kind of head that label most validation images rightly.

    Among equals it is the candidate of least loss; the second number is its accuracy.

    Raises:
        UsageError: shapes that do not fit, or a kind that cannot be fitted on the examples.
    """
    _check(classifier, examples)
    splits = _splits(examples, validation, seed=0)
    tried = candidates_of((kind,))
    outcomes = [_outcome(classifier, candidate, splits) for candidate in tried]
    best = _best_of_kind(tried, outcomes)[kind]
    return best.candidate, float(best.correct_N.mean())


def fold_of_examples(labels_K: IdArray, *, folds: int, seed: int = 0) -> IdArray:
    """Return the fold of each example; the examples of a label are spread over the folds.

    Deterministic for a seed.
    """
    generator = np.random.default_rng(seed)
    folds_K = np.empty(len(labels_K), np.int64)
    dealt = 0
    for label in np.unique(labels_K):
        rows = generator.permutation(np.flatnonzero(labels_K == label))
        folds_K[rows] = (np.arange(len(rows)) + dealt) % folds
        dealt += len(rows)
    return folds_K


@dataclass(frozen=True, slots=True)
class _Split:
    """Examples to fit on, and images to judge by."""

    fitted: Examples
    judged: Examples


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of the validation images under one candidate."""

    candidate: Candidate
    correct_N: NDArray[np.bool_]
    nll: float


def _outcome(classifier: Classifier, candidate: Candidate, splits: Sequence[_Split]) -> _Outcome:
    correct: list[NDArray[np.bool_]] = []
    losses: list[float] = []
    for split in splits:
        fitted, judged = split.fitted, split.judged
        logits_NC = candidate_logits(
            candidate, classifier, fitted.embeddings_KD, fitted.labels_K, judged.embeddings_KD
        )
        correct.append(np.argmax(logits_NC, axis=1) == judged.labels_K)
        losses.append(negative_log_likelihood(softmax(logits_NC), judged.labels_K))
    sizes = [len(split.judged.labels_K) for split in splits]
    return _Outcome(candidate, np.concatenate(correct), float(np.average(losses, weights=sizes)))


def _best_of_kind(
    tried: Sequence[Candidate], outcomes: Sequence[_Outcome]
) -> dict[HeadKind, _Outcome]:
    """Return the most accurate candidate of each kind; among equals the one of least loss."""
    best: dict[HeadKind, _Outcome] = {}
    for candidate, outcome in zip(tried, outcomes, strict=True):
        known = best.get(candidate.kind)
        if known is None or _rank(outcome) > _rank(known):
            best[candidate.kind] = outcome
    return best


def _rank(outcome: _Outcome) -> tuple[int, float]:
    return int(np.count_nonzero(outcome.correct_N)), -outcome.nll


def _chosen(best_of_kind: Mapping[HeadKind, _Outcome], kind: HeadChoice) -> HeadKind:
    """Return the kind that is asked for, or the most accurate one that beats the texts.

    It beats them where the pictures that it alone labels rightly, less those that the texts alone
    do, are more than one standard error of that difference; else chance would choose.
    Source: the one-standard-error rule of Breiman et al. 1984, section 3.4.3.
    """
    if kind != "best":
        return kind
    best = max(best_of_kind, key=lambda name: _rank(best_of_kind[name])[0])
    text_N, best_N = best_of_kind["text"].correct_N, best_of_kind[best].correct_N
    better, worse = np.count_nonzero(best_N & ~text_N), np.count_nonzero(text_N & ~best_N)
    return best if better - worse > math.sqrt(better + worse) else "text"


def _gain_interval(text_N: NDArray[np.bool_], head_N: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the 95 % interval of the mean difference over resampled images."""
    images = len(text_N)
    better, worse = np.count_nonzero(head_N & ~text_N), np.count_nonzero(text_N & ~head_N)
    shares = np.array([better, worse, images - better - worse]) / images
    drawn = np.random.default_rng(0).multinomial(images, shares, size=_RESAMPLES)
    low, high = np.percentile((drawn[:, 0] - drawn[:, 1]) / images, [2.5, 97.5])
    return float(low), float(high)


def _splits(examples: Examples, validation: Examples | None, *, seed: int) -> list[_Split]:
    if validation is not None:
        if len(validation.labels_K) == 0:
            raise UsageError("no validation images; give at least one, or none at all to hold out")
        return [_Split(examples, validation)]
    count = len(examples.labels_K)
    if count < _LEAST_FOR_FOLDS:
        raise UsageError(
            f"{count} examples cannot be held out in turn; give at least {_LEAST_FOR_FOLDS}, "
            "better several of each label",
            param="labels",
        )
    folds = min(FOLDS, count)
    folds_K = fold_of_examples(examples.labels_K, folds=folds, seed=seed)
    return [
        _Split(_rows(examples, folds_K != n), _rows(examples, folds_K == n)) for n in range(folds)
    ]


def _rows(examples: Examples, chosen_K: NDArray[np.bool_]) -> Examples:
    return Examples(examples.embeddings_KD[chosen_K], examples.labels_K[chosen_K])


def _skipped(examples: Examples, *, classes: int, held_out: bool) -> dict[str, str]:
    """Return why logistic regression, which needs examples of every label, cannot be tried."""
    least = 2 if held_out else 1
    counts_C = np.bincount(examples.labels_K, minlength=classes)
    if not scikit_learn_is_installed():
        return {"logistic": "scikit-learn is missing: pip install 'sightline[evaluation]'"}
    if classes < _LEAST_FOR_FOLDS or counts_C.min() < least:
        few = int(np.count_nonzero(counts_C < least))
        return {"logistic": f"{few} of {classes} labels have fewer than {least} examples"}
    return {}


def _check(classifier: Classifier, examples: Examples) -> None:
    rows, labels_K = len(examples.embeddings_KD), examples.labels_K
    if labels_K.shape != (rows,) or rows == 0:
        raise UsageError(f"{rows} example images and {len(labels_K)} labels: give one label each")
    if labels_K.min() < 0 or labels_K.max() >= len(classifier.labels):
        raise UsageError(f"a label is outside of 0 to {len(classifier.labels) - 1}")
    if classifier.ensemble != "embedding" or not isinstance(classifier.head, TextHead):
        raise UsageError("a head is fitted beside the texts alone, with ensemble embedding")
