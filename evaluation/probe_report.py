"""From trained probes to their report: accuracy by shots, and everything about the best one.

# N = images tested
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from core.artifacts import canonical_json, sha256_bytes
from core.types import JSONObject, JSONValue
from evaluation.classify_report import classify_report
from evaluation.data_facts import data_facts
from evaluation.embeddings import Embeddings
from evaluation.estimates import Metric
from evaluation.predictions import Predictions, truths_of
from evaluation.probe import ProbeOptions, Probes
from evaluation.report import Report
from zeroshot.scores import softmax


def probe_report(probes: Probes, test: Embeddings, options: ProbeOptions) -> Report:
    """Return the report: the metrics of a classification are those of the probe of most shots."""
    best = probes.best
    logits_NC = probes.logits(best)
    facts = data_facts(test.pairs, failed=test.images.failed, skipped=test.skipped)
    report = classify_report(
        Predictions(
            pairs=tuple(test.pairs[place] for place in probes.test.places_N.tolist()),
            labels=probes.labels,
            truth_N=probes.test.truth_N,
            logits_NC=logits_NC,
            probabilities_NC=softmax(logits_NC),
        ),
        options.statistics,
        kind="probe",
        details=_details(probes),
        facts={**facts, **truths_of(test.pairs, probes.labels).facts()},
        provenance=test.provenance,
        label_digest=sha256_bytes(canonical_json(list(probes.labels))),
        template_digest=probes.template_digest,
        settings={
            "head": options.head,
            "shots": [_name(shots) for shots in options.shots],
            "draws": options.draws,
            "seed": options.statistics.seed,
        },
    )
    return dataclasses.replace(report, metrics={**report.metrics, **_by_shots(probes)})


def _by_shots(probes: Probes) -> dict[str, Metric]:
    """Return the mean accuracy over the draws of each number of shots."""
    return {
        f"accuracy_{row.shots}_shot": Metric(row.accuracy, None, None, n=row.draws, unit="draw")
        for row in _rows(probes)
        if row.shots != "all"
    }


def _details(probes: Probes) -> JSONObject:
    sweep: list[JSONValue] = [dataclasses.asdict(row) for row in _rows(probes)]
    return {
        "sweep": sweep,
        "probes": [
            {
                "shots": _name(fit.shots),
                "draw": fit.draw,
                **fit.parameters,
                "validation_accuracy": fit.validation,
                "accuracy": fit.accuracy,
            }
            for fit in probes.fits
        ],
        "train_images": probes.train_images,
        "validation_images": probes.validation_images,
    }


@dataclass(frozen=True, slots=True)
class _Row:
    """The probes of one number of shots."""

    shots: str
    draws: int
    accuracy: float
    """Mean over the draws."""
    sd: float | None
    """Standard deviation over the draws; ``None`` for one."""


def _rows(probes: Probes) -> list[_Row]:
    rows = []
    for shots in dict.fromkeys(fit.shots for fit in probes.fits):
        found = np.array([fit.accuracy for fit in probes.fits if fit.shots == shots])
        sd = float(found.std(ddof=1)) if len(found) > 1 else None
        rows.append(_Row(_name(shots), len(found), float(found.mean()), sd))
    return rows


def _name(shots: int | None) -> str:
    return "all" if shots is None else str(shots)
