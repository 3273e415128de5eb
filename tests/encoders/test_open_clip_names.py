"""Rules of encoders.open_clip_names: how a model is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import EncoderError
from encoders.open_clip_names import parse_source, parse_weighted_source


@pytest.mark.parametrize(
    ("text", "name", "weights"),
    [
        ("ViT-B-32/laion2b_s34b_b79k", "ViT-B-32", "laion2b_s34b_b79k"),
        ("ViT-B/32/openai", "ViT-B-32", "openai"),
        ("ViT-B/32", "ViT-B-32", None),
        ("RN50", "RN50", None),
        ("hf-hub:org/name", "hf-hub:org/name", None),
        ("local-dir:some/where", "local-dir:some/where", None),
    ],
)
def test_sources_are_taken_apart(text: str, name: str, weights: str | None) -> None:
    """Name and tag, or one name with a prefix."""
    parts = parse_source(text)

    assert (parts.name, parts.weights) == (name, weights)


def test_a_name_without_weights_is_refused_with_the_tags() -> None:
    """Random weights are never loaded; the message lists what there is."""
    with pytest.raises(EncoderError, match=r"names no weights.*laion2b_s34b_b79k"):
        parse_weighted_source("ViT-B-32")


def test_a_checkpoint_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(EncoderError, match=r"gone\.pt is not a file"):
        parse_source(f"ViT-B-32:{tmp_path / 'gone.pt'}")


@pytest.mark.parametrize("source", ["", "local-dir:", "hf-hub:"])
def test_a_prefix_alone_is_refused(source: str) -> None:
    """The message lists the forms."""
    with pytest.raises(EncoderError, match="names no model; expected NAME/TAG"):
        parse_source(source)


def test_a_plain_name_holds_no_weights() -> None:
    """All the other forms do."""
    assert not parse_source("RN50").holds_weights
    for source in ("RN50/openai", "local-dir:x", "hf-hub:a/b"):
        assert parse_weighted_source(source).holds_weights
