"""Logistic regression on embeddings by scikit-learn, which is loaded only when it is asked for.

# C = labels, K = examples, D = embedding dimension
"""

from __future__ import annotations

import importlib.util
import warnings

import numpy as np

from core.errors import UsageError
from core.types import FloatArray, IdArray
from zeroshot.heads import LogisticHead

MOST_ITERATIONS = 1000
"""As in Radford et al. 2021, arXiv:2103.00020, appendix A.3."""

_TWO = 2


def scikit_learn_is_installed() -> bool:
    """Return whether :func:`fit_logistic` can run."""
    return importlib.util.find_spec("sklearn") is not None


def fit_logistic(
    examples_KD: FloatArray, labels_K: IdArray, *, classes: int, c: float
) -> LogisticHead:
    """Fit multinomial logistic regression with an L2 penalty of inverse strength ``c``.

    Each of the ``classes`` labels needs an example.

    Raises:
        UsageError: scikit-learn is not installed, or a label has no example.
    """
    if not scikit_learn_is_installed():
        raise UsageError(
            "the logistic head needs scikit-learn: pip install 'sightline[evaluation]'",
            param="head",
        )
    missing = sorted(set(range(classes)) - set(labels_K.tolist()))
    if missing or classes < _TWO:
        raise UsageError(
            f"{len(missing)} of {classes} labels have no example; logistic regression needs two "
            "labels or more with an example each",
            param="head",
        )
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=c, max_iter=MOST_ITERATIONS)
    with warnings.catch_warnings():
        # What has not converged is judged by its accuracy on validation images like the rest.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(examples_KD.astype(np.float64), labels_K)
    weights_CD, bias_C = np.asarray(model.coef_), np.asarray(model.intercept_)
    if classes == _TWO:
        # Two classes share one line: half of it each gives the same difference of the logits.
        weights_CD = np.concatenate([-weights_CD, weights_CD]) / 2.0
        bias_C = np.concatenate([-bias_C, bias_C]) / 2.0
    return LogisticHead(weights_CD.astype(np.float32), bias_C.astype(np.float32))
