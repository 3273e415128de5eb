"""Rules of evaluation.classify: labels against known classes, and what is fitted on others."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score

from core.errors import PairsError, UsageError
from core.measures.resampling import clusters_of, resampled_rows
from core.pairs.reading import read_pairs
from evaluation.classify import ClassifyOptions, evaluate_classify, required_prompts
from evaluation.embeddings import Embeddings
from evaluation.estimates import Statistics
from evaluation.predictions import labels_of, predict
from evaluation.report import Report
from tests.evaluation.colour_pairs import broken_pair, embedded, embedded_with_labels, pair
from tests.fakes import COLOURS, FakeEncoder, picture_bytes
from zeroshot.classifier import build_classifier
from zeroshot.templates import template_set


def details(report: Report) -> dict[str, Any]:
    """Return what the report has besides its metrics."""
    return dict(report.details)


def four(folder: Path) -> Embeddings:
    """Return three pictures that show their class, and one labelled red that is blue."""
    return embedded_with_labels(
        [
            pair(folder, "a", "red", label="red"),
            pair(folder, "b", "blue", label="red"),
            pair(folder, "c", "blue", label="blue"),
            pair(folder, "d", "green", label="green"),
        ]
    )


def test_one_of_four_wrong_is_three_quarters(tmp_path: Path) -> None:
    """Accuracy, recall by class, confusion, and each prediction."""
    report = evaluate_classify(four(tmp_path))

    assert report.metrics["accuracy"].value == 0.75
    assert report.metrics["accuracy"].method == "wilson"
    assert report.metrics["mean_per_class_recall"].value == pytest.approx((1 + 1 + 0.5) / 3)
    assert details(report)["confusion"] == [
        {"label": "blue", "predicted": "blue", "images": 1},
        {"label": "green", "predicted": "green", "images": 1},
        {"label": "red", "predicted": "blue", "images": 1},
        {"label": "red", "predicted": "red", "images": 1},
    ]
    assert [row["precision"] for row in details(report)["per_class"]] == [0.5, 1.0, 1.0]
    assert report.measured is not None
    assert list(report.measured.texts["predicted"]) == ["red", "blue", "blue", "green"]
    assert list(report.measured.texts["rank"]) == [1, 3, 1, 1]


def test_top_five_needs_five_classes(tmp_path: Path) -> None:
    """With four classes any answer is among the best five."""
    pairs = [pair(tmp_path, "a", "red", label="red")]

    few = evaluate_classify(embedded(pairs, list(COLOURS)[:4]))
    many = evaluate_classify(embedded(pairs, list(COLOURS)))

    assert "accuracy_top5" not in few.metrics
    assert many.metrics["accuracy_top5"].value == 1.0


def test_folders_are_classes(tmp_path: Path) -> None:
    """One folder per class is all that is needed."""
    for colour in ("red", "blue"):
        (tmp_path / colour).mkdir()
        (tmp_path / colour / "1.png").write_bytes(picture_bytes(colour))

    report = evaluate_classify(embedded_with_labels(read_pairs(tmp_path)))

    assert report.metrics["accuracy"].value == 1.0


def test_what_cannot_be_scored_is_counted(tmp_path: Path) -> None:
    """No label, another label, a corrupt image: each has its number, none is dropped silently."""
    pairs = [
        pair(tmp_path, "a", "red", label="Red "),
        pair(tmp_path, "b", "red"),
        pair(tmp_path, "c", "white", label="white"),
        broken_pair(tmp_path, "d", label="red"),
    ]

    report = evaluate_classify(embedded(pairs, ["red", "blue"]))

    data = details(report)["data"]
    assert report.metrics["accuracy"].n == 1
    assert (data["pairs"], data["pairs_without_label"]) == (4, 1)
    assert data["pairs_with_other_labels"] == {"white": 1}
    assert [item["code"] for item in data["failed_images"]] == ["image_unsupported"]


def test_labels_of_pairs_that_differ_in_case_are_one_class(tmp_path: Path) -> None:
    """Hand-written labels are folded as the classifier folds them."""
    pairs = [pair(tmp_path, "a", "red", label="Red"), pair(tmp_path, "b", "red", label="red")]

    assert labels_of(pairs) == ["Red"]


def test_pairs_without_any_label_are_refused(tmp_path: Path) -> None:
    """The message says where labels come from."""
    with pytest.raises(PairsError, match="one folder per class"):
        labels_of([pair(tmp_path, "a", "red")])


def test_nothing_to_score_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    """None of the pairs has a class of the list."""
    pairs = [pair(tmp_path, "a", "red", label="red"), pair(tmp_path, "b", "red")]

    with pytest.raises(PairsError, match="none of 2 pairs can be scored: 1 have no label"):
        evaluate_classify(embedded(pairs, ["blue", "green"]))


def test_embeddings_without_labels_are_refused(tmp_path: Path) -> None:
    """The message names the command that adds them."""
    with pytest.raises(UsageError, match="sightline evaluate embed"):
        evaluate_classify(embedded([pair(tmp_path, "a", "red", label="red")]))


def test_stored_prompts_make_the_classifier_that_the_model_makes(tmp_path: Path) -> None:
    """Logits from a file of embeddings and from the encoder itself, to 1e-6."""
    data = four(tmp_path)
    assert data.prompts is not None
    direct = build_classifier(FakeEncoder(), data.prompts.texts, template_set("imagenet7"))

    expected = direct.classify(data.images.embeddings_GD).logits_NC

    assert predict(data, data.prompts).logits_NC == pytest.approx(expected, abs=1e-4)
    cosines = data.prompts.classifier(data.provenance).matrix_CD @ direct.matrix_CD.T
    assert np.diagonal(cosines) == pytest.approx(np.ones(3), abs=1e-6)


def test_a_temperature_is_fitted_on_other_images_and_changes_no_label(tmp_path: Path) -> None:
    """NLL and ECE have a calibrated twin, accuracy has none because it stays."""
    data = four(tmp_path)
    others = embedded(
        [
            pair(tmp_path, "v1", (200, 60, 60), label="red"),  # type: ignore[arg-type]  # a shade
            pair(tmp_path, "v2", (60, 60, 200), label="red"),  # type: ignore[arg-type]  # a shade
            pair(tmp_path, "v3", (70, 200, 70), label="green"),  # type: ignore[arg-type]  # a shade
        ]
    )

    report = evaluate_classify(data, calibration=others)

    fit = details(report)["calibration"]
    assert fit["images"] == 3
    assert fit["nll_after"] <= fit["nll_before"]
    assert "accuracy_calibrated" not in report.metrics
    before, after = report.metrics["nll"].value, report.metrics["nll_calibrated"].value
    assert before is not None
    assert after is not None
    assert after < before
    assert {"confidence", "confidence_calibrated"} <= set(details(report))


def test_nothing_is_fitted_on_images_that_are_scored(tmp_path: Path) -> None:
    """One shared file is enough to refuse."""
    data = four(tmp_path)

    with pytest.raises(UsageError, match="4 of its images are among the ones that are scored"):
        evaluate_classify(data, calibration=data)


def test_prediction_sets_need_pairs_of_their_own(tmp_path: Path) -> None:
    """They cannot be promised from the test."""
    with pytest.raises(UsageError, match="--calibrate"):
        evaluate_classify(four(tmp_path), ClassifyOptions(conformal=0.1))


def test_prediction_sets_hold_all_labels_where_images_are_too_few(tmp_path: Path) -> None:
    """Two images cannot promise 90 %: coverage 1, every set full, and said so."""
    others = embedded(
        [
            pair(tmp_path, f"v{place}", colour, label=colour)
            for place, colour in enumerate(("red", "green", "blue", "yellow"))
        ]
    )
    test = embedded(
        [pair(tmp_path, "t", (200, 30, 30), label="red")],  # type: ignore[arg-type]  # a shade
        ["red", "green", "blue", "yellow"],
    )

    report = evaluate_classify(test, ClassifyOptions(conformal=0.1), calibration=others)

    found = details(report)["conformal"]
    assert (found["calibration_images"], found["enough_images"]) == (2, False)
    assert found["methods"]["lac"]["coverage"] == 1.0
    assert found["methods"]["lac"]["mean_size"] == 4.0


def test_each_template_is_scored_alone_and_left_out(tmp_path: Path) -> None:
    """A row for each of the seven, and a selection where there are validation pairs."""
    data = four(tmp_path)
    others = embedded([pair(tmp_path, "v", (190, 20, 20), label="red")])  # type: ignore[arg-type]  # a shade

    report = evaluate_classify(data, ClassifyOptions(ablate_templates=True), calibration=others)

    rows = details(report)["templates_alone"]
    assert [row["template"] for row in rows] == list(template_set("imagenet7").templates)
    assert all(0 <= row["accuracy"] <= 1 for row in rows)
    assert details(report)["templates_selected"]["steps"][0]["validation"] == 1.0


def test_unknown_images_are_told_from_known_ones(tmp_path: Path) -> None:
    """Grey is no colour of the list: its best cosine is lower than that of any real one."""
    data = embedded_with_labels(
        [pair(tmp_path, "a", "red", label="red"), pair(tmp_path, "b", "blue", label="blue")]
    )
    unknown = embedded([pair(tmp_path, "u", (127, 127, 127))])  # type: ignore[arg-type]  # grey

    signals = details(evaluate_classify(data, unknown=unknown))["unknown"]["signals"]

    assert {row["signal"] for row in signals} == {"probability", "logit", "energy", "margin"}
    assert next(row for row in signals if row["signal"] == "logit")["auroc"] == 1.0


def test_averages_over_classes_have_intervals_of_the_same_samples(tmp_path: Path) -> None:
    """Each bound is the percentile of scikit-learn's numbers of the samples that were drawn."""
    embeddings = four(tmp_path)
    statistics = Statistics(level=0.8, resamples=50, seed=3)
    predictions = predict(embeddings, required_prompts(embeddings))
    truth_N, predicted_N = predictions.truth_N, predictions.predicted_N

    metrics = evaluate_classify(embeddings, ClassifyOptions(statistics=statistics)).metrics

    drawn = list(resampled_rows(clusters_of(None, rows=4), resamples=50, seed=3))
    for name, peer in (
        ("macro_precision", partial(precision_score, average="macro", zero_division=0)),
        ("macro_f1", partial(f1_score, average="macro", zero_division=0)),
        ("weighted_f1", partial(f1_score, average="weighted", zero_division=0)),
    ):
        values = [peer(truth_N[rows], predicted_N[rows]) for rows in drawn]
        low, high = np.quantile(values, [0.1, 0.9])
        found = metrics[name]
        assert found.value == pytest.approx(peer(truth_N, predicted_N)), name
        assert (found.ci_low, found.ci_high) == (pytest.approx(low), pytest.approx(high)), name
        assert (found.method, found.n, found.unit) == ("bootstrap", 3, "class")
    assert metrics["mcc"].ci_low < metrics["mcc"].value <= metrics["mcc"].ci_high
