"""The linear probe: logistic regression on frozen image embeddings, as CLIP's paper does it.

The strength of the penalty is chosen on validation images only, by a search that goes from coarse
to fine over 1e-6 .. 1e6 to eight steps a decade; the full-data probe is then fitted again on
training and validation images, the k-shot ones on their draws alone.
Source: Radford et al. 2021, arXiv:2103.00020, appendix A.3.

# N = images, C = classes, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.errors import UsageError
from core.progress import ProgressFactory, silent
from core.types import FloatArray, IdArray
from evaluation.embeddings import Embeddings
from evaluation.estimates import Statistics
from evaluation.overlap import refuse_shared_images
from evaluation.predictions import labels_of, truths_of
from zeroshot.heads import LogisticHead
from zeroshot.logistic import fit_logistic

LOWEST, HIGHEST = -6.0, 6.0
"""Powers of ten that C is searched between."""
_FIRST_STEP, _LAST_STEP = 2.0, 0.125


@dataclass(frozen=True, slots=True)
class ProbeOptions:
    """What to train."""

    shots: tuple[int | None, ...] = (1, 2, 4, 8, 16, None)
    """Training images of each class; ``None`` for all."""
    draws: int = 5
    """Random choices of the training images for each number of shots."""
    statistics: Statistics = field(default_factory=Statistics)


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
    c: float
    """Inverse strength of the penalty."""
    validation: float
    """Accuracy on the validation images that C was chosen by."""
    accuracy: float
    """On the test."""
    head: LogisticHead = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Probes:
    """All of them, and what they were tested on."""

    labels: tuple[str, ...]
    test: LabelledImages
    fits: tuple[Fit, ...]
    train_images: int
    validation_images: int

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
    labels = tuple(labels_of(train.pairs))
    sets = [_labelled(part, labels) for part in (train, validation, test)]
    for name, part in zip(("train", "val", "test"), sets, strict=True):
        if not len(part.truth_N):
            raise UsageError(f"--{name}: no image has a label that the training pairs have too")
    wanted = [
        (shots, draw)
        for shots in options.shots
        for draw in range(1 if shots is None else options.draws)
    ]
    fits = []
    with progress("train probes", total=len(wanted), unit="probes") as shown:
        for shots, draw in wanted:
            fits.append(_probe(sets, len(labels), shots, draw, options.statistics.seed))
            shown.advance()
    return Probes(labels, sets[2], tuple(fits), len(sets[0].truth_N), len(sets[1].truth_N))


def search_c(accuracy_of: Callable[[float], float]) -> tuple[float, float]:
    """Return the C of best accuracy and that accuracy; of equal ones the smallest C.

    Seven powers of a hundred first, then the neighbours of the best at half the distance, until
    there are eight steps a decade.
    """
    known: dict[float, float] = {}

    def measure(exponent: float) -> float:
        if exponent not in known:
            known[exponent] = accuracy_of(10.0**exponent)
        return known[exponent]

    step = _FIRST_STEP
    candidates = np.arange(LOWEST, HIGHEST + step, step).tolist()
    while True:
        best = max(candidates, key=lambda exponent: (measure(exponent), -exponent))
        step /= 2
        if step < _LAST_STEP:
            return 10.0**best, known[best]
        candidates = [
            exponent
            for exponent in (best - step, best, best + step)
            if LOWEST <= exponent <= HIGHEST
        ]


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
    sets: Sequence[LabelledImages], classes: int, shots: int | None, draw: int, seed: int
) -> Fit:
    train, validation, test = sets
    if shots is not None:
        train = train.rows(
            draw_shots(train.truth_N, shots=shots, classes=classes, seed=seed, draw=draw)
        )

    def accuracy_of(c: float) -> float:
        head = fit_logistic(train.images_ND, train.truth_N, classes=classes, c=c)
        return _accuracy(head, validation)

    c, found = search_c(accuracy_of)
    images_ND, truth_N = train.images_ND, train.truth_N
    if shots is None:
        images_ND = np.concatenate([images_ND, validation.images_ND])
        truth_N = np.concatenate([truth_N, validation.truth_N])
    head = fit_logistic(images_ND, truth_N, classes=classes, c=c)
    return Fit(shots, draw, c, found, _accuracy(head, test), head)


def logits_of(head: LogisticHead, images_ND: FloatArray) -> np.ndarray:
    """Return the logits (N, C) of a probe."""
    weights_CD = head.weights_CD.astype(np.float64)
    logits_NC: np.ndarray = images_ND.astype(np.float64) @ weights_CD.T + head.bias_C
    return logits_NC


def _accuracy(head: LogisticHead, images: LabelledImages) -> float:
    predicted_N = np.argmax(logits_of(head, images.images_ND), axis=1)
    return float((predicted_N == images.truth_N).mean())


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
