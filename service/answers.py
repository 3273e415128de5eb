"""The JSON answers that clients get, as schemas: they document, the routes write the JSON.

The tests compare them with what the service answers. Times are milliseconds, floats are finite.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Count = Annotated[int, Field(ge=0)]
Milliseconds = Annotated[float, Field(ge=0.0)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
_SHAPE = "pixels of the 320 pixel thumbnail; null: none has been made yet"


class Answer(BaseModel):
    """An answer: these fields and no others."""

    model_config = ConfigDict(extra="forbid")


class ErrorDetail(Answer):
    """What was wrong."""

    type: str = Field(description="the kind of error, for programs")
    message: str = Field(description="what was wrong, the value, the limit, the remedy")
    param: str | None = Field(description="where it stood in the request")
    code: str = Field(description="the exact error, for programs")


class Error(Answer):
    """The one shape of every failure."""

    error: ErrorDetail


class Contribution(Answer):
    """What one term of the query gave to a hit."""

    term: str
    weight: float
    cosine: float = Field(description="cosine of the hit with this term alone")
    contribution: float = Field(description="the term's share of the score")


class Ranks(Answer):
    """Places of a hit in the two rankings of mode hybrid, from 1; null: not in the first 1000."""

    vector: int | None
    keyword: int | None


class Hit(Answer):
    """One item that was found."""

    id: str
    score: float = Field(description="cosine with the query vector")
    confidence: Probability | None = Field(
        description="probability of relevance; null: not calibrated"
    )
    caption: str
    metadata: dict[str, JsonValue]
    digest: str = Field(description="sha256 of the image")
    image_url: str
    thumbnail_url: str
    thumbnail_width: int | None = Field(description=_SHAPE)
    thumbnail_height: int | None = Field(description=_SHAPE)
    terms: list[Contribution] | None = Field(description="filled by explain")
    ranks: Ranks | None = Field(description="of mode hybrid")


class SearchAnswer(Answer):
    """One page of hits: score descending, then id ascending."""

    model: str = Field(description="encoder id")
    plan: str = Field(description="exact, or the approximate plan of the index")
    took_ms: Milliseconds
    cursor: str | None = Field(description="send it back for the next page; null on the last")
    hits: list[Hit]


class ItemAnswer(Answer):
    """An item of the gallery."""

    id: str
    caption: str
    metadata: dict[str, JsonValue]
    digest: str = Field(description="sha256 of the image")
    image_url: str
    thumbnail_url: str
    thumbnail_width: int | None = Field(description=_SHAPE)
    thumbnail_height: int | None = Field(description=_SHAPE)


class ListedItem(ItemAnswer):
    """An item of a listing."""

    vector: str | None = Field(
        default=None, description="on request: base64 of little-endian float32"
    )


class ItemsAnswer(Answer):
    """One page of items, in order of id."""

    items: list[ListedItem]
    cursor: str | None = Field(description="send it back for the next page; null on the last")


class Added(Answer):
    """What became of one image."""

    id: str | None
    status: Literal["created", "updated", "unchanged", "error"]
    error: ErrorDetail | None


class AddAnswer(Answer):
    """One entry for each image, in order."""

    results: list[Added]


class DeleteAnswer(Answer):
    """How many items were deleted."""

    deleted: Count


class FieldAnswer(Answer):
    """A metadata field."""

    name: str
    items: Count = Field(description="how many have it")
    indexed: bool


class FieldsAnswer(Answer):
    """The metadata fields of the gallery, by name."""

    fields: list[FieldAnswer]


class FieldValue(Answer):
    """A value of a metadata field."""

    value: str | int | float | bool
    items: Count = Field(description="how many items have it")


class FieldValuesAnswer(Answer):
    """The values of a metadata field, the most frequent first; a list counts with each element."""

    name: str
    values: list[FieldValue]
    more: bool = Field(description="there are further values")


class FieldStatus(Answer):
    """What became of the index of a field."""

    name: str
    status: Literal["created", "unchanged", "dropped"]


class Embedding(Answer):
    """One vector."""

    object: Literal["embedding"]
    index: Count
    embedding: list[float] | str = Field(description="numbers, or base64 of little-endian float32")


class Usage(Answer):
    """What was read."""

    prompt_tokens: Count
    total_tokens: Count


class EmbeddingAnswer(Answer):
    """One vector for each input, in order."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: Usage


class ModelAnswer(Answer):
    """The model."""

    id: str
    object: Literal["model"]
    created: int = Field(description="seconds since 1970 when it was loaded")
    owned_by: str
    encoder_id: str
    dim: Annotated[int, Field(ge=1)]


class ModelsAnswer(Answer):
    """The models: there is one."""

    object: Literal["list"]
    data: list[ModelAnswer]


class AddLimits(Answer):
    """How much one request to add images may bring."""

    images: Annotated[int, Field(ge=1)]
    body_bytes: Annotated[int, Field(ge=1)]
    image_bytes: Annotated[int, Field(ge=1)]
    image_pixels: Annotated[int, Field(ge=1)]
    formats: list[str] = Field(description="accepted image formats")


class GalleryAnswer(Answer):
    """What the gallery holds and what searches it."""

    count: Count
    dimension: Annotated[int, Field(ge=1)]
    encoder_id: str
    model: str
    index: str = Field(description="kind of index")
    coverage: Probability = Field(description="share of the items that can be found")
    fields: list[str] = Field(description="indexed metadata fields")
    wires: list[str] = Field(description="wires of other projects that are answered")
    read_only: bool = Field(description="whether this service refuses every change")
    limits: AddLimits


class ReadyAnswer(Answer):
    """Model and index answered."""

    status: Literal["ready"]
    model: str = Field(description="encoder id")
    took_ms: Milliseconds


class SessionAnswer(Answer):
    """A session has begun; nulls where the service asks for no key."""

    name: str | None = Field(description="of the key")
    scope: str | None
    seconds: Count = Field(description="how long it lasts")


class EndedSession(Answer):
    """No session any more."""

    seconds: Count


class AliveAnswer(Answer):
    """The process is alive."""

    status: Literal["ok"]


class ImmichEmbedding(Answer):
    """An embedding in the shape of immich's machine learning server."""

    clip: str = Field(description="the vector as the text of a JSON array")
    imageHeight: Count | None = None
    imageWidth: Count | None = None


class KnnHit(BaseModel):
    """One result of the clip-retrieval service, with the item's metadata beside these fields."""

    model_config = ConfigDict(extra="allow")

    id: int = Field(description="row of the collection")
    similarity: float
    caption: str | None = None
    image: str | None = Field(default=None, description="base64 of a JPEG")


class RowMetadata(Answer):
    """Caption, metadata and picture of one row."""

    id: int
    metadata: dict[str, JsonValue]


class FrontConfig(Answer):
    """What clip-retrieval's front end reads first."""

    defaultBackend: str
    defaultIndex: str
    urlColumn: str
