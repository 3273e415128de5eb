"""The JSON answers about labels, as schemas: they document, the routes write the JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from service.answers import Answer, ErrorDetail, Milliseconds, Probability


class LabelScore(Answer):
    """A label of an image."""

    label: str
    score: Probability
    cosine: float = Field(description="of the image with the prompts of the label")
    background: bool = Field(description="where it wins, no label is given")


class LabelledImage(BaseModel):
    """The labels of one image, best first."""

    model_config = ConfigDict(extra="allow")

    status: Literal["ok"]
    label: str | None = Field(description="null where it abstains")
    abstained: bool
    reason: str | None = Field(description="the rule that fired")
    labels: list[LabelScore]
    calibrated: bool
    prediction_set: list[JsonValue] | None = Field(
        description="labels that hold the right one as often as calibration was asked for"
    )


class FailedImage(Answer):
    """An image that has no labels."""

    status: Literal["error"]
    error: ErrorDetail


class ClassifyAnswer(Answer):
    """One entry for each image, in order."""

    model: str = Field(description="encoder id")
    label_set: str | None = Field(description="name@version of the saved one")
    head: JsonValue = Field(description="what was fitted on examples and labelled here")
    warnings: list[str]
    took_ms: Milliseconds
    results: list[LabelledImage | FailedImage]


class LabelDetails(Answer):
    """A label that is more than a text."""

    aliases: list[str]
    prompts: list[str]
    background: bool


class LabelSetAnswer(Answer):
    """A saved label set."""

    name: str
    version: Annotated[int, Field(ge=1)]
    labels: list[str]
    template_set: str
    templates: list[str]
    digest: str
    details: dict[str, LabelDetails] = Field(description="of the labels that have any")
    language: str | None


class SavedLabelSetAnswer(LabelSetAnswer):
    """The label set that was saved just now."""

    warnings: list[str] = Field(description="prompts that this model reads alike or cuts")


class LabelSetsAnswer(Answer):
    """The newest version of each label set."""

    label_sets: list[LabelSetAnswer]


class TemplateSetAnswer(Answer):
    """Prompt templates that are known by a name."""

    name: str
    description: str = Field(description="what the set is for")
    number: Annotated[int, Field(ge=1)] = Field(description="of templates")
    templates: list[str] = Field(description="each with exactly one `{}` for the label")


class TemplateSetsAnswer(Answer):
    """The built-in sets."""

    default: str = Field(description="the set that is used where a request names none")
    template_sets: list[TemplateSetAnswer]


class FitsAnswer(Answer):
    """What a label set learned from images, for the model that is served."""

    label_set: str = Field(description="name@version")
    versions: list[int] = Field(description="all that there are, oldest first")
    model: str = Field(description="encoder id")
    head: dict[str, JsonValue] | None = Field(description="fitted on examples")
    calibrations: dict[Literal["single", "multi"], dict[str, JsonValue] | None]
    warnings: list[str] = Field(description="fits that are of another model")


class LearnedImage(Answer):
    """An image that was learned from."""

    status: Literal["ok"]


class ExamplesAnswer(Answer):
    """The head that was fitted."""

    label_set: str
    model: str = Field(description="encoder id")
    head: dict[str, JsonValue]
    results: list[LearnedImage | FailedImage]


class CalibrateAnswer(Answer):
    """The calibration that was fitted."""

    label_set: str
    model: str = Field(description="encoder id")
    head: int | None = Field(description="number of the head that it belongs to")
    calibration: dict[str, JsonValue]
    results: list[LearnedImage | FailedImage]
