"""The shared encoder: batches form by themselves, and nobody pays for a neighbour.

# N = items, S = image size, D = embedding dimension
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from core.errors import DeadlineError, EncoderError, NotReadyError, SightlineError
from core.types import FloatArray, PixelArray
from service.batching import BatchLimits, SharedEncoder
from service.request_scope import CURRENT_SCOPE, Priority, RequestScope
from service.vector_cache import VectorCache
from tests.fakes import FakeEncoder
from tests.service.observing import PATIENCE_S, KeepingObserver, wait_until

POISON = 7
COLOURS = ("red", "green", "blue", "yellow", "white", "black")


class GatedEncoder(FakeEncoder):
    """Waits at a gate in each call, notes its batches, and fails on a poisonous picture."""

    def __init__(self) -> None:
        """Start with the gate open."""
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.batches: list[int] = []
        self.closed = False

    def encode_images(self, pixels_NSS3: PixelArray) -> FloatArray:
        """Refuse batches with a poisonous picture, as a model that crashes would."""
        self._pass(len(pixels_NSS3))
        if (pixels_NSS3 == POISON).all(axis=(1, 2, 3)).any():
            raise RuntimeError("the kernel failed")
        return super().encode_images(pixels_NSS3)

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """Give a NaN for a text that asks for it."""
        self._pass(len(texts))
        vectors_ND = super().encode_texts(texts)
        vectors_ND[[text == "nan" for text in texts]] = np.nan
        return vectors_ND

    def close(self) -> None:
        """Note that it happened."""
        self.closed = True

    def _pass(self, size: int) -> None:
        self.batches.append(size)
        self.entered.set()
        assert self.gate.wait(PATIENCE_S)


@pytest.fixture
def model() -> GatedEncoder:
    """Return the encoder behind the shared one."""
    return GatedEncoder()


@pytest.fixture
def observer() -> KeepingObserver:
    """Return what is told of the batches."""
    return KeepingObserver()


@pytest.fixture
def shared(model: GatedEncoder, observer: KeepingObserver) -> Iterator[SharedEncoder]:
    """Return a shared encoder with small batches and queues."""
    limits = BatchLimits(
        max_batch_images=8,
        max_batch_texts=4,
        max_queued_images=16,
        max_queued_texts=6,
        aging_s=1000.0,
        timeout_s=1000.0,
    )
    encoder = SharedEncoder(model, observer=observer, limits=limits, text_cache=VectorCache(100))
    yield encoder
    model.gate.set()
    encoder.close()


def pixels(value: int) -> PixelArray:
    """Return a grey picture of the model's size."""
    return np.full((16, 16, 3), value, np.uint8)


def within(timeout_s: float) -> RequestScope:
    """Return a request that ends soon."""
    return RequestScope("test", expires_at=time.monotonic() + timeout_s, timeout_s=timeout_s)


def test_results_are_those_of_the_encoder(shared: SharedEncoder) -> None:
    """Texts and images embed to the same numbers with and without batching."""
    pictures_NSS3 = np.stack([pixels(value) for value in range(10, 30)])
    texts = ["a red car", "nothing", "a red car"]
    direct = FakeEncoder()

    np.testing.assert_array_equal(
        shared.encode_images(pictures_NSS3), direct.encode_images(pictures_NSS3)
    )
    np.testing.assert_array_equal(shared.encode_texts(texts), direct.encode_texts(texts))
    assert shared.count_tokens(["a red car", "x"]) == [5, 3]


def test_it_says_what_its_encoder_says(shared: SharedEncoder, model: GatedEncoder) -> None:
    """Identity, size and preprocessing are the encoder's own."""
    assert shared.encoder_id == model.encoder_id
    assert shared.name == "fake"
    assert shared.dim == 8
    assert shared.preprocessing == model.preprocessing
    assert shared.logit_scale == 100.0
    assert shared.logit_bias == 0.0


def test_nothing_in_gives_nothing_out(shared: SharedEncoder, model: GatedEncoder) -> None:
    """No input needs no model call."""
    assert shared.encode_texts([]).shape == (0, 8)
    assert shared.encode_images(np.empty((0, 16, 16, 3), np.uint8)).shape == (0, 8)
    assert model.batches == []


def test_requests_that_wait_together_share_a_batch(
    shared: SharedEncoder, model: GatedEncoder
) -> None:
    """While the model is busy others queue up, and the next call takes them all."""
    model.gate.clear()
    with ThreadPoolExecutor(6) as clients:
        first = clients.submit(shared.encode_images, pixels(10)[None])
        assert model.entered.wait(PATIENCE_S)
        others = [clients.submit(shared.encode_images, pixels(20 + n)[None]) for n in range(5)]
        wait_until(lambda: shared.queued("image") == 5)
        model.gate.set()
        for future in (first, *others):
            assert future.result(PATIENCE_S).shape == (1, 8)

    assert model.batches == [1, 5]


def test_a_batch_takes_no_more_than_its_limit(shared: SharedEncoder, model: GatedEncoder) -> None:
    """A request larger than a batch is cut into several."""
    shared.encode_images(np.stack([pixels(value) for value in range(20)]) + 10)

    assert model.batches == [8, 8, 4]


def test_each_of_many_threads_gets_its_own_answer(shared: SharedEncoder) -> None:
    """Two hundred mixed calls from eight threads: every answer belongs to its question."""
    direct = FakeEncoder()

    def ask(number: int) -> None:
        if number % 2:
            text = f"{COLOURS[number % 6]} {number}"
            np.testing.assert_array_equal(shared.encode_texts([text]), direct.encode_texts([text]))
        else:
            picture_1SS3 = pixels(10 + number)[None]
            np.testing.assert_array_equal(
                shared.encode_images(picture_1SS3), direct.encode_images(picture_1SS3)
            )

    with ThreadPoolExecutor(6) as clients:
        list(clients.map(ask, range(200)))


def test_a_picture_that_breaks_the_model_harms_no_neighbour(shared: SharedEncoder) -> None:
    """The batch is halved until the culprit stands alone; its eleven neighbours are answered."""
    pictures = [pixels(POISON if place in {3, 9} else 50 + place) for place in range(12)]

    outcomes = shared.encode_each_image(pictures)

    bad = [place for place, outcome in enumerate(outcomes) if isinstance(outcome, SightlineError)]
    assert bad == [3, 9]
    assert all(isinstance(outcomes[place], EncoderError) for place in bad)
    expected_ND = FakeEncoder().encode_images(np.stack([pictures[0], pictures[11]]))
    np.testing.assert_array_equal(outcomes[0], expected_ND[0])
    np.testing.assert_array_equal(outcomes[11], expected_ND[1])


def test_a_broken_request_fails_alone_in_a_shared_batch(
    shared: SharedEncoder, model: GatedEncoder
) -> None:
    """Of two requests in one batch, only the one with the bad picture sees an error."""
    model.gate.clear()
    with ThreadPoolExecutor(3) as clients:
        clients.submit(shared.encode_images, pixels(10)[None])
        assert model.entered.wait(PATIENCE_S)
        bad = clients.submit(shared.encode_images, pixels(POISON)[None])
        good = clients.submit(shared.encode_images, pixels(99)[None])
        wait_until(lambda: shared.queued("image") == 2)
        model.gate.set()

        assert good.result(PATIENCE_S).shape == (1, 8)
        with pytest.raises(EncoderError, match="the kernel failed"):
            bad.result(PATIENCE_S)


def test_a_vector_that_is_not_finite_is_an_error_of_its_text(shared: SharedEncoder) -> None:
    """NaN never leaves the encoder, and the text beside it is still answered later."""
    with pytest.raises(EncoderError, match="not finite"):
        shared.encode_texts(["a red car", "nan"])

    assert np.isfinite(shared.encode_texts(["a red car"])).all()


def test_the_lane_that_waits_longest_goes_first(
    shared: SharedEncoder, model: GatedEncoder, observer: KeepingObserver
) -> None:
    """Of two lanes with the same priority, a stream of pictures cannot starve a text."""
    model.gate.clear()
    with ThreadPoolExecutor(4) as clients:
        clients.submit(shared.encode_images, pixels(10)[None])
        assert model.entered.wait(PATIENCE_S)
        clients.submit(shared.encode_texts, ["a"])
        wait_until(lambda: shared.queued("text") == 1)
        clients.submit(shared.encode_images, pixels(11)[None])
        wait_until(lambda: shared.queued("image") == 1)
        model.gate.set()

    wait_until(lambda: len(observer.batches) == 3)
    assert observer.batches == [("image", 1), ("text", 1), ("image", 1)]


def test_a_request_stops_waiting_at_its_deadline(
    shared: SharedEncoder, model: GatedEncoder
) -> None:
    """A stuck model costs a request its deadline, not for ever."""
    model.gate.clear()
    token = CURRENT_SCOPE.set(within(0.02))
    try:
        with pytest.raises(DeadlineError, match=r"0\.02 s"):
            shared.encode_texts(["a"])
    finally:
        CURRENT_SCOPE.reset(token)


def test_work_that_nobody_waits_for_is_skipped(
    shared: SharedEncoder, model: GatedEncoder, observer: KeepingObserver
) -> None:
    """An abandoned request in the queue never reaches the model."""
    scope = within(60)
    model.gate.clear()

    def ask() -> None:
        CURRENT_SCOPE.set(scope)
        shared.encode_texts(["nobody waits"])

    with ThreadPoolExecutor(2) as clients:
        clients.submit(shared.encode_images, pixels(10)[None])
        assert model.entered.wait(PATIENCE_S)
        abandoned = clients.submit(ask)
        wait_until(lambda: shared.queued("text") == 1)
        scope.abandon()
        model.gate.set()
        with pytest.raises(DeadlineError):
            abandoned.result(PATIENCE_S)

    assert model.text_calls == 0
    assert observer.skipped == {"text": 1}


def test_a_client_that_goes_away_frees_its_places_at_once(
    shared: SharedEncoder, model: GatedEncoder
) -> None:
    """While the model is busy with others, the queue gets shorter and the thread is free."""
    scope = within(1000)
    model.gate.clear()

    def ask() -> None:
        CURRENT_SCOPE.set(scope)
        shared.encode_images(np.stack([pixels(20), pixels(21)]))

    with ThreadPoolExecutor(2) as clients:
        running = clients.submit(shared.encode_images, pixels(10)[None])
        assert model.entered.wait(PATIENCE_S)
        abandoned = clients.submit(ask)
        wait_until(lambda: shared.queued("image") == 2)
        scope.abandon()

        with pytest.raises(DeadlineError):
            abandoned.result(PATIENCE_S)
        assert shared.queued("image") == 0
        model.gate.set()
        assert running.result(PATIENCE_S).shape == (1, 8)
    assert model.batches == [1]


def test_a_search_overtakes_pictures_that_are_being_added(
    shared: SharedEncoder, model: GatedEncoder, observer: KeepingObserver
) -> None:
    """The priority of the request decides, over lanes and within one."""
    model.gate.clear()

    def add() -> None:
        with_priority = within(1000)
        with_priority.priority = Priority.BULK
        CURRENT_SCOPE.set(with_priority)
        shared.encode_images(pixels(30)[None])

    with ThreadPoolExecutor(4) as clients:
        clients.submit(shared.encode_images, pixels(10)[None])
        assert model.entered.wait(PATIENCE_S)
        clients.submit(add)
        wait_until(lambda: shared.queued("image") == 1)
        clients.submit(shared.encode_images, pixels(40)[None])
        wait_until(lambda: shared.queued("image") == 2)
        clients.submit(shared.encode_texts, ["a"])
        wait_until(lambda: shared.queued("text") == 1)
        model.gate.set()

    wait_until(lambda: len(observer.waited) == 4)
    assert observer.waited == [
        ("image", "search"),
        ("image", "search"),
        ("text", "search"),
        ("image", "bulk"),
    ]


def test_a_text_is_embedded_once(shared: SharedEncoder, model: GatedEncoder) -> None:
    """The second time an exact text comes from memory; a repeated one is sent once."""
    first_ND = shared.encode_texts(["a red car", "a red car", "sky"])
    second_ND = shared.encode_texts(["sky", "a red car"])

    np.testing.assert_array_equal(second_ND, first_ND[[2, 0]])
    assert model.batches == [2]
    assert (shared.text_cache.hits, shared.text_cache.misses) == (2, 2)


def test_texts_that_the_tokenizer_reads_alike_are_one(
    shared: SharedEncoder, model: GatedEncoder
) -> None:
    """The cleaning of the tokenizer decides what is the same text."""
    first_ND = shared.encode_texts(["a red  car"])
    second_ND = shared.encode_texts([" a red car\n"])

    np.testing.assert_array_equal(first_ND, second_ND)
    assert model.batches == [1]


def test_a_good_text_is_kept_though_its_neighbour_is_bad(
    shared: SharedEncoder, model: GatedEncoder
) -> None:
    """The request fails as a whole; what was embedded for it is not lost."""
    with pytest.raises(EncoderError):
        shared.encode_texts(["a red car", "nan"])
    calls = len(model.batches)
    shared.encode_texts(["a red car"])

    assert len(model.batches) == calls


def test_the_canary_does_not_ask_the_memory(shared: SharedEncoder, model: GatedEncoder) -> None:
    """Readiness is about the model, not about the cache."""
    shared.encode_texts_uncached(["a photo"])
    shared.encode_texts_uncached(["a photo"])

    assert model.batches == [1, 1]


def test_closing_finishes_what_waits_and_refuses_the_rest(model: GatedEncoder) -> None:
    """Requests that were accepted are answered; later ones are told to go elsewhere."""
    encoder = SharedEncoder(model, observer=KeepingObserver())
    model.gate.clear()
    with ThreadPoolExecutor(3) as threads:
        accepted = threads.submit(encoder.encode_texts, ["a"])
        assert model.entered.wait(PATIENCE_S)
        waiting = threads.submit(encoder.encode_images, pixels(10)[None])
        wait_until(lambda: encoder.queued("image") == 1)
        closing = threads.submit(encoder.close)
        wait_until(lambda: encoder._inference._closing)
        with pytest.raises(NotReadyError):
            encoder.encode_texts(["b"])
        model.gate.set()
        closing.result(PATIENCE_S)

        assert accepted.result(PATIENCE_S).shape == (1, 8)
        assert waiting.result(PATIENCE_S).shape == (1, 8)
    assert model.closed
    encoder.close()
