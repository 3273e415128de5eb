"""Images that the test shares with the training pairs, by how they look."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cli.evaluation_options import Reading
from cli.output import note
from core.types import JSONObject, JSONValue

if TYPE_CHECKING:
    from core.pairs.pair import Pair
    from evaluation.report import Report


def count_overlap(report: Report, data: Path, train: Path, reading: Reading) -> Report:
    """Return the report with what test and training pairs share, and say it.

    Pictures are compared by a perceptual hash and their colours, so a copy that was resized or
    saved again counts too.

    Raises:
        PairsError: the training pairs cannot be read.
    """
    from cli.evaluation_data import is_embeddings, open_pairs
    from cli.progress import terminal_progress
    from core.pairs.reading import read_pairs
    from training.doctor.leakage import shared_pictures
    from training.doctor.near import DEFAULT_NEAR
    from training.doctor.scan import scan_pictures

    test: Sequence[Pair]
    if is_embeddings(data):
        from evaluation.embeddings_file import read_embeddings

        test = read_embeddings(data).pairs
    else:
        test = open_pairs(data, reading)
    known = read_pairs(train)
    scans = [
        scan_pictures(pairs, title=title, progress=terminal_progress)
        for pairs, title in ((test, "look at test"), (known, "look at train"))
    ]
    same_N, alike_N = shared_pictures(*scans, near=DEFAULT_NEAR)
    found_N = (same_N >= 0) | (alike_N >= 0)
    same = int((same_N >= 0).sum())
    alike = int(found_N.sum()) - same
    note(f"train and test share {same + alike} images ({same} the same file, {alike} alike)")
    ids: list[JSONValue] = [
        pair.id for pair, found in zip(test, found_N.tolist(), strict=True) if found
    ]
    overlap: JSONObject = {"train": str(train), "same_file": same, "alike": alike, "ids": ids}
    return dataclasses.replace(report, details={**report.details, "train_overlap": overlap})
