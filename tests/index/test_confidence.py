"""Rules of the confidence of hits: where it holds, and what ``min_confidence`` leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.errors import QueryError
from encoders.confidence import Calibration, ConfidenceLine
from index.adding import NewImage
from index.gallery import Gallery
from index.query import Query, Term, parse_query
from tests.fakes import FakeEncoder, picture_bytes

COLOURS = ("red", "green", "blue", "yellow")


def calibrated(*kinds: str) -> FakeEncoder:
    """Return an encoder whose confidence is one half where the cosine is one half."""
    encoder = FakeEncoder()
    background_BD = np.zeros((1, encoder.dim), np.float32)
    line = ConfidenceLine(10.0, 0.0, -5.0)
    encoder.calibration = Calibration(
        encoder.encoder_id,
        background_BD,
        dict.fromkeys(kinds, line),  # type: ignore[misc]  # the kinds of the tests are kinds
    )
    return encoder


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    """Yield a gallery of four colours with a calibration for both kinds of queries."""
    with Gallery.open(tmp_path / "g", calibrated("text", "image")) as opened:
        opened.add(
            [NewImage(picture_bytes(name), id=name, caption=f"a {name} thing") for name in COLOURS]
        )
        yield opened


def confidences(gallery: Gallery, query: Query) -> list[float | None]:
    """Return the confidence of every hit."""
    return [hit.confidence for hit in gallery.search(query).hits]


def test_hits_of_a_text_have_the_confidence_of_their_score(gallery: Gallery) -> None:
    """The logistic of 10 * score - 5."""
    found = gallery.search(Query(parse_query("red"), k=4)).hits

    assert [hit.confidence for hit in found] == pytest.approx(
        [1 / (1 + np.exp(5 - 10 * hit.score)) for hit in found]
    )
    assert found[0].confidence == pytest.approx(0.9933, abs=1e-3)


@pytest.mark.parametrize(
    "term",
    [
        Term(image=picture_bytes("blue")),
        Term(image_id="blue"),
        Term(vector=FakeEncoder().encode_texts(["blue"])[0], embedded_image=True),
    ],
)
def test_pictures_are_rated_in_every_form(gallery: Gallery, term: Term) -> None:
    """As bytes, as an item, and embedded before."""
    assert confidences(gallery, Query((term,)))[0] == pytest.approx(0.9933, abs=1e-3)


@pytest.mark.parametrize(
    "query",
    [
        Query(parse_query("red +green")),
        Query(parse_query("red -green")),
        Query(parse_query("-red")),
        Query((Term(vector=np.ones(8, np.float32)),)),
        Query(parse_query("red"), mode="keyword"),
        Query(parse_query("red"), mode="hybrid"),
    ],
)
def test_other_queries_have_none(gallery: Gallery, query: Query) -> None:
    """Several terms, a negative one, a vector of unknown origin, scores that are no cosines."""
    found = confidences(gallery, query)

    assert found
    assert set(found) == {None}


@pytest.mark.parametrize("text", ["red +green", "red -green", "-red"])
def test_a_least_confidence_of_other_queries_is_an_error(gallery: Gallery, text: str) -> None:
    """Neither ignored nor met by a number that means nothing."""
    with pytest.raises(QueryError, match="one positive text or image") as caught:
        gallery.search(Query(parse_query(text), min_confidence=0.1))
    assert caught.value.param == "min_confidence"


def test_a_least_confidence_cuts_the_page_and_ends_the_pages(gallery: Gallery) -> None:
    """What is left begins the full answer; a page that was cut has no next one."""
    full = gallery.search(Query(parse_query("red"), k=4)).hits
    second = full[1].confidence
    assert second is not None
    cut = gallery.search(Query(parse_query("red"), k=2, min_confidence=second + 1e-6))

    assert (cut.hits, cut.cursor) == (full[:1], None)


def test_a_page_that_is_sure_enough_goes_on(gallery: Gallery) -> None:
    """The cursor works with the same least confidence, until the cut."""
    first = gallery.search(Query(parse_query("red"), k=1, min_confidence=0.0))
    second = gallery.search(Query(parse_query("red"), k=3, min_confidence=0.0, cursor=first.cursor))

    assert first.cursor is not None
    full = gallery.search(Query(parse_query("red"), k=4))
    assert [*first.hits, *second.hits] == [*full.hits]


def test_an_empty_answer_is_possible(gallery: Gallery) -> None:
    """A text of no colour resembles no picture; explain has nothing to explain."""
    query = Query(parse_query("democracy"), min_confidence=0.5, explain=True)

    assert gallery.search(query).hits == ()


def test_a_model_calibrated_for_texts_alone_does_not_rate_pictures(tmp_path: Path) -> None:
    """None, and an error where a least confidence is wanted."""
    with Gallery.open(tmp_path / "g", calibrated("text")) as gallery:
        gallery.add([NewImage(picture_bytes("red"), id="red")])
        assert confidences(gallery, Query((Term(image_id="red"),))) == [None]
        with pytest.raises(QueryError, match="calibrated for image queries, and this one is not"):
            gallery.search(Query((Term(image_id="red"),), min_confidence=0.5))
