"""Rules of core.measures.judged_share: lists of which only a part is judged."""

from __future__ import annotations

import math

import pytest
import pytrec_eval

from core.errors import UsageError
from core.measures.judged_share import condensed, judged_at_k, judged_precision_at_k

RANKED = ["a", "b", "c", "d", "e"]
GRADES = {"a": 1, "c": 0, "e": 1, "elsewhere": 1}


def test_a_condensed_list_keeps_the_judged_in_their_order() -> None:
    """What nobody judged is left out."""
    assert condensed(RANKED, GRADES) == ["a", "c", "e"]


@pytest.mark.parametrize(("k", "share"), [(1, 1.0), (2, 0.5), (3, 2 / 3), (5, 0.6), (9, 0.6)])
def test_judged_at_k_is_the_share_of_the_first_k_that_is_judged(k: int, share: float) -> None:
    """A list that is shorter than k counts at its own length."""
    assert judged_at_k(RANKED, GRADES, k) == pytest.approx(share)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_judged_precision_is_trec_evals_set_precision_over_the_judged(k: int) -> None:
    """``set_P`` of the judged among the first k."""
    judged = {name: -float(rank) for rank, name in enumerate(RANKED[:k]) if name in GRADES}
    peer = pytrec_eval.RelevanceEvaluator({"q": GRADES}, {"set_P"}).evaluate({"q": judged})

    assert judged_precision_at_k(RANKED, GRADES, k) == pytest.approx(peer["q"]["set_P"])


def test_nothing_judged_has_no_precision_and_nothing_found_no_share() -> None:
    """NaN, so that neither is taken for 0."""
    assert math.isnan(judged_precision_at_k(["b", "d"], GRADES, 2))
    assert math.isnan(judged_at_k([], GRADES, 2))


@pytest.mark.parametrize("share", [judged_at_k, judged_precision_at_k])
def test_a_cut_off_below_one_is_refused(share: object) -> None:
    """There is no place 0."""
    assert callable(share)
    with pytest.raises(UsageError, match="k = 0"):
        share(RANKED, GRADES, 0)
