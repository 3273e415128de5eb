"""What an embedding request asks for, in the spellings of several APIs: texts and images in order.

OpenAI sends texts, Jina and Voyage ``{"image": ...}`` and ``{"text": ...}``, vLLM content parts and
messages, infinity strings that are images by ``modality``.
"""

from __future__ import annotations

from core.errors import UsageError
from service.embedding_schemas import (
    EmbeddingRequest,
    ImageInput,
    ImagePart,
    InputPart,
    Message,
    TextInput,
    TextPart,
)
from service.image_sources import ImageSource

EmbeddingInput = str | ImageSource
"""A text or an image."""


def embedding_inputs(fields: EmbeddingRequest) -> list[EmbeddingInput]:
    """Return the inputs in order.

    Raises:
        UsageError: no input, or both ``input`` and ``messages``.
    """
    if fields.messages is not None:
        if fields.input is not None:
            raise UsageError("send input or messages, not both", param="input")
        return [_of_messages(fields.messages)]
    if fields.input is None or fields.input == []:
        raise UsageError("input is missing or an empty list; send at least one text", param="input")
    if isinstance(fields.input, str):
        return [_of_part(fields.input, "input[0]", modality=fields.modality)]
    return [
        _of_part(part, f"input[{place}]", modality=fields.modality)
        for place, part in enumerate(fields.input)
    ]


def _of_messages(messages: list[Message]) -> EmbeddingInput:
    if len(messages) != 1:
        raise UsageError(
            f"{len(messages)} messages; one request embeds one message, several texts go into "
            "input",
            param="messages",
        )
    content = messages[0].content
    if isinstance(content, str):
        return content
    if len(content) != 1:
        raise UsageError(
            f"the message has {len(content)} parts; this model embeds a text or an image, not "
            "both in one vector",
            param="messages[0].content",
        )
    return _of_part(content[0], "messages[0].content[0]", modality="text")


def _of_part(part: InputPart, param: str, *, modality: str) -> EmbeddingInput:
    if isinstance(part, TextInput | TextPart):
        return part.text
    if isinstance(part, ImageInput):
        return ImageSource(param, base64=part.image)
    if isinstance(part, ImagePart):
        address = part.image_url
        return ImageSource(param, base64=address if isinstance(address, str) else address.url)
    return ImageSource(param, base64=part) if modality == "image" else part
