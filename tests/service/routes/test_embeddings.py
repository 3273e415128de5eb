"""``/v1/embeddings`` and ``/v1/models``: the shape of the OpenAI API, by its own client too."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import numpy as np
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


def test_texts_and_images_of_one_request_keep_their_order(colours: httpx.Client) -> None:
    """The spellings of Jina, Voyage and vLLM beside plain strings: one vector each, in order."""
    uri = f"data:image/png;base64,{base64.b64encode(picture_bytes('blue')).decode()}"
    answer = post(
        colours,
        input=[
            {"image": uri},
            "a red car",
            {"text": "blue"},
            {"type": "image_url", "image_url": {"url": uri}},
            {"type": "text", "text": "a red car"},
        ],
    )
    found_ND = vectors(answer)

    np.testing.assert_array_equal(found_ND[[1, 2, 4]], EXPECTED_ND[[0, 1, 0]])
    np.testing.assert_array_equal(found_ND[0], found_ND[3])
    assert found_ND[0] @ EXPECTED_ND[1] > 0.98
    assert answer.json()["usage"]["prompt_tokens"] == 13


def test_one_message_is_one_vector(colours: httpx.Client) -> None:
    """As vLLM writes it: a message with one part."""
    uri = f"data:image/png;base64,{base64.b64encode(picture_bytes('blue')).decode()}"
    part = {"type": "image_url", "image_url": {"url": uri, "detail": "auto"}}
    by_part = vectors(post(colours, messages=[{"role": "user", "content": [part]}]))
    by_input = vectors(post(colours, input=[{"image": uri}]))
    by_text = vectors(post(colours, messages=[{"role": "user", "content": "blue"}]))

    np.testing.assert_array_equal(by_part, by_input)
    np.testing.assert_array_equal(by_text, EXPECTED_ND[1:])


def test_token_numbers_are_refused_with_the_remedy(colours: httpx.Client) -> None:
    """They belong to another tokenizer; the message says what langchain's users set."""
    error = error_of(post(colours, input=[[101, 2023], [102]]), 400)

    assert "check_embedding_ctx_length=False" in error["message"]


def test_a_model_is_found_by_name_and_by_encoder_id(colours: httpx.Client) -> None:
    """Any other name is 404."""
    by_name = colours.get("/v1/models/fake").json()

    assert by_name == colours.get(f"/v1/models/{FakeEncoder().encoder_id}").json()
    assert by_name == colours.get("/v1/models").json()["data"][0]
    assert error_of(colours.get("/v1/models/gpt"), 404)["code"] == "model_not_found"


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
        ({"input": ["a", {"image": "AAAA"}]}, 415, "input[1]"),
        ({"input": [1, 2, 3]}, 400, "input"),
        ({"input": [[1, 2], [3]]}, 400, "input"),
        ({"input": "a", "messages": [{"role": "user", "content": "a"}]}, 400, "input"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "user", "content": "a"}] * 2}, 400, "messages"),
        ({"messages": [{"role": "system", "content": "a"}]}, 400, "messages[0].role"),
        ({"input": [{"type": "image_url", "image_url": {"url": "data:,x"}}]}, 400, "input[0]"),
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
