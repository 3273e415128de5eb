"""The JSON body of embedding requests, in the spellings of several APIs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from service.schemas import Body


class ImageInput(Body):
    """An image in the ``input`` of an embedding request (as Jina and Voyage write it)."""

    image: str = Field(description="base64 or data URI")


class TextInput(Body):
    """A text in the ``input`` of an embedding request (as Jina writes it)."""

    text: str


class ImageAddress(BaseModel):
    """Where an image of a content part is."""

    model_config = ConfigDict(extra="ignore")

    url: str = Field(description="data URI; an http address only where fetching is switched on")


class ImagePart(BaseModel):
    """An image as a content part (as vLLM and OpenAI's chat write it)."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["image_url"]
    image_url: ImageAddress | str


class TextPart(BaseModel):
    """A text as a content part."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["text"]
    text: str


ContentPart = ImagePart | TextPart


class Message(BaseModel):
    """A message whose one part is embedded (as vLLM writes it)."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["user"]
    content: str | Annotated[list[ContentPart], Field(min_length=1)]


InputPart = str | ImageInput | TextInput | ImagePart | TextPart


class EmbeddingRequest(Body):
    """The body of the OpenAI API; fields of it that mean nothing here are ignored."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "examples": [
                {"model": "starter", "input": ["a red car"]},
                {"input": [{"text": "a dog"}, {"image": "data:image/png;base64,iVBORw0KGgo="}]},
            ]
        },
    )

    input: str | list[InputPart] | None = Field(
        default=None, description="a text, or a list of texts and images: one vector for each"
    )
    messages: list[Message] | None = Field(
        default=None, description="instead of input: one message with one part"
    )
    model: str | None = Field(default=None, description="name or encoder id; there is one model")
    modality: Literal["text", "image"] = Field(
        default="text", description="image: the strings of `input` are base64 images"
    )
    encoding_format: Literal["float", "base64"] | None = Field(
        default=None, description="float when absent; base64 is little-endian float32"
    )
    dimensions: int | None = Field(
        default=None, ge=1, description="keep the first n, normalised again"
    )

    @field_validator("input", mode="before")
    @classmethod
    def refuse_tokens(cls, value: object) -> object:
        """Refuse arrays of token numbers, which the OpenAI API allows, in words that help."""
        first = value[0] if isinstance(value, list) and value else None
        if isinstance(first, list) and first:
            first = first[0]
        if isinstance(first, int) and not isinstance(first, bool):
            raise PydanticCustomError(
                "token_array",
                "holds token numbers, which belong to the tokenizer of another model; send the "
                "text itself (langchain: OpenAIEmbeddings(check_embedding_ctx_length=False))",
            )
        return value
