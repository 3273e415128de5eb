"""Pairs of one-colour pictures and their embeddings, for tests that are worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.pairs.pair import Pair
from evaluation.embeddings import Embeddings, embed_pairs
from evaluation.predictions import labels_of
from tests.fakes import FakeEncoder, picture_bytes


def pair(
    folder: Path, id: str, colour: str, *captions: str, label: str | None = None, **metadata: str
) -> Pair:
    """Write a one-colour picture and return it with its captions and label."""
    path = folder / f"{id}.png"
    path.write_bytes(picture_bytes(colour))
    return Pair(id=id, image=path, captions=captions, label=label, metadata=dict(metadata))


def broken_pair(folder: Path, id: str, *captions: str, label: str | None = None) -> Pair:
    """Write a file that is no picture and return it with its captions and label."""
    path = folder / f"{id}.png"
    path.write_bytes(b"broken")
    return Pair(id=id, image=path, captions=captions, label=label)


def embedded(pairs: Sequence[Pair], labels: Sequence[str] = ()) -> Embeddings:
    """Embed pairs with the encoder that sees colours."""
    return embed_pairs(FakeEncoder(), pairs, labels=labels)


def embedded_with_labels(pairs: Sequence[Pair]) -> Embeddings:
    """Embed pairs and their own labels."""
    return embedded(pairs, labels_of(pairs))
