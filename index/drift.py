"""How far an index has moved from what was built and measured.

# N = rows, S = sampled rows, D = embedding dimension
"""

from __future__ import annotations

import numpy as np

from core.types import JSONObject
from index.ann_recall import ann_recall
from index.segmented_index import SegmentedIndex

_SAMPLED = 50
_HITS = 10


def measure_drift(index: SegmentedIndex) -> JSONObject:
    """Return the share of rows outside the base, and ann_recall@10 of some stored vectors now."""
    sizes, row_ids_N = index.sizes(), np.sort(index.row_ids())
    share = (sizes.delta + sizes.dead) / max(1, len(row_ids_N))
    chosen = np.linspace(0, max(0, len(row_ids_N) - 1), min(len(row_ids_N), _SAMPLED)).astype(int)
    recalls = []
    for query_D in index.vectors(row_ids_N[chosen]):
        usual, exact = (
            np.sort(index.search(query_D[np.newaxis], count=_HITS, effort=effort)[0].scores_K)
            for effort in ("balanced", "exact")
        )
        recalls.append(ann_recall(usual[-_HITS:], exact[-_HITS:]))
    return {
        "outside_base": round(share, 4),
        "ann_recall@10": round(float(np.mean(recalls)), 4) if recalls else 1.0,
    }
