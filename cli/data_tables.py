"""Tables of ``sightline data``: one screen for a person; ``--json`` has everything."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from cli.output import print_lines, print_table

if TYPE_CHECKING:
    from training.doctor.dedup import DedupResult
    from training.doctor.filtering import FilterResult
    from training.doctor.kept import KeptFiles
    from training.doctor.report import DoctorReport

_NAMED = 5
_BAR = 30
_LINE = 98
_CAPTION_LETTERS = 60
_TRAITS = ("animated", "cmyk", "alpha", "rotated", "grey")


def show_check(report: DoctorReport) -> None:
    """Print what a check found: the counts, the batches, what is wrong, where to start."""
    print_lines(_overview(report))
    if report.pictures.shorter_side:
        print_lines(["", "shorter side, pixels"])
        print_lines(_bars(report.pictures.shorter_side))
    if report.batches:
        print_lines([""])
        print_table(
            ["batch", "loss of guessing", "floor", "equal negatives, %", "pairs that meet one, %"],
            [
                [
                    str(one.batch_size),
                    f"{one.guessing:.2f}",
                    f"{one.floor:.2f}",
                    f"{100 * one.negatives_equal:.3f}",
                    f"{100 * one.pairs_affected:.1f}",
                ]
                for one in report.batches
            ],
        )
    print_lines(_findings(report))
    print_lines(["", "start with"])
    print_lines(_suggestions(report))


def show_filter(result: FilterResult, files: KeptFiles) -> None:
    """Print the histogram of scores and what stays."""
    print_lines(["pairs by score"])
    print_lines(_bars(result.histogram))
    dropped = len(result.judged) - result.kept
    unusable = len(result.judged) - result.scored
    print_lines(
        [
            "",
            f"kept     {result.kept} pairs, score {result.limit:.4f} and above: {files.kept}",
            f"dropped  {dropped} pairs ({unusable} without a score): {files.dropped}",
        ]
    )


def show_dedup(result: DedupResult, files: KeptFiles) -> None:
    """Print the first groups and what stays."""
    groups = sorted(result.groups, key=lambda group: (-len(group[1]), group[0]))
    for kept, dropped in groups[:_NAMED]:
        print_lines([f"{kept} stands for {_listed(dropped)}"])
    if len(groups) > _NAMED:
        print_lines([f"... and {len(groups) - _NAMED} more groups: {files.report}"])
    dropped_count = len(result.judged) - result.kept
    duplicates = sum(len(dropped) for _, dropped in result.groups)
    unusable = dropped_count - duplicates - result.against
    causes = f"{duplicates} duplicates, {result.against} of the other set, {unusable} unusable"
    print_lines(
        [
            "",
            f"kept     {result.kept} pairs: {files.kept}",
            f"dropped  {dropped_count} pairs ({causes}): {files.dropped}",
        ]
    )


def _overview(report: DoctorReport) -> Iterator[str]:
    pictures, captions, cut = report.pictures, report.captions, report.truncation
    same = sum(len(group) - 1 for group in report.duplicates.same_file)
    alike = sum(len(group) - 1 for group in report.duplicates.alike)
    per_picture = captions.captions / report.pairs
    formats = ", ".join(f"{name} {count}" for name, count in pictures.formats.items())
    shapes = ", ".join(f"{name} {count}" for name, count in pictures.shape.items())
    yield f"pairs      {report.pairs}, of which {report.usable} can be used"
    yield (
        f"pictures   {report.distinct_pictures} different files, {same} surplus copies, "
        f"{alike} that look like another, {len(report.bad)} unusable"
    )
    yield f"           {formats or 'no picture can be read'}"
    if shapes:
        yield f"           width to height {shapes}"
    counts = [(name, getattr(pictures, name)) for name in _TRAITS]
    found = ", ".join(f"{name} {count}" for name, count in counts if count)
    if found:
        yield f"           {found}"
    yield (
        f"           {pictures.smaller_than_model} smaller than the {report.image_size} pixels "
        f"of {cut.model}"
    )
    yield (
        f"captions   {captions.captions}, {per_picture:.1f} a pair, {captions.distinct} different, "
        f"{captions.one_word} of one word, {captions.long} very long"
    )
    yield (
        f"           {cut.mean_tokens:.1f} tokens in the mean, {cut.longest} at most; "
        f"{cut.cut} cut at {cut.context_length}"
    )
    if captions.common:
        most = captions.common[0]
        yield f"           {most.pairs} pairs share {_shortened(most.caption)!r}"
    if report.leakage:
        leak = report.leakage
        yield (
            f"held out   {leak.pairs} pairs; of their pictures here {len(leak.same_file)} the same "
            f"file, {len(leak.alike)} alike; {leak.captions_seen} of {leak.captions} captions "
            "are here too"
        )


def _findings(report: DoctorReport) -> Iterator[str]:
    for level, title in (("problem", "problems"), ("warning", "warnings")):
        found = [finding for finding in report.findings if finding.level == level]
        if found:
            yield ""
            yield title
        for finding in found:
            yield from textwrap.wrap(
                finding.message,
                _LINE,
                initial_indent="  - ",
                subsequent_indent="    ",
                break_long_words=False,
                break_on_hyphens=False,
            )
            if finding.code == "unusable_pictures":
                yield from _named([_said_of(bad.image, bad.message) for bad in report.bad])
            if finding.code == "unreadable_samples":
                yield from _named([f"{name}: {why}" for name, why in report.skipped.items()])
            if finding.code == "cut_captions":
                for long in report.truncation.examples[:2]:
                    yield f"      {long.id}: {long.tokens} tokens, {_shortened(long.caption)!r}"
    if not report.findings:
        yield ""
        yield "nothing is wrong with these pairs"


def _suggestions(report: DoctorReport) -> Iterator[str]:
    approach, *settings = report.advice
    yield f"  {approach.value}"
    yield f"  ({approach.reason})"
    if settings:
        name_width = max(len(one.setting) for one in settings)
        width = max(len(one.value) for one in settings)
        for one in settings:
            yield f"  {one.setting.ljust(name_width)}  {one.value.ljust(width)}  {one.reason}"


def _bars(counts: Mapping[str, int]) -> Iterator[str]:
    """Yield a line for each bin: name, bar, count."""
    most = max(counts.values())
    width, digits = max(map(len, counts)), len(str(most))
    for name, count in counts.items():
        bar = "#" * (-(-count * _BAR // most))
        yield f"  {name.rjust(width)}  {str(count).rjust(digits)}  {bar}".rstrip()


def _named(lines: list[str]) -> Iterator[str]:
    yield from (f"      {line}" for line in lines[:_NAMED])
    if len(lines) > _NAMED:
        yield f"      ... and {len(lines) - _NAMED} more; --json names them all"


def _said_of(image: str, message: str) -> str:
    return message if image in message else f"{image}: {message}"


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"


def _shortened(text: str) -> str:
    return text if len(text) <= _CAPTION_LETTERS else f"{text[: _CAPTION_LETTERS - 3]}..."
