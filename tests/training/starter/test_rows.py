"""Training rows are a pure function of their position."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from training.starter.prototypes import PrototypeConfig
from training.starter.rows import TEMPLATES, HeadRows, RowTexts

TEXTS = (
    RowTexts("picture:cat", ("cat",), ("animal",), 0.5),
    RowTexts("picture:cat", ("cat",), (), 0.5),
    RowTexts("class:0", ("tench",), (), 0.5),
)


def _rows(seed: int = 0) -> HeadRows:
    generator = torch.Generator().manual_seed(0)
    return HeadRows(
        features_NVF=torch.rand(2, 3, 4, generator=generator).half(),
        prototypes_CF=torch.rand(1, 4, generator=generator),
        residuals_NF=torch.randn(5, 4, generator=generator).half(),
        texts=TEXTS,
        sentences={name: torch.rand(len(TEMPLATES), 6) for name in ("cat", "animal", "tench")},
        prototypes=PrototypeConfig(copies=2),
        seed=seed,
    )


def test_there_is_a_row_per_picture_and_per_copy_of_a_prototype() -> None:
    """2 pictures and 2 copies of 1 class are 4 rows."""
    assert len(_rows()) == 4


def test_a_batch_depends_on_epoch_and_index_alone() -> None:
    """A row is the same whatever stands beside it in the batch."""
    rows = _rows()
    both = rows.batch(np.array([3, 0]), epoch=1)
    alone = rows.batch(np.array([0]), epoch=1)

    assert torch.equal(both.images[1], alone.images[0])
    assert torch.equal(both.texts[1], alone.texts[0])


def test_another_epoch_draws_other_noise() -> None:
    """The stand-ins of one class differ between epochs."""
    rows = _rows()
    drawn = [rows.batch(np.array([2]), epoch=epoch).images for epoch in range(8)]

    assert any(not torch.equal(drawn[0], other) for other in drawn[1:])


def test_pictures_of_one_concept_share_an_identity() -> None:
    """Two drawings of a cat are positives of each other, a fish is not."""
    groups = _rows().batch(np.array([0, 1, 2]), epoch=0).groups

    assert groups[0, 0] == groups[1, 0]
    assert groups[0, 0] != groups[2, 0]


def test_the_fingerprint_tells_captions_apart() -> None:
    """A checkpoint is not resumed with other captions."""
    other = replace(_rows(), texts=(*TEXTS[:2], RowTexts("class:0", ("carp",), (), 0.5)))

    assert other.fingerprint != _rows().fingerprint
