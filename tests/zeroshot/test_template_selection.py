"""Rules of zeroshot.template_selection.

# N = images, C = labels, T = templates, D = embedding dimension
"""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import UsageError
from core.types import FloatArray, IdArray
from tests.zeroshot.few_shot_worlds import unit
from tests.zeroshot.test_ensembles import RandomTexts
from zeroshot.classifier import build_classifier
from zeroshot.labels import Label
from zeroshot.template_selection import ablate_templates, select_templates, template_embeddings
from zeroshot.templates import check_templates

FOUR = check_templates(["a {}", "the {}", "one {}", "some {}"])


def world() -> tuple[FloatArray, FloatArray, IdArray]:
    """Return embeddings (4, 4, 8) of which template 1 is good and template 3 misleads."""
    generator = np.random.default_rng(0)
    truth_N = np.arange(120) % 4
    images_ND = 0.6 * generator.standard_normal((120, 8))
    images_ND[np.arange(120), truth_N] += 1.0
    templates_CTD = 1.5 * generator.standard_normal((4, 4, 8))
    templates_CTD[np.arange(4), 1, np.arange(4)] += 4.0
    templates_CTD[np.arange(4), 3, (np.arange(4) + 1) % 4] += 4.0
    return unit(templates_CTD.reshape(16, 8)).reshape(4, 4, 8), unit(images_ND), truth_N


def accuracy(chosen: list[int]) -> float:
    """Return the accuracy of some templates, by a naive mean."""
    embeddings_CTD, images_ND, truth_N = world()
    directions_CD = unit(embeddings_CTD[:, chosen].astype(np.float64).mean(axis=1))
    return float((np.argmax(images_ND @ directions_CD.T, axis=1) == truth_N).mean())


def test_the_ablation_is_the_accuracy_of_each_subset() -> None:
    """All four, each alone, and all but each."""
    found = ablate_templates(*world(), templates=FOUR)

    assert found.accuracy == accuracy([0, 1, 2, 3])
    assert found.alone == tuple(accuracy([t]) for t in range(4))
    assert found.without == tuple(accuracy([r for r in range(4) if r != t]) for t in range(4))


def test_a_gain_is_what_a_template_adds_to_the_others() -> None:
    """The good one helps, the misleading one harms; gain and rest sum to the whole."""
    found = ablate_templates(*world(), templates=FOUR)

    for gain, rest in zip(found.gains, found.without, strict=True):
        assert gain is not None
        assert rest is not None
        assert gain + rest == pytest.approx(found.accuracy)
    assert found.gains[1] is not None
    assert found.gains[1] > 0.0
    assert found.gains[3] is not None
    assert found.gains[3] < 0.0


def test_a_single_template_has_nothing_to_be_left_out_of() -> None:
    """Its own accuracy is that of all."""
    embeddings_CTD, images_ND, truth_N = world()
    one = check_templates(["a {}"])

    found = ablate_templates(embeddings_CTD[:, :1], images_ND, truth_N, templates=one)

    assert found.without == (None,)
    assert found.alone == (found.accuracy,)


def test_forward_selection_adds_the_best_until_none_helps() -> None:
    """Against a naive greedy search."""
    steps = select_templates(*world(), templates=FOUR)
    chosen: list[int] = []
    expected: list[tuple[str, float]] = []
    while len(chosen) < 4:
        left = [t for t in range(4) if t not in chosen]
        best = max(left, key=lambda t: accuracy([*chosen, t]))
        if expected and accuracy([*chosen, best]) <= expected[-1][1]:
            break
        chosen.append(best)
        expected.append((FOUR.templates[best], accuracy(chosen)))

    assert [(step.template, step.accuracy) for step in steps] == expected
    assert steps[0].template == "the {}"
    assert "some {}" not in {step.template for step in steps}


def test_selection_stops_at_the_number_that_is_asked_for() -> None:
    """One template is the best one."""
    (step,) = select_templates(*world(), templates=FOUR, most=1)

    assert step.accuracy == max(accuracy([t]) for t in range(4))


def test_the_mean_of_the_template_embeddings_is_the_classifier() -> None:
    """Of plain labels: the same unit vectors."""
    labels = ["cat", "dog"]
    embeddings_CTD = template_embeddings(RandomTexts(), labels, FOUR)

    matrix_CD = build_classifier(RandomTexts(), labels, FOUR).matrix_CD

    assert embeddings_CTD.shape == (2, 4, 8)
    np.testing.assert_allclose(unit(embeddings_CTD.mean(axis=1)), matrix_CD, atol=1e-6)


def test_what_cannot_be_judged_is_refused() -> None:
    """Own prompts, shapes that do not fit, and no images."""
    embeddings_CTD, images_ND, truth_N = world()

    with pytest.raises(UsageError, match="'cat' has prompts of its own"):
        template_embeddings(RandomTexts(), [Label("cat", prompts=("it purrs",))], FOUR)
    with pytest.raises(UsageError, match="do not fit together"):
        ablate_templates(embeddings_CTD, images_ND[:5], truth_N, templates=FOUR)
    with pytest.raises(UsageError, match="do not fit together"):
        ablate_templates(embeddings_CTD, images_ND[:0], truth_N[:0], templates=FOUR)
    with pytest.raises(UsageError, match="most = 0"):
        select_templates(embeddings_CTD, images_ND, truth_N, templates=FOUR, most=0)
