"""Captions that are longer than a model's text tower: how many, and which."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from core.pairs.captions import captions_of
from core.pairs.pair import Pair
from core.progress import ProgressFactory, silent
from training.doctor.model_facts import ModelFacts

_TEXTS_AT_ONCE = 4096
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class LongCaption:
    """A caption that a model cuts."""

    id: str
    """Of its pair."""
    tokens: int
    """Special tokens included."""
    caption: str


@dataclass(frozen=True, slots=True)
class Truncation:
    """How a model's text tower cuts the captions."""

    model: str
    context_length: int
    """Most tokens, special ones included."""
    mean_tokens: float
    longest: int
    """Tokens of the longest caption."""
    cut: int
    """Captions that lose tokens."""
    share: float
    """Of all captions."""
    examples: list[LongCaption]
    """The longest of them, at most five."""


def truncation_of(
    pairs: Sequence[Pair], model: ModelFacts, *, progress: ProgressFactory = silent
) -> Truncation:
    """Tokenise every caption and count what is cut."""
    captions = tokens = longest = cut = 0
    examples: list[LongCaption] = []
    with progress("tokenise captions", total=None, unit="captions") as shown:
        for batch in _batches(pairs):
            counts = model.tokenizer.count_tokens([text for _, text in batch])
            captions += len(counts)
            tokens += sum(counts)
            longest = max(longest, *counts)
            over = [
                LongCaption(pair_id, count, text)
                for (pair_id, text), count in zip(batch, counts, strict=True)
                if count > model.context_length
            ]
            cut += len(over)
            examples = heapq.nsmallest(
                _EXAMPLES, [*examples, *over], key=lambda one: (-one.tokens, one.id, one.caption)
            )
            shown.advance(len(counts), cut=cut)
    return Truncation(
        model=model.name,
        context_length=model.context_length,
        mean_tokens=tokens / captions if captions else 0.0,
        longest=longest,
        cut=cut,
        share=cut / captions if captions else 0.0,
        examples=examples,
    )


def _batches(pairs: Sequence[Pair]) -> Iterator[list[tuple[str, str]]]:
    """Yield captions with the id of their pair, some thousand at once."""
    texts = ((pair.id, text) for pair in pairs for text in captions_of(pair))
    while batch := list(islice(texts, _TEXTS_AT_ONCE)):
        yield batch
