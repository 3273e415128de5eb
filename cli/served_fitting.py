"""Pictures with labels, sent to a server in parts that it learns from one after the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from cli.output import note
from core.errors import ImageError, SightlineError, UsageError

if TYPE_CHECKING:
    from core.pairs.image_file import ImageFile
    from sightline.label_answers import Fitted

PART_IMAGES = 32
"""Most pictures of a part, as many as ``sightline add`` sends at once."""
PART_BYTES = 16 * 2**20
"""A part ends with the picture that makes it this large."""

LabelT = TypeVar("LabelT", str, str | None)


@dataclass(frozen=True, slots=True)
class Part(Generic[LabelT]):
    """Some of the pictures."""

    files: tuple[ImageFile, ...]
    images: tuple[bytes, ...]
    labels: tuple[LabelT, ...]
    first: bool
    last: bool


def send_in_parts(
    files: Sequence[ImageFile], labels: Sequence[LabelT], send: Callable[[Part[LabelT]], Fitted]
) -> Fitted:
    """Send pictures and return what was learnt from all; those that cannot be read are named.

    Pictures that come again take the place of themselves, so a command that failed half-way is
    simply run again.

    Raises:
        UsageError: no picture can be read.
        SightlineError: the server cannot be reached, or learns nothing from a part.
    """
    from cli.progress import terminal_progress
    from core.progress import silent

    shown = terminal_progress if len(files) > PART_IMAGES else silent
    fitted = None
    with shown("sending", total=len(files), unit="images") as progress:
        for part in _parts(files, labels):
            fitted = _sent(part, send) or fitted
            progress.advance(len(part.files))
    if fitted is None:
        raise UsageError(f"none of the {len(files)} pictures can be read; nothing was learnt")
    return fitted


def spread(labels: Sequence[LabelT]) -> list[int]:
    """Return an order in which every label comes early; unknown pictures (``None``) come last.

    A part of one label alone would teach a server little until the next one arrives.
    """
    seen: defaultdict[LabelT, int] = defaultdict(int)
    rounds = []
    for label in labels:
        rounds.append(seen[label])
        seen[label] += 1
    return sorted(range(len(labels)), key=lambda n: (labels[n] is None, rounds[n], n))


def _sent(part: Part[LabelT], send: Callable[[Part[LabelT]], Fitted]) -> Fitted | None:
    """Send a part and name the pictures that the server cannot read."""
    try:
        fitted = send(part)
    except ImageError as error:
        if len(part.files) > 1:
            raise
        note(f"{part.files[0]}: {error}")
        return None
    for file, why in zip(part.files, fitted.errors, strict=True):
        if why is not None:
            note(f"{file}: {why}")
    return fitted


def _parts(files: Sequence[ImageFile], labels: Sequence[LabelT]) -> Iterator[Part[LabelT]]:
    """Yield the pictures that can be read, in parts; the last one is marked."""
    waiting: Part[LabelT] | None = None
    # Whatever fits into one part keeps its order, so that the server fits what this machine would.
    order = spread(labels) if len(files) > PART_IMAGES else range(len(files))
    for part in _read_parts(files, labels, order):
        if waiting is not None:
            yield waiting
        waiting = replace(part, first=waiting is None)
    if waiting is not None:
        yield replace(waiting, last=True)


def _read_parts(
    files: Sequence[ImageFile], labels: Sequence[LabelT], order: Sequence[int]
) -> Iterator[Part[LabelT]]:
    from encoders.decoding import read_image_file

    places: list[int] = []
    images: list[bytes] = []
    for place in order:
        try:
            images.append(read_image_file(files[place]))
        except SightlineError as error:
            note(f"{files[place]}: {error}")
            continue
        places.append(place)
        if len(images) == PART_IMAGES or sum(map(len, images)) >= PART_BYTES:
            yield _part(files, labels, places, images)
            places, images = [], []
    if images:
        yield _part(files, labels, places, images)


def _part(
    files: Sequence[ImageFile],
    labels: Sequence[LabelT],
    places: Sequence[int],
    images: Sequence[bytes],
) -> Part[LabelT]:
    return Part(
        files=tuple(files[place] for place in places),
        images=tuple(images),
        labels=tuple(labels[place] for place in places),
        first=False,
        last=False,
    )
