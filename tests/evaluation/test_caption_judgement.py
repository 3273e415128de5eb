"""Rules of evaluation.caption_judgement: relevant, not relevant, not judged."""

from __future__ import annotations

from evaluation.caption_judgement import CaptionJudge, content_words

PICTURES = (
    ("A red apple.", "fruit"),
    ("a green apple", "fruit"),
    ("a red car on a road",),
    (),
)


def judged(text: str) -> list[int]:
    """Judge the four pictures."""
    return CaptionJudge(PICTURES).judge(text).tolist()


def test_a_picture_whose_texts_have_every_word_is_relevant() -> None:
    """One word, two words in any order, a label; a picture without texts never."""
    assert judged("apple") == [1, 1, 0, 0]
    assert judged("Apple, red") == [1, -1, -1, 0]
    assert judged("fruit") == [1, 1, 0, 0]


def test_a_picture_that_shares_some_words_is_not_judged() -> None:
    """It may well answer the text: nobody has looked."""
    assert judged("a yellow apple") == [-1, -1, 0, 0]


def test_articles_do_not_count() -> None:
    """They stand in every caption, and alone they ask for nothing."""
    assert content_words("A picture of the sea") == {"picture", "sea"}
    assert judged("a on the") == [0, 0, 0, 0]


def test_pictures_are_alike_by_any_word() -> None:
    """Of any of the texts of the one that asks."""
    shared = CaptionJudge(PICTURES).shares_a_word(("a blue car", "fruit"))

    assert shared.tolist() == [True, True, True, False]
