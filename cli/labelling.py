"""What ``sightline classify`` asks for and gets, be the labels made here or by a server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.types import JSONObject

if TYPE_CHECKING:
    from sightline.label_answers import Labels
    from zeroshot.abstention import Abstain
    from zeroshot.classifier import Ensemble, Mode


@dataclass(frozen=True, slots=True)
class ClassifyRequest:
    """Which images, which labels, and how they are scored."""

    images: tuple[Path, ...]
    labels: str | None
    """With commas between them."""
    label_set: str | None
    templates: str | None
    top: int
    mode: Mode
    ensemble: Ensemble
    crops: int
    temperature: float | None
    abstain: Abstain | None
    """``None``: the fitted rules."""
    alpha: float | None
    head: bool


@dataclass(frozen=True, slots=True)
class Classified:
    """Labels of images."""

    model: str
    """Encoder id."""
    label_set: str | None
    """``name@version``."""
    head: JSONObject | None
    warnings: tuple[str, ...]
    results: tuple[tuple[Path, Labels], ...]
    """Each image with its labels, in order; ``error`` says why there are none."""
