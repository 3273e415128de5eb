"""Rules of evaluation.probe: what is chosen on what, and which images may not meet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import UsageError
from evaluation.embeddings import Embeddings
from evaluation.probe import ProbeOptions, draw_shots, train_probes
from evaluation.probe_heads import search_c
from evaluation.probe_report import probe_report
from tests.evaluation.colour_pairs import embedded, embedded_with_labels, pair
from zeroshot.heads import HeadKind

SHADES = {"red": (210, 30), "green": (30, 210)}


def shades(folder: Path, *, first: int, count: int) -> Embeddings:
    """Return reddish and greenish pictures, none of which is another one."""
    return embedded(
        [
            pair(folder, f"{name}{n}", (red - n, green + n, 20), label=name)  # type: ignore[arg-type]  # a shade
            for name, (red, green) in SHADES.items()
            for n in range(first, first + count)
        ]
    )


def test_c_is_searched_from_coarse_to_fine() -> None:
    """The peak at 10 ** 1.3 is found to an eighth of a decade with few fits."""
    tried: list[float] = []

    def accuracy(c: float) -> float:
        tried.append(c)
        return -abs(np.log10(c) - 1.3)

    best, _ = search_c(accuracy)

    assert np.log10(best) == pytest.approx(1.25)
    assert min(tried) >= 1e-6
    assert max(tried) <= 1e6
    assert len(tried) == len(set(tried)) == 7 + 2 * 4


def test_of_equally_good_strengths_the_stronger_penalty_is_taken() -> None:
    """Where all are equal C is the lowest."""
    assert search_c(lambda _: 1.0)[0] == pytest.approx(1e-6)


def test_draws_are_balanced_repeatable_and_different() -> None:
    """K of each class, the same for the same seed and draw."""
    truth_N = np.array([0] * 10 + [1] * 5)

    first = draw_shots(truth_N, shots=3, classes=2, seed=0, draw=0)

    assert np.bincount(truth_N[first]).tolist() == [3, 3]
    assert (draw_shots(truth_N, shots=3, classes=2, seed=0, draw=0) == first).all()
    draws = {tuple(draw_shots(truth_N, shots=3, classes=2, seed=0, draw=d)) for d in range(8)}
    assert len(draws) > 1
    with pytest.raises(UsageError, match="5 training images, fewer than 6"):
        draw_shots(truth_N, shots=6, classes=2, seed=0, draw=0)


@pytest.mark.slow  # loads scikit-learn
def test_colours_are_learned_from_few_images(tmp_path: Path) -> None:
    """Two separable classes: all right with one shot and with all; a mean over the draws."""
    parts = [shades(tmp_path, first=first, count=4) for first in (0, 10, 20)]
    options = ProbeOptions(shots=(1, 2, None), draws=2)

    probes = train_probes(*parts, options=options)
    report = probe_report(probes, parts[2], options)

    assert report.metrics["accuracy"].value == 1.0
    assert report.metrics["accuracy_1_shot"].value == 1.0
    assert (report.metrics["accuracy_2_shot"].n, report.metrics["accuracy_2_shot"].unit) == (
        2,
        "draw",
    )
    assert [fit.shots for fit in probes.fits] == [1, 1, 2, 2, None]
    assert report.details["sweep"] == [
        {"shots": "1", "draws": 2, "accuracy": 1.0, "sd": 0.0},
        {"shots": "2", "draws": 2, "accuracy": 1.0, "sd": 0.0},
        {"shots": "all", "draws": 1, "accuracy": 1.0, "sd": None},
    ]


def test_nothing_is_trained_or_chosen_on_images_that_are_tested(tmp_path: Path) -> None:
    """Validation that is the test, or training that is either, is refused."""
    one, two = (shades(tmp_path, first=first, count=2) for first in (0, 10))

    with pytest.raises(UsageError, match="--val: 4 of its images"):
        train_probes(one, two, two)
    with pytest.raises(UsageError, match="--train: 4 of its images"):
        train_probes(two, one, two)
    with pytest.raises(UsageError, match="--train and --val"):
        train_probes(one, one, two)


@pytest.mark.parametrize("options", [ProbeOptions(shots=(0,)), ProbeOptions(draws=0)])
def test_shots_and_draws_are_one_or_more(tmp_path: Path, options: ProbeOptions) -> None:
    """Refused before anything is trained."""
    one, two, three = (shades(tmp_path, first=first, count=1) for first in (0, 10, 20))

    with pytest.raises(UsageError, match="expected 1 or more"):
        train_probes(one, two, three, options)


@pytest.mark.parametrize("head", ["class_means", "tip_adapter"])
def test_heads_beside_the_texts_begin_where_the_texts_are(tmp_path: Path, head: HeadKind) -> None:
    """Texts that know nothing of the pictures are mended by examples; 0 shots are they alone.

    The four test pictures: any example tells both colours apart. The texts name no colour, so that
    their cosines are 0 and the first label is given to all.
    """
    pairs = [
        [
            pair(tmp_path, f"{n}{colour}", (red - n, green + n, 20), label=label)  # type: ignore[arg-type]  # a shade
            for colour, label in (("red", "first"), ("green", "second"))
            for red, green in [SHADES[colour]]
            for n in range(first, first + 2)
        ]
        for first in (0, 10, 20)
    ]
    parts = [embedded_with_labels(part) for part in pairs]
    options = ProbeOptions(shots=(1, None), draws=2, head=head)

    probes = train_probes(*parts, options=options)
    report = probe_report(probes, parts[2], options)

    assert [(fit.shots, fit.accuracy) for fit in probes.fits] == [
        (0, 0.5),
        (1, 1.0),
        (1, 1.0),
        (None, 1.0),
    ]
    assert report.metrics["accuracy"].value == 1.0
    assert report.settings["head"] == head
    assert report.comparable["templates"] == parts[0].prompts.templates.digest
    found = report.details["probes"]
    keys = {"class_means": {"weight"}, "tip_adapter": {"alpha", "beta"}}[head]
    assert all(keys <= set(row) for row in found[1:])


def test_a_probe_beside_texts_needs_texts(tmp_path: Path) -> None:
    """Vectors without labels are refused with the remedy."""
    one, two, three = (shades(tmp_path, first=first, count=1) for first in (0, 10, 20))

    with pytest.raises(UsageError, match="embed the training images with --labels"):
        train_probes(one, two, three, ProbeOptions(head="tip_adapter"))
