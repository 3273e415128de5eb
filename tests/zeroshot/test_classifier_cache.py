"""Rules of the cache of classifiers."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from core.errors import ConfigError, DeadlineError, LabelSetError
from core.types import FloatArray
from tests.fakes import FakeEncoder
from zeroshot.classifier import Classifier
from zeroshot.classifier_cache import ClassifierCache
from zeroshot.templates import template_set

IMAGENET7 = template_set("imagenet7")
SINGLE = template_set("single")


def test_the_cache_embeds_the_background_once_per_template_set() -> None:
    """The second classifier with the same prompts costs its own labels only."""
    encoder, cache = FakeEncoder(), ClassifierCache()
    cache.get(encoder, ["red"], SINGLE)
    calls = encoder.text_calls

    cache.get(encoder, ["blue"], SINGLE)
    assert encoder.text_calls == calls + 1
    cache.get(encoder, ["blue"], IMAGENET7)
    assert encoder.text_calls == calls + 3


def test_the_cache_builds_a_classifier_once() -> None:
    """The second call embeds no text; labels that differ in white space are the same."""
    encoder, cache = FakeEncoder(), ClassifierCache()
    first = cache.get(encoder, ["red", "blue"], SINGLE)
    calls = encoder.text_calls

    assert cache.get(encoder, [" red ", "blue"], SINGLE) is first
    assert encoder.text_calls == calls
    assert (cache.hits, cache.misses, len(cache)) == (1, 1, 1)


def test_the_cache_keeps_encoder_labels_and_templates_apart() -> None:
    """Everything that a classifier is made of is part of the key."""
    cache = ClassifierCache()
    one, other = FakeEncoder(), FakeEncoder("fa4e000000000002")

    built = {
        id(cache.get(one, ["red", "blue"], SINGLE)),
        id(cache.get(one, ["blue", "red"], SINGLE)),
        id(cache.get(one, ["red", "blue"], IMAGENET7)),
        id(cache.get(other, ["red", "blue"], SINGLE)),
    }

    assert len(built) == 4
    assert cache.misses == 4


def test_the_cache_drops_what_was_used_longest_ago() -> None:
    """A full cache forgets one classifier for each new one."""
    encoder, cache = FakeEncoder(), ClassifierCache(max_classifiers=2)
    for label in ("red", "blue", "red", "green"):
        cache.get(encoder, [label], SINGLE)
    calls = encoder.text_calls

    cache.get(encoder, ["red"], SINGLE)
    assert encoder.text_calls == calls
    cache.get(encoder, ["blue"], SINGLE)
    assert encoder.text_calls > calls
    assert len(cache) == 2
    assert cache.evictions == 2


def test_bad_labels_are_refused_before_the_model_is_asked() -> None:
    """The check costs no embedding and leaves nothing behind."""
    encoder, cache = FakeEncoder(), ClassifierCache()

    with pytest.raises(LabelSetError):
        cache.get(encoder, ["red", "RED"], SINGLE)

    assert (encoder.text_calls, len(cache)) == (0, 0)


def test_a_cache_holds_at_least_one() -> None:
    """A cache of nothing is a mistake."""
    with pytest.raises(ConfigError, match="expected 1 or more"):
        ClassifierCache(max_classifiers=0)


class SlowEncoder(FakeEncoder):
    """An encoder that waits for a sign, and may fail on its first call."""

    def __init__(self, *, fails_first: bool = False) -> None:
        """Wait in ``encode_texts`` until ``go`` is set."""
        super().__init__()
        self.started, self.go = threading.Event(), threading.Event()
        self._fails = fails_first

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """Wait, then embed or fail."""
        self.started.set()
        assert self.go.wait(60)
        if self._fails:
            self._fails = False
            raise DeadlineError("the time of the first request ended")
        return super().encode_texts(texts)


def ask_from_threads(
    cache: ClassifierCache, encoder: SlowEncoder, count: int
) -> tuple[list[Classifier], list[Exception]]:
    """Ask for one classifier from many threads while the first of them builds it."""
    answers: list[Classifier] = []
    errors: list[Exception] = []

    def ask() -> None:
        try:
            answers.append(cache.get(encoder, ["red", "blue"], SINGLE))
        except DeadlineError as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(count)]
    threads[0].start()
    assert encoder.started.wait(60)
    for thread in threads[1:]:
        thread.start()
    encoder.go.set()
    for thread in threads:
        thread.join(60)
    return answers, errors


def test_threads_that_ask_at_once_share_one_build() -> None:
    """The prompts are embedded once, however many wait for them."""
    cache, encoder = ClassifierCache(), SlowEncoder()

    answers, errors = ask_from_threads(cache, encoder, 8)

    assert errors == []
    assert len({id(answer) for answer in answers}) == 1
    assert (len(answers), cache.misses, cache.hits) == (8, 1, 7)
    assert encoder.text_calls == 2


def test_a_failed_build_fails_its_own_caller_only() -> None:
    """Those who waited build it themselves: the deadline that ended was not theirs."""
    cache, encoder = ClassifierCache(), SlowEncoder(fails_first=True)

    answers, errors = ask_from_threads(cache, encoder, 4)

    assert len(errors) == 1
    assert len(answers) == 3
    assert cache.misses == 2
