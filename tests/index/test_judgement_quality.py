"""Rules of index.judgement_quality: live metrics of judged queries, against trec_eval."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval

from index.adding import NewImage
from index.gallery import Gallery
from index.judged_queries import judged_query
from index.judgement_quality import live_quality, metrics_of, quality_of
from index.judgements import Judge
from tests.fakes import FakeEncoder, picture_bytes

COLOURS = ("red", "green", "blue", "black", "white")
RANDOM = np.random.default_rng(7)
NAMES = [f"d{number}" for number in range(30)]
PEERS = {
    "precision": "P_5",
    "recall": "recall_5",
    "hit": "success_5",
    "ndcg": "ndcg_cut_5",
}


def random_lists() -> tuple[list[list[str]], list[dict[str, int]]]:
    """Return 40 lists of 20 with some of their items, and some others, judged."""
    lists, grades = [], []
    for _ in range(40):
        lists.append([str(name) for name in RANDOM.permutation(NAMES)[:20]])
        judged = RANDOM.permutation(NAMES)[: RANDOM.integers(2, 15)]
        marks = {str(name): int(RANDOM.random() < 0.5) for name in judged}
        marks[str(judged[0])] = 1
        grades.append(marks)
    return lists, grades


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize(("prefix", "judged_only"), [("", False), ("condensed_", True)])
def test_metrics_are_trec_evals(name: str, prefix: str, *, judged_only: bool) -> None:
    """As they are, and with ``-J`` those of condensed lists."""
    lists, grades = random_lists()
    own = metrics_of(lists, grades, k=5)[f"{prefix}{name}@5"]
    evaluator = pytrec_eval.RelevanceEvaluator(
        {str(place): marks for place, marks in enumerate(grades)},
        {PEERS[name].rsplit("_", 1)[0]},
        judged_docs_only_flag=judged_only,
    )
    run = {
        str(place): {item: -float(rank) for rank, item in enumerate(found)}
        for place, found in enumerate(lists)
    }
    peer = evaluator.evaluate(run)

    expected = [peer.get(str(place), {PEERS[name]: 0.0})[PEERS[name]] for place in range(40)]
    assert own == pytest.approx(expected, abs=1e-9)


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    """Yield a gallery of five colours."""
    with Gallery.open(tmp_path / "gallery", FakeEncoder()) as opened:
        opened.add([NewImage(picture_bytes(colour), id=colour) for colour in COLOURS])
        yield opened


def test_unjudged_hits_are_told_from_wrong_ones(gallery: Gallery) -> None:
    """Of the first four, one is right, one is wrong and two are unjudged."""
    query = judged_query("red")
    order = [hit.id for hit in gallery.search(query.query(k=5)).hits]
    gallery.collection.write(Judge(query, {order[0]: 1, order[2]: 0, order[4]: 1}))

    (found,) = live_quality(gallery, [query], k=4).queries

    assert found.values["precision@4"] == 1 / 4
    assert found.values["recall@4"] == 1 / 2
    assert found.values["judged@4"] == 2 / 4
    assert found.values["judged_precision@4"] == 1 / 2
    # Condensed, the list is right, wrong, right.
    assert found.values["condensed_precision@4"] == 2 / 4
    assert found.values["condensed_recall@4"] == 1.0


def test_wrong_marks_alone_give_no_recall(gallery: Gallery) -> None:
    """Such a query is counted, and is in no mean of recall; its judged precision is 0."""
    query = judged_query("red")
    gallery.collection.write(Judge(query, {"green": 0}))

    quality = live_quality(gallery, [query], k=5)

    assert quality.without_right == 1
    assert quality.queries[0].values["recall@5"] is None
    assert quality.mean["recall@5"].value is None
    assert quality.mean["judged_precision@5"].value == 0.0


def test_a_mean_is_over_queries_and_has_an_interval(gallery: Gallery) -> None:
    """Two queries, one with a right hit at the first place."""
    first, other = judged_query("red"), judged_query("green")
    gallery.collection.write(Judge(first, {"red": 1}))
    gallery.collection.write(Judge(other, {"red": 1, "green": 0}))

    mean = live_quality(gallery, [first, other], k=1).mean["precision@1"]

    assert (mean.value, mean.n) == (0.5, 2)
    assert mean.interval.low is not None
    assert 0.0 <= mean.interval.low <= 0.5


def test_marks_of_deleted_items_count_nowhere(gallery: Gallery) -> None:
    """What is not there cannot be found, so it is not missed either."""
    query = judged_query("red")
    gallery.collection.write(Judge(query, {"red": 1, "blue": 1}))
    gallery.delete(["blue"])

    (found,) = live_quality(gallery, [query], k=1).queries

    assert found.right == 1
    assert found.values["recall@1"] == 1.0


def test_a_query_that_cannot_be_asked_harms_no_other(gallery: Gallery) -> None:
    """It names an item that is gone; the reason stands beside it."""
    lost, good = judged_query("id:blue"), judged_query("red")
    for query in (lost, good):
        gallery.collection.write(Judge(query, {"red": 1}))
    gallery.delete(["blue"])

    quality = live_quality(gallery, [lost, good], k=1)

    assert "blue" in str(quality.queries[0].error)
    assert quality.queries[0].values == {}
    assert quality.mean["precision@1"].n == 1


def test_no_judged_query_has_no_means() -> None:
    """Nothing is made of nothing."""
    quality = quality_of([], k=10)

    assert (quality.queries, dict(quality.mean), quality.without_right) == ((), {}, 0)


def test_work_can_be_ended_between_two_searches(gallery: Gallery) -> None:
    """By the deadline of a request."""
    asked = []

    def stop() -> None:
        asked.append(1)
        if len(asked) == 2:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        live_quality(gallery, [judged_query("red"), judged_query("green")], k=1, before_each=stop)
