"""Names of clip art and emoji as captions."""

from __future__ import annotations

import json
from pathlib import Path

from training.starter.clip_art import clean_name
from training.starter.emoji import plain_hexcode, read_emoji
from training.starter.rows import in_templates

VOCABULARY = frozenset({"harp", "blue", "fedora"})


def test_a_name_loses_numbers_and_authors() -> None:
    """What is left of a file name is what the picture shows."""
    assert clean_name("harp3_ganson", VOCABULARY, frozenset({"ganson"})) == "harp"


def test_a_name_with_an_unknown_word_is_no_caption() -> None:
    """A title in another language is refused, for WordNet does not know its words."""
    assert clean_name("blue_cappello", VOCABULARY, frozenset()) == ""


def test_a_plural_of_a_known_word_is_known() -> None:
    """WordNet lists singulars only."""
    assert clean_name("BlueFedoras", VOCABULARY, frozenset()) == "blue fedoras"


def test_codes_are_compared_without_variation_selectors() -> None:
    """FE0F asks for a colour picture and names no other emoji."""
    assert plain_hexcode("2764-FE0F-200D-1F525") == "2764-200d-1f525"


def test_flags_and_components_are_left_out(tmp_path: Path) -> None:
    """Flags say nothing of the world's look, and components are parts of emoji."""
    records = [
        {"label": "octopus", "hexcode": "1F419", "tags": ["ocean"], "group": 3},
        {"label": "flag: Chile", "hexcode": "1F1E8-1F1F1", "group": 9},
        {"label": "light skin tone", "hexcode": "1F3FB", "group": 2},
    ]
    file = tmp_path / "data.json"
    file.write_text(json.dumps(records), encoding="utf-8")

    assert [one.captions for one in read_emoji(file)] == [("octopus", "ocean")]


def test_a_sentence_is_put_into_no_template() -> None:
    """A description is a sentence already, while a name gets an article and a full stop."""
    sentence = "A long description of how a tench looks in the water of a pond in summer."

    assert in_templates("tench")[1] == "A tench."
    assert set(in_templates(sentence)) == {sentence}
