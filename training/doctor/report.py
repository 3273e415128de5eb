"""Everything the doctor says of a set of pairs, as data and as strict JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import cast

from core.types import JSONObject
from training.doctor.advice import Suggestion, suggested_batch
from training.doctor.caption_facts import CaptionFacts
from training.doctor.duplicates import Duplicates
from training.doctor.false_negatives import BatchOutlook
from training.doctor.findings import Finding
from training.doctor.leakage import Leakage
from training.doctor.picture import BadPicture
from training.doctor.picture_stats import PictureStats
from training.doctor.plan import RunPlan
from training.doctor.truncation import Truncation

SCHEMA_VERSION = 1
"""Raised when a field of the JSON changes its meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorReport:
    """The state of a set of pairs; the same files give the same report."""

    data: str
    """Path of the pairs."""
    pairs: int
    usable: int
    """Pairs with a caption and a picture that can be decoded: those that training takes."""
    distinct_pictures: int
    """Different files among the usable pictures."""
    image_size: int
    """Side of the model's pictures, in pixels."""
    plan: RunPlan
    """The recipe that was asked about."""
    skipped: dict[str, str]
    """Samples of the source that are no pair, with the reason."""
    bad: list[BadPicture]
    """Pictures that cannot be used, all of them."""
    pictures: PictureStats
    captions: CaptionFacts
    truncation: Truncation
    duplicates: Duplicates
    batches: list[BatchOutlook]
    """What batches of several sizes hold, the smallest first."""
    leakage: Leakage | None = None
    """``None`` without held-out pairs."""
    advice: list[Suggestion] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def outlook(self) -> BatchOutlook | None:
        """What batches of the recipe's size hold, or of the suggested one."""
        wanted = self.plan.batch_size or suggested_batch(self.usable, self.captions.distinct)
        return next((one for one in self.batches if one.batch_size == wanted), None)

    @property
    def has_problems(self) -> bool:
        """Whether a finding is more than a warning."""
        return any(finding.level == "problem" for finding in self.findings)

    def to_json(self) -> JSONObject:
        """Return strict JSON."""
        return cast("JSONObject", {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(self)})
