"""One line for each metric that a page shows; formulas and sources stand in docs/metrics.md."""

from __future__ import annotations

import re
from collections.abc import Iterable

_MEANINGS: tuple[tuple[str, str], ...] = (
    (r"precision@k", "share of the first k places that are relevant"),
    (r"recall@k", "share of all relevant items that are in the first k places"),
    (r"hit@k", "share of queries with a relevant item in the first k: R@k of the CLIP papers"),
    (r"capped_recall@k", "relevant items in the first k, over the most that could be there"),
    (r"paired_recall@k", "share of queries whose one partner is in the first k"),
    (r"judged@k", "share of the first k places that is judged: unjudged ones count as wrong"),
    (r"judged_precision@k", "share of the judged among the first k that is relevant"),
    (r"f1@k", "harmonic mean of precision@k and recall@k"),
    (
        r"mean_average_precision(@k)?",
        "mean of the precisions at the ranks of the relevant items (AP), over all of them",
    ),
    (
        r"mean_capped_average_precision@k",
        "the same up to rank k, over the most that could be there",
    ),
    (r"mean_reciprocal_rank(@k)?", "mean of 1 / rank of the first relevant item"),
    (r"mean_r_precision", "precision at R, the number of relevant items of the query"),
    (r"ndcg(@k)?", "gain of the relevant items, less the later they come; 1 is the best order"),
    (r"ndcg_exponential(@k)?", "nDCG with a gain of 2^grade - 1"),
    (r"micro_(\w+)@k", "as without micro_, over the items of all queries pooled"),
    (r"ann_recall@k", "share of the exact k nearest that the index found"),
    (r"ann_1_recall@k", "share of queries whose exact nearest is in the k that the index found"),
    (r"image_(\w+(@k)?)", "as without image_, of image queries"),
    (r"accuracy", "share of images whose best label is the true one"),
    (r"accuracy_top5", "share of images whose true label is among the best five"),
    (r"accuracy_(\w+)_shot", "accuracy of probes of so many training images per class"),
    (r"mean_per_class_recall", "mean over the classes of the share that is recognised"),
    (r"macro_precision", "mean over the classes of the share of predictions that is right"),
    (r"macro_recall", "mean over the classes of the share that is recognised"),
    (r"macro_f1", "mean over the classes of F1"),
    (r"weighted_f1", "the same, classes weighted by their images"),
    (r"micro_f1", "F1 of all decisions pooled"),
    (r"mcc", "correlation of truth and prediction (Matthews); 0 is chance"),
    (r"nll", "mean negative log of the true label's probability; less is better"),
    (r"brier", "mean squared error of the probabilities; less is better"),
    (r"ece", "mean gap between confidence and accuracy over 15 bins; less is better"),
    (r"mce", "the largest of these gaps"),
    (r"adaptive_ece", "the same mean gap over bins with equally many images"),
    (r"class_wise_ece", "the same gap of every class's probability, averaged over the classes"),
    (
        r"coverage",
        "share of images that a label was given for: the rules were silent on the others",
    ),
    (r"answered_accuracy", "accuracy among the images that a label was given for"),
    (r"selective_risk", "share of the given labels that is wrong; less is better"),
    (r"aurc", "error rate averaged over all coverages; less is better"),
    (r"(\w+)_calibrated", "the same at the temperature fitted on other images"),
    (r"latency_p\d+_ms", "time that so many percent of the requests stay below"),
)
_FURTHER: tuple[tuple[str, str], ...] = (
    ("interval", "where the value would be for most samples of as many queries; see its level"),
    ("n", "queries or images that the value is the mean of"),
    (
        "smallest detectable difference",
        "the smallest shift of the mean from a fixed number that a test finds with 80 % power",
    ),
)


def glossary(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return each meaning among ``names`` once, with the metrics that have it.

    ``@k`` stands for any cut-off. A name that is not known is left out; further terms of the page
    come last.
    """
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(re.sub(r"@\d+$", "@k", name) for name in names):
        meaning = meaning_of(name)
        if meaning is not None:
            found.setdefault(meaning, []).append(name)
    return [*((", ".join(same), meaning) for meaning, same in found.items()), *_FURTHER]


def meaning_of(name: str) -> str | None:
    """Return the meaning of a metric; ``None`` for an unknown one."""
    general = re.sub(r"@\d+$", "@k", name)
    for pattern, meaning in _MEANINGS:
        if re.fullmatch(pattern, general):
            return meaning
    return None
