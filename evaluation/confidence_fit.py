"""Fits the confidence of hits on held-out pairs: what ``sightline models calibrate`` does.

Every query is asked twice: of all pictures, and of those that do not answer it, because people
also ask for what a gallery does not have. The first hits of both are the examples; a logistic
line through (score, score - reach) makes probabilities of them, see ``encoders.confidence``.

# N = pictures, Q = queries, B = background images, K = hits, E = examples, D = embedding dimension
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.types import FloatArray
from encoders.confidence import ConfidenceLine, confidence_of, reaches
from evaluation.caption_judgement import NOT_JUDGED, NOT_RELEVANT, RELEVANT
from zeroshot.platt import fit_plane
from zeroshot.reliability import expected_calibration_error

HITS = 10
"""Hits of a query that count: the first page, which is what people see."""
LEAST_EXAMPLES = 30
"""Relevant and other hits that a line needs at least; below, chance decides its slope."""

_TILE_QUERIES = 256
_FOLDS = 2

Judgements = Callable[[int], NDArray[np.int8]]
"""Number of a query to the judgement (N,) of all pictures; one that is not to be among the hits at
all, as the picture that asks, is judged ``NOT_JUDGED``."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Judged hits of many queries."""

    scores_E: FloatArray
    reaches_E: NDArray[np.float64]
    """Reach of the query of each hit."""
    relevant_E: NDArray[np.bool_]
    queries_E: NDArray[np.int64]
    """Number of the query of each hit."""

    def part(self, chosen_E: NDArray[np.bool_]) -> Examples:
        """Return the chosen ones."""
        return Examples(
            self.scores_E[chosen_E],
            self.reaches_E[chosen_E],
            self.relevant_E[chosen_E],
            self.queries_E[chosen_E],
        )


@dataclass(frozen=True, slots=True)
class LineFit:
    """A fitted line, and how well lines like it do on queries that they were not fitted on."""

    line: ConfidenceLine
    queries: int
    hits: int
    relevant: int
    """Hits that are relevant."""
    expected_error: float
    """Expected calibration error in 15 bins, cross-fitted: two halves of the queries."""


def gather_examples(
    queries_QD: FloatArray,
    pictures_ND: FloatArray,
    judgements: Judgements,
    *,
    background_BD: FloatArray,
) -> Examples:
    """Return the judged first hits of every query, in both worlds."""
    reaches_Q = reaches(queries_QD, background_BD)
    rows: list[tuple[float, float, bool, int]] = []
    for query, scores_N in _scores(queries_QD, pictures_ND):
        judged_N = judgements(query)
        without_N = np.where(judged_N == NOT_RELEVANT, scores_N, -np.inf)
        for world_N in (scores_N, without_N):
            for place in _first(world_N):
                if judged_N[place] != NOT_JUDGED:
                    relevant = bool(judged_N[place] == RELEVANT)
                    rows.append((scores_N[place], reaches_Q[query], relevant, query))
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    return Examples(
        np.array(columns[0], np.float32),
        np.array(columns[1], np.float64),
        np.array(columns[2], np.bool_),
        np.array(columns[3], np.int64),
    )


def fit_confidence(examples: Examples) -> LineFit:
    """Fit a line that never falls with the score, and measure it on queries it has not seen.

    Raises:
        UsageError: too few relevant or other hits, or scores that say nothing of relevance.
    """
    relevant = int(np.count_nonzero(examples.relevant_E))
    other = len(examples.relevant_E) - relevant
    if min(relevant, other) < LEAST_EXAMPLES:
        raise UsageError(
            f"{relevant} relevant and {other} other hits; a calibration needs {LEAST_EXAMPLES} of "
            "both: give more held-out pairs"
        )
    return LineFit(
        line=_fit(examples),
        queries=len(np.unique(examples.queries_E)),
        hits=relevant + other,
        relevant=relevant,
        expected_error=_cross_fitted_error(examples),
    )


def probabilities(line: ConfidenceLine, examples: Examples) -> NDArray[np.float64]:
    """Return the confidence of every example."""
    return confidence_of(line, examples.scores_E, reach=examples.reaches_E)


def _fit(examples: Examples) -> ConfidenceLine:
    """Fit both weights; where one would be negative, the other one alone."""
    scores_E = examples.scores_E.astype(np.float64)
    values_E2 = np.column_stack([scores_E, scores_E - examples.reaches_E])
    for columns in ((0, 1), (0,), (1,)):
        plane = fit_plane(values_E2[:, columns], examples.relevant_E)
        if plane is not None and min(plane[0]) > 0.0:
            weights = dict(zip(columns, plane[0].tolist(), strict=True))
            return ConfidenceLine(weights.get(0, 0.0), weights.get(1, 0.0), plane[1])
    raise UsageError(
        "hits with a higher score are not more often relevant: the pairs do not belong to their "
        "pictures, or this model does not know what they show"
    )


def _cross_fitted_error(examples: Examples) -> float:
    """Fit on one half of the queries, rate the other, and the reverse."""
    fold_E = examples.queries_E % _FOLDS
    found_E = np.empty(len(fold_E))
    for fold in range(_FOLDS):
        line = _fit(examples.part(fold_E != fold))
        found_E[fold_E == fold] = probabilities(line, examples.part(fold_E == fold))
    return expected_calibration_error(found_E, examples.relevant_E)


def _scores(queries_QD: FloatArray, pictures_ND: FloatArray) -> Iterator[tuple[int, FloatArray]]:
    for start in range(0, len(queries_QD), _TILE_QUERIES):
        tile_QN = queries_QD[start : start + _TILE_QUERIES] @ pictures_ND.T
        yield from enumerate(tile_QN, start)


def _first(scores_N: NDArray[np.floating]) -> NDArray[np.intp]:
    """Return the places of the best hits that are left, in no order."""
    count = min(HITS, len(scores_N))
    places: NDArray[np.intp] = np.argpartition(-scores_N, count - 1)[:count]
    best: NDArray[np.intp] = places[np.isfinite(scores_N[places])]
    return best
