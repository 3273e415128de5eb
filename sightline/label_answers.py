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
    )


def read_label_set(answer: JSONAnswer) -> LabelSet:
    """Read one label set; a label may be a text or an object with its text as ``label``."""
    return LabelSet(
        name=str(answer["name"]),
        version=int(answer["version"]),
        labels=tuple(
            label if isinstance(label, str) else str(label["label"]) for label in answer["labels"]
        ),
        template_set=str(answer["template_set"]),
        templates=tuple(map(str, answer["templates"])),
        digest=str(answer["digest"]),
        object=dict(answer),
    )


def _labels(entry: JSONAnswer) -> Labels:
    if entry["status"] == "error":
        return Labels(None, error=error_from(entry["error"]))
    return Labels(
        label=entry["label"],
        labels=tuple(
            LabelScore(str(item["label"]), float(item["score"]), float(item["cosine"]))
            for item in entry["labels"]
        ),
        abstained=bool(entry["abstained"]),
        reason=entry["reason"],
        calibrated=bool(entry["calibrated"]),
    )
