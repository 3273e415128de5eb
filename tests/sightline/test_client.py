"""Rules of the client's methods, against a real service with a fake encoder."""

from __future__ import annotations

import inspect
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import (
    LabelSetError,
    NotFoundError,
    QueryError,
    SightlineError,
    UnsupportedImageError,
    UsageError,
)
from sightline.async_client import AsyncClient
from sightline.client import Client
from sightline.items import AsyncItems, Items
from sightline.judgements import AsyncJudgements, Judgements
from sightline.label_calls import LabelRequest
from sightline.label_sets import AsyncLabelSets, LabelSets
from sightline.query import Term
from tests.fakes import COLOURS, FakeEncoder, picture_bytes

ROOT = Path(__file__).parent.parent.parent


def test_search_returns_hits_best_first(client: Client) -> None:
    """Words find the picture of that colour, with all that the service says of it."""
    answer = client.search("a red car", k=2, explain=True)

    assert answer.hits[0].id == "red"
    assert len(answer) == 2
    assert answer.plan == "exact"
    assert answer.model == FakeEncoder().encoder_id
    best = answer.hits[0]
    assert (best.score, best.caption, best.metadata) == (1.0, "a red square", {"n": 0})
    assert best.terms is not None
    assert (best.terms[0].term, best.terms[0].weight) == ("a red car", 1.0)


def test_search_takes_terms_of_every_kind(client: Client) -> None:
    """Text, image, item and vector, each with its weight; all of them mean green here."""
    (vector,) = client.embed_texts(["green"])
    terms = [
        Term(text="green"),
        Term(image=picture_bytes("green"), weight=0.5),
        Term(image_id="green"),
        Term(vector=vector, weight=2.0),
        Term(text="red", weight=-0.1),
    ]

    answer = client.search(terms, k=1, explain=True)

    assert answer.hits[0].id == "green"
    assert [term.weight for term in answer.hits[0].terms or ()] == [1.0, 0.5, 1.0, 2.0, -0.1]


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "pillow", "function"])
def test_an_image_may_be_given_in_every_form(client: Client, tmp_path: Path, kind: str) -> None:
    """A path, its text, bytes, a Pillow picture or a function find the same item."""
    data = picture_bytes("blue")
    path = tmp_path / "blue.png"
    path.write_bytes(data)
    image = {
        "path": path,
        "text": str(path),
        "bytes": data,
        "pillow": Image.new("RGB", (8, 8), COLOURS["blue"]),
        "function": path.read_bytes,
    }[kind]

    assert client.search(images=[image], k=1).hits[0].id == "blue"


def test_words_may_stand_beside_images(client: Client) -> None:
    """A form carries the same fields as JSON, filter included."""
    answer = client.search(
        "red", images=[picture_bytes("red")], filter={"n": {"gte": 1}}, k=6, explain=True
    )

    assert "red" not in {hit.id for hit in answer}
    assert [term.term for term in answer.hits[0].terms or ()] == ["red", "image"]


def test_search_all_walks_every_page(client: Client) -> None:
    """No gaps and no repeats, whatever the size of a page."""
    whole = [hit.id for hit in client.search("red", k=6)]

    assert [hit.id for hit in client.search_all("red", page=2)] == whole
    assert len(whole) == 6


def test_classify_gives_labels_best_first(client: Client) -> None:
    """One image, a list of labels."""
    found = client.classify(picture_bytes("green"), ["red", "green"])

    assert found.label == "green"
    assert [score.label for score in found.labels] == ["green", "red"]
    assert sum(score.score for score in found.labels) == pytest.approx(1, abs=1e-5)
    assert found.error is None


def test_classify_many_names_the_bad_one(client: Client) -> None:
    """Images and items in order; the error of one stands in its place."""
    request = LabelRequest(labels=["red", "blue"], top_k=1, template_set="name")

    answer = client.classify_many([b"junk", picture_bytes("blue")], request, image_ids=["red"])

    assert [found.label for found in answer.results] == [None, "blue", "red"]
    assert [len(found.labels) for found in answer.results] == [0, 1, 1]
    assert isinstance(answer.results[0].error, UnsupportedImageError)


def test_classify_abstains_on_request(client: Client) -> None:
    """The reason names the threshold."""
    request = LabelRequest(labels=["dog", "cat"], abstain={"min_cosine": 0.99})

    found = client.classify(picture_bytes("green"), request)

    assert found.abstained
    assert found.label is None
    assert found.reason is not None


def test_embeddings_are_unit_vectors(client: Client) -> None:
    """Shape (N, D), float32; a text and a picture of one colour agree."""
    texts_ND = client.embed_texts(["red", "blue"])
    images_ND = client.embed_images([picture_bytes("red"), picture_bytes("blue")])
    short_ND = client.embed_texts(["red"], dimensions=4)

    assert texts_ND.shape == images_ND.shape == (2, 8)
    assert texts_ND.dtype == np.float32
    np.testing.assert_allclose(np.diag(texts_ND @ images_ND.T), 1, atol=1e-5)
    np.testing.assert_allclose(texts_ND, FakeEncoder().encode_texts(["red", "blue"]), atol=1e-6)
    assert short_ND.shape == (1, 4)


def test_items_are_read_and_walked(client: Client) -> None:
    """One by its id, all in the order of ids, some by a filter."""
    item = client.items.get("red")

    assert (item.caption, item.metadata) == ("a red square", {"n": 0})
    assert [found.id for found in client.items.walk(page=4)] == sorted(COLOURS)
    assert [found.id for found in client.items.walk(filter={"n": {"lt": 2}})] == ["green", "red"]
    assert client.items.page(limit=2).cursor is not None


def test_pictures_come_back_as_they_were_added(client: Client) -> None:
    """The image byte by byte; the thumbnail is a picture."""
    assert client.items.image("red") == picture_bytes("red")
    with Image.open(io.BytesIO(client.items.thumbnail("red"))) as thumbnail:
        assert thumbnail.size[0] > 0


@pytest.mark.parametrize("id", ["a/b", "a%2Fb", "100%", "ü?#&", "a b", "...x", "..."])
def test_any_id_may_be_used(empty: Client, id: str) -> None:
    """Ids are escaped whole, so none of them leads to another address."""
    from sightline.adding import NewItem

    (added,) = empty.add([NewItem(picture_bytes("red"), id=id)])

    assert (added.id, added.status) == (id, "created")
    assert empty.items.get(id).id == id
    assert empty.items.image(id) == picture_bytes("red")
    assert empty.items.update(id, caption="new").caption == "new"
    assert empty.items.delete([id]) == 1


def test_items_are_changed_and_deleted(empty: Client) -> None:
    """What is not given stays; unknown ids count as done."""
    from sightline.adding import NewItem

    empty.add([NewItem(picture_bytes(name), id=name, metadata={"k": 1}) for name in COLOURS])

    changed = empty.items.update("red", caption="new")
    deleted = empty.items.delete(["red", "nobody"])
    rest = empty.items.delete(filter={"k": 1})

    assert (changed.caption, changed.metadata) == ("new", {"k": 1})
    assert (deleted, rest) == (1, 5)
    assert empty.gallery().count == 0


def test_fields_are_indexed_and_forgotten(empty: Client) -> None:
    """Indexing twice is one index; an index that is not there cannot be forgotten."""
    from sightline.adding import NewItem

    empty.add([NewItem(picture_bytes("red"), metadata={"camera": {"model": "x"}})])

    first, again = empty.index_field("camera.model"), empty.index_field("camera.model")
    indexed = {use.name: (use.items, use.indexed) for use in empty.fields()}
    empty.drop_field("camera.model")

    assert (first, again) == (True, False)
    assert indexed["camera.model"] == (1, True)
    with pytest.raises(NotFoundError):
        empty.drop_field("camera.model")


def test_label_sets_are_saved_and_used(empty: Client) -> None:
    """The same name again makes the next version; a name with a version finds its own."""
    empty.label_sets.save("colours", ["red", "green"], template_set="single")
    second = empty.label_sets.save("colours", ["red", "blue"], templates=["a {} thing"])

    answer = empty.classify_many([picture_bytes("blue")], LabelRequest(label_set="colours"))

    assert (second.version, second.labels, second.templates) == (
        2,
        ("red", "blue"),
        ("a {} thing",),
    )
    assert answer.label_set == "colours@2"
    assert answer.results[0].label == "blue"
    assert empty.label_sets.get("colours@1").labels == ("red", "green")
    assert {found.name: found.version for found in empty.label_sets.list()}["colours"] == 2


def test_the_service_says_what_it_is(client: Client) -> None:
    """Gallery, model and readiness."""
    gallery = client.gallery()
    (model,) = client.models()

    assert (gallery.count, gallery.dimension, gallery.coverage) == (6, 8, 1.0)
    assert (model.id, model.encoder_id, model.dim) == ("fake", gallery.encoder_id, 8)
    client.wait_until_ready(120)


def test_errors_are_those_of_the_core(client: Client) -> None:
    """Class, code, parameter, status and request id."""
    with pytest.raises(NotFoundError, match="no item 'nobody'") as missing:
        client.items.get("nobody")
    with pytest.raises(QueryError, match="empty"):
        client.search("")
    with pytest.raises(UsageError, match="limit is 1000") as out_of_range:
        client.search("red", k=5000)
    with pytest.raises(UnsupportedImageError):
        client.classify(b"junk", ["a"])

    assert missing.value.status == 404
    assert missing.value.request_id
    assert (out_of_range.value.code, out_of_range.value.param) == ("out_of_range", "k")


def test_what_makes_no_sense_is_refused_before_it_is_sent() -> None:
    """A text where a list belongs would be taken apart letter by letter."""
    with Client("http://127.0.0.1:9") as client:
        with pytest.raises(UsageError, match="list of texts"):
            client.embed_texts("red")
        with pytest.raises(UsageError, match="list of labels"):
            client.classify(b"x", "red")
        with pytest.raises(UsageError, match="list of ids"):
            client.items.delete("red")
        with pytest.raises(UsageError, match="one of the two"):
            client.items.delete()
        with pytest.raises(UsageError, match="nothing to change"):
            client.items.update("red")
        with pytest.raises(UsageError, match="is no image"):
            client.embed_images([3])  # type: ignore[list-item]
        with pytest.raises(NotFoundError, match="cannot be read"):
            client.search(images=["/nowhere.png"])


@pytest.mark.parametrize(
    ("sync", "awaited"),
    [
        (Client, AsyncClient),
        (Items, AsyncItems),
        (LabelSets, AsyncLabelSets),
        (Judgements, AsyncJudgements),
    ],
    ids=lambda kind: kind.__name__,
)
def test_both_clients_have_the_same_methods(sync: type, awaited: type) -> None:
    """The same names with the same parameters and defaults."""
    names = [name for name in vars(sync) if not name.startswith("_")]

    assert names == [name for name in vars(awaited) if not name.startswith("_")]
    for name in [*names, "__init__"]:
        ours, theirs = (inspect.signature(getattr(kind, name)) for kind in (sync, awaited))
        if name != "__init__" or sync is Client:
            assert ours.parameters == theirs.parameters, name


def test_the_client_imports_no_heavy_package() -> None:
    """It may run where nothing of the server is installed."""
    script = (
        "import sys, sightline.client, sightline.async_client\n"
        "heavy = {'torch', 'faiss', 'openvino', 'fastapi', 'pydantic', 'PIL', 'tokenizers'}\n"
        "rooms = {'encoders', 'index', 'zeroshot', 'evaluation', 'service', 'training', 'cli'}\n"
        "print(sorted((heavy | rooms) & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_an_unknown_label_set_is_not_found(client: Client) -> None:
    """Both by its name and in a request for labels."""
    with pytest.raises(SightlineError) as by_name:
        client.label_sets.get("nobody")
    with pytest.raises(SightlineError) as in_request:
        client.classify(picture_bytes("red"), LabelRequest(label_set="nobody"))

    assert isinstance(by_name.value, NotFoundError)
    assert isinstance(in_request.value, NotFoundError)
    assert not isinstance(by_name.value, LabelSetError)


def test_a_label_set_learns_and_is_calibrated(empty: Client) -> None:
    """Images with labels make a head and a calibration; the bad one is named in its place."""
    colours = ["red", "blue"]
    empty.label_sets.save(
        "two", [*colours, {"text": "other", "background": True}], template_set="name"
    )
    pictures = [
        picture_bytes((200 + n, 30, 20) if name == "red" else (20, 30, 200 + n))
        for n in range(12)
        for name in colours
    ]

    learnt = empty.label_sets.examples(
        "two", [*pictures[:12], b"junk"], [*colours * 6, "red"], head="class_means"
    )
    fitted = empty.label_sets.calibrate("two", pictures[12:], colours * 6)
    answer = empty.classify_many(pictures[:2], LabelRequest(label_set="two", alpha=0.5))

    assert learnt.label_set == fitted.label_set == "two@1"
    assert learnt.fit["kind"] == "class_means"
    assert [error is None for error in learnt.errors] == [True] * 12 + [False]
    assert fitted.errors == (None,) * 12
    assert [found.label for found in answer.results] == colours
    assert all(found.prediction_set is not None for found in answer.results)
    assert answer.head is not None
