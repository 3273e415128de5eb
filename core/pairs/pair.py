"""A pair: one image and its captions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from core.pairs.image_file import ImageFile
from core.types import JSONObject


@dataclass(frozen=True, slots=True)
class Pair:
    """One image and its captions."""

    id: str
    """Unique within its source: the ``id`` field, else the path relative to the source."""
    image: ImageFile
    """Where the image is: a file, or bytes inside a container."""
    captions: tuple[str, ...]
    """Zero or more captions, stripped; the first is the main one."""
    label: str | None = None
    """Class name for zero-shot evaluation."""
    metadata: JSONObject = field(default_factory=dict)
    """Whatever else the source says of the image."""


class PairList(list[Pair]):
    """The pairs of a source in its order, and which samples of it could not be read."""

    def __init__(self, pairs: Iterable[Pair] = (), *, skipped: Mapping[str, str] | None = None):
        """Keep the pairs; ``skipped`` says why a sample, named by its place, was left out."""
        super().__init__(pairs)
        self.skipped = dict(skipped or {})
