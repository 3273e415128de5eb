"""Rules of evaluation.confidence_calibration: pairs in, a background and lines out."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from core.errors import EncoderMismatchError, UsageError
from core.pairs.pair import Pair
from evaluation.confidence_calibration import BACKGROUND_IMAGES, calibrate
from evaluation.embeddings import Embeddings
from evaluation.images import EmbeddedImages
from evaluation.provenance import Provenance

ENCODER_ID = "fa4e000000000001"
DIM = 16


def pairs_of_things(things: int, each: int, *, noise: float = 0.6, seed: int = 0) -> Embeddings:
    """Return pictures of ``things`` different things, whose captions point where they point."""
    generator = np.random.default_rng(seed)
    pictures, captions, rows = [], [], []
    for thing in range(things):
        centre_D = generator.normal(size=DIM)
        for number in range(each):
            pictures.append(centre_D + noise * generator.normal(size=DIM))
            captions.append(centre_D + noise * generator.normal(size=DIM))
            name = f"thing{thing}"
            rows.append(
                Pair(f"{thing}-{number}", Path(f"{thing}-{number}.png"), (name,), label=name)
            )
    return Embeddings(
        pairs=tuple(rows),
        images=EmbeddedImages(
            tuple(range(len(rows))), units(pictures), tuple("d" for _ in rows), ()
        ),
        captions_CD=units(captions),
        prompts=None,
        provenance=Provenance(encoder_id=ENCODER_ID, data_digest="d" * 64),
    )


def units(rows: list[np.ndarray]) -> np.ndarray:
    """Return rows of length 1."""
    found_ND = np.array(rows, np.float32)
    return found_ND / np.linalg.norm(found_ND, axis=1, keepdims=True)


def test_both_kinds_of_queries_are_calibrated() -> None:
    """Each has a line and figures, and the calibration is that of the pairs' encoder."""
    fit = calibrate(pairs_of_things(60, 6))

    assert fit.calibration.encoder_id == ENCODER_ID
    assert set(fit.calibration.lines) == {"text", "image"}
    assert fit.left_out == {}
    kinds = fit.calibration.about["kinds"]
    assert isinstance(kinds, dict)
    assert set(kinds) == {"text", "image"}


def test_a_relevant_hit_is_surer_than_another() -> None:
    """On things that the fit has not seen."""
    calibration = calibrate(pairs_of_things(60, 6), kinds=["text"]).calibration
    other = pairs_of_things(20, 2, seed=1)
    query_D = other.captions_CD[0]
    scores_N = other.images.embeddings_GD @ query_D

    found_N = calibration.confidence("text", query_D, scores_N)

    assert found_N is not None
    assert found_N[:2].min() > found_N[2:].mean()


def test_without_a_background_a_part_of_the_pictures_is_set_aside() -> None:
    """Every fourth one, at most 256; they are not asked for."""
    small = calibrate(pairs_of_things(60, 6), kinds=["text"]).calibration
    large = calibrate(pairs_of_things(300, 4), kinds=["text"]).calibration

    assert len(small.background_BD) == 90
    assert small.about["pictures"] == 270
    assert len(large.background_BD) == BACKGROUND_IMAGES


def test_a_background_of_ones_own_is_taken_as_it_is() -> None:
    """Then all pictures of the pairs are asked for."""
    background = pairs_of_things(10, 3, seed=5)
    found = calibrate(pairs_of_things(60, 6), background=background, kinds=["text"]).calibration

    np.testing.assert_array_equal(found.background_BD, background.images.embeddings_GD)
    assert found.about["pictures"] == 360


def test_the_same_pairs_give_the_same_calibration() -> None:
    """Nothing is random."""
    first, second = (calibrate(pairs_of_things(60, 6)).calibration for _ in range(2))

    assert (first.lines, first.about) == (second.lines, second.about)


def test_a_kind_without_enough_pairs_is_left_out_and_told() -> None:
    """Every picture shows a thing of its own: no picture has another one to be found."""
    fit = calibrate(pairs_of_things(200, 1))

    assert set(fit.calibration.lines) == {"text"}
    assert "needs 30 of both" in fit.left_out["image"]


def test_too_few_pairs_for_any_kind_are_an_error() -> None:
    """The message tells what each kind lacks."""
    with pytest.raises(UsageError, match=r"text queries: .*; image queries: .*needs 30"):
        calibrate(pairs_of_things(4, 2))


def test_a_background_of_another_model_is_refused() -> None:
    """Its vectors mean something else."""
    other = pairs_of_things(10, 3)
    other = dataclasses.replace(other, provenance=Provenance(encoder_id="0" * 16))

    with pytest.raises(EncoderMismatchError, match="embed both with one model"):
        calibrate(pairs_of_things(60, 6), background=other)
