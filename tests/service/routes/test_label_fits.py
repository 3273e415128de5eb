"""``/v1/label-sets/{name}/fits`` and ``/v1/template-sets``: what the page shows of labels."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from tests.fakes import picture_bytes
from tests.service.running import error_of
from zeroshot.templates import template_set, template_set_names

pytestmark = pytest.mark.slow  # starts a server for most tests

SHADES = {"red": (220, 20, 20), "blue": (20, 20, 220)}


@pytest.fixture
def traffic(empty: httpx.Client) -> httpx.Client:
    """Save the label set of two colours."""
    save(empty, ["red", "blue"])
    return empty


def save(client: httpx.Client, labels: list[str]) -> None:
    """Save labels as the next version of ``traffic``."""
    body = {"name": "traffic", "labels": labels, "template_set": "name"}
    client.post("/v1/label-sets", json=body).raise_for_status()


def shades(label: str, count: int, *, start: int = 0) -> list[str]:
    """Return pictures that differ a little, as base64."""
    red, green, blue = SHADES[label]
    return [
        base64.b64encode(picture_bytes((red - place, green + place, blue - place))).decode()
        for place in range(start, start + count)
    ]


def learn(client: httpx.Client, what: str, **body: Any) -> dict[str, Any]:
    """Send examples, or images to calibrate on."""
    answer = client.post(f"/v1/label-sets/traffic/{what}", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def fits(client: httpx.Client, name: str = "traffic", **parameters: str) -> dict[str, Any]:
    """Return what a label set learned."""
    answer = client.get(f"/v1/label-sets/{name}/fits", params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_new_set_has_learned_nothing(traffic: httpx.Client) -> None:
    """No head, no calibration; the versions are those that were saved."""
    save(traffic, ["red", "green", "blue"])

    assert fits(traffic) == {
        "label_set": "traffic@2",
        "versions": [1, 2],
        "model": "fa4e000000000001",
        "head": None,
        "calibrations": {"single": None, "multi": None},
        "warnings": [],
    }
    assert fits(traffic, "traffic@1")["label_set"] == "traffic@1"
    assert fits(traffic, "imagenet")["versions"] == [1]
    error_of(traffic.get("/v1/label-sets/nobody/fits"), 404)


def test_what_examples_taught_is_told_again_later(traffic: httpx.Client) -> None:
    """The head of the answer is the head of the fits, with the examples of each label."""
    labels = ["red"] * 3 + ["blue"] * 2
    learnt = learn(
        traffic, "examples", image=[*shades("red", 3), *shades("blue", 2)], labels=labels
    )

    assert learnt["head"]["counts"] == {"red": 3, "blue": 2}
    assert fits(traffic)["head"] == learnt["head"]


def test_a_calibration_says_before_and_after(traffic: httpx.Client) -> None:
    """Counts by label, and the effect where it is asked for; the answer of the fit has it too."""
    images = [*shades("red", 4), *shades("blue", 3), base64.b64encode(picture_bytes()).decode()]
    labels = ["red"] * 4 + ["blue"] * 3 + [None]
    learnt = learn(traffic, "calibrate", image=images, labels=labels)["calibration"]

    assert learnt["counts"] == {"red": 4, "blue": 3}
    assert learnt["effect"]["accuracy"] == 1.0
    assert sum(each["images"] for each in learnt["effect"]["before"]["bins"]) == 7
    assert fits(traffic, effect="true")["calibrations"] == {"single": learnt, "multi": None}
    assert fits(traffic)["calibrations"]["single"] == {**learnt, "effect": None}


def test_a_calibration_of_an_older_head_is_not_in_force(traffic: httpx.Client) -> None:
    """New examples make a new head: the calibration stays on record, without an effect."""
    body = {"image": [*shades("red", 2), *shades("blue", 2)], "labels": ["red"] * 2 + ["blue"] * 2}
    assert learn(traffic, "calibrate", **body)["calibration"]["in_force"] is True
    learn(traffic, "examples", **body)
    found = fits(traffic, effect="true")["calibrations"]["single"]

    assert (found["in_force"], found["effect"]) == (False, None)


def test_every_template_set_is_listed_with_its_templates(empty: httpx.Client) -> None:
    """Name, what it is for, how many, and the texts; the default is one of them."""
    answer = empty.get("/v1/template-sets").json()
    listed = {each["name"]: each for each in answer["template_sets"]}

    assert tuple(listed) == template_set_names()
    assert answer["default"] in listed
    assert all(each["description"] for each in listed.values())
    for name, each in listed.items():
        assert each["templates"] == list(template_set(name).templates)
        assert each["number"] == len(each["templates"])
