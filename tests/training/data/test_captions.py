"""Rules of captions as tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from core.pairs.pair import Pair
from tests.training.tiny import letters
from training.data.captions import CaptionTable, identity_number


def pair(*captions: str, label: str | None = None) -> Pair:
    """Return a pair of a picture that is never opened."""
    return Pair("id", Path("a.png"), captions, label)


def test_a_class_shows_with_each_of_its_prompts() -> None:
    """Which prompt is drawn by (seed, epoch, index); all prompts of a class are one group."""
    pairs = [pair(label="cat"), pair(label="dog"), pair("cat"), pair(label="cat")]
    table = CaptionTable(pairs, letters, seed=0, templates=("a {}", "the {}", "{}"))
    shown = {text: letters([text])[0].tolist() for text in ("a cat", "the cat", "cat")}

    seen = set()
    for epoch in range(20):
        rows_B = table.rows(np.array([0, 1, 2, 3]), epoch=epoch)
        groups = table.groups(rows_B).tolist()
        assert groups[0] == groups[2] == groups[3] != groups[1]
        tokens = table.tokens(rows_B)[0].tolist()
        seen.add(next(text for text, codes in shown.items() if codes == tokens))
        assert torch.equal(table.tokens(rows_B)[2], letters(["cat"])[0])

    assert seen == set(shown)
    assert table.num_distinct == 2


def test_pairs_with_the_same_captions_share_their_tokens() -> None:
    """A class of a thousand pictures is tokenised once."""
    tokenised: list[str] = []

    def tokenize(texts: list[str]) -> torch.Tensor:
        tokenised.extend(texts)
        return letters(texts)

    CaptionTable([pair("x", "y"), pair("z"), pair("x", "y"), pair(label="z")], tokenize, seed=0)

    assert tokenised == ["x", "y", "z", "z"]


def test_draws_of_a_batch_are_those_of_each_pair() -> None:
    """The captions of a pair do not depend on its neighbours in the batch."""
    pairs = [pair(*(f"{number} {choice}" for choice in range(number + 1))) for number in range(9)]
    table = CaptionTable(pairs, letters, seed=4)
    indices_B = np.array([8, 3, 5])

    together = table.rows(indices_B, epoch=7)

    alone = [int(table.rows(np.array([index]), epoch=7)[0]) for index in indices_B]
    assert together.tolist() == alone
    firsts = [index * (index + 1) // 2 for index in (8, 3, 5)]
    assert all(
        0 <= row - first <= n for row, first, n in zip(alone, firsts, (8, 3, 5), strict=True)
    )


def test_group_numbers_are_the_same_in_every_data_set() -> None:
    """They are hashes, so that a mixture of data sets can compare them: a literal value."""
    first = CaptionTable([pair("cat"), pair("dog")], letters, seed=0)
    second = CaptionTable([pair("DOG"), pair("cow"), pair("cat")], letters, seed=5)

    groups = first.groups(first.rows(np.array([0, 1]), epoch=0)).tolist()

    assert second.groups(second.rows(np.array([2, 0]), epoch=3)).tolist() == groups
    assert groups[0] == identity_number("cat") == 1_714_832_134_300_930_969
    assert min(groups) >= 0
