"""The worst queries on a page: what was asked, what came, what should have come."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from evaluation.html_markup import Markup, element, folded, joined, paragraph, section
from evaluation.thumbnails import Thumbnail

MOST = 20
_UNFOLDED = 6
_NOT_BAD = 0.0
Row = Mapping[str, str]
"""A row of ``per_query.csv``."""


def worst_rows(rows: Iterable[Row]) -> list[Row]:
    """Return the queries to look at first, reading one after the other; none where none is bad.

    Of rankings the ones whose first relevant item comes last, missed ones before them; of labels
    the errors that the model is surest of.
    """
    bad = (row for row in rows if _badness(row) > _NOT_BAD)
    return heapq.nsmallest(MOST, bad, key=lambda row: (-_badness(row), row["id"]))


def worst_section(
    rows: Sequence[Row], predictions: Mapping[str, Mapping[str, Any]], thumbnail: Thumbnail
) -> Markup:
    """Return the worst queries; nothing for a report without any.

    Args:
        rows: from ``worst_rows``.
        predictions: what was found or said, by the id of the query.
        thumbnail: makes small pictures.
    """
    if rows and "predicted" in rows[0]:
        shown = [_labelled(row, predictions.get(row["id"]), thumbnail) for row in rows]
        return _folded_list("Errors that the model is surest of", "images", shown)
    shown = [_ranked(row, predictions.get(row["id"]), thumbnail) for row in rows]
    return _folded_list("Worst queries", "queries", shown)


def _badness(row: Row) -> float:
    """Return the confidence of an error, or the first relevant rank less 1; 0 is good."""
    if "predicted" in row:
        return float(row["confidence"]) if row["predicted"] != row["label"] else _NOT_BAD
    if "ranks" not in row:
        return _NOT_BAD
    return float(row["ranks"].split()[0]) - 1 if row["ranks"] else math.inf


def _folded_list(title: str, what: str, shown: Sequence[Markup]) -> Markup:
    if not shown:
        return Markup("")
    rest = shown[_UNFOLDED:]
    return section(
        "worst",
        title,
        _side_by_side(shown[:_UNFOLDED]),
        folded(f"{len(rest)} more {what}", _side_by_side(rest)) if rest else Markup(""),
    )


def _side_by_side(shown: Sequence[Markup]) -> Markup:
    return element("div", *shown, attributes={"class": "queries"})


def _ranked(row: Row, prediction: Mapping[str, Any] | None, thumbnail: Thumbnail) -> Markup:
    """Return one query: asked, found, expected."""
    rank = row["ranks"].split()[0] if row["ranks"] else ""
    first = f"first relevant item at rank {rank}" if rank else "nothing relevant was found"
    asked = row.get("text") or row["id"]
    parts = [element("h3", asked), paragraph(first, f", query {row['id']}")]
    if prediction is not None:
        if not row.get("text"):
            picture = _picture(prediction["image"], row["id"], "", thumbnail)
            parts.append(_pictures("Asked", [picture]))
        found = [
            _picture(
                item.get("image"),
                item.get("text") or item["id"],
                f"{item['score']:.3f}{', relevant' if item['relevant'] else ''}",
                thumbnail,
                relevant=item["relevant"],
            )
            for item in prediction["found"]
        ]
        expected = [
            _picture(
                item.get("image"), item.get("text") or item["id"], "", thumbnail, relevant=True
            )
            for item in prediction.get("expected", [])
        ]
        parts += [_pictures("Came", found), _pictures("Should have come", expected)]
    return element("article", *parts, attributes={"class": "query"})


def _labelled(row: Row, prediction: Mapping[str, Any] | None, thumbnail: Thumbnail) -> Markup:
    """Return one image with the labels that it was given."""
    said = f"{row['predicted']}, truly {row['label']}"
    parts = [
        element("h3", said),
        paragraph(f"confidence {float(row['confidence']):.3f}, true label at rank {row['rank']}"),
        _pictures("Image", [_picture(row["image"], row["id"], "", thumbnail)]),
    ]
    if prediction is not None:
        labels = ", ".join(f"{one['label']} {one['score']:.3f}" for one in prediction["labels"])
        parts.append(paragraph(f"Said: {labels}"))
    return element("article", *parts, attributes={"class": "query"})


def _pictures(title: str, pictures: Sequence[Markup]) -> Markup:
    if not pictures:
        return Markup("")
    listed = element("ul", *pictures, attributes={"class": "pictures"})
    return joined([element("p", f"{title}:"), listed])


def _picture(
    path: str | None, words: str, score: str, thumbnail: Thumbnail, *, relevant: bool = False
) -> Markup:
    """Return a thumbnail with its words; the file's name where there is no picture to show."""
    source = None if path is None else thumbnail(path)
    if source is None:
        name = "no picture" if path is None else PurePath(path).name
        shown = element("span", name, attributes={"class": "missing"})
    else:
        shown = Markup(element("img", attributes={"src": source, "alt": ""}).removesuffix("</img>"))
    under = [element("span", words), Markup("<br>"), element("span", score)] if score else [words]
    attributes = {"class": "relevant"} if relevant else None
    return element("li", shown, *under, attributes=attributes)
