"""Rules of evaluation.gate: each rule at its limit, and files of rules that are refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import ConfigError, ConflictError, UsageError
from evaluation.gate import Check, GateRules, gate_json, read_rules, run_gate
from evaluation.report_reading import StoredReport, read_report
from tests.evaluation.report_folders import write_queries

QUERIES = 400


def report(folder: Path, hits: int, **further: float | None) -> StoredReport:
    """Write and read a report with so many hits among 400 queries."""
    values = (np.arange(QUERIES) < hits).astype(float).tolist()
    brier = (1.0 - np.array(values)).tolist()
    return read_report(write_queries(folder, {"hit@1": values, "brier": brier}, further=further))


def checked(rules: GateRules, found: StoredReport, baseline: StoredReport | None = None) -> Check:
    """Return the one check of rules with one rule."""
    (check,) = run_gate(found, rules, baseline=baseline).checks
    return check


@pytest.mark.parametrize(("limit", "passed"), [(0.49, True), (0.5, True), (0.51, False)])
def test_a_floor_is_the_least_value(tmp_path: Path, *, limit: float, passed: bool) -> None:
    """200 of 400: .5 is enough for .5."""
    check = checked(GateRules(floor={"hit@1": limit}), report(tmp_path / "a", 200))

    assert (check.passed, check.value) == (passed, 0.5)


@pytest.mark.parametrize(("limit", "passed"), [(49.0, False), (50.0, True), (51.0, True)])
def test_a_ceiling_is_the_largest_value(tmp_path: Path, *, limit: float, passed: bool) -> None:
    """A latency of 50 ms is within 50."""
    found = report(tmp_path / "a", 200, latency_p95_ms=50.0)

    assert checked(GateRules(ceiling={"latency_p95_ms": limit}), found).passed is passed


def test_ann_recall_has_a_floor_like_any_metric(tmp_path: Path) -> None:
    """The loss of an index is gated beside the quality of the model."""
    found = read_report(
        write_queries(tmp_path / "a", {"hit@1": [1.0]}, further={"ann_recall@10": 0.94})
    )

    assert not checked(GateRules(floor={"ann_recall@10": 0.95}), found).passed


def test_a_metric_without_a_value_keeps_no_rule(tmp_path: Path) -> None:
    """What is not defined is not good enough."""
    found = report(tmp_path / "a", 200, mcc=None)

    assert not checked(GateRules(floor={"mcc": 0.1}), found).passed
    assert not checked(GateRules(ceiling={"mcc": 0.1}), found).passed


@pytest.mark.parametrize(
    ("hits", "tolerated", "passed"),
    [(200, 0.0, True), (199, 0.0, True), (180, 0.0, False), (180, 0.06, True), (220, 0.0, True)],
)
def test_no_drop_fails_on_a_drop_that_is_large_and_significant(
    tmp_path: Path, *, hits: int, tolerated: float, passed: bool
) -> None:
    """From 200 hits: one less may be chance, 20 less are not, and a rise is no drop."""
    baseline, found = report(tmp_path / "a", 200), report(tmp_path / "b", hits)

    check = checked(GateRules(no_drop={"hit@1": tolerated}), found, baseline)

    assert (check.passed, check.value) == (passed, pytest.approx((hits - 200) / 400))


@pytest.mark.parametrize(
    ("hits", "margin", "passed"),
    [(200, 0.01, True), (198, 0.002, False), (198, 0.05, True), (150, 0.05, False)],
)
def test_non_inferior_fails_unless_a_drop_can_be_ruled_out(
    tmp_path: Path, *, hits: int, margin: float, passed: bool
) -> None:
    """Two hits less: worse than .002 cannot be ruled out, worse than .05 can."""
    baseline, found = report(tmp_path / "a", 200), report(tmp_path / "b", hits)

    assert checked(GateRules(non_inferior={"hit@1": margin}), found, baseline).passed is passed


def test_a_metric_that_is_better_when_lower_drops_by_rising(tmp_path: Path) -> None:
    """40 hits more are a Brier score of .1 less: no drop. The other way round it is one."""
    low, high = report(tmp_path / "a", 200), report(tmp_path / "b", 240)
    rules = GateRules(no_drop={"brier": 0.0}, non_inferior={"brier": 0.01})

    assert run_gate(high, rules, baseline=low).passed
    assert [check.passed for check in run_gate(low, rules, baseline=high).checks] == [False, False]


def test_the_correction_is_over_the_metrics_of_no_drop(tmp_path: Path) -> None:
    """Six of six queries lost: p is about .03; alone that is significant, among three not."""
    values = [1.0] * 6 + [0.0] * 30
    names = ("one", "two", "three")
    baseline = read_report(write_queries(tmp_path / "a", dict.fromkeys(names, values)))
    found = read_report(write_queries(tmp_path / "b", dict.fromkeys(names, [0.0] * 36)))

    alone = run_gate(found, GateRules(no_drop={"one": 0.0}), baseline=baseline)
    among = run_gate(found, GateRules(no_drop=dict.fromkeys(names, 0.0)), baseline=baseline)

    assert not alone.passed
    assert among.passed


def test_one_query_has_no_interval_and_is_not_shown_to_be_as_good(tmp_path: Path) -> None:
    """Non-inferiority has to be shown; equality of one query shows nothing."""
    one = read_report(write_queries(tmp_path / "a", {"hit@1": [1.0]}))

    check = checked(GateRules(non_inferior={"hit@1": 0.5}), one, one)

    assert not check.passed
    assert "too few queries" in check.reason


def test_rules_that_compare_need_a_baseline(tmp_path: Path) -> None:
    """Without it they would pass silently."""
    with pytest.raises(UsageError, match="--baseline"):
        run_gate(report(tmp_path / "a", 1), GateRules(no_drop={"hit@1": 0.0}))


def test_a_baseline_of_other_data_is_noticed_whatever_the_rules(tmp_path: Path) -> None:
    """A floor alone would not look at the baseline."""
    found = report(tmp_path / "a", 200)
    other = read_report(write_queries(tmp_path / "b", {"hit@1": [1.0]}, digests={"data": "d2"}))

    with pytest.raises(ConflictError, match="data"):
        run_gate(found, GateRules(floor={"hit@1": 0.1}), baseline=other)


@pytest.mark.parametrize("rule", ["floor", "ceiling", "no_drop", "non_inferior"])
def test_an_unknown_metric_is_refused_with_the_nearest(tmp_path: Path, rule: str) -> None:
    """In every table of rules."""
    found = report(tmp_path / "a", 200)

    with pytest.raises(UsageError, match=r"did you mean 'hit@1'"):
        run_gate(found, GateRules(**{rule: {"hit@11": 0.1}}), baseline=found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rule"),
        ("[flor]\n'hit@1' = 0.3", "did you mean 'floor'"),
        ("[floor]\n'hit@1' = 'high'", "expected a number"),
        ("[no_drop]\n'hit@1' = -0.1", "expected 0 or more"),
        ("[non_inferior]\n'hit@1' = 0", "expected more than 0"),
        ("alpha = 1.5\n[floor]\n'hit@1' = 0.3", "alpha"),
        ("[floor", "not valid TOML"),
    ],
)
def test_a_file_of_rules_that_means_nothing_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    """Unknown keys with the nearest name, limits out of range, not TOML."""
    (tmp_path / "gate.toml").write_text(text)

    with pytest.raises(ConfigError, match=message):
        read_rules(tmp_path / "gate.toml")


def test_the_result_is_strict_json(tmp_path: Path) -> None:
    """For the machine that reads the gate."""
    found = report(tmp_path / "a", 200)
    result = run_gate(found, GateRules(floor={"hit@1": 0.4}, ceiling={"brier": 0.4}))

    content = json.loads(json.dumps(gate_json(result), allow_nan=False))

    assert content["passed"] is False
    assert [(check["rule"], check["passed"]) for check in content["checks"]] == [
        ("floor", True),
        ("ceiling", False),
    ]
