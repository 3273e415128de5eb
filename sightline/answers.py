"""What the service answers, as values; fields that a newer service adds are ignored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from core.errors import SightlineError
from core.types import JSONObject
from sightline.call import JSONAnswer
from sightline.failures import error_from

AddStatus: TypeAlias = Literal["created", "updated", "unchanged", "error"]


@dataclass(frozen=True, slots=True)
class TermShare:
    """What one term of the query added to a hit's score; the contributions sum to the score."""

    term: str
    weight: float
    cosine: float
    """Cosine of the hit with this term alone."""
    contribution: float


@dataclass(frozen=True, slots=True)
class Ranks:
    """The places of a hit of mode hybrid in its two rankings, from 1; ``None``: not among them."""

    vector: int | None
    keyword: int | None


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer of a search."""

    id: str
    score: float
    """Cosine with the query vector."""
    confidence: float | None
    """Calibrated probability of relevance; ``None`` where the model has no calibration."""
    caption: str
    metadata: JSONObject
    terms: tuple[TermShare, ...] | None = None
    """Filled by ``explain``."""
    ranks: Ranks | None = None
    """Of mode hybrid."""


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """One page of hits, best first: score descending, then id ascending."""

    model: str
    """Encoder id."""
    plan: str
    """How the hits were found: ``exact``, or the approximate plan of the index."""
    took_ms: float
    cursor: str | None
    """Give it back to get the next page; ``None`` on the last."""
    hits: tuple[Hit, ...]

    def __iter__(self) -> Iterator[Hit]:
        """Walk the hits."""
        return iter(self.hits)

    def __len__(self) -> int:
        """Return the number of hits."""
        return len(self.hits)


@dataclass(frozen=True, slots=True)
class Item:
    """An item of the gallery, without its picture."""

    id: str
    caption: str
    metadata: JSONObject
    digest: str
    """sha256 of the image's bytes, hexadecimal."""


@dataclass(frozen=True, slots=True)
class ItemPage:
    """Items in the order of their ids."""

    items: tuple[Item, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one image that was added."""

    id: str | None
    """``None`` only where the image failed and had no id of its own."""
    status: AddStatus
    error: SightlineError | None = None


@dataclass(frozen=True, slots=True)
class Gallery:
    """What a service holds."""

    count: int
    dimension: int
    encoder_id: str
    model: str
    index: str
    coverage: float
    """Share of the items that a search can find."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that the service runs."""

    id: str
    """Name."""
    encoder_id: str
    dim: int


@dataclass(frozen=True, slots=True)
class FieldUse:
    """A metadata field of the gallery."""

    name: str
    items: int
    """How many items have it."""
    indexed: bool
    """Whether filters on it look values up."""


def read_fields(answer: JSONAnswer) -> tuple[FieldUse, ...]:
    """Read the metadata fields."""
    return tuple(
        FieldUse(str(entry["name"]), int(entry["items"]), bool(entry["indexed"]))
        for entry in answer["fields"]
    )


def read_search(answer: JSONAnswer) -> SearchAnswer:
    """Read the answer of ``/v1/search``."""
    return SearchAnswer(
        model=str(answer["model"]),
        plan=str(answer["plan"]),
        took_ms=float(answer["took_ms"]),
        cursor=answer["cursor"],
        hits=tuple(_hit(hit) for hit in answer["hits"]),
    )


def read_item(answer: JSONAnswer) -> Item:
    """Read one item."""
    return Item(
        id=str(answer["id"]),
        caption=str(answer["caption"]),
        metadata=dict(answer["metadata"]),
        digest=str(answer["digest"]),
    )


def read_page(answer: JSONAnswer) -> ItemPage:
    """Read one page of items."""
    return ItemPage(tuple(map(read_item, answer["items"])), answer["cursor"])


def read_results(answer: JSONAnswer) -> list[ItemResult]:
    """Read what became of each image of one request."""
    return [
        ItemResult(
            id=entry["id"],
            status=entry["status"],
            error=None if entry["error"] is None else error_from(entry["error"]),
        )
        for entry in answer["results"]
    ]


def read_gallery(answer: JSONAnswer) -> Gallery:
    """Read what a service holds."""
    return Gallery(
        count=int(answer["count"]),
        dimension=int(answer["dimension"]),
        encoder_id=str(answer["encoder_id"]),
        model=str(answer["model"]),
        index=str(answer["index"]),
        coverage=float(answer["coverage"]),
    )


def read_models(answer: JSONAnswer) -> tuple[Model, ...]:
    """Read the list of models."""
    return tuple(
        Model(str(model["id"]), str(model["encoder_id"]), int(model["dim"]))
        for model in answer["data"]
    )


def _hit(answer: JSONAnswer) -> Hit:
    terms = answer.get("terms")
    ranks = answer.get("ranks")
    return Hit(
        id=str(answer["id"]),
        score=float(answer["score"]),
        confidence=answer["confidence"],
        caption=str(answer["caption"]),
        metadata=dict(answer["metadata"]),
        terms=None
        if terms is None
        else tuple(
            TermShare(
                str(term["term"]),
                float(term["weight"]),
                float(term["cosine"]),
                float(term["contribution"]),
            )
            for term in terms
        ),
        ranks=None if ranks is None else Ranks(ranks["vector"], ranks["keyword"]),
    )
