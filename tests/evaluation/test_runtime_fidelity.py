"""Rules of evaluation.runtime_fidelity: the gate that a quicker precision has to pass."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from core.types import FloatArray
from encoders.runtime_table import Fidelity
from evaluation.runtime_fidelity import (
    GATES,
    Embedded,
    compare_precisions,
    hit_rate_at_10,
    why_not,
)

GOOD = Fidelity(
    image_cosine_mean=0.9995,
    image_cosine_min=0.995,
    text_cosine_mean=0.9999,
    text_cosine_min=0.999,
    hit_at_10=0.748,
    hit_at_10_mixed=0.747,
    hit_at_10_float32=0.75,
    pictures=500,
    captions=1000,
)


def circle(*degrees: float) -> FloatArray:
    """Return unit vectors at the angles."""
    angles_N = np.radians(np.array(degrees, np.float64))
    return np.stack([np.cos(angles_N), np.sin(angles_N)], axis=1).astype(np.float32)


def test_what_keeps_everything_passes() -> None:
    """Nothing to say; 0.2 and 0.3 points lost are within the limit of 0.3."""
    assert [why_not(GOOD, GATES[name]) for name in ("bfloat16", "int8")] == ["", ""]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("image_cosine_mean", 0.9989, "image cosine mean 0.99890 is below 0.999"),
        ("image_cosine_min", 0.98, "image cosine min 0.98000 is below 0.99"),
        ("text_cosine_mean", 0.9989, "text cosine mean 0.99890 is below 0.999"),
        ("text_cosine_min", 0.98, "text cosine min 0.98000 is below 0.99"),
        ("hit_at_10", 0.746, "hit@10 falls by 0.40 points, the limit is 0.3"),
        ("hit_at_10_mixed", 0.746, "hit@10 in a mixed gallery falls by 0.40 points"),
        ("image_cosine_mean", float("nan"), "image cosine mean nan is below 0.999"),
    ],
)
def test_each_figure_can_fail_alone(field: str, value: float, reason: str) -> None:
    """The reason names the figure and the limit; what is no number never passes."""
    changed = dataclasses.replace(GOOD, **{field: value})  # type: ignore[arg-type]  # floats all

    assert why_not(changed, GATES["bfloat16"]).startswith(reason)


def test_int8_is_judged_by_what_is_found() -> None:
    """Its cosines may be lower, its hits may not."""
    lower = dataclasses.replace(GOOD, image_cosine_mean=0.992, image_cosine_min=0.96)

    assert why_not(lower, GATES["int8"]) == ""
    assert "hit@10 falls" in why_not(dataclasses.replace(lower, hit_at_10=0.7), GATES["int8"])


def test_more_hits_than_float32_are_no_failure() -> None:
    """The limit is on what is lost."""
    assert why_not(dataclasses.replace(GOOD, hit_at_10=0.8), GATES["int8"]) == ""


def test_hits_are_counted_over_captions() -> None:
    """Twelve pictures from 0 to 110 degrees: from 0 the last two are not among the ten nearest."""
    images_MD = circle(*range(0, 120, 10))

    found = hit_rate_at_10(circle(0, 0, 0, 0), images_MD, picture_of_C=[0, 9, 10, 11])

    assert found == 0.5


def test_figures_by_hand() -> None:
    """Captions turned by 30 degrees: cosine .866; one picture turned away: its hit is lost."""
    exact = Embedded(circle(*range(0, 120, 10)), circle(0, 10))
    turned_MD = exact.images_MD.copy()
    turned_MD[1] = circle(180)[0]
    found = Embedded(turned_MD, circle(30, 40))

    fidelity = compare_precisions(found, exact, picture_of_C=[0, 1], held_out_H=[0, 2])

    assert fidelity.image_cosine_mean == pytest.approx(1.0)  # row 1 calibrated, not looked at
    assert fidelity.text_cosine_mean == pytest.approx(np.sqrt(0.75))
    assert fidelity.text_cosine_min == pytest.approx(np.sqrt(0.75))
    assert fidelity.hit_at_10_float32 == 1.0
    assert (fidelity.hit_at_10, fidelity.hit_at_10_mixed) == (0.5, 0.5)
    assert (fidelity.pictures, fidelity.captions) == (12, 2)


def test_a_mixed_gallery_takes_every_other_picture_from_float32() -> None:
    """Pictures 0 and 1 are lost in the quick precision: mixed, picture 0 is float32's."""
    exact = Embedded(circle(*range(0, 120, 10)), circle(0, 10))
    lost_MD = exact.images_MD.copy()
    lost_MD[:2] = circle(180, 180)

    fidelity = compare_precisions(
        Embedded(lost_MD, exact.captions_CD), exact, picture_of_C=[0, 1], held_out_H=[0]
    )

    assert (fidelity.hit_at_10, fidelity.hit_at_10_mixed) == (0.0, 0.5)
