"""The label sets of a gallery's folder, as commands work with them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from cli.any_label_sets import FittedLabels, NewCalibration, NewExamples, NewLabelSet
from cli.label_options import label_sets_folder
from sightline.label_answers import LabelSet, read_label_set
from zeroshot.label_sets import LabelSetStore, label_set_object


class FolderLabelSets:
    """Label sets beside a gallery; what is learnt is learnt here, with its model."""

    def __init__(self, gallery: Path | None, model: str | None) -> None:
        """Open nothing yet; ``None`` is the default gallery, and its own model."""
        self._gallery = gallery
        self._model = model
        self._store = LabelSetStore(label_sets_folder(gallery))

    def save(self, given: NewLabelSet) -> LabelSet:
        """Save a label set as the next version of its name.

        Raises:
            LabelSetError: labels or templates that cannot be used.
        """
        from zeroshot.templates import template_set

        prompts = template_set(given.templates)
        if given.concept:
            prompts = prompts.with_concept(given.concept)
        saved = self._store.save(given.name, given.labels, prompts, language=given.language)
        return read_label_set(label_set_object(saved))

    def list(self) -> Sequence[LabelSet]:
        """Return the newest version of every label set."""
        return [read_label_set(label_set_object(found)) for found in self._store.list()]

    def get(self, name: str) -> LabelSet:
        """Return a label set by ``name`` or ``name@version``.

        Raises:
            NotFoundError: there is none.
        """
        return read_label_set(label_set_object(self._store.get(name)))

    def add_examples(self, name: str, given: NewExamples) -> FittedLabels:
        """Learn from images with labels.

        Raises:
            PairsError: no image has one of the labels.
            SightlineError: no such label set, or nothing can be learnt from the images.
        """
        from cli.label_images import open_labelling
        from zeroshot.fitted_answers import fitted_head
        from zeroshot.fitting import add_examples

        with closing(open_labelling(name, gallery=self._gallery, model=self._model)) as labelling:
            stored = add_examples(
                labelling.fitted,
                labelling.label_set,
                labelling.classifier,
                labelling.examples(given.data),
                kind=given.head,
                validation=None
                if given.validation is None
                else labelling.examples(given.validation),
                replace=given.replace,
            )
            label_set = labelling.label_set
        return FittedLabels(label_set.reference, fitted_head(label_set, stored))

    def calibrate(self, name: str, given: NewCalibration) -> FittedLabels:
        """Fit scores, thresholds and prediction sets.

        Raises:
            PairsError: no image has one of the labels.
            SightlineError: no such label set, or nothing can be fitted on the images.
        """
        from cli.label_images import open_labelling
        from zeroshot.fitted_answers import fitted_calibration
        from zeroshot.fitting import add_calibration

        with closing(open_labelling(name, gallery=self._gallery, model=self._model)) as labelling:
            stored = add_calibration(
                labelling.fitted,
                labelling.label_set,
                labelling.classifier,
                labelling.labelled_images(given.data, given.unknown),
                options=given.options,
                replace=given.replace,
            )
            label_set = labelling.label_set
            encoder_id = labelling.classifier.encoder_id
            fields = fitted_calibration(
                label_set,
                stored,
                labelling.fitted.own_head(label_set, encoder_id),
                classifier=labelling.classifier,
            )
        return FittedLabels(label_set.reference, stored.head, fields)
