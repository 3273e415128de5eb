"""Rules of evaluation.searching and evaluation.retrieval_loss: a search is scored as it answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from core.errors import UsageError
from evaluation.embeddings import Embeddings
from evaluation.estimates import Statistics
from evaluation.retrieval import evaluate_retrieval, evaluate_served, sides_of
from evaluation.retrieval_options import RetrievalOptions
from evaluation.searching import Asked, Found
from tests.evaluation.colour_pairs import embedded, pair

QUICK = Statistics(resamples=20)


class Answers:
    """A search that gives prepared answers, and remembers how many hits it was asked for."""

    name = "prepared"

    def __init__(self, answers: dict[str, list[str]], *, lacks: Sequence[str] = ()) -> None:
        """Answer each query id with a list of ids, cosines falling from 1."""
        self._answers, self._lacks = answers, lacks
        self.asked_k: list[int] = []

    def known(self, ids: Sequence[str]) -> set[str]:
        """Return all but the ones it lacks."""
        return set(ids) - set(self._lacks)

    def __call__(self, asked: Asked, *, k: int) -> Found:
        """Return the prepared ids."""
        self.asked_k.append(k)
        ids = tuple(self._answers[asked.id][:k])
        return Found(ids, tuple(1 - place / 10 for place in range(len(ids))), 2.0, "prepared")


def three(folder: Path) -> Embeddings:
    """Return three pairs that an exact search finds at once."""
    return embedded(
        [
            pair(folder, "a", "red", "a red car"),
            pair(folder, "b", "green", "a green car"),
            pair(folder, "c", "blue", "a blue car"),
        ]
    )


def test_what_the_index_loses_is_told_from_what_the_model_loses(tmp_path: Path) -> None:
    """The model finds all three at rank 1; the index misses one: its loss is a third."""
    data = three(tmp_path)
    search = Answers({"a#0": ["a", "b"], "b#0": ["a", "b"], "c#0": ["a"]})

    report = evaluate_retrieval(
        data,
        RetrievalOptions(ks=(1, 2), statistics=QUICK),
        gallery=sides_of(data)[1],
        search=search,
    )

    exact, loss = report.details["exact_metrics"], report.details["index_loss"]
    assert isinstance(exact, dict)
    assert isinstance(loss, dict)
    assert report.metrics["hit@1"].value == pytest.approx(1 / 3)
    assert report.metrics["hit@2"].value == pytest.approx(2 / 3)
    assert exact["hit@1"]["value"] == 1.0  # type: ignore[index,call-overload]  # JSON
    assert loss["hit@2"]["value"] == pytest.approx(1 / 3)  # type: ignore[index,call-overload]  # JSON
    assert report.metrics["latency_p50_ms"].value == 2.0


def test_metrics_of_the_whole_list_are_not_claimed_of_a_list_that_ends(tmp_path: Path) -> None:
    """Beyond the cut nobody looked: AP without a cut-off would be too low."""
    data = three(tmp_path)
    search = Answers({"a#0": ["a"], "b#0": ["b"], "c#0": ["c"]})

    report = evaluate_served(data.pairs, search, RetrievalOptions(ks=(1,), statistics=QUICK))

    assert "mean_average_precision@1" in report.metrics
    assert "mean_average_precision" not in report.metrics


def test_the_query_itself_is_dropped_before_the_cut(tmp_path: Path) -> None:
    """One hit more is asked for, so that k others are left."""
    pairs = [pair(tmp_path, "a", "red", label="x"), pair(tmp_path, "b", "red", label="x")]
    search = Answers({"a": ["a", "b"], "b": ["a", "b"]})
    options = RetrievalOptions(ks=(1,), direction="image_to_image", relevance="label")

    report = evaluate_served(pairs, search, options)

    assert search.asked_k == [2, 2]
    assert report.metrics["hit@1"].value == 1.0


def test_images_that_the_gallery_lacks_are_not_missed(tmp_path: Path) -> None:
    """As offline, where an image that cannot be decoded is in no gallery: counted, left out."""
    data = three(tmp_path)
    search = Answers({"a#0": ["a"], "b#0": ["b"]}, lacks=["c"])

    report = evaluate_served(data.pairs, search, RetrievalOptions(ks=(1,), statistics=QUICK))

    assert (report.metrics["hit@1"].value, report.metrics["hit@1"].n_no_rel) == (1.0, 1)


def test_hits_of_other_items_take_a_place(tmp_path: Path) -> None:
    """The gallery may hold more than the pairs; such a hit is not relevant and not an error."""
    data = three(tmp_path)
    search = Answers({"a#0": ["z", "a"], "b#0": ["b"], "c#0": ["c"]})

    report = evaluate_served(data.pairs, search, RetrievalOptions(ks=(1,), statistics=QUICK))

    assert report.metrics["hit@1"].value == pytest.approx(2 / 3)


def test_an_answer_with_an_id_twice_is_refused(tmp_path: Path) -> None:
    """It would count twice."""
    data = three(tmp_path)
    search = Answers({"a#0": ["a", "a"], "b#0": ["b"], "c#0": ["c"]})

    with pytest.raises(UsageError, match="holds an id twice"):
        evaluate_served(data.pairs, search, RetrievalOptions(ks=(2,)))


def test_nobody_serves_captions(tmp_path: Path) -> None:
    """A gallery answers with images."""
    with pytest.raises(UsageError, match="answers with images"):
        evaluate_served(
            three(tmp_path).pairs, Answers({}), RetrievalOptions(direction="image_to_text")
        )
