"""Labels and label sets: requests and the reading of their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import quote

import httpx

from core.errors import UsageError
from core.types import JSONObject, JSONValue
from sightline.call import Call, form_of, given, json_body
from sightline.images import ImageLike, image_bytes
from sightline.label_answers import (
    ClassifyAnswer,
    Fitted,
    LabelSet,
    read_fitted,
    read_label_set,
    read_labels,
)
from sightline.retries import Repeat

Crops: TypeAlias = Literal[1, 5, 10]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRequest:
    """Which labels, and how they are scored; what is left out is the service's own default."""

    labels: Sequence[str] | None = None
    """The labels; or name a ``label_set``."""
    label_set: str | None = None
    """``name`` or ``name@version``."""
    templates: Sequence[str] | None = None
    """Prompts of your own, each with exactly one ``{}``."""
    template_set: str | None = None
    mode: Literal["single", "multi"] = "single"
    """``single``: one label fits; ``multi``: each label has a probability of its own."""
    top_k: int = 5
    """Labels in the answer."""
    abstain: Mapping[str, float] | None = None
    """Thresholds below which no label is given, for example ``{"min_score": 0.6}``; empty for
    none, ``None`` for those that were fitted."""
    temperature: float | None = None
    """Divides the logits: above 1 makes the scores less sure."""
    ensemble: Literal["embedding", "logit", "max"] | None = None
    """How the prompts of a label come together."""
    crops: Crops | None = None
    """Views of each image whose embeddings are averaged; each costs an image."""
    alpha: float | None = None
    """Asks for prediction sets that miss at most this share; needs a calibrated label set."""
    use_head: bool | None = None
    """``False``: the texts alone, without what was learnt from examples."""


def classify_call(
    images: Sequence[ImageLike],
    image_ids: Sequence[str],
    labels: Sequence[str] | LabelRequest,
) -> Call[ClassifyAnswer]:
    """Return the request of the labels of images.

    Raises:
        UsageError: one label instead of a list.
        SightlineError: an image cannot be read.
    """
    if isinstance(labels, str):
        raise UsageError(
            f"labels is one text, {labels!r}; give a list of labels, or a LabelRequest",
            param="labels",
        )
    request = labels if isinstance(labels, LabelRequest) else LabelRequest(labels=labels)
    fields = given(
        labels=_list(request.labels),
        label_set=request.label_set,
        templates=_list(request.templates),
        template_set=request.template_set,
        mode=request.mode,
        top_k=request.top_k,
        abstain=None if request.abstain is None else dict(request.abstain),
        temperature=request.temperature,
        ensemble=request.ensemble,
        crops=request.crops,
        alpha=request.alpha,
        use_head=request.use_head,
        image_id=_list(image_ids or None),
    )
    files = [image_bytes(image) for image in images]
    return Call(
        "POST",
        "/v1/classify",
        lambda response: read_labels(json_body(response)),
        json=None if files else fields,
        form=form_of(fields) if files else None,
        images=files,
    )


def save_label_set_call(
    name: str,
    labels: Sequence[str | JSONObject],
    *,
    templates: Sequence[str] | None,
    template_set: str | None,
    concept: str | None = None,
    language: str | None = None,
) -> Call[LabelSet]:
    """Return the request that saves a label set; sent twice it would make two versions."""
    body = given(
        name=name,
        labels=[*labels],
        templates=_list(templates),
        template_set=template_set,
        concept=concept,
        language=language,
    )
    return Call("POST", "/v1/label-sets", _label_set, json=body, repeat=Repeat.UNPROCESSED)


def examples_call(
    name: str, images: Sequence[ImageLike], labels: Sequence[str], *, head: str, replace: bool
) -> Call[Fitted]:
    """Return the request that learns from images with labels; sent twice they would count twice.

    Raises:
        SightlineError: an image cannot be read.
    """
    fields = given(labels=_list(labels), head=head, replace=replace)
    return _fitting_call(name, "examples", images, fields)


def calibrate_call(
    name: str,
    images: Sequence[ImageLike],
    labels: Sequence[str | Sequence[str] | None],
    *,
    mode: str,
    keep: float,
    target_precision: float | None,
    conformal: str,
    per_label: bool,
    replace: bool,
) -> Call[Fitted]:
    """Return the request that calibrates on images with labels.

    Raises:
        SightlineError: an image cannot be read.
    """
    fields = given(
        labels=[
            label if label is None or isinstance(label, str) else list(label) for label in labels
        ],
        mode=mode,
        keep=keep,
        target_precision=target_precision,
        conformal=conformal,
        per_label=per_label,
        replace=replace,
    )
    return _fitting_call(name, "calibrate", images, fields)


def label_set_call(name: str) -> Call[LabelSet]:
    """Return the request of one label set, by ``name`` or ``name@version``."""
    return Call("GET", _path(name), _label_set)


def label_sets_call() -> Call[tuple[LabelSet, ...]]:
    """Return the request of the newest version of every label set."""
    return Call("GET", "/v1/label-sets", _label_sets)


def _fitting_call(
    name: str, action: str, images: Sequence[ImageLike], fields: dict[str, JSONValue]
) -> Call[Fitted]:
    what = "head" if action == "examples" else "calibration"
    return Call(
        "POST",
        f"{_path(name)}/{action}",
        lambda response: read_fitted(json_body(response), what=what),
        form=form_of(fields),
        images=[image_bytes(image) for image in images],
        repeat=Repeat.UNPROCESSED,
    )


def _path(name: str) -> str:
    return f"/v1/label-sets/{quote(name, safe='@')}"


def _label_set(response: httpx.Response) -> LabelSet:
    return read_label_set(json_body(response))


def _label_sets(response: httpx.Response) -> tuple[LabelSet, ...]:
    return tuple(read_label_set(entry) for entry in json_body(response)["label_sets"])


def _list(texts: Sequence[str] | None) -> list[JSONValue] | None:
    return None if texts is None else list(texts)
