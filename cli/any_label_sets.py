"""The label sets of a gallery, be it a folder on this machine or behind a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cli.any_gallery import chosen_url

if TYPE_CHECKING:
    from core.types import JSONObject
    from sightline.label_answers import LabelSet
    from zeroshot.calibration import CalibrationOptions
    from zeroshot.few_shot import HeadChoice
    from zeroshot.labels import Label


@dataclass(frozen=True, slots=True)
class NewLabelSet:
    """What ``sightline labels save`` saves."""

    name: str
    labels: Sequence[Label]
    templates: str
    """Name of a template set."""
    concept: str | None
    language: str | None


@dataclass(frozen=True, slots=True)
class NewExamples:
    """What ``sightline labels add-examples`` learns from."""

    data: Path
    """A folder per label, or a table."""
    validation: Path | None
    """Images to choose by; without them the examples are held out in turn."""
    head: HeadChoice
    replace: bool
    """Whether the examples given before are forgotten."""


@dataclass(frozen=True, slots=True)
class NewCalibration:
    """What ``sightline labels calibrate`` fits on."""

    data: Path
    """A folder per label, or a table."""
    unknown: Path | None
    """Images of none of the labels."""
    options: CalibrationOptions
    replace: bool
    """Whether the images given before are forgotten."""


@dataclass(frozen=True, slots=True)
class FittedLabels:
    """What was learnt for a label set."""

    label_set: str
    """``name@version``."""
    head: JSONObject | int
    """The head; of a calibration the number of the head that it was fitted with."""
    calibration: JSONObject | None = None


class AnyLabelSets(Protocol):
    """Label sets that commands work with."""

    def save(self, given: NewLabelSet) -> LabelSet:
        """Save a label set; the same name again makes the next version.

        Raises:
            SightlineError: labels that cannot be used, or the gallery cannot be reached.
        """
        ...

    def list(self) -> Sequence[LabelSet]:
        """Return the newest version of every label set."""
        ...

    def get(self, name: str) -> LabelSet:
        """Return a label set by ``name`` or ``name@version``.

        Raises:
            NotFoundError: there is none.
        """
        ...

    def add_examples(self, name: str, given: NewExamples) -> FittedLabels:
        """Learn from images with labels; files that cannot be read are named.

        Raises:
            PairsError: no image has one of the labels.
            SightlineError: no such label set, or nothing can be learnt from the images.
        """
        ...

    def calibrate(self, name: str, given: NewCalibration) -> FittedLabels:
        """Fit scores, thresholds and prediction sets; files that cannot be read are named.

        Raises:
            PairsError: no image has one of the labels.
            SightlineError: no such label set, or nothing can be fitted on the images.
        """
        ...


def any_label_sets(
    *, gallery: Path | None, url: str | None, model: str | None = None
) -> AnyLabelSets:
    """Return the label sets at ``url``, else in the folder.

    Args:
        gallery: value of ``--gallery``.
        url: value of ``--url``.
        model: value of ``--model``; a server has a model of its own.

    Raises:
        UsageError: options that exclude each other, or no address.
    """
    address = chosen_url(gallery=gallery, url=url, model=model)
    if address is None:
        from cli.folder_label_sets import FolderLabelSets

        return FolderLabelSets(gallery, model)
    from cli.served_label_sets import ServedLabelSets

    return ServedLabelSets(address)
