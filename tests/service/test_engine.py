"""Opening and closing what the service works with."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import ConflictError, NotReadyError, SightlineError
from core.types import FloatArray
from index.gallery import Gallery
from service.engine import chosen_model, open_engine
from service.metrics import Metrics
from tests.fakes import FakeEncoder
from tests.service.observing import wait_until
from tests.service.running import settings_for


class ClosingEncoder(FakeEncoder):
    """Notes that it was closed."""

    def __init__(self) -> None:
        """Start open."""
        super().__init__()
        self.closed = False

    def close(self) -> None:
        """Note it."""
        self.closed = True


def test_the_named_model_wins_over_the_gallerys_own(tmp_path: Path) -> None:
    """Without a name the model that filled the gallery is taken, without a gallery the starter."""
    settings = settings_for(tmp_path)
    assert chosen_model(settings) is None

    Gallery.open(settings.gallery, FakeEncoder(), model="/models/mine").close()

    assert chosen_model(settings) == "/models/mine"
    assert chosen_model(settings_for(tmp_path, model="ViT-B-32/x")) == "ViT-B-32/x"
    assert chosen_model(settings_for(tmp_path, model=str(tmp_path))) == str(tmp_path.resolve())


def test_the_canary_warms_the_model_up(tmp_path: Path) -> None:
    """The first request does not pay for the first model call."""
    encoder = FakeEncoder()
    engine = open_engine(settings_for(tmp_path), metrics=Metrics(), encoder=encoder)
    engine.close()

    assert encoder.text_calls == 1


def test_closing_closes_everything_and_may_be_repeated(tmp_path: Path) -> None:
    """Encoder and gallery are released, so another process can take the gallery over."""
    encoder = ClosingEncoder()
    engine = open_engine(settings_for(tmp_path), metrics=Metrics(), encoder=encoder)
    engine.close()
    engine.close()

    assert encoder.closed
    Gallery.open(settings_for(tmp_path).gallery, FakeEncoder()).close()


def test_a_gallery_in_use_is_refused_and_the_encoder_released(tmp_path: Path) -> None:
    """One process writes a gallery; the second one fails cleanly."""
    encoder = ClosingEncoder()
    with (
        Gallery.open(settings_for(tmp_path).gallery, FakeEncoder()),
        pytest.raises(ConflictError),
    ):
        open_engine(settings_for(tmp_path), metrics=Metrics(), encoder=encoder)

    assert encoder.closed


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    """The message has the path; no gallery is made."""
    settings = settings_for(tmp_path, model=str(tmp_path / "no-model"), runtime="openvino")
    with pytest.raises(SightlineError, match="no-model"):
        open_engine(settings, metrics=Metrics())

    assert not settings.gallery.exists()


class GatedEncoder(FakeEncoder):
    """Waits at a gate before each text batch."""

    def __init__(self) -> None:
        """Start with the gate open."""
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """Wait, then embed."""
        self.entered.set()
        assert self.gate.wait(60)
        return super().encode_texts(texts)


def test_a_stuck_model_is_not_ready_and_says_why(tmp_path: Path) -> None:
    """Who waits is told, readiness has the reason, and a model that comes back is ready again."""
    encoder = GatedEncoder()
    engine = open_engine(settings_for(tmp_path), metrics=Metrics(), encoder=encoder)
    inference = engine.encoder._inference
    try:
        encoder.gate.clear()
        encoder.entered.clear()
        with ThreadPoolExecutor(1) as clients:
            waiting = clients.submit(engine.encoder.encode_texts, ["a"])
            assert encoder.entered.wait(60)
            inference._clock = lambda: time.monotonic() + 1000.0
            inference.look()

            with pytest.raises(NotReadyError, match="has not answered for 60 s"):
                waiting.result(60)
        with pytest.raises(NotReadyError, match="degraded: the model has not answered"):
            engine.canary()
        inference._clock = time.monotonic
        encoder.gate.set()
        wait_until(lambda: inference._trouble is None)

        assert engine.canary()["status"] == "ready"
    finally:
        encoder.gate.set()
        engine.close()
