"""From the hits of a page to their confidence, and the cut at the least one that is wanted.

A calibration holds for queries of one positive term in the mode vector: it was fitted on such
queries, and on others it is wrong by .1 to .2 (docs/confidence.md). So all others have no
confidence, and cannot ask for a least one.

# D = embedding dimension
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from core.errors import QueryError
from core.types import FloatArray
from encoders.confidence import Calibration, QueryKind
from index.items import SearchResult
from index.query import Query


def rated_kind(query: Query, calibration: Calibration | None) -> QueryKind | None:
    """Return the kind of query as which ``query`` is rated, ``None`` where its hits are not.

    Raises:
        QueryError: the query asks for a least confidence, but its hits have none.
    """
    kind = _kind(query)
    if calibration is None:
        reason = "needs a model with a calibration, and this one has none"
    elif kind is None:
        reason = "holds for queries of one positive text or image in mode vector alone"
    elif kind not in calibration.lines:
        reason = f"needs a model that is calibrated for {kind} queries, and this one is not"
    else:
        return kind
    if query.min_confidence is not None:
        raise QueryError(
            f"min_confidence {reason}; leave it out and use the score", param="min_confidence"
        )
    return None


def with_confidence(
    found: SearchResult,
    query_D: FloatArray,
    *,
    kind: QueryKind,
    calibration: Calibration,
    least: float | None,
) -> SearchResult:
    """Return the page with the confidence of each hit, cut before the first one below ``least``.

    A page that was cut is the last one: later hits are no better.
    """
    scores_K = np.array([hit.score for hit in found.hits], np.float32)
    confidences_K = calibration.confidence(kind, query_D, scores_K)
    assert confidences_K is not None
    rated = [
        dataclasses.replace(hit, confidence=confidence)
        for hit, confidence in zip(found.hits, confidences_K.tolist(), strict=True)
    ]
    if least is None:
        return dataclasses.replace(found, hits=tuple(rated))
    kept = tuple(itertools.takewhile(lambda hit: (hit.confidence or 0.0) >= least, rated))
    cursor = found.cursor if len(kept) == len(rated) else None
    return dataclasses.replace(found, hits=kept, cursor=cursor)


def _kind(query: Query) -> QueryKind | None:
    term = query.terms[0]
    if query.mode != "vector" or len(query.terms) != 1 or term.weight < 0:
        return None
    if term.text is not None:
        return "text"
    return "image" if term.is_image else None
