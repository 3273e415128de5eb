"""A label set with its model, and pictures whose labels are known.

# N = images, C = labels, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cli.labelled_files import columns_by_name, labelled_files, no_picture, unknown_files
from cli.output import note

if TYPE_CHECKING:
    from core.pairs.image_file import ImageFile
    from core.types import FloatArray, IdArray
    from encoders.encoder import Encoder
    from zeroshot.calibration import LabelledImages
    from zeroshot.classifier import Classifier
    from zeroshot.few_shot import Examples
    from zeroshot.fitted_store import FittedStore
    from zeroshot.label_sets import LabelSet

_MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Labelling:
    """What it takes to fit a label set; close it."""

    encoder: Encoder
    label_set: LabelSet
    classifier: Classifier
    fitted: FittedStore

    def close(self) -> None:
        """Release the model."""
        self.encoder.close()

    def examples(self, data: Path) -> Examples:
        """Embed the pictures of a folder per label, or of a table.

        Raises:
            PairsError: no picture has one of the labels.
        """
        from zeroshot.few_shot import Examples

        embeddings_ND, columns_N = self._embedded(data)
        return Examples(embeddings_ND, columns_N)

    def labelled_images(self, data: Path, unknown: Path | None) -> LabelledImages:
        """Embed the pictures to calibrate on, and those of none of the labels.

        Raises:
            PairsError: no picture has one of the labels.
        """
        from zeroshot.calibration import LabelledImages

        embeddings_ND, columns_N = self._embedded(data)
        holds_NC = np.zeros((len(columns_N), len(self.label_set.labels)), np.bool_)
        holds_NC[np.arange(len(columns_N)), columns_N] = True
        if unknown is not None:
            others_MD = _embed(self.encoder, unknown_files(unknown))[0]
            embeddings_ND = np.concatenate([embeddings_ND, others_MD])
            holds_NC = np.pad(holds_NC, ((0, len(others_MD)), (0, 0)))
        return LabelledImages(embeddings_ND, holds_NC)

    def _embedded(self, data: Path) -> tuple[FloatArray, IdArray]:
        """Return embeddings and the column of each label; other labels are counted and left out."""
        columns = columns_by_name(
            [(label.text, *label.aliases) for label in self.label_set.details]
        )
        found = labelled_files(data, columns, self.label_set.reference)
        embeddings_ND, places = _embed(self.encoder, found.files)
        if not places:
            raise no_picture(data, self.label_set.reference)
        return embeddings_ND, np.array([found.columns[place] for place in places], np.int64)


def open_labelling(name: str, *, gallery: Path | None, model: str | None) -> Labelling:
    """Open a label set of a gallery with its model.

    Raises:
        NotFoundError: no such label set.
        SightlineError: the model cannot be loaded.
    """
    from cli.label_options import label_sets_folder
    from cli.opening import open_encoder
    from zeroshot.classifier import build_classifier
    from zeroshot.fitted_store import FittedStore
    from zeroshot.label_sets import LabelSetStore

    folder = label_sets_folder(gallery)
    label_set = LabelSetStore(folder).get(name)
    encoder = open_encoder(model, gallery)
    try:
        classifier = build_classifier(encoder, label_set.details, label_set.templates)
    except BaseException:
        encoder.close()
        raise
    return Labelling(encoder, label_set, classifier, FittedStore(folder))


def _embed(encoder: Encoder, files: Sequence[ImageFile]) -> tuple[FloatArray, tuple[int, ...]]:
    """Return the embeddings of the files that can be read, and which of the files they are."""
    from cli.progress import terminal_progress
    from evaluation.images import embed_images

    embedded = embed_images(encoder, files, progress=terminal_progress)
    for failed in embedded.failed[:_MOST_SHOWN]:
        note(f"{failed.image}: {failed.message}")
    return embedded.embeddings_GD, embedded.places_G
