"""The cache of text embeddings."""

from __future__ import annotations

import numpy as np

from core.types import FloatArray
from service.text_cache import TextCache


def vector(value: float) -> FloatArray:
    """Return a small vector."""
    return np.full(4, value, np.float32)


def test_the_least_recently_used_text_is_dropped() -> None:
    """Reading counts as use."""
    cache = TextCache(2)
    cache.put("model", "a", vector(1))
    cache.put("model", "b", vector(2))
    cache.get("model", "a")
    cache.put("model", "c", vector(3))

    assert cache.get("model", "b") is None
    np.testing.assert_array_equal(cache.get("model", "a"), vector(1))
    assert len(cache) == 2


def test_texts_of_another_encoder_are_not_mixed_up() -> None:
    """The same text of two encoders has two vectors."""
    cache = TextCache(4)
    cache.put("one", "a", vector(1))

    assert cache.get("two", "a") is None


def test_no_entries_means_no_memory() -> None:
    """A size of 0 switches the cache off."""
    cache = TextCache(0)
    cache.put("model", "a", vector(1))

    assert len(cache) == 0
    assert cache.get("model", "a") is None


def test_what_is_kept_cannot_be_changed_from_outside() -> None:
    """The cache keeps a copy, and the copy is read-only."""
    cache = TextCache(1)
    original = vector(1)
    cache.put("model", "a", original)
    original[:] = 5
    kept = cache.get("model", "a")

    assert kept is not None
    np.testing.assert_array_equal(kept, vector(1))
    assert not kept.flags.writeable
