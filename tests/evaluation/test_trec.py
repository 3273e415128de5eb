"""Rules of core.measures.trec and evaluation.score: TREC files, and what others make of ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pytrec_eval

from core.errors import PairsError, UsageError
from core.measures.trec import qrels_lines, read_qrels, read_run, run_lines, written
from evaluation.estimates import Statistics
from evaluation.report import write_report
from evaluation.retrieval import evaluate_retrieval
from evaluation.retrieval_options import RetrievalOptions
from evaluation.score import evaluate_run, ranked
from tests.evaluation.colour_pairs import embedded, pair

QUICK = Statistics(resamples=20)


def test_a_run_is_read_by_its_scores(tmp_path: Path) -> None:
    """Comments and blank lines do not count; the column of ranks is not looked at."""
    path = tmp_path / "run"
    path.write_text("# ours\nq Q0 d1 9 0.5 t\n\nq Q0 d2 1 0.25 t\n")

    assert read_run(path) == {"q": {"d1": 0.5, "d2": 0.25}}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("q Q0 d 1 0.5", "run:1: 5 fields, expected 6"),
        ("q Q0 d 1 x t", "run:1: the score 'x'"),
        ("q Q0 d 1 nan t", "run:1: the score is nan"),
        ("q Q0 d 1 1 t\nq Q0 d 2 0 t", "run:2: 'd' is found twice"),
        ("", "holds no results"),
    ],
)
def test_a_bad_run_is_refused_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    """The message has file and line."""
    (tmp_path / "run").write_text(line)

    with pytest.raises(PairsError, match=message):
        read_run(tmp_path / "run")


@pytest.mark.parametrize(
    ("line", "message"),
    [("q 0 d", "3 fields"), ("q 0 d x", "no whole number"), ("q 0 d 1\nq 0 d 0", "judged twice")],
)
def test_bad_judgements_are_refused_with_their_line(
    tmp_path: Path, line: str, message: str
) -> None:
    """The message has file and line."""
    (tmp_path / "qrels").write_text(line)

    with pytest.raises(PairsError, match=message):
        read_qrels(tmp_path / "qrels")


def test_ids_with_white_space_are_written_without_it(tmp_path: Path) -> None:
    """A file name with a blank would be two fields; the sign of the escape is escaped too."""
    assert written("a b%.jpg") == "a%20b%25.jpg"
    (tmp_path / "run").write_text("\n".join(run_lines(["a b#0"], [["x y", "z"]], tag="t")))
    (tmp_path / "qrels").write_text("\n".join(qrels_lines([("a b#0", {"x y": 2})])))

    assert read_run(tmp_path / "run") == {"a%20b#0": {"x%20y": 2.0, "z": 1.0}}
    assert read_qrels(tmp_path / "qrels") == {"a%20b#0": {"x%20y": 2}}


def test_ties_go_by_the_document() -> None:
    """Scores are compared in float32, in which 0.5 and 0.50000001 are one."""
    assert ranked({"b": 0.5, "a": 0.50000001, "c": 0.75}) == ["c", "a", "b"]


def test_a_query_that_the_run_lacks_counts_zero() -> None:
    """One without a relevant document is left out, and one without judgements is counted."""
    report = evaluate_run(
        {"q1": {"d": 1}, "q2": {"d": 1}, "q3": {"d": 0}},
        {"q1": {"d": 1.0}, "q9": {"d": 1.0}},
        ks=[1],
        statistics=QUICK,
    )

    assert report.metrics["hit@1"].value == 0.5
    assert (report.metrics["hit@1"].n, report.metrics["hit@1"].n_no_rel) == (2, 1)
    assert report.details["queries_without_results"] == 1
    assert report.details["queries_without_judgements"] == 1


def test_nothing_relevant_is_an_error() -> None:
    """There is nothing to find."""
    with pytest.raises(PairsError, match="grade 1 or more"):
        evaluate_run({"q": {"d": 0}}, {"q": {"d": 1.0}}, ks=[1])
    with pytest.raises(UsageError, match="cut-offs of 1 or more"):
        evaluate_run({"q": {"d": 1}}, {}, ks=[0])


def test_random_runs_score_as_in_trec_eval() -> None:
    """Graded judgements, unfound documents, lists of other lengths: the same to 1e-9."""
    generator = np.random.default_rng(11)
    names = [f"d{place:02}" for place in range(30)]
    qrels, run = {}, {}
    for query in range(60):
        judged = generator.choice(names, 8, replace=False)
        grades = generator.integers(0, 4, 8)
        grades[0] = 1
        qrels[f"q{query}"] = dict(zip(judged.tolist(), grades.tolist(), strict=True))
        found = generator.choice(names, int(generator.integers(1, 20)), replace=False).tolist()
        run[f"q{query}"] = {name: float(len(found) - place) for place, name in enumerate(found)}

    report = evaluate_run(qrels, run, ks=[1, 5, 10], statistics=QUICK)

    measures = {"P.1,5,10", "recall.5,10", "map", "map_cut.10", "ndcg_cut.10", "recip_rank"}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, measures | {"success.5", "Rprec"}).evaluate(run)
    for ours, name in {
        "precision@1": "P_1",
        "precision@10": "P_10",
        "recall@5": "recall_5",
        "hit@5": "success_5",
        "mean_average_precision": "map",
        "mean_average_precision@10": "map_cut_10",
        "ndcg@10": "ndcg_cut_10",
        "mean_reciprocal_rank": "recip_rank",
        "mean_r_precision": "Rprec",
    }.items():
        mean = np.mean([values[name] for values in theirs.values()])
        assert report.metrics[ours].value == pytest.approx(mean, abs=1e-9), ours


def test_the_files_of_a_report_score_the_same_in_trec_eval(tmp_path: Path) -> None:
    """run.trec and qrels.trec of a retrieval are all that another tool needs; ids with blanks."""
    colours = ["red", "green", "blue", "yellow", "white", "black"]
    pairs = [
        pair(tmp_path, f"{place} x", colours[place % 6], f"a {colours[(place * 5) % 6]} one")
        for place in range(12)
    ]
    report = evaluate_retrieval(embedded(pairs), RetrievalOptions(ks=(1, 5), statistics=QUICK))
    write_report(report, tmp_path / "report")

    qrels = read_qrels(tmp_path / "report" / "qrels.trec")
    run = read_run(tmp_path / "report" / "run.trec")
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {"P.1,5", "recall.5", "ndcg_cut.5"}).evaluate(
        run
    )

    assert len(theirs) == 12
    for ours, name in {
        "precision@1": "P_1",
        "precision@5": "P_5",
        "recall@5": "recall_5",
        "ndcg@5": "ndcg_cut_5",
    }.items():
        mean = np.mean([values[name] for values in theirs.values()])
        assert report.metrics[ours].value == pytest.approx(mean, abs=1e-9), ours
    again = evaluate_run(qrels, run, ks=[1, 5], statistics=QUICK)
    assert again.metrics["ndcg@5"].value == pytest.approx(report.metrics["ndcg@5"].value)
