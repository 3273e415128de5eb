"""The check of a set of pairs: one look at every picture, then everything that follows from it.

# N = pairs
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.pairs.captions import captions_of
from core.pairs.pair import PairList
from core.pairs.reading import read_pairs
from core.progress import ProgressFactory, silent
from encoders.decoding import DEFAULT_LIMITS, DecodeLimits
from training.doctor.advice import advise, suggested_batch
from training.doctor.caption_facts import CaptionFacts, caption_facts, drawn_captions
from training.doctor.duplicates import find_duplicates
from training.doctor.false_negatives import BatchOutlook, batch_outlook, equal_others
from training.doctor.findings import find_faults
from training.doctor.groups import numbered
from training.doctor.leakage import Leakage, find_leakage
from training.doctor.model_facts import ModelFacts
from training.doctor.near import DEFAULT_NEAR
from training.doctor.picture_stats import picture_stats
from training.doctor.plan import RunPlan
from training.doctor.report import DoctorReport
from training.doctor.scan import Scan, scan_pictures
from training.doctor.truncation import truncation_of

_BATCH_SIZES = (64, 256, 1024, 4096, 32_768)
_FEWEST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """What is to be checked, and for which model."""

    data: Path
    """Pairs, in any form that ``read_pairs`` takes."""
    model: ModelFacts
    """Whose picture size and tokenizer count."""
    heldout: Path | None = None
    """Pairs that must not be among those of ``data``."""
    plan: RunPlan = dataclasses.field(default_factory=RunPlan)
    """The recipe to judge."""
    image_column: str | None = None
    caption_column: str | None = None
    near: int = DEFAULT_NEAR
    """Bits of 64 in which the hashes of pictures that look alike may differ."""
    threads: int = 0
    """That read and decode; 0 for all cores. The report does not depend on it."""
    limits: DecodeLimits = DEFAULT_LIMITS
    """What a picture may cost."""


def check_data(request: CheckRequest, *, progress: ProgressFactory = silent) -> DoctorReport:
    """Look at all pairs and report; no file is changed.

    Raises:
        PairsError: the pairs, or the held-out ones, cannot be read.
    """
    pairs = _read(request.data, request)
    heldout = None if request.heldout is None else _read(request.heldout, request)
    scan = _scan(pairs, request, "look at pictures", progress)
    leakage = None
    if heldout is not None:
        leakage = _leakage(pairs, scan, heldout, request, progress)
    good = [row for row, pair in enumerate(pairs) if scan.good_N[row] and captions_of(pair)]
    captions = caption_facts(pairs)
    report = DoctorReport(
        data=str(request.data),
        pairs=len(pairs),
        usable=len(good),
        distinct_pictures=len(set(scan.same_file()[scan.good_N].tolist())),
        image_size=request.model.image_size,
        plan=request.plan,
        skipped=pairs.skipped,
        bad=list(scan.bad),
        pictures=picture_stats(scan, image_size=request.model.image_size),
        captions=captions,
        truncation=truncation_of(pairs, request.model, progress=progress),
        duplicates=find_duplicates(pairs, scan, near=request.near),
        batches=_outlooks(pairs, scan, good, captions, request.plan),
        leakage=leakage,
        advice=advise(
            usable=len(good),
            distinct_captions=captions.distinct,
            image_size=request.model.image_size,
            plan=request.plan,
        ),
    )
    return dataclasses.replace(report, findings=find_faults(report))


def _outlooks(
    pairs: PairList, scan: Scan, good: list[int], captions: CaptionFacts, plan: RunPlan
) -> list[BatchOutlook]:
    """Return what batches of the usual sizes hold, and of that of the recipe."""
    if len(good) < _FEWEST:
        return []
    images_N = scan.same_file()[np.array(good, np.int64)]
    captions_N = numbered(drawn_captions([pairs[row] for row in good]))
    equal_N = equal_others(captions_N, images_N)
    asked = {plan.batch_size or suggested_batch(len(good), captions.distinct), *_BATCH_SIZES}
    sizes = sorted(size for size in asked if _FEWEST <= size <= len(good)) or [len(good)]
    return [batch_outlook(equal_N, size) for size in sizes]


def _leakage(
    pairs: PairList,
    scan: Scan,
    heldout: PairList,
    request: CheckRequest,
    progress: ProgressFactory,
) -> Leakage:
    heldout_scan = _scan(heldout, request, "look at held-out pictures", progress)
    return find_leakage(
        pairs, scan, heldout, heldout_scan, name=str(request.heldout), near=request.near
    )


def _scan(pairs: PairList, request: CheckRequest, title: str, progress: ProgressFactory) -> Scan:
    return scan_pictures(
        pairs, threads=request.threads, limits=request.limits, title=title, progress=progress
    )


def _read(source: Path, request: CheckRequest) -> PairList:
    """Read pairs as asked, else as the recipe says."""
    plan = request.plan
    return read_pairs(
        source,
        image_column=request.image_column or plan.image_column or None,
        caption_column=request.caption_column or plan.caption_column or None,
        image_root=Path(plan.image_root) if plan.image_root else None,
    )
