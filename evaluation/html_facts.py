"""The end of a report's page: slices, what could not be used, provenance, what the words mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.html_headline import plain
from evaluation.html_markup import Markup, bar, element, folded, joined, paragraph, section, table
from evaluation.markdown import interval_text, number
from evaluation.metric_glossary import glossary

_MOST_FAILURES = 50
_PREFERRED = ("hit@1", "recall@10", "mean_reciprocal_rank", "accuracy", "accuracy_top5", "nll")
_MOST_METRICS = 3
_MOST_SLICES = 200


def fact_sections(fields: Mapping[str, Any]) -> list[Markup]:
    """Return the parts that every kind of report has."""
    return [
        _slices(fields),
        _failures(fields.get("data") or {}),
        _provenance(fields),
        _glossary(fields),
    ]


def _slices(fields: Mapping[str, Any]) -> Markup:
    slices = fields.get("slices") or {}
    if not slices:
        return Markup("")
    known = next(iter(slices.values()))
    names = [name for name in _PREFERRED if name in known] or list(known)
    names = names[:_MOST_METRICS]
    rows = [
        [
            group or "(none)",
            str(metrics[names[0]]["n"]),
            bar(*(metrics[names[0]][key] for key in ("value", "ci_low", "ci_high"))),
            *(
                f"{number(metrics[name]['value'])} ({interval_text(metrics[name])})"
                for name in names
            ),
        ]
        for group, metrics in list(slices.items())[:_MOST_SLICES]
    ]
    field = str(fields["settings"].get("group_by"))
    header = [field, "n", names[0], *(f"{name} (interval)" for name in names)]
    more = len(slices) - len(rows)
    rest = paragraph(f"{more} more in metrics.json.") if more else Markup("")
    return section("slices", f"By {field}", table(f"Metrics by {field}", header, rows), rest)


def _failures(data: Mapping[str, Any]) -> Markup:
    """Return what was left out of the numbers, with the reason."""
    if not data:
        return Markup("")
    counts = [
        f"{value} {name.replace('_', ' ')}"
        for name, value in data.items()
        if isinstance(value, int)
    ]
    failed, skipped = data.get("failed_images", []), data.get("skipped", [])
    others = data.get("pairs_with_other_labels") or {}
    counts += [f"{len(failed)} images not decoded", f"{len(skipped)} places skipped"]
    parts = [paragraph(", ".join(counts))]
    lists = (
        ("Images not decoded", [[one["image"], one["message"]] for one in failed]),
        ("Places skipped", [[one["place"], one["reason"]] for one in skipped]),
        ("Labels that are not among the classes", [[one, str(n)] for one, n in others.items()]),
    )
    for title, rows in lists:
        if rows:
            listed = table(title, ["what", "why"], rows[:_MOST_FAILURES], texts=2)
            more = len(rows) - _MOST_FAILURES
            rest = paragraph(f"{more} more in metrics.json") if more > 0 else Markup("")
            parts.append(folded(f"{title}: {len(rows)}", listed, rest))
    return section("data", "Data and what was left out", joined(parts))


def _provenance(fields: Mapping[str, Any]) -> Markup:
    found = {
        **{name: value for name, value in fields["provenance"].items() if value not in (None, {})},
        **{
            f"digest of {name}": value
            for name, value in fields["comparable"].items()
            if value is not None
        },
        "settings": {k: v for k, v in fields["settings"].items() if v not in (None, [], "")},
        "statistics": {
            name: fields["statistics"].get(name) for name in ("level", "resamples", "seed")
        },
        "schema": fields["schema_version"],
    }
    terms = [
        joined([element("dt", name.replace("_", " ")), element("dd", plain(value))])
        for name, value in found.items()
    ]
    note = (
        "Reports are comparable where the digests of data, labels, templates and relevance agree."
    )
    return section("provenance", "Provenance", paragraph(note), element("dl", *terms))


def _glossary(fields: Mapping[str, Any]) -> Markup:
    terms = [
        joined([element("dt", name), element("dd", meaning)])
        for name, meaning in glossary(fields["metrics"])
    ]
    return section("glossary", "What the words mean", element("dl", *terms))
