"""``sightline classify`` on this machine: the model is loaded and labels the images here."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from cli.labelling import Classified, ClassifyRequest
from cli.opening import open_encoder
from cli.output import note
from core.errors import ImageError
from sightline.label_answers import Labels, LabelScore

if TYPE_CHECKING:
    from cli.label_options import LabelOptions
    from encoders.encoder import Encoder
    from evaluation.images import EmbeddedImages
    from zeroshot.classifier import Ensemble
    from zeroshot.fitted_classifier import FittedClassifier
    from zeroshot.labelling import ImageLabels, Labelled, LabellingOptions

_FILES_WORTH_A_PROGRESS = 32


def classify_here(
    request: ClassifyRequest, paths: Sequence[Path], *, model: str | None, gallery: Path | None
) -> Classified:
    """Label files; the ones that cannot be read or decoded are named.

    Raises:
        SightlineError: the labels cannot be used, or the model cannot be loaded.
    """
    from cli.label_options import label_options
    from zeroshot.labelling import LabellingOptions, label_images

    chosen = label_options(
        labels=request.labels,
        label_set=request.label_set,
        templates=request.templates,
        gallery=gallery,
    )
    options = LabellingOptions(
        request.mode, request.top, request.temperature, request.abstain, request.alpha
    )
    with closing(open_encoder(model, gallery)) as encoder:
        embedded = _embedded(encoder, paths, crops=request.crops)
        fitted = _fitted(
            encoder,
            chosen,
            request.ensemble,
            options,
            crops=request.crops,
            head=request.head,
            gallery=gallery,
        )
        labelled = label_images(
            fitted.classifier, embedded.embeddings_GD, options, calibration=fitted.calibration
        )
        encoder_id = encoder.encoder_id
    return Classified(
        model=encoder_id,
        label_set=None if chosen.stored is None else chosen.stored.reference,
        head=fitted.head_object(),
        warnings=(*fitted.warnings, *labelled.warnings),
        results=_results(paths, embedded, labelled),
    )


def _embedded(encoder: Encoder, paths: Sequence[Path], *, crops: int) -> EmbeddedImages:
    """Embed the files and name the ones that cannot be read."""
    from cli.progress import terminal_progress
    from core.progress import silent
    from evaluation.images import embed_images

    progress = terminal_progress if len(paths) >= _FILES_WORTH_A_PROGRESS else silent
    embedded = embed_images(encoder, list(paths), crops=crops, progress=progress)
    for failed in embedded.failed:
        note(f"{failed.image}: {failed.message}")
    return embedded


def _fitted(
    encoder: Encoder,
    chosen: LabelOptions,
    ensemble: Ensemble,
    options: LabellingOptions,
    *,
    crops: int,
    head: bool,
    gallery: Path | None,
) -> FittedClassifier:
    """Return the classifier of the labels with what was fitted for them."""
    from cli.label_options import label_sets_folder
    from zeroshot.classifier import build_classifier
    from zeroshot.fitted_classifier import FittedClassifier, LabelUse, fitted_classifier
    from zeroshot.fitted_store import FittedStore

    classifier = build_classifier(encoder, chosen.labels, chosen.templates, ensemble=ensemble)
    if chosen.stored is None:
        return FittedClassifier(classifier)
    use = LabelUse(chosen.stored, chosen.templates.digest, options.mode, crops, head)
    return fitted_classifier(FittedStore(label_sets_folder(gallery)), classifier, use)


def _results(
    paths: Sequence[Path], embedded: EmbeddedImages, labelled: Labelled
) -> tuple[tuple[Path, Labels], ...]:
    """Return each image with its labels, in order."""
    results = {
        failed.place: Labels(None, error=ImageError(failed.message, code=failed.code))
        for failed in embedded.failed
    }
    for place, found in zip(embedded.places_G, labelled.images, strict=True):
        results[place] = _labels(found)
    return tuple((path, results[place]) for place, path in enumerate(paths))


def _labels(found: ImageLabels) -> Labels:
    return Labels(
        label=found.label,
        labels=tuple(
            LabelScore(item.label, item.score, item.cosine, item.background) for item in found.top
        ),
        abstained=found.reason is not None,
        reason=found.reason,
        calibrated=found.calibrated,
        prediction_set=found.prediction_set,
    )
