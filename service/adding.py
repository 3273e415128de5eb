"""Adding images to the gallery: each item of a request has its own outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.artifacts import canonical_json, sha256_bytes
from core.errors import ImageError, SightlineError, UsageError
from core.timing import timed
from core.types import JSONObject, JSONValue
from index.adding import AddResult, NewImage, PreparedImage
from index.items import Status
from index.receipts import Receipt
from service.access import check_count
from service.engine import Engine
from service.errors import error_object
from service.idempotency import RepeatableRequest
from service.request_scope import Priority, count_work, work_as
from service.schemas import AddForm, AddRequest, ItemFields
from service.uploads import decode_base64_image


@dataclass(frozen=True, slots=True)
class PendingItem:
    """An item of a request: ready to be added, or already known to be bad."""

    param: str
    """Where it stood in the request, for messages."""
    fields: ItemFields
    """What is known of the image."""
    data: bytes | SightlineError
    """The bytes of the image, or why there are none."""


def pending_from_form(fields: AddForm, images: Sequence[bytes]) -> list[PendingItem]:
    """Pair the files of a form with the entries of its ``items``.

    Raises:
        UsageError: no file, or another number of entries than files.
    """
    if not images:
        raise UsageError("the form has no file part named 'image'", param="image")
    if fields.items and len(fields.items) != len(images):
        raise UsageError(
            f"items has {len(fields.items)} entries for {len(images)} images; send one for each "
            "or none at all",
            param="items",
        )
    described = fields.items or [ItemFields() for _ in images]
    return [
        PendingItem(f"image[{place}]", known, data)
        for place, (known, data) in enumerate(zip(described, images, strict=True))
    ]


def pending_from_json(engine: Engine, fields: AddRequest) -> list[PendingItem]:
    """Decode the base64 and load the URLs of all entries; a bad one is kept as its error.

    Raises:
        BusyError: too many requests wait for images by URL.
        UsageError: more entries than one request may have, or URLs where none are loaded.
    """
    check_count(len(fields.items), limit=engine.settings.max_images, what="images", param="items")
    urls = {
        f"items[{place}].image_url": item.image_url
        for place, item in enumerate(fields.items)
        if item.image_url is not None
    }
    fetched = engine.remote_images.fetch(urls)
    limit_bytes = engine.settings.max_image_bytes
    pending = []
    for place, item in enumerate(fields.items):
        param = f"items[{place}].image"
        loaded = fetched.get(f"{param}_url")
        if loaded is None:
            pending.append(PendingItem(param, item, _decoded(item.image, param, limit_bytes)))
        elif item.image is None:
            pending.append(PendingItem(f"{param}_url", item, loaded))
        else:
            error = UsageError(f"{param} and {param}_url are both given; send one of them")
            pending.append(PendingItem(param, item, error))
    return pending


def add_items(
    engine: Engine, pending: Sequence[PendingItem], request: RepeatableRequest | None = None
) -> JSONObject:
    """Add the good items in one transaction and return the outcome of each, in order.

    With a repeatable ``request`` the answer is kept in that transaction.

    Raises:
        SightlineError: nothing could be stored, or the only item is bad.
    """
    work_as(Priority.BULK)
    count_work(images=len(pending))
    with timed("add"):
        prepared = engine.decoding.map(lambda item: _prepared(engine, item), pending)
        outcomes = engine.gallery.store(
            [
                AddResult(item.fields.id, Status.ERROR, found)
                if isinstance(found, SightlineError)
                else found
                for item, found in zip(pending, prepared, strict=True)
            ],
            receipt=None if request is None else _receipts(pending, request),
        )
    error = outcomes[0].error
    if error is not None and len(pending) == 1:
        error.param = error.param or pending[0].param
        raise error
    return _answer(pending, outcomes)


def _answer(pending: Sequence[PendingItem], outcomes: Sequence[AddResult]) -> JSONObject:
    results: list[JSONValue] = []
    for item, outcome in zip(pending, outcomes, strict=True):
        error = outcome.error
        shown = None if error is None else error_object(error, param=item.param)
        results.append({"id": outcome.id, "status": str(outcome.status), "error": shown})
    return {"results": results}


def _receipts(
    pending: Sequence[PendingItem], request: RepeatableRequest
) -> Callable[[list[AddResult]], Receipt]:
    def receipt(outcomes: list[AddResult]) -> Receipt:
        answer = canonical_json(_answer(pending, outcomes)).decode()
        return Receipt(request.key, request.digest, answer)

    return receipt


def _prepared(engine: Engine, item: PendingItem) -> PreparedImage | AddResult:
    if isinstance(item.data, SightlineError):
        return AddResult(item.fields.id, Status.ERROR, item.data)
    known = item.fields
    prepared = engine.gallery.prepare(
        NewImage(data=item.data, id=known.id, caption=known.caption, metadata=known.metadata)
    )
    if isinstance(prepared, AddResult) and isinstance(prepared.error, ImageError):
        engine.metrics.image_refused(prepared.error.code)
    return prepared


def digest_of(pending: Sequence[PendingItem]) -> str:
    """Return a digest of what a request asks to add: images, ids, captions and metadata."""
    parts: list[JSONValue] = []
    for item in pending:
        data = item.data if isinstance(item.data, bytes) else str(item.data).encode()
        known: JSONObject = item.fields.model_dump(
            mode="json", include={"id", "caption", "metadata"}
        )
        parts.append({"image": sha256_bytes(data), **known})
    return sha256_bytes(canonical_json(parts))


def _decoded(text: str | None, param: str, limit_bytes: int) -> bytes | SightlineError:
    if text is None:
        return UsageError(f"{param} is missing; send the image as base64", param=param)
    try:
        return decode_base64_image(text, param=param, limit_bytes=limit_bytes)
    except SightlineError as error:
        return error
