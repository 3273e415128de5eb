"""``/v1/label-sets``: labels with details, examples, calibration, and what classify makes of it."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.fakes import FakeEncoder, picture_bytes
from tests.service.running import error_of, running

pytestmark = pytest.mark.slow  # starts a server for most tests

TRAFFIC = {"name": "traffic", "labels": ["red", "green", "blue"], "template_set": "name"}
PURPLE, BROWN = (150, 20, 150), (120, 70, 20)


def shade(rgb: tuple[int, int, int], place: int) -> str:
    """Return a picture near a colour as base64; each place is another picture."""
    offsets = np.random.default_rng(place).integers(-18, 19, 3)
    colour = tuple(
        int(np.clip(value + offset, 0, 255)) for value, offset in zip(rgb, offsets, strict=True)
    )
    return base64.b64encode(picture_bytes(colour)).decode()  # type: ignore[arg-type]  # three numbers


def shades(rgb: tuple[int, int, int], count: int, *, start: int = 0) -> list[str]:
    """Return several pictures near a colour."""
    return [shade(rgb, place) for place in range(start, start + count)]


def saved(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    """Save the label set of three colours."""
    answer = client.post("/v1/label-sets", json={**TRAFFIC, **changes})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def learn(client: httpx.Client, what: str, **body: Any) -> dict[str, Any]:
    """Send examples, or images to calibrate on."""
    answer = client.post(f"/v1/label-sets/traffic/{what}", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def classify(client: httpx.Client, **body: Any) -> dict[str, Any]:
    """Classify with the label set."""
    answer = client.post("/v1/classify", json={"label_set": "traffic", **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_labels_may_be_more_than_texts(empty: httpx.Client) -> None:
    """Aliases, own prompts and background come back by label; the rest are plain."""
    labels = [
        "green",
        {"text": "crimson", "aliases": ["red"], "prompts": ["a {} thing"]},
        {"text": "blue", "background": True},
    ]
    stored = saved(empty, labels=labels, language="en", concept="colour")

    assert stored["labels"] == ["green", "crimson", "blue"]
    assert stored["details"] == {
        "crimson": {"aliases": ["red"], "prompts": ["a {} thing"], "background": False},
        "blue": {"aliases": [], "prompts": [], "background": True},
    }
    assert stored["templates"] == ["colour: a {}"]
    assert stored["language"] == "en"
    assert classify(empty, image=shade((220, 20, 20), 1))["results"][0]["label"] == "crimson"


def test_a_background_label_that_wins_gives_no_label(empty: httpx.Client) -> None:
    """The reason says so, and the ranking shows it."""
    saved(empty, labels=["red", "green", {"text": "blue", "background": True}])

    (result,) = classify(empty, image=shade((20, 20, 220), 1))["results"]

    assert (result["label"], result["reason"]) == (None, "background")
    assert result["labels"][0] == {**result["labels"][0], "label": "blue", "background": True}


def test_a_prompt_that_is_too_long_is_warned_of(empty: httpx.Client) -> None:
    """When the set is saved, and when it labels."""
    long = {"text": "long", "prompts": ["word " * 90]}
    (warning,) = saved(empty, labels=["red", long])["warnings"]

    assert "92 tokens" in warning
    assert classify(empty, image=shade((220, 20, 20), 1))["warnings"] == [warning]


def test_examples_teach_what_the_texts_do_not_know(empty: httpx.Client) -> None:
    """Purple things are called blue here, brown ones green: the head learns it, and says so."""
    saved(empty)
    examples = {
        "image": [*shades(PURPLE, 8), *shades(BROWN, 8)],
        "labels": ["blue"] * 8 + ["green"] * 8,
    }
    before = classify(empty, image=shades(BROWN, 4, start=50))
    learnt = learn(empty, "examples", **examples)
    after = classify(empty, image=shades(BROWN, 4, start=50))
    texts = classify(empty, image=shades(BROWN, 4, start=50), use_head=False)

    head = learnt["head"]
    assert (head["number"], head["examples"], head["shots"]) == (1, 16, [0, 8])
    assert head["accuracy"] > head["accuracy_text"]
    assert head["gain"] == pytest.approx(head["accuracy"] - head["accuracy_text"])
    assert [entry["status"] for entry in learnt["results"]] == ["ok"] * 16
    assert before["head"] is None
    assert after["head"] == {"number": 1, "kind": head["kind"]}
    assert [entry["label"] for entry in after["results"]] == ["green"] * 4
    assert texts["results"] == before["results"]
    assert "green" not in {entry["label"] for entry in before["results"]}


def test_examples_come_as_a_form_with_files(empty: httpx.Client) -> None:
    """Labels as a repeated field or a JSON array, a bad file among them is an entry."""
    saved(empty)
    files = [("image", picture_bytes(name)) for name in ("red", "green", "blue")]
    files.insert(1, ("image", b"no picture"))
    labels = ["red", "red", "green", "blue"]
    repeated = empty.post(
        "/v1/label-sets/traffic/examples", files=files, data={"labels": labels, "head": "text"}
    )
    array = empty.post(
        "/v1/label-sets/traffic@1/examples", files=files, data={"labels": json.dumps(labels)}
    )

    for answer in (repeated, array):
        assert answer.status_code == 200, answer.text
        statuses = [entry["status"] for entry in answer.json()["results"]]
        assert statuses == ["ok", "error", "ok", "ok"]
        assert answer.json()["head"]["examples"] == 3


def test_calibration_makes_scores_rules_and_sets(empty: httpx.Client) -> None:
    """Known and unknown pictures in; a calibrated answer, a reason, and a prediction set out."""
    saved(empty)
    known = {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220)}
    images = [picture for rgb in known.values() for picture in shades(rgb, 7)]
    labels: list[str | None] = [name for name in known for _ in range(7)]
    fitted = learn(
        empty,
        "calibrate",
        image=[*images, *shades((128, 128, 128), 6), *shades((245, 245, 245), 6)],
        labels=[*labels, *[None] * 12],
    )["calibration"]
    grey = classify(empty, image=shade((245, 245, 245), 99))["results"][0]
    red = classify(empty, image=shade((220, 20, 20), 99), alpha=0.1)["results"][0]
    always = classify(empty, image=shade((245, 245, 245), 99), abstain={})["results"][0]
    fixed = classify(empty, image=shade((220, 20, 20), 99), temperature=3.0)["results"][0]

    assert (fitted["images"], fitted["unknown_images"], fitted["conformal_images"]) == (21, 12, 21)
    assert fitted["temperature"]["accuracy"] == 1.0
    assert fitted["rules"][0]["auroc"] >= fitted["rules"][-1]["auroc"]
    assert (grey["label"], grey["reason"]) == (None, fitted["rules"][0]["name"])
    assert red["calibrated"]
    assert red["label"] == "red"
    assert red["prediction_set"] == ["red"]
    assert always["label"] is not None
    assert not fixed["calibrated"]


def test_images_to_calibrate_on_add_up(empty: httpx.Client) -> None:
    """Several requests, because one has a limit; replace starts anew."""
    saved(empty)
    first = learn(empty, "calibrate", image=shades((220, 20, 20), 3), labels=["red"] * 3)
    both = learn(empty, "calibrate", image=shades((20, 20, 220), 3), labels=["blue"] * 3)
    anew = learn(
        empty, "calibrate", image=shades((20, 20, 220), 2), labels=["blue"] * 2, replace=True
    )

    counts = [answer["calibration"]["images"] for answer in (first, both, anew)]
    assert counts == [3, 6, 2]
    assert [answer["calibration"]["number"] for answer in (first, both, anew)] == [1, 2, 3]


def test_mode_multi_takes_several_labels_for_an_image(empty: httpx.Client) -> None:
    """And gives each label a probability that was fitted."""
    saved(empty, labels=["red", "crimson"])
    reds, blues = shades((220, 20, 20), 6), shades((20, 20, 220), 6)
    fitted = learn(
        empty,
        "calibrate",
        image=[*reds, *blues],
        labels=[["red", "crimson"]] * 6 + [None] * 6,
        mode="multi",
    )
    (result,) = classify(empty, image=reds[0], mode="multi")["results"]
    score_of = {item["label"]: item["score"] for item in result["labels"]}

    assert fitted["calibration"]["unknown_images"] == 6
    assert score_of["red"] > 0.5
    assert result["calibrated"] == (result["labels"][0]["label"] == "red")


class CountingEncoder(FakeEncoder):
    """A fake that is shared by the server and the test."""


def test_a_fitted_label_set_costs_no_call_of_the_model_more(tmp_path: Path) -> None:
    """One image is one image for the model, with and without head and calibration."""
    encoder = CountingEncoder()
    with running(tmp_path, encoder=encoder) as client:
        saved(client)
        classify(client, image=shade((220, 20, 20), 0))
        plain = (encoder.text_calls, encoder.images_seen)
        classify(client, image=shade((220, 20, 20), 1))
        cost = encoder.images_seen - plain[1]
        texts_for_nothing = encoder.text_calls - plain[0]
        learn(
            client,
            "examples",
            image=[*shades(PURPLE, 4), *shades(BROWN, 4)],
            labels=["blue"] * 4 + ["green"] * 4,
            head="tip_adapter",
        )
        learn(client, "calibrate", image=shades((20, 200, 20), 3), labels=["green"] * 3)
        fitted = (encoder.text_calls, encoder.images_seen)
        answer = classify(client, image=shade((220, 20, 20), 2))

        assert answer["head"] == {"number": 1, "kind": "tip_adapter"}
        assert answer["results"][0]["calibrated"]
        assert encoder.images_seen - fitted[1] == cost == 1
        assert encoder.text_calls - fitted[0] == texts_for_nothing == 0


def test_crops_are_so_many_images_for_the_model(tmp_path: Path) -> None:
    """Five views of a picture, averaged; of an item of the gallery too. They count as images."""
    encoder = CountingEncoder()
    halves = Image.new("RGB", (64, 64), (220, 20, 20))
    halves.paste((20, 20, 220), (0, 0, 30, 64))
    buffer = io.BytesIO()
    halves.save(buffer, "PNG")
    picture = base64.b64encode(buffer.getvalue()).decode()
    with running(tmp_path, encoder=encoder) as client:
        saved(client)
        client.post("/v1/items", json={"items": [{"image": picture, "id": "a"}]})
        classify(client, image=picture)
        before = encoder.images_seen
        five = classify(client, image=picture, crops=5)["results"][0]
        between = encoder.images_seen
        again = classify(client, image=picture, crops=5)["results"][0]
        item = classify(client, image_id="a", crops=5)["results"][0]
        one = classify(client, image_id="a")["results"][0]

        assert between - before == 5
        assert encoder.images_seen == between
        assert five == again == item
        assert five["labels"] != one["labels"]
        refused = client.post(
            "/v1/classify", json={"label_set": "traffic", "image": [picture] * 13, "crops": 5}
        )
        assert "65 views (5 of each image)" in error_of(refused, 422)["message"]


def test_an_ensemble_changes_the_cosine(empty: httpx.Client) -> None:
    """The best prompt is nearer than the mean of them; fits are not used with it."""
    saved(empty, template_set="imagenet7", labels=[{"text": "red", "aliases": ["x"]}, "green"])
    red = shade((220, 20, 20), 0)

    found = {
        ensemble: classify(empty, image=red, ensemble=ensemble)["results"][0]["labels"][0]["cosine"]
        for ensemble in ("embedding", "logit", "max")
    }

    assert found["logit"] < found["embedding"] < found["max"]


def test_fits_survive_a_restart(tmp_path: Path) -> None:
    """They are on the disk, beside the label set."""
    picture = shade(BROWN, 77)
    with running(tmp_path) as client:
        saved(client)
        learn(
            client,
            "examples",
            image=[*shades(PURPLE, 4), *shades(BROWN, 4)],
            labels=["blue"] * 4 + ["green"] * 4,
            head="class_means",
        )
        before = classify(client, image=picture)
    with running(tmp_path) as client:
        after = classify(client, image=picture)

    assert after["head"] == before["head"] == {"number": 1, "kind": "class_means"}
    assert after["results"] == before["results"]


def test_examples_of_another_model_are_a_conflict(tmp_path: Path) -> None:
    """409 with both ids; without the head the texts answer."""
    from zeroshot.classifier import build_classifier
    from zeroshot.few_shot import Examples
    from zeroshot.fitted_store import FittedStore
    from zeroshot.fitting import add_examples
    from zeroshot.label_sets import LabelSetStore

    with running(tmp_path) as client:
        saved(client)
        folder = tmp_path / "gallery" / "label-sets"
        label_set = LabelSetStore(folder).get("traffic")
        other = FakeEncoder("0123456789abcdef")
        texts_CD = other.encode_texts(["red", "green", "blue"])
        add_examples(
            FittedStore(folder),
            label_set,
            build_classifier(other, label_set.details, label_set.templates),
            Examples(texts_CD, np.arange(3)),
        )
        body = {"label_set": "traffic", "image": shade((220, 20, 20), 0)}

        refused = error_of(client.post("/v1/classify", json=body), 409)

        assert refused["code"] == "encoder_mismatch"
        assert "0123456789abcdef" in refused["message"]
        assert classify(client, image=body["image"], use_head=False)["head"] is None


def test_prediction_sets_need_a_calibration(empty: httpx.Client) -> None:
    """409 not_calibrated, of a label set and of labels in the request."""
    saved(empty)
    for chosen in ({"label_set": "traffic"}, {"labels": ["red", "green"]}):
        body = {**chosen, "image": shade((220, 20, 20), 0), "alpha": 0.1}
        assert error_of(empty.post("/v1/classify", json=body), 409)["code"] == "not_calibrated"


@pytest.mark.parametrize(
    ("what", "body", "status"),
    [
        ("examples", {"labels": ["red"]}, 400),
        ("examples", {"labels": ["red"], "image": ["", ""]}, 400),
        ("examples", {"labels": ["purple"] * 2, "image_id": ["a", "b"]}, 400),
        ("examples", {"labels": ["red", "green"], "image_id": ["a", "b"], "head": "best of"}, 400),
        ("examples", {"labels": [], "image_id": []}, 422),
        ("examples", {"labels": ["red"], "image_id": "nobody"}, 404),
        ("calibrate", {"labels": ["red"], "image_id": "nobody"}, 404),
        ("calibrate", {"labels": [None], "image": "OTHER"}, 400),
        ("calibrate", {"labels": [["red", "green"]], "image": "OTHER"}, 400),
        ("calibrate", {"labels": ["red"], "image": "OTHER", "keep": 0}, 422),
        ("calibrate", {"labels": ["red"], "image": "OTHER", "target_precision": 2}, 422),
        ("calibrate", {"labels": ["red"], "image": "OTHER", "conformal": "raps"}, 400),
        ("examples", {"labels": ["red"], "image": "OTHER"}, 400),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(
    traffic: httpx.Client, what: str, body: dict[str, Any], status: int
) -> None:
    """Each mistake gets its status in the one shape."""
    body = {**body, "image": shade((1, 2, 3), 0)} if body.get("image") == "OTHER" else body

    error_of(traffic.post(f"/v1/label-sets/traffic/{what}", json=body), status)


def test_an_unknown_label_set_is_not_found(traffic: httpx.Client) -> None:
    """Nothing is learnt for it."""
    for what in ("examples", "calibrate"):
        body = {"labels": ["red"], "image": shade((220, 20, 20), 0)}
        error_of(traffic.post(f"/v1/label-sets/nobody/{what}", json=body), 404)


@pytest.mark.parametrize(
    ("field", "status"), [({"crops": 2}, 400), ({"crops": 11}, 422), ({"alpha": 1.0}, 422)]
)
def test_options_of_classify_have_their_range(
    traffic: httpx.Client, field: dict[str, Any], status: int
) -> None:
    """Views are 1, 5 or 10, alpha is between 0 and 1."""
    body = {"label_set": "traffic", "image": shade((220, 20, 20), 0), **field}

    error_of(traffic.post("/v1/classify", json=body), status)


def test_a_read_only_service_learns_nothing(tmp_path: Path) -> None:
    """403 before anything is read."""
    with running(tmp_path) as client:
        saved(client)
    with running(tmp_path, read_only=True) as client:
        for what in ("examples", "calibrate"):
            body = {"labels": ["red"], "image": shade((220, 20, 20), 0)}
            error_of(client.post(f"/v1/label-sets/traffic/{what}", json=body), 403)


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Serve the label set of three colours; tests that use it must not change it."""
    with running(tmp_path_factory.mktemp("traffic")) as client:
        saved(client)
        yield client
