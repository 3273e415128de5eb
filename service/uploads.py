"""Reading request bodies: JSON or multipart, both into the same checked model."""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import Generic, TypeVar

from fastapi import Request
from pydantic_core import from_json
from starlette.datastructures import FormData

from core.errors import ImageTooLargeError, UsageError
from service.schemas import Body
from service.settings import Settings

BodyT = TypeVar("BodyT", bound=Body)

_MAX_FIELDS = 1000
_LONGEST_DATA_URI_HEAD = 128
_SPACES = {ord(space): None for space in " \t\r\n"}


@dataclass(frozen=True, slots=True)
class Upload(Generic[BodyT]):
    """A request body: its fields and the files that came with it."""

    fields: BodyT
    """The checked fields."""
    images: list[bytes]
    """The file parts named ``image``, in order; empty for JSON."""


async def read_upload(request: Request, model: type[BodyT], settings: Settings) -> Upload[BodyT]:
    """Read the body of ``request`` as ``model``.

    Raises:
        UsageError: neither JSON nor multipart (415), or not well-formed.
        ValidationError: the fields do not fit the model.
    """
    kind = _content_type(request)
    _refuse_compression(request)
    if kind == "application/json":
        return Upload(model.model_validate(parse_json(await request.body())), [])
    if kind == "multipart/form-data":
        # One more than the limit, so that our own message names the limit.
        async with request.form(max_files=settings.max_images + 1, max_fields=_MAX_FIELDS) as form:
            return await _read_form(form, model, settings)
    raise UsageError(
        f"the content type {kind[:100]!r} is not accepted; send application/json or "
        "multipart/form-data",
        code="unsupported_media_type",
    )


async def read_json(request: Request, model: type[BodyT]) -> BodyT:
    """Read the body as JSON whatever its content type says: some clients of other wires send none.

    Raises:
        UsageError: not well-formed, or compressed (415).
        ValidationError: the fields do not fit the model.
    """
    _refuse_compression(request)
    return model.model_validate(parse_json(await request.body()))


async def read_parts(request: Request, *, limit_bytes: int) -> dict[str, str | bytes]:
    """Return the parts of a multipart form by name: fields as text, files as bytes.

    Too large a file is read one byte past the limit: its decoder then names the limit.

    Raises:
        UsageError: not a form (415), compressed, or a part comes twice.
    """
    _refuse_compression(request)
    if not is_form(request):
        raise UsageError(
            f"the content type {_content_type(request)[:100]!r} is not accepted; send "
            "multipart/form-data",
            code="unsupported_media_type",
        )
    parts: dict[str, str | bytes] = {}
    async with request.form(max_files=1, max_fields=_MAX_FIELDS) as form:
        for name, part in form.multi_items():
            if name in parts:
                raise UsageError(f"the part {name[:40]!r} comes twice", param=name[:40])
            parts[name] = part if isinstance(part, str) else await part.read(limit_bytes + 1)
    return parts


def is_form(request: Request) -> bool:
    """Return whether the body is a multipart form."""
    return _content_type(request) == "multipart/form-data"


def parse_json(data: bytes | str, *, param: str | None = None) -> object:
    """Parse strict JSON: no NaN, no deep nesting.

    Raises:
        UsageError: not well-formed.
    """
    try:
        value: object = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise UsageError(f"the JSON is not well-formed: {error}", param=param) from error
    return value


def decode_base64_image(text: str, *, param: str, limit_bytes: int) -> bytes:
    """Return the bytes of an image given as base64 or ``data:`` URI.

    Raises:
        UsageError: not base64, or a URL (which this service does not fetch).
        ImageTooLargeError: more than ``limit_bytes``, found out before decoding.
    """
    if text.startswith(("http://", "https://")):
        raise fetching_is_off(param)
    payload = _data_uri_payload(text, param) if text.startswith("data:") else text
    if len(payload) > limit_bytes * 3 // 2:
        raise ImageTooLargeError(
            f"the picture has about {len(payload) * 3 // 4} bytes, the limit is {limit_bytes}; "
            "resize or compress it",
            param=param,
        )
    try:
        return binascii.a2b_base64(payload.translate(_SPACES).encode("ascii"), strict_mode=True)
    except ValueError as error:
        raise UsageError(
            f"{param} is not base64: {error}; send the file's bytes as base64 or as a file part "
            "of a multipart form",
            param=param,
            code="invalid_base64",
        ) from error


def fetching_is_off(param: str) -> UsageError:
    """Return the error of a request that names an image by URL."""
    return UsageError(
        "fetching is switched off: this service loads no URLs; send the image itself, as a file "
        "part named 'image' or as base64",
        param=param,
        code="fetch_disabled",
    )


async def _read_form(form: FormData, model: type[BodyT], settings: Settings) -> Upload[BodyT]:
    images: list[bytes] = []
    values: dict[str, list[str]] = {}
    for name, part in form.multi_items():
        if isinstance(part, str):
            # Browsers send the fields that a person left empty.
            if part:
                values.setdefault(name, []).append(part)
        elif name == "image":
            # Too large a part is read one byte past the limit: the decoder then names the limit.
            images.append(await part.read(settings.max_image_bytes + 1))
        else:
            raise UsageError(f"unexpected file part {name!r}; name files 'image'", param=name)
    fields = {name: _form_value(name, texts, model) for name, texts in values.items()}
    return Upload(model.model_validate(fields), images)


def _form_value(name: str, texts: list[str], model: type[Body]) -> object:
    """Return the value of a form field: repeated fields and JSON become lists and objects."""
    if len(texts) == 1 and name in model.form_json and texts[0].lstrip()[:1] in {"[", "{"}:
        return parse_json(texts[0], param=name)
    return texts if len(texts) > 1 or name in model.form_lists else texts[0]


def _refuse_compression(request: Request) -> None:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UsageError(
            "compressed request bodies are not accepted; send the body as it is",
            code="unsupported_media_type",
        )


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _data_uri_payload(text: str, param: str) -> str:
    comma = text.find(",", 0, _LONGEST_DATA_URI_HEAD)
    if comma < 0 or not text[:comma].endswith(";base64"):
        raise UsageError(
            f"{param} is a data URI without ';base64,' at its start; write "
            "data:image/jpeg;base64,...",
            param=param,
            code="invalid_base64",
        )
    return text[comma + 1 :]
