"""The gate: rules that a report has to keep, alone or against a baseline, for CI.

``gate.toml`` holds a table per rule, and in it a limit per metric:

    [floor]                      # at least
    "hit@1" = 0.30
    [ceiling]                    # at most
    latency_p95_ms = 50
    [no_drop]                    # fails on a drop beyond the limit that is significant
    "hit@1" = 0.005
    [non_inferior]               # fails unless a drop beyond the limit can be ruled out
    "recall@10" = 0.01
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from core.config import from_mapping, read_toml
from core.errors import ConfigError, UsageError
from core.measures.intervals import LEVEL, RESAMPLES
from core.types import JSONObject
from evaluation.comparison import Difference, lower_is_better
from evaluation.report_comparison import check_names, compare_reports, require_comparable
from evaluation.report_reading import StoredReport

Rule = Literal["floor", "ceiling", "no_drop", "non_inferior"]


@dataclass(frozen=True, slots=True)
class GateRules:
    """What a report has to keep: limits by metric."""

    floor: dict[str, float] = field(default_factory=dict)
    """Least value."""
    ceiling: dict[str, float] = field(default_factory=dict)
    """Largest value, for latencies and errors."""
    no_drop: dict[str, float] = field(default_factory=dict)
    """Largest drop that is tolerated, 0 or more: fails if the drop is larger and significant."""
    non_inferior: dict[str, float] = field(default_factory=dict)
    """Margin above 0: fails unless the whole interval of the difference is better than that."""
    alpha: float = 0.05
    """Chance of a false alarm, all ``no_drop`` rules together (Holm)."""
    ci: float = LEVEL
    """Level of the intervals of ``non_inferior``."""
    resamples: int = RESAMPLES
    """Bootstrap samples, and sign flips."""
    seed: int = 0
    """Of both."""

    def __post_init__(self) -> None:
        """Refuse limits that mean nothing."""
        if not (self.floor or self.ceiling or self.no_drop or self.non_inferior):
            raise ConfigError(
                "the rules have no rule: give one of the tables floor, ceiling, no_drop, "
                "non_inferior"
            )
        if not 0.0 < self.alpha < 1.0:
            raise ConfigError(f"alpha = {self.alpha}: expected a number between 0 and 1")
        for name, limit in self.no_drop.items():
            if limit < 0.0:
                raise ConfigError(f"no_drop: {name} = {limit}: expected 0 or more")
        for name, limit in self.non_inferior.items():
            if limit <= 0.0:
                raise ConfigError(f"non_inferior: {name} = {limit}: expected more than 0")

    @property
    def needs_baseline(self) -> bool:
        """Whether a rule compares."""
        return bool(self.no_drop or self.non_inferior)


@dataclass(frozen=True, slots=True)
class Check:
    """One rule for one metric."""

    rule: Rule
    metric: str
    limit: float
    value: float | None
    """Of the report; for the rules that compare, the difference."""
    passed: bool
    reason: str
    """What was found, in words."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """Every check; the gate is passed when all are."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no rule is broken."""
        return all(check.passed for check in self.checks)


def read_rules(path: Path) -> GateRules:
    """Read a file of rules.

    Raises:
        ConfigError: not TOML, an unknown rule (with the nearest name), or a limit out of range.
    """
    return from_mapping(GateRules, read_toml(path), where=str(path))


def run_gate(
    report: StoredReport, rules: GateRules, *, baseline: StoredReport | None = None
) -> GateResult:
    """Check every rule.

    Raises:
        ConflictError: the report and the baseline measured different things.
        UsageError: a rule needs a baseline and there is none, or names an unknown metric.
    """
    for where, limits in (("floor", rules.floor), ("ceiling", rules.ceiling)):
        check_names(limits, list(report.metrics), where=where)
    checks = [_floor(name, limit, report) for name, limit in rules.floor.items()]
    checks += [_ceiling(name, limit, report) for name, limit in rules.ceiling.items()]
    if baseline is None:
        if rules.needs_baseline:
            raise UsageError("no_drop and non_inferior compare: give a report with --baseline")
        return GateResult(tuple(checks))
    require_comparable(baseline, report)
    dropped = _differences(rules.no_drop, "no_drop", report, baseline, rules)
    inferior = _differences(rules.non_inferior, "non_inferior", report, baseline, rules)
    checks += [_no_drop(item, rules.no_drop[item.name], rules.alpha) for item in dropped]
    checks += [_non_inferior(item, rules.non_inferior[item.name], rules.ci) for item in inferior]
    return GateResult(tuple(checks))


def gate_json(result: GateResult) -> JSONObject:
    """Return the result as strict JSON."""
    return {
        "passed": result.passed,
        "checks": [
            {
                "rule": check.rule,
                "metric": check.metric,
                "limit": check.limit,
                "value": check.value,
                "passed": check.passed,
                "reason": check.reason,
            }
            for check in result.checks
        ],
    }


def _differences(
    limits: dict[str, float],
    rule: Rule,
    report: StoredReport,
    baseline: StoredReport,
    rules: GateRules,
) -> tuple[Difference, ...]:
    """Return the differences of the metrics of one rule: they are one family for Holm."""
    if not limits:
        return ()
    for stored in (report, baseline):
        known = list(stored.queries.values) if stored.queries else []
        check_names(limits, known, where=rule)
    return compare_reports(
        baseline,
        report,
        metrics=list(limits),
        level=rules.ci,
        resamples=rules.resamples,
        seed=rules.seed,
    ).differences


def _floor(name: str, limit: float, report: StoredReport) -> Check:
    value = report.metrics[name]
    passed = value is not None and value >= limit
    reason = "has no value" if value is None else f"{value:.4g} {'>=' if passed else '<'} {limit:g}"
    return Check("floor", name, limit, value, passed, reason)


def _ceiling(name: str, limit: float, report: StoredReport) -> Check:
    value = report.metrics[name]
    passed = value is not None and value <= limit
    reason = "has no value" if value is None else f"{value:.4g} {'<=' if passed else '>'} {limit:g}"
    return Check("ceiling", name, limit, value, passed, reason)


def _no_drop(item: Difference, limit: float, alpha: float) -> Check:
    worse = item.difference if lower_is_better(item.name) else -item.difference
    significant = item.p_holm < alpha
    passed = not (worse > limit and significant)
    reason = (
        f"changed by {item.difference:+.4f}, Holm p = {item.p_holm:.4f}"
        f" ({'significant' if significant else 'may be chance'})"
    )
    return Check("no_drop", item.name, limit, item.difference, passed, reason)


def _non_inferior(item: Difference, limit: float, level: float) -> Check:
    low, high = item.interval.low, item.interval.high
    if low is None or high is None:
        return Check(
            "non_inferior",
            item.name,
            limit,
            item.difference,
            passed=False,
            reason="too few queries for an interval",
        )
    worst = -high if lower_is_better(item.name) else low
    return Check(
        "non_inferior",
        item.name,
        limit,
        item.difference,
        passed=worst > -limit,
        reason=f"changed by {item.difference:+.4f}, {level:.0%} interval {low:+.4f} to {high:+.4f}",
    )
