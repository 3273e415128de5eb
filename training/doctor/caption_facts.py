"""What the captions of a set of pairs are like.

# N = pairs, M = different captions
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.pairs.captions import captions_of, identity_of
from core.pairs.pair import Pair
from training.randomness import stream

_LONG_LETTERS = 500
_LETTERS_LOOKED_AT = 20
_COMMON = 10


@dataclass(frozen=True, slots=True)
class CommonCaption:
    """A caption that several pairs share."""

    caption: str
    pairs: int


@dataclass(frozen=True, slots=True)
class CaptionFacts:
    """Counts; two captions are the same if they differ in case and white space only."""

    captions: int
    """Of all pairs together."""
    distinct: int
    """Different ones."""
    per_picture: dict[str, int]
    """How many pairs have 0, 1, 2, ... captions."""
    pairs_without: int
    """Pairs without any caption or label; training leaves them out."""
    from_label: int
    """Pairs whose only caption is the name of their class."""
    one_word: int
    """Different captions of a single word."""
    long: int
    """Different captions of more than 500 characters."""
    common: list[CommonCaption]
    """Those that most pairs share, at most ten."""
    scripts: dict[str, int]
    """Different captions by the script of most of their letters, for example ``latin``."""


def caption_facts(pairs: Sequence[Pair]) -> CaptionFacts:
    """Count the captions of all pairs."""
    pairs_of_text: Counter[str] = Counter()
    spelling: dict[str, str] = {}
    per_picture: Counter[int] = Counter()
    for pair in pairs:
        captions = captions_of(pair)
        per_picture[len(captions)] += 1
        for text in captions:
            spelling.setdefault(identity_of(text), text)
        pairs_of_text.update({identity_of(text) for text in captions})
    common = sorted(pairs_of_text.items(), key=lambda item: (-item[1], item[0]))[:_COMMON]
    scripts = Counter(script_of(text) for text in pairs_of_text)
    return CaptionFacts(
        captions=sum(count * number for count, number in per_picture.items()),
        distinct=len(pairs_of_text),
        per_picture={str(count): per_picture[count] for count in sorted(per_picture)},
        pairs_without=per_picture[0],
        from_label=sum(1 for pair in pairs if not pair.captions and pair.label),
        one_word=sum(1 for text in pairs_of_text if " " not in text),
        long=sum(1 for text in pairs_of_text if len(text) > _LONG_LETTERS),
        common=[CommonCaption(spelling[text], count) for text, count in common if count > 1],
        scripts=dict(sorted(scripts.items(), key=lambda item: (-item[1], item[0]))),
    )


def drawn_captions(pairs: Sequence[Pair], *, seed: int = 0) -> list[str]:
    """Return one caption a pair (N,), drawn as an epoch does; every pair must have one."""
    chance_N = stream("doctor", seed).random(len(pairs)).tolist()
    drawn = []
    for pair, chance in zip(pairs, chance_N, strict=True):
        captions = captions_of(pair)
        drawn.append(identity_of(captions[int(chance * len(captions))]))
    return drawn


def script_of(text: str) -> str:
    """Return the script of most of the first letters: ``latin``, ``cjk``, ``none``, ..."""
    if text.isascii():
        return "latin" if any(map(str.isalpha, text)) else "none"
    letters = [letter for letter in text if letter.isalpha()][:_LETTERS_LOOKED_AT]
    scripts = Counter(unicodedata.name(letter, "OTHER").split()[0].lower() for letter in letters)
    return max(sorted(scripts), key=lambda name: scripts[name]) if scripts else "none"
