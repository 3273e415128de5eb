"""Classes on a page: precision and recall of each, and what is taken for what.

Up to 30 classes the confusion matrix is drawn whole; of more, the most frequent confusions are
named, which is what people look for in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.html_markup import (
    Markup,
    bar,
    element,
    folded,
    joined,
    paragraph,
    scrolling,
    section,
    table,
)
from evaluation.markdown import number

_MOST_DRAWN = 30
_MOST_CONFUSIONS = 20
_MOST_CLASSES = 15
_MOST_FOLDED = 1000
_STEPS = 4
"""Shades of a cell."""


def class_sections(fields: Mapping[str, Any]) -> list[Markup]:
    """Return the classes and their confusion; nothing without labels."""
    classes, cells = fields.get("per_class") or [], fields.get("confusion") or []
    if not classes:
        return []
    return [_classes(classes), _confusion([row["label"] for row in classes], cells)]


def confusion_matrix(labels: Sequence[str], cells: Sequence[Mapping[str, Any]]) -> Markup:
    """Return the matrix, rows the true class; the darker, the larger the share of its row."""
    counts = {(cell["label"], cell["predicted"]): cell["images"] for cell in cells}
    sums = {label: sum(counts.get((label, one), 0) for one in labels) for label in labels}
    head = element(
        "tr",
        element("th", "true \\ said", attributes={"scope": "col"}),
        *(element("th", element("span", label), attributes={"scope": "col"}) for label in labels),
    )
    body = [
        element(
            "tr",
            element("th", label, attributes={"scope": "row", "title": label}),
            *(
                _cell(counts.get((label, said), 0), sums[label], right=label == said)
                for said in labels
            ),
        )
        for label in labels
    ]
    matrix = element(
        "table",
        element("thead", head),
        element("tbody", *body),
        attributes={"class": "confusion"},
    )
    return scrolling("Confusion matrix, rows the true class", matrix)


def top_confusions(cells: Sequence[Mapping[str, Any]]) -> Markup:
    """Return the most frequent confusions, with the share of the true class."""
    sums: dict[str, int] = {}
    for cell in cells:
        sums[cell["label"]] = sums.get(cell["label"], 0) + cell["images"]
    wrong = [cell for cell in cells if cell["label"] != cell["predicted"]]
    wrong.sort(key=lambda cell: (-cell["images"], cell["label"], cell["predicted"]))
    rows = [
        [
            cell["label"],
            cell["predicted"],
            str(cell["images"]),
            f"{cell['images'] / sums[cell['label']]:.2f}",
        ]
        for cell in wrong[:_MOST_CONFUSIONS]
    ]
    header = ["true class", "taken for", "images", "share of the class"]
    return table("Most frequent confusions", header, rows, texts=2)


def _confusion(labels: Sequence[str], cells: Sequence[Mapping[str, Any]]) -> Markup:
    wrong = sum(cell["images"] for cell in cells if cell["label"] != cell["predicted"])
    if len(labels) > _MOST_DRAWN:
        note = f"{len(labels)} classes: the whole matrix is in confusion.csv."
        matrix = Markup("")
    else:
        note, matrix = "Framed cells are right.", confusion_matrix(labels, cells)
    listed = top_confusions(cells) if wrong else Markup("")
    return section(
        "confusion",
        "Confusion",
        paragraph(f"{wrong} images were given another class. {note}"),
        matrix,
        element("h3", "Most frequent confusions") if wrong else Markup(""),
        listed,
    )


def _classes(classes: Sequence[Mapping[str, Any]]) -> Markup:
    """Return every class that occurs, the worst F1 first: that is where the work is."""
    known = [row for row in classes if row["images"] or row["predicted"]]
    known.sort(key=lambda row: (row["f1"] if row["f1"] is not None else -1.0, row["label"]))
    rows = [
        [
            row["label"],
            bar(row["f1"]),
            *(number(row[name]) for name in ("f1", "precision", "recall")),
            str(row["images"]),
            str(row["predicted"]),
        ]
        for row in known
    ]
    header = ["class", "", "F1", "precision", "recall", "images", "predicted"]
    parts = [table("Worst classes", header, rows[:_MOST_CLASSES])]
    if len(rows) > _MOST_CLASSES:
        rest = rows[_MOST_CLASSES:_MOST_FOLDED]
        parts.append(folded(f"{len(rest)} more", table("Other classes", header, rest)))
    if len(rows) > _MOST_FOLDED:
        parts.append(paragraph(f"{len(rows) - _MOST_FOLDED} more in per_class.csv."))
    note = paragraph("The class with the worst F1 is first.")
    return section("classes", "Classes", note, joined(parts))


def _cell(count: int, row_sum: int, *, right: bool) -> Markup:
    step = 0 if not count else min(_STEPS, 1 + int(_STEPS * count / row_sum))
    classes = [f"heat-{step}"] if step else []
    classes += ["right"] if right else []
    attributes = {"class": " ".join(classes)} if classes else None
    return element("td", str(count) if count else "", attributes=attributes)
