"""Rules of evaluation.retrieval: what is asked, what is relevant, what is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import PairsError, UsageError
from core.measures.metrics import average_precision, ranks_of
from core.pairs.pair import Pair
from evaluation.ranking import rank
from evaluation.report import Report
from evaluation.retrieval import evaluate_retrieval, rank_exactly
from evaluation.retrieval_options import RetrievalOptions
from evaluation.retrieval_report import measure
from evaluation.retrieval_task import Side, lay_out
from tests.evaluation.colour_pairs import broken_pair, embedded, pair


def value(report: Report, name: str) -> float:
    """Return the value of a metric that is defined."""
    found = report.metrics[name].value
    assert found is not None
    return found


def ranks(report: Report) -> list[object]:
    """Return the ranks of each query as they are written."""
    assert report.measured is not None
    return list(report.measured.texts["ranks"])


def test_captions_that_fit_find_their_images(tmp_path: Path) -> None:
    """A perfect encoder scores 1 everywhere; captions are queries of their image's cluster."""
    pairs = [
        pair(tmp_path, "a", "red", "a red car"),
        pair(tmp_path, "b", "green", "a green leaf", "the green door"),
        pair(tmp_path, "c", "blue", "the blue sea"),
    ]

    report = evaluate_retrieval(embedded(pairs), RetrievalOptions(ks=(1, 3)))

    assert report.measured is not None
    assert [value(report, name) for name in ("hit@1", "recall@1", "hit@3")] == [1, 1, 1]
    assert value(report, "precision@3") == pytest.approx(1 / 3)
    assert value(report, "mean_reciprocal_rank") == 1.0
    assert report.measured.ids == ("a#0", "b#0", "b#1", "c#0")
    assert report.measured.clusters == ("a", "b", "b", "c")
    assert (report.details["queries"], report.details["gallery"]) == (4, 3)


def test_a_wrong_caption_is_scored_at_its_rank(tmp_path: Path) -> None:
    """Asked for red, the picture of this pair is blue: red is first, the blue one last."""
    pairs = [pair(tmp_path, "a", "blue", "a red car"), pair(tmp_path, "b", "red", "a red bus")]

    report = evaluate_retrieval(embedded(pairs), RetrievalOptions(ks=(1, 2)))

    assert ranks(report) == ["2", "1"]
    assert value(report, "mean_reciprocal_rank") == 0.75
    assert (value(report, "hit@1"), value(report, "hit@2")) == (0.5, 1.0)


def test_a_caption_that_two_images_share_makes_both_relevant(tmp_path: Path) -> None:
    """The same text, but for case and white space, is one query with two right answers."""
    pairs = [
        pair(tmp_path, "a", "red", "A red  car"),
        pair(tmp_path, "b", "red", "a red car"),
        pair(tmp_path, "c", "blue", "a blue car"),
    ]

    report = evaluate_retrieval(embedded(pairs), RetrievalOptions(ks=(1, 2)))

    assert ranks(report) == ["1 2", "1 2", "1"]
    assert value(report, "recall@1") == pytest.approx((0.5 + 0.5 + 1) / 3)


def test_images_find_all_their_captions(tmp_path: Path) -> None:
    """Two captions per image: recall@1 can reach one half only, hit@1 reaches 1."""
    pairs = [
        pair(tmp_path, "a", "red", "a red car", "the red bus"),
        pair(tmp_path, "b", "blue", "a blue car", "the blue bus"),
    ]

    report = evaluate_retrieval(
        embedded(pairs), RetrievalOptions(ks=(1, 2), direction="image_to_text")
    )

    assert report.measured is not None
    assert report.measured.ids == ("a", "b")
    assert report.details["gallery"] == 4
    assert (value(report, "recall@1"), value(report, "hit@1")) == (0.5, 1.0)


def test_captions_of_one_image_find_each_other(tmp_path: Path) -> None:
    """Text to text, the query itself is no answer: not even where it would be the best one."""
    pairs = [
        pair(tmp_path, "a", "red", "a red car", "the red bus"),
        pair(tmp_path, "b", "blue", "a blue car", "the blue bus"),
        pair(tmp_path, "c", "green", "a green car"),
    ]

    report = evaluate_retrieval(
        embedded(pairs), RetrievalOptions(ks=(1, 9), direction="text_to_text")
    )

    assert ranks(report) == ["1", "1", "1", "1"]
    assert report.details["queries_without_relevant"] == 1
    assert report.details["k_effective"] == [1, 4]


def test_images_of_one_label_find_each_other_but_not_themselves(tmp_path: Path) -> None:
    """Image to image: by label, and with --keep-self the query is its own first hit."""
    pairs = [
        pair(tmp_path, "a", "red", label="Warm"),
        pair(tmp_path, "b", "yellow", label="warm"),
        pair(tmp_path, "c", "blue", label="cold"),
    ]
    options = RetrievalOptions(ks=(1,), direction="image_to_image", relevance="label")
    kept = RetrievalOptions(
        ks=(1,), direction="image_to_image", relevance="label", exclude_self=False
    )

    without, with_self = (evaluate_retrieval(embedded(pairs), one) for one in (options, kept))

    assert without.details["queries"] == 2
    assert ranks(without) == ["1", "1"]
    assert ranks(with_self) == ["1 2", "1 2", "1"]


def test_judgements_come_with_grades(tmp_path: Path) -> None:
    """NDCG with grades 2 and 1 in the wrong order; unknown ids and grade 0 are no relevance."""
    pairs = [pair(tmp_path, "a", "red", "a red car"), pair(tmp_path, "b", "blue", "x")]
    judgements = {"a#0": {"a": 1, "b": 2, "z": 3}, "b#0": {"a": 0}}

    report = evaluate_retrieval(embedded(pairs), RetrievalOptions(ks=(2,), relevance=judgements))

    expected = (1 + 2 / np.log2(3)) / (2 + 1 / np.log2(3))
    assert value(report, "ndcg@2") == pytest.approx(expected)
    assert report.details["queries_without_relevant"] == 1


def test_images_are_no_pairs_of_images(tmp_path: Path) -> None:
    """The message names what can be relevant."""
    pairs = [pair(tmp_path, "a", "red", "a red car")]

    with pytest.raises(UsageError, match="--relevance label"):
        evaluate_retrieval(embedded(pairs), RetrievalOptions(direction="image_to_image"))


def test_queries_without_anything_relevant_are_left_out_and_counted(tmp_path: Path) -> None:
    """The captions of a corrupt image, and an image without captions."""
    pairs = [
        pair(tmp_path, "a", "red", "a red car"),
        broken_pair(tmp_path, "b", "a green leaf", "one more green leaf"),
        pair(tmp_path, "c", "blue"),
    ]

    by_text = evaluate_retrieval(embedded(pairs), RetrievalOptions(ks=(1,)))
    by_image = evaluate_retrieval(
        embedded(pairs), RetrievalOptions(ks=(1,), direction="image_to_text")
    )

    assert by_text.metrics["hit@1"].n_no_rel == 2
    assert (by_text.metrics["hit@1"].n, by_text.details["gallery"]) == (1, 2)
    assert by_image.details["queries_without_relevant"] == 1
    data = by_text.details["data"]
    assert isinstance(data, dict)
    assert data["pairs_without_caption"] == 1
    assert data["failed_images"][0]["code"] == "image_unsupported"  # type: ignore[index,call-overload]  # JSON


def test_slices_are_metrics_of_the_values_of_a_field(tmp_path: Path) -> None:
    """One half of the queries is perfect, the other never right; pairs without the field too."""
    pairs = [
        pair(tmp_path, "a", "red", "a red car", where="shop"),
        pair(tmp_path, "b", "blue", "a green car", where="street"),
        pair(tmp_path, "c", "green", "a green leaf"),
    ]

    report = evaluate_retrieval(embedded(pairs), RetrievalOptions(ks=(1,), group_by="where"))

    found = {group: metrics["hit@1"].value for group, metrics in report.slices.items()}
    assert found == {"(none)": 1.0, "shop": 1.0, "street": 0.0}


def test_pairs_without_captions_are_refused(tmp_path: Path) -> None:
    """The message names the command for folders of classes."""
    with pytest.raises(PairsError, match="sightline evaluate classify"):
        evaluate_retrieval(embedded([pair(tmp_path, "a", "red")]))


def test_no_image_that_can_be_decoded_is_an_error(tmp_path: Path) -> None:
    """There is nothing to score."""
    with pytest.raises(PairsError, match="no query has anything relevant"):
        evaluate_retrieval(embedded([broken_pair(tmp_path, "a", "a red car")]))


@pytest.mark.parametrize("ks", [(), (0,), (5, -1)])
def test_cut_offs_are_one_or_more(ks: tuple[int, ...]) -> None:
    """Refused before any image is read."""
    with pytest.raises(UsageError, match="each 1 or more"):
        RetrievalOptions(ks=ks)


def test_an_unknown_direction_is_refused() -> None:
    """The message names the four."""
    with pytest.raises(UsageError, match="text_to_image, image_to_text"):
        RetrievalOptions(direction="t2i")  # type: ignore[arg-type]  # what a caller may send


def test_scores_are_those_of_a_naive_reading() -> None:
    """Sort each row, read off the judgements, average: the same numbers."""
    generator = np.random.default_rng(3)
    vectors = generator.standard_normal((65, 16))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    queries = side([f"q{place}" for place in range(40)], vectors[:40])
    gallery = side([f"d{place:03}" for place in range(25)], vectors[40:])
    judgements = {
        name: {f"d{column:03}": 1 for column in generator.choice(25, count, replace=False)}
        for name, count in zip(queries.ids, generator.integers(0, 5, 40), strict=True)
    }
    task = lay_out("text_to_image", queries, gallery, relevance=judgements)
    measured = measure(task, rank_exactly(task, depth=25), (1, 5, 25))

    order_NM = rank(vectors[:40] @ vectors[40:].T, gallery.ids)
    lists = [
        [gallery.ids[column] in judgements[queries.ids[place]] for column in order_NM[place]]
        for place in task.judged
    ]
    for k in (1, 5, 25):
        assert measured.values[f"precision@{k}"] == pytest.approx([sum(h[:k]) / k for h in lists])
        assert measured.values[f"recall@{k}"] == pytest.approx([sum(h[:k]) / sum(h) for h in lists])
    assert measured.values["mean_average_precision"] == pytest.approx(
        [average_precision(ranks_of(hits)) for hits in lists]
    )


def side(ids: list[str], vectors_ND: np.ndarray) -> Side:
    """Return captions of nothing."""
    pairs = tuple(Pair(id=name, image=Path(name), captions=()) for name in ids)
    return Side(tuple(ids), ("",) * len(ids), pairs, vectors_ND)
