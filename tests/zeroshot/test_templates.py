"""Rules of zeroshot.templates."""

from __future__ import annotations

import hashlib
import json

import pytest

from core.errors import LabelSetError
from zeroshot.templates import (
    MAX_TEMPLATE_CHARS,
    MAX_TEMPLATES,
    check_templates,
    template_set,
    template_set_names,
)


def test_the_built_in_sets_are_open_clips_constants() -> None:
    """The data renders to what open_clip's own templates render to, in their order."""
    from open_clip import OPENAI_IMAGENET_TEMPLATES, SIMPLE_IMAGENET_TEMPLATES

    assert template_set("imagenet80").prompts("tench") == [
        template("tench") for template in OPENAI_IMAGENET_TEMPLATES
    ]
    assert template_set("imagenet7").prompts("tench") == [
        template("tench") for template in SIMPLE_IMAGENET_TEMPLATES
    ]


def test_the_small_sets_are_what_they_are_called() -> None:
    """``name`` is the label alone, ``single`` one sentence."""
    assert template_set("name").prompts("cat") == ["cat"]
    assert template_set("single").prompts("cat") == ["a photo of a cat."]


@pytest.mark.parametrize("name", ["name", "single", "imagenet7", "imagenet80"])
def test_every_built_in_template_has_one_place_for_the_label(name: str) -> None:
    """The built-in data passes the check that clients' templates pass."""
    for template in template_set(name).templates:
        assert check_templates([template]).templates == (template,)


def test_the_digest_is_the_sha256_of_the_list_of_texts() -> None:
    """Equal prompts have equal digests, whatever the set is called."""
    expected = hashlib.sha256(json.dumps(["a photo of a {}."]).encode()).hexdigest()

    assert template_set("single").digest == expected
    assert check_templates(["a photo of a {}."]).digest == expected
    assert check_templates([" a  photo of a {}. "]).digest == expected


def test_the_digests_of_the_built_in_sets_do_not_change() -> None:
    """A changed prompt set is a new set: old reports name these digests."""
    general = ("name", "single", "imagenet7", "imagenet80")

    assert {name: template_set(name).digest[:12] for name in general} == {
        "name": "06d303a9b27b",
        "single": "3849a0dee9e5",
        "imagenet7": "df089e453f7d",
        "imagenet80": "340b0f8be156",
    }


def test_an_unknown_set_is_refused_with_the_known_names() -> None:
    """The message says what there is."""
    with pytest.raises(LabelSetError, match="known: name, single, imagenet7, imagenet80"):
        template_set("imagenet8")


@pytest.mark.parametrize(
    "template",
    [
        "a photo",
        "",
        "{}{}",
        "{} and {}",
        "{0}",
        "{0.__class__}",
        "{c}",
        "{",
        "{{",
        "{{}}",
        "{:>9999999999}",
        "{!r}",
        "{} {0.__class__.__init__.__globals__}",
        "}{",
        "%s",
    ],
)
def test_a_template_has_exactly_one_pair_of_braces(template: str) -> None:
    """None, two, and everything that only str.format understands is refused."""
    with pytest.raises(LabelSetError, match=r"exactly one \{\}"):
        check_templates([template])


def test_braces_in_a_label_stay_as_they_are() -> None:
    """A label is put in as text and is never a template itself."""
    prompts = check_templates(["a photo of a {}."]).prompts("{} {0.__class__} {:>99}")

    assert prompts == ["a photo of a {} {0.__class__} {:>99}."]


@pytest.mark.parametrize(
    ("templates", "message"),
    [
        ([], "0 templates: expected 1 to 64"),
        (["{}"] * (MAX_TEMPLATES + 1), "65 templates"),
        (["{}" + "a" * (MAX_TEMPLATE_CHARS - 1)], "201 characters, the limit is 200"),
        (["{} \x07"], "control characters"),
    ],
)
def test_too_much_or_nothing_is_refused(templates: list[str], message: str) -> None:
    """Every template costs one text embedding per label."""
    with pytest.raises(LabelSetError, match=message):
        check_templates(templates)


def test_one_text_is_not_a_list_of_templates() -> None:
    """A text where a list belongs would be read letter by letter."""
    with pytest.raises(LabelSetError, match="got one text"):
        check_templates("a photo of a {}.")


PAPER_SETS = {
    "birdsnap": 1,
    "caltech101": 34,
    "cifar10": 18,
    "cifar100": 18,
    "clevrcounts": 1,
    "country211": 5,
    "describabletextures": 8,
    "eurosat": 3,
    "facialemotionrecognition2013": 6,
    "fgvcaircraft": 2,
    "flowers102": 1,
    "food101": 1,
    "gtsrb": 3,
    "hatefulmemes": 1,
    "kinetics700": 28,
    "kitti": 1,
    "mnist": 1,
    "oxfordpets": 1,
    "pascalvoc2007": 1,
    "patchcamelyon": 1,
    "resisc45": 18,
    "sst2": 1,
    "stanfordcars": 8,
    "stl10": 2,
    "sun397": 2,
    "ucf101": 48,
}
"""Templates of the 26 data sets of the CLIP paper that have prompts of their own."""


def test_the_sets_of_the_clip_papers_data_sets_are_built_in() -> None:
    """26 of them, with as many templates as the paper's list has."""
    general = {"name", "single", "imagenet7", "imagenet80"}

    found = {
        name: len(template_set(name).templates)
        for name in template_set_names()
        if name not in general
    }

    assert found == PAPER_SETS


def test_the_texts_of_the_papers_sets_do_not_change() -> None:
    """One digest over all of them; published numbers depend on each letter."""
    digests = "".join(template_set(name).digest for name in PAPER_SETS)

    assert template_set("food101").templates == ("a photo of {}, a type of food.",)
    assert template_set("eurosat").templates[0] == "a centered satellite photo of {}."
    assert template_set("mnist").templates == ('a photo of the number: "{}".',)
    assert hashlib.sha256(digests.encode()).hexdigest()[:16] == "9de31b208dce8840"


def test_a_concept_stands_in_front_of_each_label() -> None:
    """As WaffleCLIP writes it; the digest is that of the new prompts."""
    land = template_set("single").with_concept(" land  use ")

    assert land.prompts("forest") == ["a photo of a land use: a forest."]
    assert land.digest == check_templates(["a photo of a land use: a {}."]).digest
    assert land.digest != template_set("single").digest


@pytest.mark.parametrize("concept", ["", " ", "{}", "a {0}", "x\x07", "x" * 300])
def test_a_concept_is_a_few_words(concept: str) -> None:
    """Nothing, braces, control characters and whole books are refused."""
    with pytest.raises(LabelSetError):
        template_set("single").with_concept(concept)
