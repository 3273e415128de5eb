"""Rules of zeroshot.labels and zeroshot.prompts."""

from __future__ import annotations

import pytest

from core.errors import LabelSetError
from tests.fakes import FakeEncoder
from zeroshot.classifier import build_classifier
from zeroshot.labels import MAX_ALIASES, MAX_OWN_PROMPTS, Label, check_label_list
from zeroshot.prompts import count_prompts, prompt_warnings
from zeroshot.templates import check_templates, template_set

TWO = check_templates(["a {}", "the {}"])


def test_a_plain_text_is_a_label() -> None:
    """Texts and labels may stand in one list."""
    assert check_label_list([" cat ", Label("dog", aliases=("hound",))]) == (
        Label("cat"),
        Label("dog", aliases=("hound",)),
    )


def test_the_prompts_are_every_name_in_every_template() -> None:
    """Name first, then the aliases."""
    assert Label("cat", aliases=("kitten",)).prompts_in(TWO) == [
        "a cat",
        "the cat",
        "a kitten",
        "the kitten",
    ]


def test_prompts_of_its_own_stand_in_place_of_the_templates() -> None:
    """A place for the name is filled, a plain text is taken as it is and once."""
    label = Label("cat", aliases=("kitten",), prompts=("a {} that purrs", "it has whiskers"))

    assert label.prompts_in(TWO) == ["a cat that purrs", "it has whiskers", "a kitten that purrs"]


def test_count_prompts_is_the_number_of_texts_to_embed() -> None:
    """Two templates: 2 for a plain label, 4 with an alias, 3 of its own."""
    labels = [Label("a"), Label("b", aliases=("c",)), Label("d", prompts=("x", "y", "z"))]

    assert count_prompts(labels, TWO) == 9


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([Label("cat", aliases=("Dog",)), "dog"], "'dog' is a name of 'cat' and of 'dog'"),
        ([Label("cat", aliases=("pet",)), Label("dog", aliases=("pet",))], "share the probability"),
        ([Label("cat", aliases=("x",) * (MAX_ALIASES + 1))], "17 aliases, the limit is 16"),
        ([Label("cat", prompts=("x",) * (MAX_OWN_PROMPTS + 1))], "65 prompts, the limit is 64"),
        ([Label("cat", prompts=("{} and {}",))], r"exactly one \{\}"),
        ([Label("cat", prompts=(" ",))], "0 characters"),
        ([Label("cat", aliases=("",))], "is empty"),
        ([Label("other", background=True)], "all 1 labels are background"),
        ([], "0 labels"),
        ("cat", "got one text"),
    ],
)
def test_labels_that_cannot_be_told_apart_or_read_are_refused(
    labels: list[str | Label], message: str
) -> None:
    """Each mistake is named with the labels that it is about."""
    with pytest.raises(LabelSetError, match=message):
        check_label_list(labels)


def test_a_label_set_to_its_own_alias_is_one_name() -> None:
    """An alias that repeats the name adds no prompt."""
    label = check_label_list([Label("cat", aliases=("cat",))])[0]

    assert label.prompts_in(TWO) == ["a cat", "the cat"]


def test_a_prompt_that_the_model_cannot_read_to_its_end_is_warned_of() -> None:
    """The fake reads 77 tokens: words and two more."""
    encoder = FakeEncoder()
    labels = [Label("cat"), Label("word", prompts=("word " * 80,))]

    (warning,) = prompt_warnings(encoder, labels, template_set("single"))
    classifier = build_classifier(encoder, labels, template_set("single"))

    assert "'word': a prompt has 82 tokens, the model reads 77" in warning
    assert classifier.warnings == (warning,)
