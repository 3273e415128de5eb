"""Prompt templates: built-in sets as data, and the check of the ones that clients send.

A template is a text with exactly one ``{}``, which ``str.replace`` fills with the label; it is
never given to ``str.format``, whose fields can read attributes and ask for gigabytes of padding.

Sources of the built-in sets: OpenAI's notebook "Prompt engineering for ImageNet" by way of
open_clip's ``OPENAI_IMAGENET_TEMPLATES`` (80) and ``SIMPLE_IMAGENET_TEMPLATES`` (7, found there by
forward selection to do as well as the 80 or better); the sets of the other data sets of the CLIP
paper (``food101``, ``eurosat``, ...) are the lists of openai/CLIP, ``data/prompts.md``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from core.artifacts import canonical_json, sha256_bytes
from core.errors import LabelSetError
from zeroshot.texts import refuse_control_characters, tidy

DEFAULT_TEMPLATE_SET = "imagenet7"
PLACEHOLDER = "{}"
CUSTOM_NAME = "custom"
"""Name of a set that a client sent."""
MAX_TEMPLATES = 64
"""Most templates of a client's set; each costs one text embedding per label."""
MAX_TEMPLATE_CHARS = 200
"""Longest template, in characters."""

_DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class TemplateSet:
    """Prompt templates whose embeddings are averaged into one vector per label."""

    name: str
    """Of a built-in set, for example ``imagenet7``; or ``custom``."""
    templates: tuple[str, ...]
    """Each with exactly one ``{}``."""
    digest: str
    """sha256 over the texts in their order: equal for equal prompts, whatever the name."""

    def prompts(self, label: str) -> list[str]:
        """Return one prompt per template for ``label``."""
        return [fill(template, label) for template in self.templates]

    def with_concept(self, concept: str) -> TemplateSet:
        """Return the set with what the labels are in front of each: "a photo of a land use: a {}.".

        Source: Roth et al. 2023 (WaffleCLIP), arXiv:2306.07282, section 3.3.

        Raises:
            LabelSetError: the concept is empty, too long, or holds a brace.
        """
        tidied = tidy(concept)
        refuse_control_characters(tidied, param="concept")
        if not tidied or "{" in tidied or "}" in tidied:
            raise LabelSetError(
                f"concept = {concept!r}: expected words without braces, for example 'land use'",
                param="concept",
            )
        prefixed = [fill(text, f"{tidied}: a {PLACEHOLDER}") for text in self.templates]
        return custom_set(prefixed)


def fill(template: str, label: str) -> str:
    """Return a template with ``label`` in the place of its ``{}``; braces of the label stay."""
    return template.replace(PLACEHOLDER, label, 1)


def template_set(name: str) -> TemplateSet:
    """Return the built-in set of that name.

    Raises:
        LabelSetError: there is none; the message names the known ones.
    """
    sets = _built_in_sets()
    if name not in sets:
        raise LabelSetError(
            f"no template set {name!r}; known: {', '.join(sets)}. Other prompts can be sent as "
            "templates",
            param="template_set",
        )
    return sets[name]


def template_set_names() -> tuple[str, ...]:
    """Return the names of the built-in sets."""
    return tuple(_built_in_sets())


def check_templates(templates: Sequence[str]) -> TemplateSet:
    """Return a client's templates as a set.

    Raises:
        LabelSetError: none, too many or too long ones, or one without exactly one ``{}``.
    """
    if isinstance(templates, str):
        raise LabelSetError(
            f"templates = {templates!r}: expected a list of texts, got one text",
            param="templates",
        )
    if not 1 <= len(templates) <= MAX_TEMPLATES:
        raise LabelSetError(
            f"{len(templates)} templates: expected 1 to {MAX_TEMPLATES}", param="templates"
        )
    return custom_set(templates)


def custom_set(templates: Sequence[str]) -> TemplateSet:
    """Return any number of templates as a set, for example the ones of a stored label set.

    Raises:
        LabelSetError: one is too long, or without exactly one ``{}``.
    """
    checked = [check_template(text, param=f"templates[{n}]") for n, text in enumerate(templates)]
    return _new_set(CUSTOM_NAME, checked)


def check_template(template: str, *, param: str) -> str:
    """Return one template, tidied.

    Raises:
        LabelSetError: too long, or not exactly one ``{}`` and no other brace.
    """
    tidied = tidy(template)
    refuse_control_characters(tidied, param=param)
    if len(tidied) > MAX_TEMPLATE_CHARS:
        raise LabelSetError(
            f"{param} has {len(tidied)} characters, the limit is {MAX_TEMPLATE_CHARS}; shorten it",
            param=param,
        )
    rest = tidied.replace(PLACEHOLDER, "", 1)
    if PLACEHOLDER not in tidied or "{" in rest or "}" in rest:
        raise LabelSetError(
            f"{param} is {tidied!r}: expected exactly one {{}} and no other brace, "
            "for example 'a photo of a {}.'",
            param=param,
        )
    return tidied


@cache
def _built_in_sets() -> Mapping[str, TemplateSet]:
    general: dict[str, list[str]] = json.loads((_DATA / "templates.json").read_bytes())
    of_the_paper: dict[str, list[str]] = json.loads((_DATA / "clip_templates.json").read_bytes())[
        "sets"
    ]
    texts_of = general | of_the_paper
    return MappingProxyType({name: _new_set(name, texts) for name, texts in texts_of.items()})


def _new_set(name: str, templates: Sequence[str]) -> TemplateSet:
    digest = sha256_bytes(canonical_json(list(templates)))
    return TemplateSet(name=name, templates=tuple(templates), digest=digest)
