"""Prompts that stand in for the captions of a picture that only has a class."""

from __future__ import annotations

from collections.abc import Sequence

from zeroshot.templates import PLACEHOLDER, check_templates, template_set


def resolve_templates(asked: Sequence[str]) -> tuple[str, ...]:
    """Return the templates of a setting: texts with ``{}``, or the name of a built-in set.

    Nothing asked for is the class name alone.

    Raises:
        LabelSetError: there is no such set, or a text has not exactly one ``{}``.
    """
    if not asked:
        return (PLACEHOLDER,)
    if len(asked) == 1 and PLACEHOLDER not in asked[0]:
        return template_set(asked[0]).templates
    return check_templates(asked).templates


def prompts_of(label: str, templates: Sequence[str]) -> tuple[str, ...]:
    """Return one prompt per template; never by ``str.format``, whose fields can do more."""
    return tuple(template.replace(PLACEHOLDER, label) for template in templates)
