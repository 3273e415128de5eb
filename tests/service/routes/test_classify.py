"""``POST /v1/classify``: labels, their scores, and images that are bad."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from tests.fakes import picture_bytes
from tests.service.running import COLOURS, error_of

LABELS = ["red", "green", "blue"]


def encoded(colour: str) -> str:
    """Return a picture as base64."""
    return base64.b64encode(picture_bytes(colour)).decode()


def post(client: httpx.Client, **body: Any) -> httpx.Response:
    """Classify by a JSON body."""
    return client.post("/v1/classify", json=body)


def test_the_answer_is_the_one_of_the_contract(colours: httpx.Client) -> None:
    """Every field is there, scores sum to one, the label is the best one."""
    answer = post(colours, image=encoded("red"), labels=LABELS).json()

    assert set(answer) == {"model", "label_set", "head", "warnings", "took_ms", "results"}
    assert answer["label_set"] is None
    (result,) = answer["results"]
    assert result["status"] == "ok"
    assert result["label"] == "red"
    assert (result["abstained"], result["reason"], result["calibrated"]) == (False, None, False)
    assert result["prediction_set"] is None
    assert set(result["labels"][0]) == {"label", "score", "cosine", "background"}
    assert result["labels"][0]["label"] == "red"
    assert sum(entry["score"] for entry in result["labels"]) == pytest.approx(1.0, abs=1e-5)


def test_files_and_json_give_the_same_scores(colours: httpx.Client) -> None:
    """A form with repeated labels, one with a JSON array, and a JSON body agree."""
    files = {"image": picture_bytes("blue")}
    repeated = colours.post("/v1/classify", files=files, data={"labels": LABELS}).json()
    array = colours.post("/v1/classify", files=files, data={"labels": json.dumps(LABELS)}).json()
    body = post(colours, image=encoded("blue"), labels=LABELS).json()

    assert repeated["results"] == array["results"] == body["results"]
    assert body["results"][0]["label"] == "blue"


def test_empty_fields_of_a_form_are_absent(colours: httpx.Client) -> None:
    """A form in a browser sends every field, also those that nobody filled in."""
    data = {"labels": LABELS, "label_set": "", "templates": "", "mode": "", "top_k": ""}
    answer = colours.post("/v1/classify", files={"image": picture_bytes("red")}, data=data)

    assert answer.json()["results"][0]["label"] == "red"


def test_one_label_is_a_list_of_one(colours: httpx.Client) -> None:
    """A form with a single label is no text to split."""
    answer = colours.post(
        "/v1/classify", files={"image": picture_bytes("red")}, data={"labels": "red, or green"}
    )

    assert [entry["label"] for entry in answer.json()["results"][0]["labels"]] == ["red, or green"]


def test_results_come_in_the_order_of_the_images(colours: httpx.Client) -> None:
    """Files first, then base64, then items of the gallery."""
    answer = post(
        colours, image=[encoded("blue"), encoded("red")], image_id=["green"], labels=LABELS
    ).json()

    assert [result["label"] for result in answer["results"]] == ["blue", "red", "green"]


def test_a_bad_image_among_several_is_an_entry(colours: httpx.Client) -> None:
    """The others are answered as if it were not there."""
    cut = picture_bytes("red", size=(300, 200))[:200]
    files = [("image", picture_bytes("red")), ("image", cut), ("image", picture_bytes("green"))]
    answer = colours.post("/v1/classify", files=files, data={"labels": LABELS})

    assert answer.status_code == 200
    first, bad, last = answer.json()["results"]
    assert (first["label"], last["label"]) == ("red", "green")
    assert bad["status"] == "error"
    assert bad["error"]["type"] == "invalid_image"
    assert bad["error"]["param"] == "image[1]"


def test_bad_base64_and_unknown_items_are_entries_too(colours: httpx.Client) -> None:
    """Whatever is wrong with one image stays with it."""
    answer = post(colours, image=["%%%", encoded("red")], image_id="nobody", labels=LABELS).json()

    assert [result["status"] for result in answer["results"]] == ["error", "ok", "error"]
    assert answer["results"][0]["error"]["code"] == "invalid_base64"
    assert answer["results"][2]["error"]["type"] == "not_found"


def test_top_k_shortens_the_list_only(colours: httpx.Client) -> None:
    """The scores are those over all labels."""
    full = post(colours, image_id="red", labels=list(COLOURS), top_k=6).json()["results"][0]
    short = post(colours, image_id="red", labels=list(COLOURS), top_k=2).json()["results"][0]

    assert len(full["labels"]) == 6
    assert short["labels"] == full["labels"][:2]


def test_multi_scores_stand_alone(colours: httpx.Client) -> None:
    """In mode multi each label has a probability of its own."""
    body = {"image_id": "red", "mode": "multi", "top_k": 6}
    alone = post(colours, labels=["red"], **body).json()["results"][0]["labels"][0]
    among = post(colours, labels=list(COLOURS), **body).json()["results"][0]["labels"]

    assert next(entry for entry in among if entry["label"] == "red")["score"] == alone["score"]


def test_a_weak_label_is_not_given(colours: httpx.Client) -> None:
    """Abstaining names the rule that fired and keeps the ranking."""
    result = post(colours, image_id="white", labels=LABELS, abstain={"min_cosine": 0.99}).json()[
        "results"
    ][0]

    assert (result["label"], result["abstained"], result["reason"]) == (None, True, "min_cosine")
    assert len(result["labels"]) == 3


def test_a_temperature_above_one_is_less_sure(colours: httpx.Client) -> None:
    """The best score falls, the order stays."""
    body = {"image_id": "yellow", "labels": LABELS}
    sharp = post(colours, **body).json()["results"][0]["labels"]
    soft = post(colours, temperature=50, **body).json()["results"][0]["labels"]

    assert soft[0]["label"] == sharp[0]["label"]
    assert soft[0]["score"] < sharp[0]["score"]


def test_label_sets_are_saved_versioned_and_used(empty: httpx.Client) -> None:
    """A saved set classifies by name; saving again makes a version and keeps the old one."""
    body = {"name": "traffic", "labels": ["red", "green"], "template_set": "name"}
    first = empty.post("/v1/label-sets", json=body).json()
    second = empty.post("/v1/label-sets", json={**body, "labels": ["blue", "yellow"]}).json()
    newest = post(empty, image=encoded("blue"), label_set="traffic").json()
    oldest = post(empty, image=encoded("red"), label_set="traffic@1").json()

    assert (first["version"], second["version"]) == (1, 2)
    assert first["template_set"] == "name"
    assert (newest["label_set"], newest["results"][0]["label"]) == ("traffic@2", "blue")
    assert (oldest["label_set"], oldest["results"][0]["label"]) == ("traffic@1", "red")
    assert first.pop("warnings") == []
    assert empty.get("/v1/label-sets/traffic@1").json() == first
    listed = empty.get("/v1/label-sets").json()["label_sets"]
    assert [item["version"] for item in listed if item["name"] == "traffic"] == [2]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"labels": LABELS}, 400),
        ({"image_id": "red"}, 400),
        ({"image_id": "red", "labels": []}, 400),
        ({"image_id": "red", "labels": [""]}, 400),
        ({"image_id": "red", "labels": ["a", "A"]}, 400),
        ({"image_id": "red", "labels": LABELS, "label_set": "x"}, 400),
        ({"image_id": "red", "labels": LABELS, "templates": ["no place"]}, 400),
        ({"image_id": "red", "labels": LABELS, "templates": ["{} and {}"]}, 400),
        ({"image_id": "red", "labels": LABELS, "templates": ["{0.__class__}"]}, 400),
        ({"image_id": "red", "labels": LABELS, "templates": ["{:>999999999}"]}, 400),
        ({"image_id": "red", "labels": LABELS, "template_set": "unknown"}, 400),
        ({"image_id": "red", "labels": LABELS, "template_set": "name", "templates": ["{}"]}, 400),
        ({"image_id": "red", "labels": LABELS, "mode": "both"}, 400),
        ({"image_id": "red", "labels": LABELS, "top_k": 0}, 422),
        ({"image_id": "red", "labels": LABELS, "temperature": 0}, 422),
        ({"image_id": "red", "labels": LABELS, "abstain": {"min_score": 2}}, 422),
        ({"image_id": "red", "labels": LABELS, "abstain": {"min_luck": 1}}, 400),
        (
            {
                "image_id": "red",
                "labels": [f"l{n}" for n in range(1000)],
                "template_set": "imagenet80",
            },
            422,
        ),
        ({"image_id": "red", "label_set": "unknown"}, 404),
        ({"image_id": "red", "label_set": "../../etc/passwd"}, 404),
        ({"image_id": "nobody", "labels": LABELS}, 404),
        ({"image_url": "http://localhost/x.png", "labels": LABELS}, 400),
        ({"image": "https://localhost/x.png", "labels": LABELS}, 400),
    ],
)
def test_what_makes_no_classifier_is_refused(
    colours: httpx.Client, body: dict[str, Any], status: int
) -> None:
    """Each mistake gets its status in the one shape."""
    error_of(post(colours, **body), status)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 422),
        (b"not an image at all", 415),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", 415),
        (picture_bytes("red")[:40], 422),
        (picture_bytes("red", format="JPEG")[:-40], 422),
        (b"\xff\xd8\xff" + b"\0" * 500, 422),
    ],
)
def test_a_single_bad_image_gets_its_status(
    colours: httpx.Client, data: bytes, status: int
) -> None:
    """Empty, truncated and foreign files, as a file part and as base64."""
    by_file = colours.post(
        "/v1/classify", files={"image": ("cat.jpg", data, "image/jpeg")}, data={"labels": LABELS}
    )
    by_base64 = post(colours, image=base64.b64encode(data).decode(), labels=LABELS)

    assert error_of(by_file, status) == error_of(by_base64, status)
    assert by_file.json()["error"]["param"] == "image[0]"


def test_too_many_images_are_refused(colours: httpx.Client) -> None:
    """The limit is named; nothing of the request is worked on."""
    answer = post(colours, image_id=["red"] * 65, labels=LABELS)

    assert "the limit is 64" in error_of(answer, 422)["message"]


def test_a_file_part_of_another_name_is_refused(colours: httpx.Client) -> None:
    """A misnamed part is no silent nothing."""
    answer = colours.post(
        "/v1/classify", files={"file": picture_bytes("red")}, data={"labels": LABELS}
    )

    assert "name files 'image'" in error_of(answer, 400)["message"]
