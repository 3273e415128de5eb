"""How well the scores tell images of the classes from images of none of them.

# N = known images, M = unknown images, C = classes
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.errors import PairsError
from core.types import JSONObject, JSONValue
from evaluation.embeddings import Embeddings
from evaluation.predictions import Predictions
from evaluation.prompts import Prompts
from zeroshot.scores import energies, softmax
from zeroshot.separation import auroc, false_positive_rate

_LEAST_FOR_A_MARGIN = 2


def separation_json(known: Predictions, unknown: Embeddings, prompts: Prompts) -> JSONObject:
    """Return AUROC and FPR95 of each score that a rule for abstaining may look at.

    Raises:
        PairsError: no unknown image could be decoded.
    """
    images_MD = unknown.images.embeddings_GD
    if not len(images_MD):
        raise PairsError("none of the unknown images could be decoded")
    logits_MC = prompts.classifier(unknown.provenance).classify(images_MD).logits_NC
    left, right = _signals(known.logits_NC), _signals(logits_MC)
    signals: list[JSONValue] = [
        {
            "signal": name,
            "auroc": auroc(left[name], right[name]),
            "fpr95": false_positive_rate(left[name], right[name]),
        }
        for name in left
    ]
    return {"images": len(images_MD), "signals": signals}


def _signals(logits_NC: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return numbers that are higher for known images."""
    ordered_NC = np.sort(softmax(logits_NC), axis=1)[:, ::-1]
    signals = {
        "probability": ordered_NC[:, 0],
        "logit": logits_NC.max(axis=1),
        "energy": -energies(logits_NC),
    }
    if logits_NC.shape[1] >= _LEAST_FOR_A_MARGIN:
        signals["margin"] = ordered_NC[:, 0] - ordered_NC[:, 1]
    return signals
