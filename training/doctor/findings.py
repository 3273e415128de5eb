"""What is wrong or doubtful in a report, in plain words, with the remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from training.doctor.report import DoctorReport

Level = Literal["problem", "warning"]

_ENLARGED_SHARE = 0.2
_CUT_SHARE = 0.01
_CLASS_LIKE = 10
_OTHER_SCRIPTS_SHARE = 0.1
_ONE_WORD_SHARE = 0.5
_AFFECTED_SHARE = 0.05
_FINE_TUNE_RATE = 5e-5
_LATIN = frozenset({"latin", "none"})

_SAID_OF_CODE = {
    "not_found": "missing",
    "image_empty": "empty",
    "image_truncated": "cut short",
    "image_undecodable": "damaged",
    "image_unsupported": "no accepted format",
    "image_too_many_bytes": "too many bytes",
    "image_too_many_pixels": "too many pixels",
    "image_side_too_long": "side too long",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know before a run."""

    level: Level
    """``problem``: pairs are lost or scores are wrong; ``warning``: look at it."""
    code: str
    """Stable, for machines."""
    message: str


def find_faults(report: DoctorReport) -> list[Finding]:
    """Return the problems of a report, then its warnings."""
    return [*_problems(report), *_warnings(report)]


def _problems(report: DoctorReport) -> Iterator[Finding]:
    if report.skipped:
        yield Finding(
            "problem",
            "unreadable_samples",
            f"{_counted(len(report.skipped), 'sample')} of {report.data} cannot be read as a pair",
        )
    if report.bad:
        reasons = Counter(_SAID_OF_CODE.get(bad.code, bad.code) for bad in report.bad)
        listed = ", ".join(f"{count} {said}" for said, count in sorted(reasons.items()))
        yield Finding(
            "problem",
            "unusable_pictures",
            f"{_of(len(report.bad), report.pairs, 'picture')} cannot be used ({listed}); "
            "training skips them",
        )
    if report.captions.pairs_without:
        yield Finding(
            "problem",
            "no_caption",
            f"{_of(report.captions.pairs_without, report.pairs, 'pair')} without a caption; "
            "training skips them",
        )
    leakage = report.leakage
    if leakage and (leaked := len(leakage.same_file) + len(leakage.alike)):
        yield Finding(
            "problem",
            "leakage",
            f"{_counted(leaked, 'pair')} with a picture of the held-out set "
            f"({len(leakage.same_file)} the same file, {len(leakage.alike)} alike), which makes "
            f"its score too good; sightline data dedup {report.data} --against {leakage.heldout} "
            "--out kept.jsonl",
        )
    if report.plan.batch_size > report.usable:
        yield Finding(
            "problem",
            "batch_too_large",
            f"the recipe's data.batch_size = {report.plan.batch_size} is larger than the "
            f"{report.usable} usable pairs",
        )


def _warnings(report: DoctorReport) -> Iterator[Finding]:
    yield from _duplicates(report)
    yield from _captions(report)
    small = report.pictures.smaller_than_model
    good = report.pairs - len(report.bad)
    if small > _ENLARGED_SHARE * good:
        yield Finding(
            "warning",
            "small_pictures",
            f"{_percent(small, good)} of the pictures are smaller than the {report.image_size} "
            "pixels of the model; enlarging adds no detail, a smaller model.image_size is cheaper",
        )
    plan = report.plan
    if plan.fine_tunes and plan.learning_rate > _FINE_TUNE_RATE:
        yield Finding(
            "warning",
            "high_learning_rate",
            f"optimiser.learning_rate = {plan.learning_rate:g} is for training from scratch; "
            "pretrained weights want 1e-6 to 1e-5",
        )


def _duplicates(report: DoctorReport) -> Iterator[Finding]:
    same, alike = report.duplicates.same_file, report.duplicates.alike
    remedy = f"sightline data dedup {report.data} --out kept.jsonl"
    if same:
        surplus = sum(len(group) - 1 for group in same)
        yield Finding(
            "warning",
            "same_files",
            f"{_counted(surplus, 'surplus copy', 'surplus copies')} of a picture, for example "
            f"{same[0][0]} and {same[0][1]}; {remedy}",
        )
    if alike:
        surplus = sum(len(group) - 1 for group in alike)
        yield Finding(
            "warning",
            "alike_pictures",
            f"{_counted(surplus, 'picture')} that look like another one "
            f"({_counted(len(alike), 'group')}), for example {alike[0][0]} and "
            f"{alike[0][1]}; {remedy}",
        )


def _captions(report: DoctorReport) -> Iterator[Finding]:
    captions = report.captions
    if not captions.distinct:
        return
    each = report.usable / captions.distinct
    if each >= _CLASS_LIKE:
        yield Finding(
            "warning",
            "class_like_captions",
            f"{captions.distinct} different captions for {report.usable} pairs are rather classes; "
            "there is little to learn from each, and retrieval scores stay low",
        )
    elif (outlook := report.outlook) and outlook.pairs_affected > _AFFECTED_SHARE:
        yield Finding(
            "warning",
            "false_negatives",
            f"in batches of {outlook.batch_size}, {100 * outlook.pairs_affected:.0f} % of the "
            "pairs meet an equal caption or picture; Sightline takes those as positives, "
            "other trainers push them apart",
        )
    if report.plan.batch_size > captions.distinct:
        yield Finding(
            "warning",
            "few_captions",
            f"the recipe's data.batch_size = {report.plan.batch_size} is more than the "
            f"{captions.distinct} different captions; a smaller one costs nothing",
        )
    yield from _words(report)


def _words(report: DoctorReport) -> Iterator[Finding]:
    captions, truncation = report.captions, report.truncation
    if truncation.share >= _CUT_SHARE:
        yield Finding(
            "warning",
            "cut_captions",
            f"{_percent(truncation.cut, captions.captions)} of the captions are cut at "
            f"{truncation.context_length} tokens ({truncation.model}); the end is lost",
        )
    if captions.one_word > _ONE_WORD_SHARE * captions.distinct:
        yield Finding(
            "warning",
            "one_word_captions",
            f"{_percent(captions.one_word, captions.distinct)} of the different captions are one "
            "word; sentences, or a template such as 'a photo of a ...', teach more",
        )
    others = sum(count for name, count in captions.scripts.items() if name not in _LATIN)
    if others > _OTHER_SCRIPTS_SHARE * captions.distinct:
        yield Finding(
            "warning",
            "other_scripts",
            f"{_percent(others, captions.distinct)} of the different captions are not in Latin "
            "script; most pretrained CLIP models read English only",
        )


def _counted(count: int, noun: str, plural: str = "") -> str:
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def _of(count: int, whole: int, noun: str) -> str:
    return f"{count} of {_counted(whole, noun)}"


def _percent(count: int, whole: int) -> str:
    return f"{100 * count / whole:.1f} %"
