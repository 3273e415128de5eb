"""immich's questions to its machine learning server, answered by our model.

immich names a model of its own list in every request, and stores vectors of the dimension that its
list gives for that name. So only names that the operator has made names of our model are answered;
a vector of another model under a known name would be a wrong result that nobody notices.

# D = embedding dimension
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.errors import NotFoundError, SightlineError, UsageError
from core.types import FloatArray, JSONObject
from encoders.decoding import image_size
from service.access import check_text
from service.engine import Engine
from service.image_sources import ImageSource, embed_sources
from service.uploads import parse_json
from service.wire_schemas import ImmichEntries

_TASK = "clip"

Kind = Literal["visual", "textual"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One request of immich: an image or a text for our model."""

    kind: Kind
    model: str
    """The name that immich gives to our model."""


def parse_entries(text: str) -> Prediction:
    """Return what the form field ``entries`` asks for.

    Raises:
        UsageError: not one entry for search by text or image.
        ValidationError: not of the shape of immich.
    """
    value = parse_json(text, param="entries")
    if isinstance(value, dict):
        others = sorted(str(task)[:40] for task in value if task != _TASK)
        if others:
            raise UsageError(
                f"the task {others[0]!r} is not done here: this service embeds for search only "
                "(clip); switch face recognition and OCR off in immich",
                param="entries",
                code="unsupported_task",
            )
    entries = ImmichEntries.model_validate(value).clip
    if (entries.visual is None) == (entries.textual is None):
        raise UsageError(
            "entries names both visual and textual, or none of them; send one in a request",
            param="entries.clip",
        )
    if entries.visual is not None:
        return Prediction("visual", entries.visual.modelName)
    assert entries.textual is not None
    return Prediction("textual", entries.textual.modelName)


def predict(
    engine: Engine, prediction: Prediction, *, image: bytes | None, text: str | None
) -> JSONObject:
    """Return the answer of ``/predict``: the vector as the text of a JSON array.

    Raises:
        NotFoundError: our model does not go by this name.
        UsageError: no input of the kind that the entry names.
        SightlineError: the input cannot be embedded.
    """
    _check_model(engine, prediction.model)
    if prediction.kind == "textual":
        if text is None:
            raise UsageError("the form has no field 'text'; send the query", param="text")
        check_text(text, limit_chars=engine.settings.max_text_chars, param="text")
        return {_TASK: _as_text(engine.encoder.encode_texts([text])[0])}
    if image is None:
        raise UsageError("the form has no file part 'image'; send the picture", param="image")
    (vector,) = embed_sources(engine, [ImageSource("image", data=image)])
    if isinstance(vector, SightlineError):
        vector.param = "image"
        raise vector
    width, height = image_size(image)
    return {_TASK: _as_text(vector), "imageHeight": height, "imageWidth": width}


def _check_model(engine: Engine, name: str) -> None:
    known = {engine.encoder.name, engine.encoder.encoder_id, *engine.settings.immich_models}
    if name not in known:
        raise NotFoundError(
            f"the model {name[:100]!r} is not served here; if the vectors of "
            f"{engine.encoder.name!r} ({engine.encoder.dim} dimensions) shall stand for it, add "
            "the name to the setting immich_models",
            param="entries.clip.modelName",
            code="model_not_found",
        )


def _as_text(vector_D: FloatArray) -> str:
    """Return the vector as JSON, each number with the digits that tell it in float32."""
    return f"[{','.join(str(value) for value in vector_D)}]"
