"""What ``sightline index`` prints: measurements, the choice, the state of an index."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cli.output import note, print_json, print_lines, print_table

if TYPE_CHECKING:
    from core.types import JSONObject
    from index.collection import Collection
    from index.index_plan import IndexPlan
    from index.tuning import Measured, Tuning

_HEADER = (
    "plan",
    "text recall",
    "95 %",
    "text p50 ms",
    "p99 ms",
    "image recall",
    "image p50 ms",
    "MB",
    "build s",
)
_PARAMETERS = {"lists", "probes", "depth"}


def show_measured(measured: Measured) -> None:
    """Say on stderr that one candidate is measured."""
    text = measured.text
    note(f"{_name(measured.plan)}: text recall {text.recall.mean:.3f}, p50 {text.p50_ms:.2f} ms")


def show_tuning(tuning: Tuning) -> None:
    """Print the table, then what was chosen and what to do with it."""
    print_table(_HEADER, [_row(measured) for measured in tuning.measured])
    if tuning.chosen is not None:
        text = tuning.chosen.text
        print_lines(
            [
                "",
                (
                    f"chosen: {_name(tuning.chosen.plan)} (ann_recall@{tuning.k} of "
                    f"{text.recall.queries} text queries {text.recall.mean:.3f}, target "
                    f"{tuning.target}, {tuning.rows} rows)"
                ),
                "build it now with: sightline index build",
            ]
        )


def show_index(folder: Path, collection: Collection, *, as_json: bool) -> None:
    """Print the state of the index."""
    found = index_object(collection)
    if as_json:
        print_json(found)
        return
    names = ("plan", "search", "rows", "generation", "base", "tombstones", "delta", "drift")
    print_lines([f"{folder}", *(f"{name:<12}{_text(found[name])}" for name in names)])
    tuning = found["tuning"]
    if isinstance(tuning, dict):
        print_lines(
            ["", f"tuned at {tuning['rows']} rows for ann_recall@{tuning['k']} {tuning['target']}"]
        )
        print_table(_HEADER, [_stored_row(row) for row in tuning["measured"]])  # type: ignore[union-attr,arg-type]


def index_object(collection: Collection) -> JSONObject:
    """Return the state of an index as JSON."""
    from index.drift import measure_drift
    from index.stored_plan import plan_for, stored_plan, stored_tuning

    store, sizes, rows = collection.store, collection.index.sizes(), collection.index.count()
    wanted = plan_for(store, rows, dim=collection.binding.dim)
    return {
        "plan": wanted.as_json(),
        "recorded": stored_plan(store) is not None,
        "present": collection.index.plan.as_json(),
        "search": collection.index.plan.describe(),
        "rows": rows,
        "generation": collection.generation,
        "base": sizes.base,
        "tombstones": sizes.dead,
        "delta": sizes.delta,
        "drift": measure_drift(collection.index),
        "tuning": stored_tuning(store),
    }


def _row(measured: Measured) -> list[str]:
    text, image = measured.text, measured.image
    return [
        _name(measured.plan),
        f"{text.recall.mean:.3f}",
        "exact" if measured.plan.exact else f"{text.recall.low:.3f}..{text.recall.high:.3f}",
        f"{text.p50_ms:.2f}",
        f"{text.p99_ms:.2f}",
        f"{image.recall.mean:.3f}",
        f"{image.p50_ms:.2f}",
        f"{measured.memory_bytes / 2**20:.1f}",
        f"{measured.build_s:.1f}",
    ]


def _stored_row(row: JSONObject) -> list[str]:
    from index.tuning import measured_of_json

    return _row(measured_of_json(row))


def _name(plan: IndexPlan) -> str:
    if plan.exact:
        return plan.kind
    return f"{plan.describe()} from {plan.depth}"


def _text(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(
            f"{name}={inner}"
            for name, inner in value.items()
            if inner != 0 or name not in _PARAMETERS
        )
    return str(value)
