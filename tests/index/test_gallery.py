"""Rules of a gallery: pictures in, ranked pictures out, files kept as long as their items."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.artifacts import sha256_bytes
from core.errors import (
    EncoderError,
    EncoderMismatchError,
    NotFoundError,
    QueryError,
    StorageFullError,
    UndecodableImageError,
    UnsupportedImageError,
)
from core.types import FloatArray, PixelArray
from encoders.decoding import DecodeLimits
from index.adding import NewImage
from index.filters import parse_filter
from index.gallery import Gallery
from index.items import Ranks, Status
from index.query import Query, Term, parse_query
from tests.fakes import FakeEncoder, picture_bytes

COLOURS = ("red", "green", "blue", "yellow")


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    """Yield a gallery of four one-colour pictures named by their colour."""
    with Gallery.open(tmp_path / "g", FakeEncoder()) as opened:
        opened.add(
            [NewImage(picture_bytes(name), id=name, caption=f"a {name} thing") for name in COLOURS]
        )
        yield opened


def search(gallery: Gallery, text: str, **settings: object) -> list[str]:
    """Search by the text form and return the ids."""
    found = gallery.search(Query(parse_query(text), **settings))  # type: ignore[arg-type]
    return [hit.id for hit in found.hits]


def test_a_text_finds_the_picture_it_names(gallery: Gallery) -> None:
    """Each colour word finds its colour first."""
    for name in COLOURS:
        assert search(gallery, f"a {name} car", k=1) == [name]


def test_a_picture_finds_itself(gallery: Gallery) -> None:
    """Image and item terms work, and an item term may return the item itself."""
    image = Query((Term(image=picture_bytes("blue")),), k=1)

    assert gallery.search(image).hits[0].id == "blue"
    assert gallery.search(image).hits[0].score == pytest.approx(1, abs=1e-6)
    assert search(gallery, "id:green", k=1) == ["green"]


def test_terms_add_up_by_weight(gallery: Gallery) -> None:
    """The opposite of blue is yellow; the heavier of two terms decides."""
    assert search(gallery, "-blue", k=4)[0] == "yellow"
    assert search(gallery, "-blue", k=4)[-1] == "blue"
    assert search(gallery, "3:red +green", k=1) == ["red"]
    assert search(gallery, "red 3:green", k=1) == ["green"]


def test_explain_gives_shares_that_sum_to_the_score(gallery: Gallery) -> None:
    """Score = sum of weight * cosine / length of the weighted sum."""
    found = gallery.search(Query(parse_query("red 0.5:green -blue"), explain=True))

    for hit in found.hits:
        assert hit.terms is not None
        assert [term.term for term in hit.terms] == ["red", "green", "blue"]
        assert sum(term.contribution for term in hit.terms) == pytest.approx(hit.score, abs=1e-6)
    assert gallery.search(Query(parse_query("red"))).hits[0].terms is None


def test_an_empty_gallery_has_no_hits(tmp_path: Path) -> None:
    """Searching before anything was added is no error."""
    with Gallery.open(tmp_path, FakeEncoder()) as gallery:
        assert gallery.search(Query(parse_query("red"))).hits == ()


def test_queries_that_cannot_be_answered_say_why(gallery: Gallery) -> None:
    """Cancelling terms, unknown items, bad vectors and pictures, confidence without calibration."""
    with pytest.raises(QueryError, match="cancel"):
        search(gallery, "+red -red")
    with pytest.raises(NotFoundError, match="'none'"):
        search(gallery, "id:none")
    with pytest.raises(QueryError, match="8 numbers"):
        gallery.search(Query((Term(vector=np.ones(3, np.float32)),)))
    with pytest.raises(QueryError, match="zero"):
        gallery.search(Query((Term(vector=np.zeros(8, np.float32)),)))
    with pytest.raises(QueryError, match="NaN"):
        gallery.search(Query((Term(vector=np.full(8, np.nan, np.float32)),)))
    with pytest.raises(UnsupportedImageError):
        gallery.search(Query((Term(image=b"no picture"),)))
    with pytest.raises(QueryError, match="calibration"):
        search(gallery, "red", min_confidence=0.5)
    with pytest.raises(QueryError, match="explain"):
        search(gallery, "red", explain=True, mode="keyword")


def test_a_bad_picture_harms_no_neighbour(gallery: Gallery) -> None:
    """Each picture has its own result, in order."""
    cut = picture_bytes("red", size=(200, 200), format="JPEG")[:300]
    results = gallery.add(
        [
            NewImage(picture_bytes("white"), id="white"),
            NewImage(b"text", id="text"),
            NewImage(cut, id="cut"),
            NewImage(picture_bytes("black"), id="bad\0id"),
            NewImage(picture_bytes("black"), metadata={"n": float("nan")}),
            NewImage(picture_bytes("black"), id="black"),
        ]
    )

    assert [result.status for result in results] == [
        Status.CREATED, Status.ERROR, Status.ERROR, Status.ERROR, Status.ERROR, Status.CREATED
    ]  # fmt: skip
    assert isinstance(results[1].error, UnsupportedImageError)
    assert isinstance(results[2].error, UndecodableImageError)
    assert gallery.collection.count() == 6


def test_limits_of_pictures_are_those_of_the_gallery(tmp_path: Path) -> None:
    """A gallery opened with a limit of pixels refuses larger pictures."""
    limits = DecodeLimits(max_pixels=100)
    with Gallery.open(tmp_path, FakeEncoder(), limits=limits) as gallery:
        (result,) = gallery.add([NewImage(picture_bytes("red"))])

    assert result.error is not None
    assert result.error.code == "image_too_many_pixels"


def test_the_default_id_is_the_start_of_the_digest(gallery: Gallery) -> None:
    """Equal bytes are one item; other bytes never replace it."""
    data = picture_bytes("white")
    first, second = gallery.add([NewImage(data)]) + gallery.add([NewImage(data)])

    assert first.id == sha256_bytes(data)[:16]
    assert (first.status, second.status) == (Status.CREATED, Status.UNCHANGED)


def test_a_default_id_that_is_taken_gets_longer(gallery: Gallery) -> None:
    """An item that happens to have the id already is not overwritten."""
    data = picture_bytes("white")
    taken = sha256_bytes(data)[:16]
    gallery.add([NewImage(picture_bytes("black"), id=taken)])

    (result,) = gallery.add([NewImage(data)])

    assert result.id == sha256_bytes(data)[:24]
    assert gallery.collection.count() == 6


def test_known_content_is_not_embedded_again(gallery: Gallery) -> None:
    """A new caption for the same bytes costs no model call; fields that are left out stay."""
    encoder = gallery.encoder
    assert isinstance(encoder, FakeEncoder)
    before = encoder.image_calls

    (result,) = gallery.add([NewImage(picture_bytes("red"), id="red", metadata={"n": 1})])

    assert result.status == Status.UPDATED
    assert encoder.image_calls == before
    assert gallery.item("red").caption == "a red thing"
    assert search(gallery, "red", k=1) == ["red"]


def test_pictures_and_thumbnails_are_kept(tmp_path: Path) -> None:
    """The bytes come back as they were sent; a thumbnail is a JPEG of at most 320 pixels."""
    data = picture_bytes("red", size=(1000, 500))
    with Gallery.open(tmp_path, FakeEncoder()) as gallery:
        gallery.add([NewImage(data, id="../../a")])

        assert gallery.image("../../a") == data
        with Image.open(io.BytesIO(gallery.thumbnail("../../a"))) as thumbnail:
            assert (thumbnail.format, thumbnail.size) == ("JPEG", (320, 160))
        digest = sha256_bytes(data)
        assert (tmp_path / "images" / digest[:2] / digest).read_bytes() == data

        (tmp_path / "thumbnails" / digest[:2] / f"{digest}.jpg").unlink()
        assert gallery.thumbnail("../../a")
        assert (tmp_path / "thumbnails" / digest[:2] / f"{digest}.jpg").exists()


def test_files_go_with_their_last_item(gallery: Gallery) -> None:
    """Bytes that two items share stay until both are deleted."""
    data = picture_bytes("white")
    digest = sha256_bytes(data)
    gallery.add([NewImage(data, id="one"), NewImage(data, id="two")])
    path = gallery.folder / "images" / digest[:2] / digest

    assert gallery.delete(["one"]) == 1
    assert path.exists()
    assert gallery.delete_where(parse_filter({"@id": "two"})) == 1
    assert not path.exists()
    with pytest.raises(NotFoundError):
        gallery.image("two")


def test_a_file_is_read_from_where_it_is(gallery: Gallery, tmp_path: Path) -> None:
    """A picture with a source is not copied; gone or changed, it is an error, not a wrong one."""
    file = tmp_path / "photo.png"
    file.write_bytes(picture_bytes("white"))
    gallery.add([NewImage(file.read_bytes(), id="photo", source=str(file))])
    assert gallery.image("photo") == picture_bytes("white")
    assert not gallery.holds_image(sha256_bytes(picture_bytes("white")))

    file.write_bytes(picture_bytes("black"))
    with pytest.raises(NotFoundError, match="has changed"):
        gallery.image("photo")
    file.unlink()
    with pytest.raises(NotFoundError, match="cannot be read"):
        gallery.image("photo")
    assert gallery.thumbnail("photo")


def test_a_full_disk_stores_nothing(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the bytes cannot be kept, the item is not created."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("index.media.write_atomic", full)
    with pytest.raises(StorageFullError):
        gallery.add([NewImage(picture_bytes("white"), id="white")])

    assert gallery.collection.count() == 4


class MoodyEncoder(FakeEncoder):
    """Refuses any batch that holds a black picture."""

    def encode_images(self, pixels_NSS3: PixelArray) -> FloatArray:
        """Embed, or fail for the whole batch."""
        if (pixels_NSS3.reshape(len(pixels_NSS3), -1).mean(axis=1) < 20).any():
            raise EncoderError("the model's output is not finite")
        return super().encode_images(pixels_NSS3)


def test_a_picture_that_breaks_the_model_fails_alone(tmp_path: Path) -> None:
    """The batch is sent again one by one, so the neighbours are stored."""
    with Gallery.open(tmp_path, MoodyEncoder()) as gallery:
        results = gallery.add(
            [NewImage(picture_bytes(name), id=name) for name in ("red", "black", "blue")]
        )

    assert [result.status for result in results] == ["created", "error", "created"]
    assert "not finite" in str(results[1].error)


class LengtheningEncoder(FakeEncoder):
    """Forgets to normalise."""

    def encode_images(self, pixels_NSS3: PixelArray) -> FloatArray:
        """Return vectors of length 2."""
        return super().encode_images(pixels_NSS3) * 2

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """Return vectors of length 2."""
        return super().encode_texts(texts) * 2


def test_embeddings_that_are_not_unit_vectors_are_refused(tmp_path: Path) -> None:
    """A wrongly exported model is noticed at the first picture."""
    with Gallery.open(tmp_path, LengtheningEncoder()) as gallery:
        (result,) = gallery.add([NewImage(picture_bytes("red"))])

    assert result.status == "error"
    assert "wrongly exported" in str(result.error)


def test_a_gallery_of_another_encoder_is_refused(gallery: Gallery) -> None:
    """The message names both ids and what to do."""
    gallery.close()

    with pytest.raises(EncoderMismatchError, match=r"fa4e000000000001.*other.*sightline add"):
        Gallery.open(gallery.folder, FakeEncoder("other"))


def test_keyword_mode_finds_words_of_captions_names_and_metadata(gallery: Gallery) -> None:
    """Accents and case are folded; a negative word excludes; filters hold."""
    gallery.add(
        [
            NewImage(
                picture_bytes("white"),
                id="w1",
                caption="Ein CAFE\u0301 am See",
                metadata={"a": ["Zebra"]},
            )
        ]
    )

    assert search(gallery, "caf\u00e9", mode="keyword") == ["w1"]
    assert search(gallery, "zebra", mode="keyword") == ["w1"]
    assert search(gallery, "w1", mode="keyword") == ["w1"]
    assert search(gallery, "thing -red -blue", mode="keyword") == ["green", "yellow"]
    assert search(gallery, "thing", mode="keyword", filter=parse_filter({"@id": "red"})) == ["red"]
    assert search(gallery, "absent", mode="keyword") == []
    gallery.delete(["w1"])
    assert search(gallery, "zebra", mode="keyword") == []


def test_keyword_mode_folds_letters_and_accents_however_they_are_written(
    gallery: Gallery,
) -> None:
    """Composed or not, upper case or lower: text and query agree on words with accents inside."""
    composed, apart = "\u00c9t\u00e9s", "e\u0301te\u0301s"
    for name, caption in (("c1", composed), ("c2", apart)):
        gallery.add([NewImage(picture_bytes((9, 9, len(caption))), id=name, caption=caption)])

    for asked in (composed, apart, "etes"):
        assert sorted(search(gallery, asked, mode="keyword")) == ["c1", "c2"]


def test_keyword_pages_join_to_the_whole(gallery: Gallery) -> None:
    """Equal texts tie, and ties are in order of id on every page."""
    first = gallery.search(Query(parse_query("thing"), mode="keyword", k=3))
    second = gallery.search(Query(parse_query("thing"), mode="keyword", k=3, cursor=first.cursor))

    assert [hit.id for hit in (*first.hits, *second.hits)] == sorted(COLOURS)
    assert second.cursor is None
    with pytest.raises(QueryError, match="another query"):
        search(gallery, "red", mode="keyword", cursor=first.cursor)


@pytest.mark.parametrize("text", ['"', "a AND (b", "caption:x OR", "NEAR(a b)", "x*", "a^b"])
def test_words_are_never_read_as_operators_of_sqlite(gallery: Gallery, text: str) -> None:
    """The full-text syntax of the database cannot be reached."""
    query = Query((Term(text=f"{text} thing"),), mode="keyword")

    assert {hit.id for hit in gallery.search(query).hits} >= set(COLOURS)


def test_keyword_mode_needs_words(gallery: Gallery) -> None:
    """Images, items and signs are refused with the way out."""
    with pytest.raises(QueryError, match="words only"):
        search(gallery, "id:red", mode="keyword")
    with pytest.raises(QueryError, match="needs a word"):
        gallery.search(Query((Term(text="???"),), mode="keyword"))


def test_hybrid_mode_fuses_both_rankings(gallery: Gallery) -> None:
    """Red is first by both; the score is 1/(60+1) twice; pages join to the whole."""
    found = gallery.search(Query(parse_query("red thing"), mode="hybrid", k=2))
    rest = gallery.search(Query(parse_query("red thing"), mode="hybrid", k=2, cursor=found.cursor))
    whole = gallery.search(Query(parse_query("red thing"), mode="hybrid", k=4))

    assert found.hits[0].id == "red"
    assert found.hits[0].score == pytest.approx(2 / 61)
    assert found.hits[0].ranks == Ranks(vector=1, keyword=1)
    assert (*found.hits, *rest.hits) == whole.hits
    assert len(whole.hits) == 4


def test_a_hybrid_hit_tells_its_place_in_each_ranking(gallery: Gallery) -> None:
    """Only one caption has the word: the others have no place by words; other modes have none."""
    hits = gallery.search(Query(parse_query("red"), mode="hybrid", k=3)).hits

    assert [hit.ranks for hit in hits] == [Ranks(1, 1), Ranks(2, None), Ranks(3, None)]
    assert gallery.search(Query(parse_query("red"), k=1)).hits[0].ranks is None
