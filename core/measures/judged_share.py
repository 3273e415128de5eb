"""Lists whose items are not all judged: how much is known of them, and what that much says.

Three ways to read such a list, none of which is the truth: an unjudged item counts as wrong (the
metrics as they are: too low where little is judged), it is left out of the list (condensed), or
only the judged items of the first k places are looked at (judged precision). ``judged@k`` says how
far apart they can be: at 1 they are equal.

# K = length of a ranked list
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.errors import UsageError


def condensed(ranked_K: Sequence[str], grades: Mapping[str, int]) -> list[str]:
    """Return the list without the items that nobody judged; the order stays.

    Metrics of it are those of trec_eval with ``-J``.
    Source: Sakai 2007, Alternatives to Bpref, SIGIR, section 3 (condensed lists).
    """
    return [name for name in ranked_K if name in grades]


def judged_at_k(ranked_K: Sequence[str], grades: Mapping[str, int], k: int) -> float:
    """Return the share of the first k items that is judged; NaN for an empty list.

    A list that is shorter than k is measured at its own length.
    Source: 1 minus the "hole rate" of Xiong et al. 2020, ANCE, arXiv:2007.00808.

    Raises:
        UsageError: k below 1.
    """
    first = _first(ranked_K, k)
    return len(condensed(first, grades)) / len(first) if first else float("nan")


def judged_precision_at_k(ranked_K: Sequence[str], grades: Mapping[str, int], k: int) -> float:
    """Return the share of right ones among the judged of the first k; NaN if none is judged.

    It is ``set_P`` of trec_eval over those items.

    Raises:
        UsageError: k below 1.
    """
    judged = condensed(_first(ranked_K, k), grades)
    if not judged:
        return float("nan")
    return sum(grades[name] > 0 for name in judged) / len(judged)


def _first(ranked_K: Sequence[str], k: int) -> Sequence[str]:
    if k < 1:
        raise UsageError(f"k = {k}: expected 1 or more", param="k")
    return ranked_K[:k]
