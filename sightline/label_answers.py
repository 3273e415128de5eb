"""Labels of images and label sets, as the service answers them."""

from __future__ import annotations

from collections.abc import Mapping
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
class LabelDetails:
    """A label that is more than a text."""

    aliases: tuple[str, ...]
    prompts: tuple[str, ...]
    """In place of the templates."""
    background: bool
    """Where it wins, no label is given."""


@dataclass(frozen=True, slots=True)
class LabelSet:
    """A named, immutable, versioned list of labels with its prompts."""

    name: str
    version: int
    labels: tuple[str, ...]
    template_set: str
    templates: tuple[str, ...]
    digest: str
    details: Mapping[str, LabelDetails]
    """Of the labels that are more than a text."""
    language: str | None
    warnings: tuple[str, ...]
    """When it was saved: prompts that the model reads alike or cuts."""
    object: JSONObject
    """The label set as the API gives it."""

    @property
    def reference(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"


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
        details={
            text: LabelDetails(
                tuple(map(str, entry["aliases"])),
                tuple(map(str, entry["prompts"])),
                bool(entry["background"]),
            )
            for text, entry in answer.get("details", {}).items()
        },
        language=answer.get("language"),
        warnings=tuple(map(str, answer.get("warnings", ()))),
        object={name: value for name, value in answer.items() if name != "warnings"},
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
    head: int
    """Number of the head, or of the one that was calibrated; 0 for the texts alone."""
    errors: tuple[SightlineError | None, ...]
    """For each image: why it could not be learnt from."""


def read_fitted(answer: JSONAnswer, *, what: str) -> Fitted:
    """Read what was fitted: ``head`` or ``calibration``."""
    return Fitted(
        label_set=str(answer["label_set"]),
        model=str(answer["model"]),
        fit=dict(answer[what]),
        head=int(answer["head"]["number"] if what == "head" else answer["head"]),
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
