"""How many prompts labels make, and which of them the model would cut."""

from __future__ import annotations

from collections.abc import Sequence

from encoders.encoder import Encoder
from zeroshot.labels import Label
from zeroshot.templates import TemplateSet


def count_prompts(labels: Sequence[Label], templates: TemplateSet) -> int:
    """Return how many texts it takes to build a classifier of the labels."""
    return sum(
        len(label.prompts or templates.templates) * (1 + len(label.aliases)) for label in labels
    )


def prompt_warnings(encoder: Encoder, labels: Sequence[Label], templates: TemplateSet) -> list[str]:
    """Return a sentence for each label of which the model would read only the start."""
    longest = [max(label.prompts_in(templates), key=len) for label in labels]
    counts = encoder.count_tokens(longest)
    return [
        f"{label.text!r}: a prompt has {count} tokens, the model reads {encoder.context_length}, "
        "the rest is cut; use a shorter label or template"
        for label, count in zip(labels, counts, strict=True)
        if count > encoder.context_length
    ]
