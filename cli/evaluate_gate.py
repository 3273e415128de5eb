"""``sightline evaluate gate``: does a report keep the rules? For CI, by exit code."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cli.evaluate_compare import NOT_COMPARABLE
from cli.output import note, print_json, print_table
from core.errors import ConflictError, SightlineError, UsageError

FAILED = 1
"""Exit code where a rule is broken."""

_PATH = click.Path(path_type=Path)


@click.command(name="gate")
@click.argument("result", type=_PATH)
@click.option("--rules", required=True, type=_PATH, help="TOML file with the rules.")
@click.option("--baseline", type=_PATH, help="Report to compare with.")
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
@click.option("--html", type=_PATH, help="Write the checks as a page, too.")
def command(
    *, result: Path, rules: Path, baseline: Path | None, as_json: bool, html: Path | None
) -> None:
    """Check a report folder against rules: floor, ceiling, no_drop, non_inferior.

    Exit codes: 0 all rules are kept, 1 a rule is broken, 2 usage (also a report or a file of rules
    that cannot be read), 3 not comparable with the baseline.

    \b
    Examples:
      sightline evaluate gate reports/new --rules gate.toml
      sightline evaluate gate reports/new --rules gate.toml --baseline reports/old --json
    """
    from core.artifacts import write_atomic
    from evaluation.gate import gate_json, read_rules, run_gate
    from evaluation.html_comparison import gate_page
    from evaluation.report_reading import read_report

    try:
        checked = run_gate(
            read_report(result),
            read_rules(rules),
            baseline=None if baseline is None else read_report(baseline),
        )
    except ConflictError as error:
        note(f"sightline: {error}")
        sys.exit(NOT_COMPARABLE)
    except UsageError:
        raise
    except SightlineError as error:
        # Exit code 1 says that a rule is broken; a report that cannot be read is another thing.
        raise UsageError(str(error)) from error
    if html is not None:
        write_atomic(html, gate_page(checked, report=result, baseline=baseline).encode())
        note(f"page written to {html}")
    if as_json:
        print_json(gate_json(checked))
    else:
        print_table(
            ["", "rule", "metric", "limit", "found"],
            [
                ["ok" if one.passed else "FAIL", one.rule, one.metric, f"{one.limit:g}", one.reason]
                for one in checked.checks
            ],
        )
    if not checked.passed:
        note("sightline: the gate is not passed")
        sys.exit(FAILED)
