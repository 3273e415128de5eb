"""Tables of ``sightline evaluate``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cli.output import note, print_lines, print_table

if TYPE_CHECKING:
    from evaluation.retrieval import RetrievalReport
    from evaluation.zero_shot import ZeroShotReport


def show_retrieval(report: RetrievalReport) -> None:
    """Print the table of cut-offs and the rank metrics; what was left out goes to stderr."""
    scores = report.scores
    curve = scores.curve
    asks = {"text_to_image": "captions ask for images", "image_to_text": "images ask for captions"}
    note(
        f"{len(scores.queries)} queries, {scores.gallery_size} in the gallery"
        f" ({asks[report.direction]}), model {report.provenance.model}"
    )
    if scores.queries_without_relevant:
        note(f"{scores.queries_without_relevant} queries have nothing relevant and are left out")
    if max(report.ks_requested) > scores.gallery_size:
        note(f"k is capped at the {scores.gallery_size} items of the gallery")
    columns = (curve.precision_K, curve.recall_K, curve.hit_K)
    print_table(
        ["k", "precision", "recall", "hit"],
        [[str(k), *(f"{values_K[k - 1]:.4f}" for values_K in columns)] for k in scores.ks],
    )
    print_lines(
        [
            "",
            f"mean average precision  {scores.mean_average_precision:.4f}",
            f"mean reciprocal rank    {scores.mean_reciprocal_rank:.4f}",
            f"mean R-precision        {scores.mean_r_precision:.4f}",
        ]
    )


def show_zero_shot(report: ZeroShotReport) -> None:
    """Print the table of classes and the headline; what was left out goes to stderr."""
    left_out = report.pairs - len(report.predictions)
    note(
        f"{len(report.predictions)} images, {len(report.labels)} classes, templates "
        f"{report.templates.name}, model {report.provenance.model}"
    )
    if left_out:
        note(
            f"{left_out} pairs are left out: {report.unlabelled} without a label, "
            f"{sum(report.other_labels.values())} with another label, {len(report.failed)} images "
            "not decoded"
        )
    classes = report.classes
    print_table(
        ["class", "images", "precision", "recall", "F1"],
        [
            [
                label,
                str(classes.support_C[place]),
                _value(classes.precision_C[place]),
                _value(classes.recall_C[place]),
                _value(classes.f1_C[place]),
            ]
            for place, label in enumerate(report.labels)
            if classes.support_C[place] or classes.predicted_C[place]
        ],
    )
    top5 = (
        []
        if report.accuracy_top5 is None
        else [f"accuracy top 5         {report.accuracy_top5:.4f}"]
    )
    print_lines(
        [
            "",
            f"accuracy               {report.accuracy:.4f}",
            *top5,
            f"mean per-class recall  {report.mean_per_class_recall:.4f}",
        ]
    )


def _value(value: float) -> str:
    """Return two decimals, or a dash for a value that is not defined."""
    return "-" if math.isnan(value) else f"{value:.2f}"
