"""The JSON bodies of label sets: labels, examples, and images to calibrate on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from service.schemas import Body, Identifier, ImageInputs


class LabelEntry(Body):
    """A label that is more than a text."""

    text: str
    aliases: list[str] = Field(default_factory=list, description="other names")
    prompts: list[str] = Field(
        default_factory=list, description="prompts in place of the templates; `{}` is the name"
    )
    background: bool = Field(default=False, description="where it wins, no label is given")


class LabelSetRequest(Body):
    """A named set of labels with its prompts; the same name again makes the next version."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={"examples": [{"name": "pets", "labels": ["cat", "dog"]}]},
    )

    name: Identifier
    labels: list[str | LabelEntry] = Field(min_length=1, description="texts, or more of each")
    templates: list[str] | None = None
    template_set: str | None = None
    concept: str | None = Field(
        default=None, description="what the labels are: `a photo of a land use: a {}.`"
    )
    language: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = Field(
        default=None, description="a note to readers; the model reads what it was trained on"
    )


class ExamplesRequest(ImageInputs):
    """Images with their labels, to learn from; what was sent before counts too."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={"examples": [{"image_id": ["a17", "b4"], "labels": ["cat", "dog"]}]},
    )

    form_lists = frozenset({"labels"})
    form_json = frozenset({"labels", "image_id"})

    labels: list[str] = Field(min_length=1, description="one for each image, in order")
    head: Literal["best", "text", "class_means", "tip_adapter", "logistic"] = Field(
        default="best", description="best: the most accurate on examples held out in turn"
    )
    replace: bool = Field(default=False, description="forget the examples sent before")


class CalibrateRequest(ImageInputs):
    """Images with their labels, to calibrate on; what was sent before counts too."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={"examples": [{"image_id": ["a17", "b4"], "labels": ["cat", None]}]},
    )

    form_lists = frozenset({"labels"})
    form_json = frozenset({"labels", "image_id"})

    labels: list[str | list[str] | None] = Field(
        min_length=1,
        description="one for each image, in order: a label, several (mode multi), or null for an "
        "image of none of them",
    )
    mode: Literal["single", "multi"] = "single"
    keep: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=0.95, description="share of the images with a label that shall still get one"
    )
    target_precision: Annotated[float, Field(gt=0.0, le=1.0)] | None = Field(
        default=None, description="asks for a least score of each label"
    )
    conformal: Literal["lac", "aps"] = Field(
        default="lac", description="score of the prediction sets"
    )
    per_label: bool = Field(default=False, description="prediction sets per label")
    replace: bool = Field(default=False, description="forget the images sent before")
