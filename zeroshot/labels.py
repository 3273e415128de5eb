"""Labels with what describes them: other names, prompts of their own, or a place in the background.

A plain text is a label too. A label's prompts are its name and its aliases in every template; a
label with prompts of its own has those instead, as in CuPL (Pratt et al. 2023, arXiv:2209.03320).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import LabelSetError
from zeroshot.templates import PLACEHOLDER, TemplateSet, check_template, fill
from zeroshot.texts import check_labels, check_text, refuse_control_characters, tidy

MAX_ALIASES = 16
"""Most other names of one label."""
MAX_OWN_PROMPTS = 64
"""Most prompts of one label's own."""
MAX_PROMPT_CHARS = 500
"""Longest prompt, in characters; the text towers read some 77 tokens."""


@dataclass(frozen=True, slots=True)
class Label:
    """One label and how it is described to the model."""

    text: str
    """The name that answers give."""
    aliases: tuple[str, ...] = ()
    """Other names; each is put into every template, and all prompts are averaged."""
    prompts: tuple[str, ...] = ()
    """Prompts in place of the templates; ``{}`` in one stands for each of the names."""
    background: bool = False
    """Whether the label stands for "none of these": where it wins, no label is given."""

    @property
    def plain(self) -> bool:
        """Whether the text is all that there is."""
        return not (self.aliases or self.prompts or self.background)

    def prompts_in(self, templates: TemplateSet) -> list[str]:
        """Return every prompt of the label, each once."""
        names = (self.text, *self.aliases)
        found = [
            fill(template, name)
            for name in names
            for template in self.prompts or templates.templates
        ]
        return list(dict.fromkeys(found))


def check_label_list(labels: Sequence[str | Label]) -> tuple[Label, ...]:
    """Return the labels, their texts tidied, in their order.

    Raises:
        LabelSetError: none or too many, an empty or too long text, two labels or aliases alike, or
            nothing but background.
    """
    if isinstance(labels, str):
        check_labels(labels)
    given = [Label(label) if isinstance(label, str) else label for label in labels]
    texts = check_labels([label.text for label in given])
    checked = tuple(
        _checked(label, text, place)
        for place, (label, text) in enumerate(zip(given, texts, strict=True))
    )
    _refuse_shared_names(checked)
    if all(label.background for label in checked):
        raise LabelSetError(
            f"all {len(checked)} labels are background; give at least one that is not",
            param="labels",
        )
    return checked


def _checked(label: Label, text: str, place: int) -> Label:
    where = f"labels[{place}]"
    for what, values, limit in (
        ("aliases", label.aliases, MAX_ALIASES),
        ("prompts", label.prompts, MAX_OWN_PROMPTS),
    ):
        if len(values) > limit:
            raise LabelSetError(
                f"label {text!r} has {len(values)} {what}, the limit is {limit}; keep the best",
                param=f"{where}.{what}",
            )
    aliases = tuple(check_text(alias, param=f"{where}.aliases") for alias in label.aliases)
    prompts = tuple(_checked_prompt(prompt, f"{where}.prompts") for prompt in label.prompts)
    return Label(text, aliases, prompts, label.background)


def _checked_prompt(prompt: str, param: str) -> str:
    """Return a prompt of a label's own: plain text, or a template."""
    if PLACEHOLDER in prompt:
        return check_template(prompt, param=param)
    tidied = tidy(prompt)
    refuse_control_characters(tidied, param=param)
    if not 1 <= len(tidied) <= MAX_PROMPT_CHARS:
        raise LabelSetError(
            f"a prompt has {len(tidied)} characters: expected 1 to {MAX_PROMPT_CHARS}", param=param
        )
    return tidied


def _refuse_shared_names(labels: Sequence[Label]) -> None:
    owners: dict[str, str] = {}
    for place, label in enumerate(labels):
        for name in (label.text, *label.aliases):
            owner = owners.setdefault(name.casefold(), label.text)
            if owner != label.text:
                raise LabelSetError(
                    f"{name!r} is a name of {owner!r} and of {label.text!r}; remove one, they "
                    "would share the probability",
                    param=f"labels[{place}]",
                )
