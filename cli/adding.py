"""Adding files to a gallery with a progress bar, and what to say of it afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cli.output import note
from cli.progress import terminal_progress
from core.pairs import Pair, read_pairs
from core.types import JSONObject

if TYPE_CHECKING:
    from index.gallery import Gallery
    from index.ingest import FileResult, ImageFile

CaptionsFrom = Literal["pairs", "name", "none"]
PAIRS_SUFFIXES = frozenset({".csv", ".tsv", ".jsonl", ".ndjson"})


@dataclass(slots=True)
class AddSummary:
    """How many files came to which end, and the ones that failed."""

    counts: Counter[str] = field(default_factory=Counter)
    """By status: created, updated, unchanged, error."""
    errors: list[JSONObject] = field(default_factory=list)
    """Path, code and message of each file that failed."""

    def line(self) -> str:
        """Return one readable line."""
        return (
            f"{self.counts['created']} added, {self.counts['updated']} updated, "
            f"{self.counts['unchanged']} unchanged, {self.counts['error']} failed"
        )

    @property
    def stored(self) -> int:
        """How many files are in the gallery now."""
        return self.counts.total() - self.counts["error"]


def add_sources(
    gallery: Gallery,
    sources: Sequence[Path],
    *,
    copy: bool = False,
    captions_from: CaptionsFrom = "pairs",
    image_column: str | None = None,
    caption_column: str | None = None,
    threads: int = 2,
) -> AddSummary:
    """Add image files, folders and pairs files; name every file that fails on stderr.

    Raises:
        PairsError: a source that cannot be read, or holds no images.
        StorageError: the gallery cannot be written; what was counted before is stored.
    """
    from index.ingest import add_files

    files = [
        file
        for source in sources
        for file in _files_of(source, captions_from, image_column, caption_column)
    ]
    summary = AddSummary()
    results = add_files(gallery, files, copy=copy, threads=threads)
    with (
        closing(results),
        terminal_progress("adding", total=len(files), unit="images") as progress,
    ):
        try:
            for result in results:
                _count(summary, result)
                progress.advance()
        except KeyboardInterrupt:
            note(f"stopped; so far {summary.line()}. The same command goes on from here.")
            raise
    return summary


def _count(summary: AddSummary, added: FileResult) -> None:
    summary.counts[added.result.status.value] += 1
    error = added.result.error
    if error is not None:
        note(f"{added.path}: {error}")
        failed: JSONObject = {"path": str(added.path), "code": error.code, "message": str(error)}
        summary.errors.append(failed)


def _files_of(
    source: Path, captions_from: CaptionsFrom, image_column: str | None, caption_column: str | None
) -> list[ImageFile]:
    from index.ingest import ImageFile

    is_table = source.suffix.lower() in PAIRS_SUFFIXES
    if not is_table and not source.is_dir():
        return [ImageFile(source, caption=_caption(source, (), captions_from))]
    pairs = read_pairs(source, image_column=image_column, caption_column=caption_column)
    root = source.parent if is_table else source
    return [
        ImageFile(
            path=pair.image,
            id=_own_id(pair, root) if is_table else None,
            caption=_caption(pair.image, pair.captions, captions_from),
            metadata=_metadata(pair),
        )
        for pair in pairs
    ]


def _own_id(pair: Pair, root: Path) -> str | None:
    """Return an id that the table states; a path that stands in for one could clash elsewhere."""
    return None if root / pair.id == pair.image else pair.id


def _caption(path: Path, captions: Sequence[str], captions_from: CaptionsFrom) -> str | None:
    if captions_from == "name":
        return " ".join(path.stem.replace("_", " ").replace("-", " ").split())
    return captions[0] if captions and captions_from == "pairs" else None


def _metadata(pair: Pair) -> JSONObject | None:
    metadata = dict(pair.metadata)
    if pair.label is not None:
        metadata.setdefault("label", pair.label)
    if len(pair.captions) > 1:
        metadata.setdefault("captions", list(pair.captions))
    return metadata or None
