"""What a label set learned from images: its head and calibrations, and what they changed."""

from __future__ import annotations

from core.errors import EncoderMismatchError
from core.types import JSONObject, JSONValue
from service.engine import Engine
from service.request_scope import Priority, work_as
from zeroshot.classifier import Classifier, Mode
from zeroshot.fitted_answers import fitted_calibration, fitted_head
from zeroshot.label_sets import LabelSet

_MODES: tuple[Mode, ...] = ("single", "multi")


def compiled(engine: Engine, name: str) -> tuple[LabelSet, Classifier]:
    """Return a label set and its classifier of the texts alone.

    Raises:
        NotFoundError: no such label set.
    """
    work_as(Priority.CLASSIFY)
    label_set = engine.label_sets.get(name)
    return label_set, engine.classifiers.get(engine.encoder, label_set.details, label_set.templates)


def label_set_fits(engine: Engine, name: str, *, effect: bool) -> JSONObject:
    """Return the answer of ``GET /v1/label-sets/{name}/fits``.

    Args:
        engine: the service.
        name: ``name`` or ``name@version``.
        effect: also label the images of each calibration before and after it.

    Raises:
        NotFoundError: no such label set.
        ArtifactError: a fit on the disk is damaged.
    """
    label_set = engine.label_sets.get(name)
    warnings: list[JSONValue] = []
    head = None
    try:
        head = engine.fitted.head(label_set, engine.encoder.encoder_id)
    except EncoderMismatchError as error:
        warnings.append(str(error))
    classifier = compiled(engine, name)[1] if effect else None
    calibrations: JSONObject = {}
    for mode in _MODES:
        stored = engine.fitted.calibration(label_set, engine.encoder.encoder_id, mode)
        calibrations[mode] = (
            None
            if stored is None
            else fitted_calibration(label_set, stored, head, classifier=classifier)
        )
    return {
        "label_set": label_set.reference,
        "versions": list[JSONValue](engine.label_sets.versions(label_set.name)),
        "model": engine.encoder.encoder_id,
        "head": None if head is None else fitted_head(label_set, head),
        "calibrations": calibrations,
        "warnings": warnings,
    }
