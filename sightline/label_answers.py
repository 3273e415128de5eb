"""Labels of images and label sets, as the service answers them."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import SightlineError
from core.types import JSONObject
from sightline.call import JSONAnswer
from sightline.failures import error_from


@dataclass(frozen=True, slots=True)
class LabelScore:
    """A label and how well it fits."""

    label: str
    score: float
    """In mode ``single`` the scores of all labels sum to 1; in ``multi`` each is its own."""
    cosine: float
    background: bool = False
    """Where such a label wins, none is given."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one image, best first, or why there are none."""

    label: str | None
    """The best one; ``None`` where the service abstained or the image failed."""
    labels: tuple[LabelScore, ...] = ()
    abstained: bool = False
    reason: str | None = None
    """The threshold that made the service abstain."""
    calibrated: bool = False
    prediction_set: tuple[str, ...] | None = None
    """Labels that hold the right one as often as ``alpha`` asks."""
    error: SightlineError | None = None


@dataclass(frozen=True, slots=True)
class ClassifyAnswer:
    """The labels of several images, in their order."""

    model: str
    """Encoder id."""
    label_set: str | None
    """``name@version`` of the label set that was used."""
    took_ms: float
    results: tuple[Labels, ...]
    head: JSONObject | None = None
    """What was learnt from examples and labelled here."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelSet:
    """A named, immutable, versioned list of labels with its prompts."""

    name: str
    version: int
    labels: tuple[str, ...]
    template_set: str
    templates: tuple[str, ...]
    digest: str
    object: JSONObject
    """The whole answer, with what this version of the client has no field for."""


def read_labels(answer: JSONAnswer) -> ClassifyAnswer:
    """Read the answer of ``POST /v1/classify``."""
    return ClassifyAnswer(
        model=str(answer["model"]),
        label_set=answer["label_set"],
        took_ms=float(answer["took_ms"]),
        results=tuple(_labels(entry) for entry in answer["results"]),
        head=answer.get("head"),
        warnings=tuple(answer.get("warnings") or ()),
    )


def read_label_set(answer: JSONAnswer) -> LabelSet:
    """Read one label set."""
    return LabelSet(
        name=str(answer["name"]),
        version=int(answer["version"]),
        labels=tuple(map(str, answer["labels"])),
        template_set=str(answer["template_set"]),
        templates=tuple(map(str, answer["templates"])),
        digest=str(answer["digest"]),
        object=dict(answer),
    )


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a label set learnt from images with labels."""

    label_set: str
    """``name@version``."""
    model: str
    """Encoder id."""
    fit: JSONObject
    """The head, or the calibration, as the API gives it."""
    errors: tuple[SightlineError | None, ...]
    """For each image: why it could not be learnt from."""


def read_fitted(answer: JSONAnswer, *, what: str) -> Fitted:
    """Read what was fitted: ``head`` or ``calibration``."""
    return Fitted(
        label_set=str(answer["label_set"]),
        model=str(answer["model"]),
        fit=dict(answer[what]),
        errors=tuple(
            error_from(entry["error"]) if entry["status"] == "error" else None
            for entry in answer["results"]
        ),
    )


def _labels(entry: JSONAnswer) -> Labels:
    if entry["status"] == "error":
        return Labels(None, error=error_from(entry["error"]))
    return Labels(
        label=entry["label"],
        labels=tuple(
            LabelScore(
                str(item["label"]),
                float(item["score"]),
                float(item["cosine"]),
                bool(item.get("background")),
            )
            for item in entry["labels"]
        ),
        abstained=bool(entry["abstained"]),
        reason=entry["reason"],
        calibrated=bool(entry["calibrated"]),
        prediction_set=None
        if entry.get("prediction_set") is None
        else tuple(entry["prediction_set"]),
    )
