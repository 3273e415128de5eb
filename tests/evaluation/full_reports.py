"""Reports with everything that a page can show, on one-colour pictures and hostile texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evaluation.ann import AnnCandidate, AnnMeasurement, AnnQueries
from evaluation.ann_report import ann_report
from evaluation.classify import ClassifyOptions, evaluate_classify
from evaluation.estimates import Statistics
from evaluation.provenance import machine
from evaluation.report import Report
from evaluation.retrieval import evaluate_retrieval
from evaluation.retrieval_options import RetrievalOptions
from index.index_plan import IndexPlan
from tests.evaluation.colour_pairs import broken_pair, embedded, embedded_with_labels, pair

STATISTICS = Statistics(resamples=20)
SCRIPT = "<script>document.title='taken over'</script>"
TAG = "<b onmouseover=\"x\" title='y'>"
"""The beginning of a file name."""


def retrieval(folder: Path, *, direction: str = "text_to_image") -> Report:
    """Return a retrieval with misleading captions, a failed picture and slices."""
    folder.mkdir(exist_ok=True)
    pairs = [
        pair(folder, f"{TAG}red", "red", f"a blue thing {SCRIPT}", "red", kind=SCRIPT),
        pair(folder, "blue", "blue", "a red thing", "blue", kind="dye"),
        pair(folder, "green", "green", "a green thing", kind="dye"),
        broken_pair(folder, f"{TAG}broken", "a yellow thing"),
    ]
    options = RetrievalOptions(
        direction=direction,  # type: ignore[arg-type]  # one of the names
        ks=(1, 2, 3),
        group_by="kind",
        statistics=STATISTICS,
    )
    return evaluate_retrieval(embedded(pairs), options)


def labels(folder: Path) -> Report:
    """Return labels with errors, calibrated, with prediction sets, templates and unknowns."""
    folder.mkdir(exist_ok=True)
    test = embedded_with_labels(
        [
            pair(folder, f"{TAG}a", "red", label="red", kind="ink"),
            pair(folder, "b", "blue", label=f"red {SCRIPT}", kind="ink"),
            pair(folder, "c", "blue", label="blue", kind="dye"),
            pair(folder, "d", "green", label="green", kind=SCRIPT),
        ]
    )
    shades = [
        pair(folder, f"{name}{n}", shade, label=name)  # type: ignore[arg-type]  # a shade
        for name, shades in {
            "red": [(200 - n, 60, 60) for n in range(6)],
            "blue": [(60, 60, 200 - n) for n in range(6)],
            "green": [(70, 200 - n, 190) for n in range(6)],
        }.items()
        for n, shade in enumerate(shades)
    ]
    unknown = embedded([pair(folder, "grey", (127, 127, 127))])  # type: ignore[arg-type]  # grey
    options = ClassifyOptions(
        group_by="kind", ablate_templates=True, conformal=0.25, statistics=STATISTICS
    )
    return evaluate_classify(test, options, calibration=embedded(shades), unknown=unknown)


def index() -> Report:
    """Return an index measured with two modalities, and a sweep of two kinds."""
    queries = [
        AnnQueries(name, ("q0", "q1"), np.eye(2, 4, dtype=np.float32), np.ones((2, 3), np.float32))
        for name in ("text", "image")
    ]
    own = [_measured(name, 1.0, 0.2) for name in ("text", "image")]
    plans = [
        (IndexPlan(), 1.0, 4.0),
        (IndexPlan("ivf-sq8", lists=8, probes=1, depth=64), 0.5, 0.3),
        (IndexPlan("ivf-sq8", lists=8, probes=8, depth=64), 0.9, 0.9),
    ]
    swept = [
        AnnCandidate(
            plan,
            build_s=0.5,
            memory_bytes=2**20,
            measured=tuple(_measured(name, recall, ms) for name in ("text", "image")),
        )
        for plan, recall, ms in plans
    ]
    return ann_report(
        own,
        queries,
        swept,
        name=SCRIPT,
        rows=1000,
        provenance=machine(),
        statistics=STATISTICS,
    )


def _measured(modality: str, recall: float, ms: float) -> AnnMeasurement:
    return AnnMeasurement(modality, np.full(2, recall), np.ones(2), (ms, 2 * ms))
