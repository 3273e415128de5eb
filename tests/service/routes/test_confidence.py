"""``confidence`` and ``min_confidence`` of ``/v1/search``, by a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from encoders.confidence import Calibration, ConfidenceLine
from tests.fakes import FakeEncoder, picture_bytes
from tests.service.running import add_colours, error_of, running


class CalibratedEncoder(FakeEncoder):
    """Its confidence is one half where the cosine is one half."""

    calibration = Calibration(
        FakeEncoder().encoder_id,
        np.zeros((1, FakeEncoder.dim), np.float32),
        {"text": ConfidenceLine(10.0, 0.0, -5.0), "image": ConfidenceLine(10.0, 0.0, -5.0)},
    )


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve six one-colour pictures by a model that is calibrated."""
    folder: Path = tmp_path_factory.mktemp("rated")
    with running(folder, encoder=CalibratedEncoder()) as client:
        add_colours(client)
        yield client


def test_every_hit_tells_its_confidence(rated: httpx.Client) -> None:
    """A number from 0 to 1 that falls with the score."""
    hits = rated.get("/v1/search", params={"q": "a red car", "k": 6}).json()["hits"]
    found = [hit["confidence"] for hit in hits]

    assert found[0] == pytest.approx(0.9933, abs=1e-3)
    assert found == sorted(found, reverse=True)


def test_what_is_not_sure_enough_is_left_out(rated: httpx.Client) -> None:
    """By address and by body, and for an uploaded picture too."""
    by_address = rated.get("/v1/search", params={"q": "red", "min_confidence": 0.9}).json()
    by_body = rated.post("/v1/search", json={"query": "red", "min_confidence": 0.9}).json()
    by_picture = rated.post(
        "/v1/search",
        files={"image": picture_bytes("red"), "min_confidence": (None, "0.9")},
    ).json()

    for answer in (by_address, by_body, by_picture):
        assert [hit["id"] for hit in answer["hits"]] == ["red"]
        assert answer["cursor"] is None


def test_nonsense_gets_an_empty_answer(rated: httpx.Client) -> None:
    """200 and no hits: there is nothing of the kind."""
    answer = rated.get("/v1/search", params={"q": "democracy", "min_confidence": 0.5})

    assert (answer.status_code, answer.json()["hits"]) == (200, [])


def test_combined_queries_have_no_confidence_to_ask_for(rated: httpx.Client) -> None:
    """400 with the parameter; without it they are answered."""
    refused = rated.post("/v1/search", json={"query": "red -blue", "min_confidence": 0.5})
    answered = rated.post("/v1/search", json={"query": "red -blue", "k": 1})

    assert error_of(refused, 400)["param"] == "min_confidence"
    assert answered.json()["hits"][0]["confidence"] is None


def test_without_a_calibration_there_is_none_to_ask_for(colours: httpx.Client) -> None:
    """400, and the message says what is missing."""
    refused = colours.get("/v1/search", params={"q": "red", "min_confidence": 0.5})

    assert "a model with a calibration" in error_of(refused, 400)["message"]
