"""The JSON bodies that clients send. Limits that an operator sets are checked in the routes.

A multipart form carries the same fields as text parts, lists and objects as JSON.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
)

Images = str | list[str]
"""One or more images as base64 or ``data:`` URI."""
_IMAGE_URL = "http or https address of an image; only where the operator allows it"
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class Body(BaseModel):
    """A request body: unknown fields and numbers that are not finite are refused."""

    form_lists: ClassVar[frozenset[str]] = frozenset()
    """Fields that are lists even when a form holds them once."""
    form_json: ClassVar[frozenset[str]] = frozenset()
    """Fields that a form may hold as a JSON list or object."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class ImageInputs(Body):
    """The ways to name images in JSON; they may be mixed and count in this order."""

    image: Images | None = Field(default=None, description="base64 or data URI; one or a list")
    image_id: str | list[str] | None = Field(
        default=None, description="an item of the gallery, or a list"
    )
    image_url: Images | None = Field(default=None, description=_IMAGE_URL)


class AbstainRequest(Body):
    """When to give no label; each threshold that is set must be reached by the best label."""

    min_score: Probability | None = Field(default=None, description="least score of the best label")
    min_cosine: Annotated[float, Field(ge=-1.0, le=1.0)] | None = Field(
        default=None, description="least cosine of the best label"
    )
    min_margin: Probability | None = Field(
        default=None, description="least distance between the two best scores"
    )
    max_energy: float | None = Field(default=None, description="highest energy of the image")


class ClassifyRequest(ImageInputs):
    """Which labels fit the images."""

    form_lists = frozenset({"labels", "templates"})
    form_json = frozenset({"labels", "templates", "abstain", "image_id"})

    labels: list[str] | None = Field(default=None, description="the labels; or name a label_set")
    label_set: str | None = Field(default=None, description="`name` or `name@version`")
    templates: list[str] | None = Field(
        default=None, description="prompts with exactly one `{}` each"
    )
    template_set: str | None = Field(
        default=None, description="imagenet7, single, food101, ...: see docs/zero-shot.md"
    )
    mode: Literal["single", "multi"] = Field(
        default="single",
        description="single: one label fits; multi: each label has its own probability",
    )
    top_k: int = Field(default=5, ge=1, description="labels in the answer")
    abstain: AbstainRequest | None = Field(
        default=None, description="when to give no label; absent: the fitted rules, {}: none"
    )
    ensemble: Literal["embedding", "logit", "max"] = Field(
        default="embedding", description="how the prompts of a label come together"
    )
    crops: int = Field(
        default=1, ge=1, le=10, description="views of each image: 1, 5 or 10; each costs an image"
    )
    alpha: Annotated[float, Field(gt=0.0, lt=1.0)] | None = Field(
        default=None, description="asks for prediction sets that miss at most this share"
    )
    use_head: bool = Field(default=True, description="false: the texts alone, without the examples")
    temperature: Annotated[float, Field(gt=0.0)] | None = Field(
        default=None, description="divides the logits: above 1 makes the scores less sure"
    )

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={"examples": [{"image_id": "a17", "labels": ["cat", "dog"], "top_k": 2}]},
    )


class QueryTerm(Body):
    """One part of a query: exactly one of text, image, image_id and vector."""

    text: str | None = None
    image: str | None = Field(default=None, description="base64 or data URI")
    image_id: str | None = Field(default=None, description="an item of the gallery")
    image_url: str | None = Field(default=None, description=_IMAGE_URL)
    vector: list[float] | None = Field(default=None, description="an embedding of this model")
    weight: float = Field(default=1.0, description="negative pushes away")


class SearchRequest(Body):
    """What to look for."""

    form_json = frozenset({"query", "filter"})

    query: str | list[QueryTerm] | None = Field(
        default=None,
        description="a query in words (`a red car -toy 2:vintage +id:a17`) or a list of terms",
    )
    text: str | None = Field(default=None, description="plain text, taken literally")
    image: str | None = Field(default=None, description="base64 or data URI")
    image_url: str | None = Field(default=None, description=_IMAGE_URL)
    k: int = Field(default=10, ge=1, description="number of hits")
    cursor: str | None = Field(default=None, description="the cursor of the last answer, to go on")
    filter: dict[str, JsonValue] | None = Field(default=None, description="see docs/api.md")
    min_confidence: Probability | None = None
    mode: Literal["vector", "keyword", "hybrid"] = "vector"
    explain: bool = Field(default=False, description="fill `terms` of each hit")

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={
            "examples": [
                {"query": "a red car", "k": 10},
                {
                    "query": [{"text": "a red car"}, {"text": "toy", "weight": -0.6}],
                    "k": 20,
                    "filter": {"source": "shop", "year": {"gte": 2020}},
                },
            ]
        },
    )


class ItemFields(Body):
    """What is known of an image besides its pixels."""

    id: Identifier | None = Field(default=None, description="digest of the image when absent")
    caption: str | None = Field(default=None, description="keeps the stored one when absent")
    metadata: dict[str, JsonValue] | None = Field(
        default=None, description="keeps the stored one when absent"
    )


class NewItem(ItemFields):
    """An image to add."""

    image: str | None = Field(default=None, description="base64 or data URI")
    image_url: str | None = Field(default=None, description=_IMAGE_URL)


class AddRequest(Body):
    """Images to add, each with what is known of it."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={
            "examples": [
                {"items": [{"image": "iVBORw0KGgo=", "id": "a17", "caption": "a red car"}]},
            ]
        },
    )

    items: list[NewItem] = Field(min_length=1)


class AddForm(Body):
    """The field that may come with the files of a multipart form."""

    form_json = frozenset({"items"})

    items: list[ItemFields] = Field(
        default_factory=list, description="JSON array in the order of the files"
    )


class ItemChange(Body):
    """New values of an item; an absent field stays as it is."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={"examples": [{"caption": "a red car", "metadata": {"source": "shop"}}]},
    )

    caption: str | None = None
    metadata: dict[str, JsonValue] | None = None


class DeleteRequest(Body):
    """Items to delete: by id, or all that fit a filter."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={"examples": [{"ids": ["a17"]}, {"filter": {"source": "shop"}}]},
    )

    ids: list[Identifier] | None = None
    filter: dict[str, JsonValue] | None = None


class FieldRequest(Body):
    """The metadata field to index."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "price"}]})

    name: Identifier = Field(description="dots lead into nested objects: camera.model")
