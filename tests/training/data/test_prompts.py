"""Rules of prompts for classes."""

from __future__ import annotations

import pytest

from core.errors import LabelSetError
from training.data.config import DataConfig
from training.data.prompts import prompts_of, resolve_templates
from zeroshot.templates import template_set


def test_nothing_asked_is_the_name_of_the_class() -> None:
    """Class folders train without a setting."""
    assert prompts_of("cat", resolve_templates(())) == ("cat",)


def test_a_set_by_name_or_own_texts() -> None:
    """The sets are those of zero-shot evaluation; braces of a class are only text."""
    assert resolve_templates(("imagenet7",)) == template_set("imagenet7").templates
    assert prompts_of("{0}", resolve_templates(("a {}.", "{}"))) == ("a {0}.", "{0}")


@pytest.mark.parametrize("asked", [("imagenet8",), ("a photo", "a {}"), ("{} and {}",)])
def test_what_is_no_template_is_refused_with_the_config(asked: tuple[str, ...]) -> None:
    """Before any data is read."""
    with pytest.raises(LabelSetError):
        DataConfig(templates=asked)
