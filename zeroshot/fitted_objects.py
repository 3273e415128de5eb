"""What was fitted as JSON and arrays, and back.

# N = images, C = labels, K = examples, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from core.errors import ArtifactError
from core.types import JSONObject, JSONValue
from zeroshot.abstention_fitting import Rule
from zeroshot.calibration import Calibration, CalibrationOptions
from zeroshot.conformal import ConformalScores
from zeroshot.few_shot import Examples, HeadFit
from zeroshot.heads import ClassMeansHead, Head, LogisticHead, TextHead, TipAdapterHead
from zeroshot.platt import Platt
from zeroshot.temperature import TemperatureFit

NumberT = TypeVar("NumberT", int, float)
Arrays = Mapping[str, NDArray[np.generic]]


def head_object(fit: HeadFit) -> JSONObject:
    """Return what is known of a head, as answers and files give it."""
    return {
        "kind": fit.head.kind,
        "labels": fit.labels,
        "parameters": dict(fit.parameters),
        "examples": fit.examples,
        "shots": list(fit.shots),
        "validation": fit.validation,
        "validation_images": fit.validation_images,
        "accuracy": fit.accuracy,
        "accuracy_text": fit.accuracy_text,
        "gain": fit.accuracy - fit.accuracy_text,
        "gain_interval": list(fit.gain_interval),
        "better": fit.better,
        "worse": fit.worse,
        "accuracies": dict(fit.accuracies),
        "skipped": dict(fit.skipped),
    }


def head_arrays(fit: HeadFit, examples: Examples) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of a head and the examples that it was fitted on."""
    arrays: dict[str, NDArray[np.generic]] = {
        "examples_KD": examples.embeddings_KD,
        "labels_K": examples.labels_K,
    }
    if isinstance(fit.head, ClassMeansHead):
        arrays["matrix_CD"] = fit.head.matrix_CD
    if isinstance(fit.head, LogisticHead):
        arrays |= {"weights_CD": fit.head.weights_CD, "bias_C": fit.head.bias_C}
    return arrays


def read_head(stored: JSONObject, arrays: Arrays) -> tuple[HeadFit, Examples]:
    """Return a head as it was stored.

    Raises:
        ArtifactError: a field is missing or of another kind.
    """
    try:
        examples = Examples(_floats(arrays, "examples_KD"), _ids(arrays, "labels_K"))
        classes = int(_number(stored["labels"]))
        parameters = {k: _number(v) for k, v in _table(stored["parameters"]).items()}
        return (
            HeadFit(
                head=_read_head(str(stored["kind"]), parameters, arrays, examples, classes),
                parameters=parameters,
                labels=classes,
                examples=int(_number(stored["examples"])),
                shots=_pair(stored["shots"], int),
                validation=str(stored["validation"]),
                validation_images=int(_number(stored["validation_images"])),
                accuracy=_number(stored["accuracy"]),
                accuracy_text=_number(stored["accuracy_text"]),
                gain_interval=_pair(stored["gain_interval"], float),
                better=int(_number(stored["better"])),
                worse=int(_number(stored["worse"])),
                accuracies={k: _number(v) for k, v in _table(stored["accuracies"]).items()},
                skipped={k: str(v) for k, v in _table(stored["skipped"]).items()},
            ),
            examples,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"the head cannot be read: {error!r}; add the examples again"
        ) from error


def calibration_object(calibration: Calibration) -> JSONObject:
    """Return what is known of a calibration, as answers and files give it."""
    rules: list[JSONValue] = [asdict(rule) for rule in calibration.rules]
    fit = calibration.temperature
    return {
        "options": asdict(calibration.options),
        "images": calibration.known,
        "unknown_images": calibration.unknown,
        "temperature": None if fit is None else asdict(fit),
        "ece_held_out": calibration.ece_held_out,
        "lines": _lines_object(calibration.platt),
        "rules": rules,
        "label_scores": dict(calibration.label_scores),
        "conformal_images": 0
        if calibration.conformal is None
        else len(calibration.conformal.scores_N),
        "warnings": list(calibration.warnings),
    }


def calibration_arrays(calibration: Calibration) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of a calibration."""
    arrays: dict[str, NDArray[np.generic]] = {}
    if calibration.conformal is not None:
        arrays["conformal_N"] = calibration.conformal.scores_N
        arrays["truth_N"] = calibration.conformal.truth_N
    if calibration.platt is not None:
        arrays["slopes_C"] = calibration.platt.slopes_C
        arrays["offsets_C"] = calibration.platt.offsets_C
    return arrays


def read_calibration(stored: JSONObject, arrays: Arrays) -> Calibration:
    """Return a calibration as it was stored.

    Raises:
        ArtifactError: a field is missing or of another kind.
    """
    try:
        # The types of the stored fields are those that asdict wrote; a wrong one raises here.
        options = CalibrationOptions(**_table(stored["options"]))  # type: ignore[arg-type]
        fit, platt, conformal = stored["temperature"], None, None
        if "slopes_C" in arrays:
            platt = Platt(_floats(arrays, "slopes_C"), _floats(arrays, "offsets_C"))
        if "conformal_N" in arrays:
            scores_N, truth_N = _floats(arrays, "conformal_N"), _ids(arrays, "truth_N")
            conformal = ConformalScores(options.conformal, scores_N, truth_N, options.per_label)
        held_out = stored["ece_held_out"]
        return Calibration(
            options=options,
            known=int(_number(stored["images"])),
            unknown=int(_number(stored["unknown_images"])),
            temperature=None if fit is None else TemperatureFit(**_table(fit)),  # type: ignore[arg-type]
            ece_held_out=None if held_out is None else _number(held_out),
            platt=platt,
            rules=tuple(Rule(**_table(rule)) for rule in _list(stored["rules"])),  # type: ignore[arg-type]
            label_scores={
                k: None if v is None else _number(v)
                for k, v in _table(stored["label_scores"]).items()
            },
            conformal=conformal,
            warnings=tuple(str(text) for text in _list(stored["warnings"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"the calibration cannot be read: {error!r}; calibrate again"
        ) from error


def _lines_object(platt: Platt | None) -> JSONObject | None:
    """Return how many labels have a line of their own; ``None`` in mode ``single``."""
    if platt is None:
        return None
    return {"labels": len(platt.fitted), "fitted": int(platt.fitted.sum())}


def _read_head(
    kind: str, parameters: Mapping[str, float], arrays: Arrays, examples: Examples, classes: int
) -> Head:
    if kind == "text":
        return TextHead()
    if kind == "class_means":
        return ClassMeansHead(_floats(arrays, "matrix_CD"))
    if kind == "tip_adapter":
        keys_KD, labels_K = examples.embeddings_KD, examples.labels_K
        return TipAdapterHead(keys_KD, labels_K, classes, parameters["alpha"], parameters["beta"])
    if kind == "logistic":
        return LogisticHead(_floats(arrays, "weights_CD"), _floats(arrays, "bias_C"))
    raise ValueError(f"unknown kind {kind!r}")


def _floats(arrays: Arrays, name: str) -> NDArray[np.float32]:
    return np.asarray(arrays[name], np.float32)


def _ids(arrays: Arrays, name: str) -> NDArray[np.int64]:
    return np.asarray(arrays[name], np.int64)


def _number(value: JSONValue) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _table(value: JSONValue) -> JSONObject:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no object")
    return value


def _list(value: JSONValue) -> list[JSONValue]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return value


def _pair(value: JSONValue, kind: type[NumberT]) -> tuple[NumberT, NumberT]:
    first, second = _list(value)
    return kind(_number(first)), kind(_number(second))
