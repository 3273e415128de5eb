"""Nouns of WordNet 3.0: lemmas, glosses and hypernyms, read from its `data.noun` file.

Source: wndb(5WN), the format of the WordNet database files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HYPERNYM_POINTERS = frozenset({"@", "@i"})


@dataclass(frozen=True, slots=True)
class Synset:
    """One sense of one or more nouns."""

    lemmas: tuple[str, ...]
    """Its words, spaces for underscores, most usual first."""
    hypernyms: tuple[int, ...]
    """Offsets of the synsets it is a kind of."""
    gloss: str
    """Its definition, without examples."""


def parse_synset(line: str) -> tuple[int, Synset]:
    """Return the offset and the synset of one line of `data.noun`."""
    fields, _, gloss = line.partition("|")
    parts = fields.split()
    num_words = int(parts[3], 16)
    lemmas = tuple(word.replace("_", " ") for word in parts[4 : 4 + 2 * num_words : 2])
    start = 4 + 2 * num_words
    num_pointers = int(parts[start])
    pointers = [parts[start + 1 + 4 * i : start + 5 + 4 * i] for i in range(num_pointers)]
    hypernyms = tuple(int(offset) for kind, offset, *_ in pointers if kind in HYPERNYM_POINTERS)
    return int(parts[0]), Synset(lemmas, hypernyms, gloss.split(";")[0].strip())


def read_nouns(path: Path) -> dict[int, Synset]:
    """Read every noun synset of a WordNet `data.noun` file, by offset."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(parse_synset(line) for line in lines if not line.startswith("  "))


def ancestors(nouns: dict[int, Synset], offset: int) -> list[int]:
    """Return the hypernyms of a synset, nearest first, each once, itself excluded."""
    found: dict[int, None] = {}
    level = list(nouns[offset].hypernyms)
    while level:
        found.update(dict.fromkeys(level))
        level = [up for node in level for up in nouns[node].hypernyms if up not in found]
    return list(found)


def read_vocabulary(folder: Path) -> frozenset[str]:
    """Return every word and phrase that WordNet lists, in lower case, with spaces."""
    words: set[str] = set()
    for part in ("noun", "adj", "verb", "adv"):
        lines = (folder / f"index.{part}").read_text(encoding="utf-8").splitlines()
        words.update(
            line.split(" ", 1)[0].replace("_", " ") for line in lines if not line.startswith("  ")
        )
    return frozenset(words)
