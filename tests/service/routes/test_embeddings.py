"""``/v1/embeddings`` and ``/v1/models``: the shape of the OpenAI API, by its own client too."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import numpy as np
import openai
import pytest

from tests.fakes import FakeEncoder, picture_bytes
from tests.service.running import error_of

TEXTS = ["a red car", "blue"]
EXPECTED_ND = FakeEncoder().encode_texts(TEXTS)


def post(client: httpx.Client, **body: Any) -> httpx.Response:
    """Embed by a JSON body."""
    return client.post("/v1/embeddings", json=body)


def vectors(answer: httpx.Response) -> Any:
    """Return the embeddings of an answer as an array."""
    assert answer.status_code == 200, answer.text
    return np.asarray([entry["embedding"] for entry in answer.json()["data"]], np.float32)


def test_the_answer_has_the_shape_of_the_original(colours: httpx.Client) -> None:
    """List, index, model and usage; numbers are those of the encoder."""
    answer = post(colours, input=TEXTS, model="fake")
    body = answer.json()

    np.testing.assert_array_equal(vectors(answer), EXPECTED_ND)
    assert body["object"] == "list"
    assert [entry["index"] for entry in body["data"]] == [0, 1]
    assert {entry["object"] for entry in body["data"]} == {"embedding"}
    assert body["model"] == "fake"
    assert body["usage"] == {"prompt_tokens": 8, "total_tokens": 8}


def test_base64_holds_the_same_numbers(colours: httpx.Client) -> None:
    """Little-endian float32."""
    entry = post(colours, input="a red car", encoding_format="base64").json()["data"][0]

    np.testing.assert_array_equal(
        np.frombuffer(base64.b64decode(entry["embedding"]), "<f4"), EXPECTED_ND[0]
    )


def test_fewer_dimensions_are_normalised_again(colours: httpx.Client) -> None:
    """The first three numbers, of length 1."""
    (short_D,) = vectors(post(colours, input="a red car", dimensions=3))

    expected_D = EXPECTED_ND[0, :3] / np.linalg.norm(EXPECTED_ND[0, :3])
    np.testing.assert_allclose(short_D, expected_D, rtol=1e-6)


def test_images_are_embedded_as_objects_or_by_modality(colours: httpx.Client) -> None:
    """Two ways to say image, one vector."""
    encoded = base64.b64encode(picture_bytes("blue")).decode()
    by_object = vectors(post(colours, input=[{"image": encoded}]))
    by_modality = vectors(post(colours, input=encoded, modality="image"))

    np.testing.assert_array_equal(by_object, by_modality)
    assert by_object[0] @ EXPECTED_ND[1] > 0.98


def test_the_path_without_prefix_answers_too(colours: httpx.Client) -> None:
    """Some clients take the server's root as base."""
    answer = colours.post("/embeddings", json={"input": TEXTS})

    np.testing.assert_array_equal(vectors(answer), EXPECTED_ND)


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "input"),
        ({"input": []}, 400, "input"),
        ({"input": ""}, 400, "input[0]"),
        ({"input": ["a", " "]}, 400, "input[1]"),
        ({"input": 5}, 400, "input"),
        ({"input": "a", "model": "gpt"}, 404, "model"),
        ({"input": "a", "dimensions": 0}, 422, "dimensions"),
        ({"input": "a", "dimensions": 9}, 422, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, 400, "encoding_format"),
        ({"input": ["a", {"image": "AAAA"}]}, 400, "input"),
        ({"input": [{"image": "AAAA"}]}, 415, "input[0]"),
        ({"input": [{"image": "http://localhost/x"}]}, 400, "input[0]"),
        ({"input": ["a"] * 2049}, 422, "input"),
        ({"input": "a" * 5000}, 422, "input[0]"),
    ],
)
def test_what_cannot_be_embedded_is_refused(
    colours: httpx.Client, body: dict[str, Any], status: int, param: str
) -> None:
    """Each mistake gets its status and names its place."""
    assert error_of(post(colours, **body), status)["param"] == param


def test_the_official_client_works_unchanged(colours: httpx.Client) -> None:
    """Embeddings (which it asks for as base64), models, and its own error class."""
    with openai.OpenAI(
        base_url=str(colours.base_url.join("/v1")),
        api_key="any",
        max_retries=0,
        http_client=httpx.Client(trust_env=False),
    ) as client:
        answer = client.embeddings.create(model="fake", input=TEXTS)
        found_ND = np.asarray([entry.embedding for entry in answer.data], np.float32)
        plain = client.embeddings.create(model="fake", input="blue", encoding_format="float")
        models = [model.id for model in client.models.list()]
        with pytest.raises(openai.NotFoundError, match="there is no model 'gpt'"):
            client.embeddings.create(model="gpt", input="x")

    np.testing.assert_array_equal(found_ND, EXPECTED_ND)
    np.testing.assert_array_equal(np.float32(plain.data[0].embedding), EXPECTED_ND[1])
    assert models == ["fake"]
