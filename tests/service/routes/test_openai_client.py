"""The official ``openai`` client, unchanged, against ``/v1/embeddings`` and ``/v1/models``."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest

from tests.fakes import FakeEncoder, picture_bytes
from tests.service.running import running

TEXTS = ["a red car", "blue"]
EXPECTED_ND = FakeEncoder().encode_texts(TEXTS)


def connected(service: httpx.Client) -> openai.OpenAI:
    """Return a client of a service that tries once."""
    return openai.OpenAI(
        base_url=str(service.base_url.join("/v1")),
        api_key="any",
        max_retries=0,
        http_client=httpx.Client(trust_env=False),
    )


@pytest.fixture
def client(colours: httpx.Client) -> Iterator[openai.OpenAI]:
    """Return a client of the colours."""
    with connected(colours) as client:
        yield client


def test_batches_come_back_as_numbers(client: openai.OpenAI) -> None:
    """The client asks for base64 by itself and decodes it; the order is that of the texts."""
    answer = client.embeddings.create(model="fake", input=TEXTS)

    found_ND = np.asarray([entry.embedding for entry in answer.data], np.float32)
    np.testing.assert_array_equal(found_ND, EXPECTED_ND)
    assert [entry.index for entry in answer.data] == [0, 1]
    assert (answer.model, answer.usage.total_tokens) == ("fake", 8)


def test_floats_and_base64_are_the_same_numbers(client: openai.OpenAI) -> None:
    """Asked for by name, both encodings hold the same float32."""
    floats = client.embeddings.create(model="fake", input="blue", encoding_format="float")
    text = client.embeddings.create(model="fake", input="blue", encoding_format="base64")

    np.testing.assert_array_equal(np.float32(floats.data[0].embedding), EXPECTED_ND[1])
    encoded = str(text.data[0].embedding)
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(encoded), "<f4"), EXPECTED_ND[1])


def test_dimensions_are_shortened(client: openai.OpenAI) -> None:
    """Three numbers of length 1."""
    answer = client.embeddings.create(model="fake", input="a red car", dimensions=3)

    expected_D = EXPECTED_ND[0, :3] / np.linalg.norm(EXPECTED_ND[0, :3])
    np.testing.assert_allclose(answer.data[0].embedding, expected_D, rtol=1e-6)


def test_images_go_through_extra_body(client: openai.OpenAI) -> None:
    """As with infinity: the strings are data URIs and ``modality`` says so."""
    uri = f"data:image/png;base64,{base64.b64encode(picture_bytes('blue')).decode()}"
    answer = client.embeddings.create(model="fake", input=[uri], extra_body={"modality": "image"})

    assert np.float32(answer.data[0].embedding) @ EXPECTED_ND[1] > 0.98


def test_models_are_listed_and_retrieved(client: openai.OpenAI) -> None:
    """The list has one model, and it is found by its id."""
    assert [model.id for model in client.models.list()] == ["fake"]
    assert client.models.retrieve("fake").owned_by == "sightline"


def test_errors_are_the_exceptions_of_the_client(client: openai.OpenAI) -> None:
    """Each status is its class; the client finds message, param and code where it looks."""
    with pytest.raises(openai.NotFoundError, match="there is no model 'gpt'") as unknown:
        client.embeddings.create(model="gpt", input="x")
    with pytest.raises(openai.BadRequestError, match="token numbers") as tokens:
        client.embeddings.create(model="fake", input=[[101, 102]])
    with pytest.raises(openai.UnprocessableEntityError, match="the model has 8") as size:
        client.embeddings.create(model="fake", input="x", dimensions=9)
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("a/b")

    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    assert tokens.value.param == "input"
    assert (size.value.code, size.value.param) == ("out_of_range", "dimensions")
    assert size.value.request_id


def test_a_full_service_is_a_rate_limit_error(tmp_path: Path) -> None:
    """More texts than may wait for the model: 429 is the class that clients retry."""
    with (
        running(tmp_path, max_queued_texts=1, text_cache_entries=0) as service,
        connected(service) as client,
        pytest.raises(openai.RateLimitError) as full,
    ):
        client.embeddings.create(model="fake", input=["one", "two", "three"])

    assert full.value.response.headers["retry-after"]


def test_the_asynchronous_client_works_too(colours: httpx.Client) -> None:
    """Several requests at once, each with its own answer."""

    async def embed() -> list[list[float]]:
        async with openai.AsyncOpenAI(
            base_url=str(colours.base_url.join("/v1")),
            api_key="any",
            max_retries=0,
            http_client=httpx.AsyncClient(trust_env=False),
        ) as client:
            answers = await asyncio.gather(
                *(client.embeddings.create(model="fake", input=text) for text in TEXTS * 4)
            )
        return [answer.data[0].embedding for answer in answers]

    np.testing.assert_array_equal(np.float32(asyncio.run(embed())), np.tile(EXPECTED_ND, (4, 1)))
