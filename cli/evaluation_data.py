"""From DATA to embeddings: a file of them, or pairs that are embedded now."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from cli.evaluation_options import Reading
from cli.output import note
from core.errors import UsageError

if TYPE_CHECKING:
    from core.pairs.pair import PairList
    from evaluation.embeddings import Embeddings
    from zeroshot.labels import Label
    from zeroshot.templates import TemplateSet

_MOST_SHOWN = 10


def open_data(
    data: Path,
    reading: Reading,
    *,
    labels: Sequence[str | Label] | None = (),
    templates: TemplateSet | None = None,
    optional_labels: bool = False,
) -> Embeddings:
    """Return the embeddings of DATA: read from ``.npz`` without a model, or made now.

    Args:
        data: what the command was given.
        reading: how to read it.
        labels: classes to embed too; ``None`` for the labels of the pairs.
        templates: prompts of the labels.
        optional_labels: pairs without any label are no error.

    Raises:
        UsageError: options of reading beside a file that is read already.
        SightlineError: the data cannot be read, or the model fails.
    """
    if is_embeddings(data):
        from evaluation.embeddings_file import read_embeddings

        if reading.given():
            raise UsageError(
                f"{data} is embedded already, so {', '.join(reading.given())} would change "
                "nothing; give it to: sightline evaluate embed"
            )
        return read_embeddings(data)
    from cli.opening import open_encoder
    from cli.progress import terminal_progress
    from evaluation.embeddings import embed_pairs
    from evaluation.predictions import labels_of

    pairs = open_pairs(data, reading)
    if labels is None and optional_labels and all(pair.label is None for pair in pairs):
        labels = ()
    chosen = labels_of(pairs) if labels is None else labels
    with closing(open_encoder(reading.model, None)) as encoder:
        embeddings = embed_pairs(
            encoder,
            pairs,
            labels=chosen,
            templates=templates,
            skipped=pairs.skipped,
            crops=reading.crops or 1,
            progress=terminal_progress,
        )
    for failed in embeddings.images.failed[:_MOST_SHOWN]:
        note(f"skipped {failed.image}: {failed.message}")
    if len(embeddings.images.failed) > _MOST_SHOWN:
        note(f"... and {len(embeddings.images.failed) - _MOST_SHOWN} more; the report names them")
    return embeddings


def open_pairs(data: Path, reading: Reading) -> PairList:
    """Return the pairs of DATA; rows that cannot be used are named with their line.

    Raises:
        PairsError: the data cannot be read, or holds nothing.
    """
    from core.pairs.pair import PairList
    from core.pairs.reading import read_pairs

    found = read_pairs(
        data,
        image_column=reading.image_column,
        caption_column=reading.caption_column,
        image_root=reading.image_root,
        skip_bad_rows=True,
    )
    for name, reason in list(found.skipped.items())[:_MOST_SHOWN]:
        note(f"skipped {name}: {reason}")
    if len(found.skipped) > _MOST_SHOWN:
        note(f"... and {len(found.skipped) - _MOST_SHOWN} more; the report names them")
    pairs = [
        dataclasses.replace(pair, captions=pair.captions[: reading.captions_per_image])
        for pair in found[: reading.limit]
    ]
    return PairList(pairs, skipped=found.skipped)


def is_embeddings(data: Path) -> bool:
    """Return whether DATA is a file of embeddings."""
    return data.suffix == ".npz"
