"""Who asks for what: queries, gallery and relevance of one direction of retrieval.

Relevance is a set. An image has all its captions, and a caption that several images share makes
all of those relevant. It comes from the pairs, from equal labels, or from judgements in a file.

# N = queries, M = gallery items, C = captions, D = embedding dimension
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from core.artifacts import canonical_json, sha256_bytes
from core.errors import PairsError, UsageError
from core.pairs.captions import identity_of
from core.pairs.pair import Pair
from core.types import FloatArray, JSONValue

Direction = Literal["text_to_image", "image_to_text", "image_to_image", "text_to_text"]
DIRECTIONS: tuple[Direction, ...] = (
    "text_to_image",
    "image_to_text",
    "image_to_image",
    "text_to_text",
)
Relevance = Literal["pair", "label"]
Judgements = Mapping[str, Mapping[str, int]]
"""Grade of each judged gallery item, by query id."""


@dataclass(frozen=True, slots=True)
class Side:
    """Images or captions of a data set, either of which may ask or be asked for."""

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    """Captions; empty for images."""
    pairs: tuple[Pair, ...]
    """The pair of each."""
    vectors_ND: FloatArray | None
    """``None`` where somebody else embeds them, for example the service."""

    def __len__(self) -> int:
        return len(self.ids)

    def chosen(self, places: Sequence[int]) -> Side:
        """Return those at some places."""
        return Side(
            tuple(self.ids[place] for place in places),
            tuple(self.texts[place] for place in places),
            tuple(self.pairs[place] for place in places),
            None if self.vectors_ND is None else self.vectors_ND[list(places)],
        )


@dataclass(frozen=True, slots=True)
class RetrievalTask:
    """Queries, a gallery and what is relevant."""

    direction: Direction
    queries: Side
    gallery_ids: tuple[str, ...]
    gallery_MD: FloatArray | None
    relevant_N: tuple[tuple[int, ...], ...]
    """Columns of the gallery that are relevant to each query; may be empty."""
    grades_N: tuple[tuple[int, ...], ...]
    """Their grades, 1 or more."""
    excluded_N: tuple[int | None, ...]
    """Column of the query itself, where it must not count as a hit."""

    @property
    def judged(self) -> list[int]:
        """Return the places of the queries that have something relevant."""
        return [place for place, relevant in enumerate(self.relevant_N) if relevant]

    def excluded(self, place: int) -> tuple[int, ...]:
        """Return the columns that are no answer to a query."""
        own = self.excluded_N[place]
        return () if own is None else (own,)

    @property
    def candidates(self) -> int:
        """Return how many places a list can have."""
        own = any(column is not None for column in self.excluded_N)
        return max(1, len(self.gallery_ids) - own)

    @property
    def relevance_digest(self) -> str:
        """Return the sha256 of what is relevant to what."""
        rows: list[JSONValue] = [
            [name, [[self.gallery_ids[c], g] for c, g in zip(columns, grades, strict=True)]]
            for name, columns, grades in zip(
                self.queries.ids, self.relevant_N, self.grades_N, strict=True
            )
        ]
        return sha256_bytes(canonical_json(rows))


def lay_out(
    direction: Direction,
    queries: Side,
    gallery: Side,
    *,
    relevance: Relevance | Judgements = "pair",
    exclude_self: bool | None = None,
) -> RetrievalTask:
    """Decide what is relevant to each query.

    Args:
        direction: who asks for what.
        queries: the side that asks.
        gallery: the side that is asked for.
        relevance: ``pair``: captions and images that belong together; ``label``: equal labels; or
            judgements.
        exclude_self: drop the query itself from its gallery; by default within one modality.

    Raises:
        UsageError: a relevance that the direction does not have.
        PairsError: no pair has a label.
    """
    within = direction in {"image_to_image", "text_to_text"}
    exclude = within if exclude_self is None else exclude_self and within
    place_of = {name: place for place, name in enumerate(gallery.ids)}
    excluded = tuple(place_of.get(name) if exclude else None for name in queries.ids)
    if relevance == "label":
        found = _by_label(queries, gallery)
    elif relevance == "pair":
        found = _by_pair(direction, queries, gallery)
    else:
        found = _judged(queries, place_of, relevance)
    relevant, grades = _without(found, excluded)
    return RetrievalTask(
        direction, queries, gallery.ids, gallery.vectors_ND, relevant, grades, excluded
    )


_Found = list[dict[int, int]]
"""Grade of each relevant column, for each query."""


def _by_pair(direction: Direction, queries: Side, gallery: Side) -> _Found:
    if direction == "image_to_image":
        raise UsageError(
            "images are no pairs of images; say what is relevant with --relevance label, or with "
            "judgements in a file: --relevance qrels.trec",
            param="relevance",
        )
    if direction == "text_to_text":
        columns = defaultdict(list)
        for column, pair in enumerate(gallery.pairs):
            columns[pair.id].append(column)
        return [dict.fromkeys(columns[pair.id], 1) for pair in queries.pairs]
    captions, images = (queries, gallery) if direction == "text_to_image" else (gallery, queries)
    by_caption = _images_of(captions, images)
    if direction == "text_to_image":
        return [dict.fromkeys(sorted(found), 1) for found in by_caption]
    by_image: _Found = [{} for _ in images.ids]
    for caption, found in enumerate(by_caption):
        for image in found:
            by_image[image][caption] = 1
    return by_image


def _images_of(captions: Side, images: Side) -> list[set[int]]:
    """Return the images that each caption belongs to: those of every caption that is the same."""
    place_of = {name: place for place, name in enumerate(images.ids)}
    places: dict[str, set[int]] = defaultdict(set)
    identities = [identity_of(text) for text in captions.texts]
    for identity, pair in zip(identities, captions.pairs, strict=True):
        if pair.id in place_of:
            places[identity].add(place_of[pair.id])
    return [places[identity] for identity in identities]


def _by_label(queries: Side, gallery: Side) -> _Found:
    columns: dict[str, list[int]] = defaultdict(list)
    for column, pair in enumerate(gallery.pairs):
        if pair.label is not None:
            columns[identity_of(pair.label)].append(column)
    if not columns:
        raise PairsError(
            "no pair has a label, so none is shared: give the table a column 'label', or one "
            "folder per class"
        )
    return [
        dict.fromkeys(columns[identity_of(pair.label)], 1) if pair.label is not None else {}
        for pair in queries.pairs
    ]


def _judged(queries: Side, place_of: Mapping[str, int], judgements: Judgements) -> _Found:
    return [
        {
            place_of[item]: grade
            for item, grade in judgements.get(name, {}).items()
            if item in place_of and grade > 0
        }
        for name in queries.ids
    ]


def _without(
    found: _Found, excluded: Sequence[int | None]
) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
    """Return columns and grades, ascending, without the query itself."""
    kept = [
        sorted((column, grade) for column, grade in row.items() if column != own)
        for row, own in zip(found, excluded, strict=True)
    ]
    return (
        tuple(tuple(column for column, _ in row) for row in kept),
        tuple(tuple(grade for _, grade in row) for row in kept),
    )
