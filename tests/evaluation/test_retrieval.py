"""Rules of evaluation.retrieval and evaluation.retrieval_scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import PairsError, UsageError
from core.pairs.pair import Pair
from evaluation.metrics import average_precision, ranks_of
from evaluation.ranking import rank
from evaluation.retrieval import evaluate_retrieval
from evaluation.retrieval_scores import RetrievalTask, score_retrieval
from tests.fakes import FakeEncoder, picture_bytes


def pair(folder: Path, id: str, colour: str, *captions: str) -> Pair:
    """Write a one-colour picture and return it with its captions."""
    path = folder / f"{id}.png"
    path.write_bytes(picture_bytes(colour))
    return Pair(id=id, image=path, captions=captions)


def test_captions_that_fit_find_their_images(tmp_path: Path) -> None:
    """A perfect encoder scores 1 everywhere."""
    pairs = [
        pair(tmp_path, "a", "red", "a red car"),
        pair(tmp_path, "b", "green", "a green leaf", "the green door"),
        pair(tmp_path, "c", "blue", "the blue sea"),
    ]

    report = evaluate_retrieval(FakeEncoder(), pairs, ks=[1, 3])

    scores = report.scores
    assert scores.curve.hit_K.tolist() == [1.0, 1.0, 1.0]
    assert scores.curve.precision_K.tolist() == pytest.approx([1.0, 1 / 2, 1 / 3])
    assert (scores.mean_average_precision, scores.mean_reciprocal_rank) == (1.0, 1.0)
    assert [query.id for query in scores.queries] == ["a#0", "b#0", "b#1", "c#0"]
    assert (report.pairs, report.captions, scores.gallery_size) == (3, 4, 3)


def test_a_wrong_caption_is_scored_at_its_rank(tmp_path: Path) -> None:
    """Asked for red, the picture of this pair is blue: red is first, the blue one last."""
    pairs = [pair(tmp_path, "a", "blue", "a red car"), pair(tmp_path, "b", "red", "a red bus")]

    report = evaluate_retrieval(FakeEncoder(), pairs, ks=[1, 2])

    first, second = report.scores.queries
    assert (first.ranks, first.reciprocal_rank) == ((2,), 0.5)
    assert (second.ranks, second.reciprocal_rank) == ((1,), 1.0)
    assert report.scores.mean_reciprocal_rank == 0.75
    assert report.scores.curve.hit_K.tolist() == [0.5, 1.0]


def test_a_caption_that_two_images_share_makes_both_relevant(tmp_path: Path) -> None:
    """The same text, but for case and white space, is one query with two right answers."""
    pairs = [
        pair(tmp_path, "a", "red", "A red  car"),
        pair(tmp_path, "b", "red", "a red car"),
        pair(tmp_path, "c", "blue", "a blue car"),
    ]

    report = evaluate_retrieval(FakeEncoder(), pairs, ks=[1, 2])

    assert [query.ranks for query in report.scores.queries] == [(1, 2), (1, 2), (1,)]
    assert report.scores.curve.recall_K.tolist() == pytest.approx([(0.5 + 0.5 + 1) / 3, 1.0])
    assert report.scores.curve.hit_K[0] == 1.0


def test_images_find_all_their_captions(tmp_path: Path) -> None:
    """Two captions per image: recall@1 can reach one half only, hit@1 reaches 1."""
    pairs = [
        pair(tmp_path, "a", "red", "a red car", "the red bus"),
        pair(tmp_path, "b", "blue", "a blue car", "the blue bus"),
    ]

    report = evaluate_retrieval(FakeEncoder(), pairs, ks=[1, 2], direction="image_to_text")

    scores = report.scores
    assert [query.id for query in scores.queries] == ["a", "b"]
    assert scores.gallery_size == 4
    assert scores.curve.recall_K.tolist() == [0.5, 1.0]
    assert scores.curve.hit_K.tolist() == [1.0, 1.0]


def test_a_shared_caption_is_relevant_to_both_images(tmp_path: Path) -> None:
    """Image to text, both copies of the text are right answers for both images."""
    pairs = [pair(tmp_path, "a", "red", "a red car"), pair(tmp_path, "b", "red", "a red car")]

    report = evaluate_retrieval(FakeEncoder(), pairs, ks=[2], direction="image_to_text")

    assert [query.ranks for query in report.scores.queries] == [(1, 2), (1, 2)]


def test_queries_without_anything_relevant_are_left_out_and_counted(tmp_path: Path) -> None:
    """The captions of a corrupt image, and an image without captions."""
    broken = pair(tmp_path, "b", "green", "a green leaf", "one more green leaf")
    broken.image.write_bytes(b"broken")
    pairs = [pair(tmp_path, "a", "red", "a red car"), broken, pair(tmp_path, "c", "blue")]

    by_text = evaluate_retrieval(FakeEncoder(), pairs, ks=[1])
    by_image = evaluate_retrieval(FakeEncoder(), pairs, ks=[1], direction="image_to_text")

    assert by_text.scores.queries_without_relevant == 2
    assert by_text.scores.curve.hit_K.tolist() == [1.0]
    assert by_text.scores.gallery_size == 2
    assert by_image.scores.queries_without_relevant == 1
    assert by_image.scores.gallery_size == 3
    assert [failed.image for failed in by_text.failed] == [broken.image]


def test_k_is_capped_at_the_gallery(tmp_path: Path) -> None:
    """What was asked and what was used are both recorded."""
    pairs = [pair(tmp_path, "a", "red", "red"), pair(tmp_path, "b", "blue", "blue")]

    report = evaluate_retrieval(FakeEncoder(), pairs, ks=[10, 1, 5])

    assert report.ks_requested == (10, 1, 5)
    assert report.scores.ks == (1, 2)
    assert len(report.scores.curve.precision_K) == 2


def test_captions_are_embedded_once_each(tmp_path: Path) -> None:
    """A thousand equal captions cost one embedding and have equal scores."""
    encoder = FakeEncoder()
    pairs = [pair(tmp_path, str(number), "red", "red", "red", "blue") for number in range(3)]

    report = evaluate_retrieval(encoder, pairs, ks=[1])

    assert report.captions == 9
    assert encoder.text_calls == 1


def test_pairs_without_captions_are_refused(tmp_path: Path) -> None:
    """The message names the command for folders of classes."""
    with pytest.raises(PairsError, match="sightline evaluate zeroshot"):
        evaluate_retrieval(FakeEncoder(), [pair(tmp_path, "a", "red")])


def test_no_image_that_can_be_decoded_is_an_error(tmp_path: Path) -> None:
    """There is nothing to score."""
    broken = pair(tmp_path, "a", "red", "a red car")
    broken.image.write_bytes(b"broken")

    with pytest.raises(PairsError, match="no image with a caption could be decoded"):
        evaluate_retrieval(FakeEncoder(), [broken])


@pytest.mark.parametrize("ks", [[], [0], [5, -1]])
def test_cut_offs_are_one_or_more(ks: list[int]) -> None:
    """Refused before any image is read."""
    with pytest.raises(UsageError, match="each 1 or more"):
        evaluate_retrieval(FakeEncoder(), [], ks=ks)


def test_an_unknown_direction_is_refused() -> None:
    """The message names the two."""
    with pytest.raises(UsageError, match="text_to_image or image_to_text"):
        evaluate_retrieval(
            FakeEncoder(),
            [],
            direction="t2i",  # type: ignore[arg-type]  # what a caller may send
        )


def test_scores_are_those_of_a_naive_reading() -> None:
    """Sort each row, read off the judgements, average: the same numbers."""
    generator = np.random.default_rng(3)
    task = random_task(generator, queries=40, gallery=25)

    scores = score_retrieval(task, ks=[1, 5, 25])

    judged = [place for place, relevant in enumerate(task.relevant_N) if relevant]
    order_NM = rank(task.queries_ND[judged] @ task.gallery_MD.T, task.gallery_ids)
    lists = [
        [column in task.relevant_N[place] for column in row_M]
        for place, row_M in zip(judged, order_NM.tolist(), strict=True)
    ]
    for k in (1, 5, 25):
        precision = np.mean([sum(hits[:k]) / k for hits in lists])
        recall = np.mean([sum(hits[:k]) / sum(hits) for hits in lists])
        hit = np.mean([any(hits[:k]) for hits in lists])
        assert scores.curve.precision_K[k - 1] == pytest.approx(precision)
        assert scores.curve.recall_K[k - 1] == pytest.approx(recall)
        assert scores.curve.hit_K[k - 1] == pytest.approx(hit)
    assert scores.mean_average_precision == pytest.approx(
        np.mean([average_precision(ranks_of(hits)) for hits in lists])
    )
    assert scores.queries_without_relevant == 40 - len(judged)


def random_task(generator: np.random.Generator, *, queries: int, gallery: int) -> RetrievalTask:
    """Return random unit vectors with 0 to 4 relevant items per query."""
    queries_ND = generator.standard_normal((queries, 16))
    gallery_MD = generator.standard_normal((gallery, 16))
    relevant = [
        tuple(sorted(generator.choice(gallery, size=count, replace=False).tolist()))
        for count in generator.integers(0, 5, queries)
    ]
    return RetrievalTask(
        query_ids=tuple(f"q{place}" for place in range(queries)),
        query_texts=("",) * queries,
        queries_ND=(queries_ND / np.linalg.norm(queries_ND, axis=1, keepdims=True)).astype("f4"),
        gallery_ids=tuple(f"d{place:03}" for place in range(gallery)),
        gallery_MD=(gallery_MD / np.linalg.norm(gallery_MD, axis=1, keepdims=True)).astype("f4"),
        relevant_N=tuple(relevant),
    )
