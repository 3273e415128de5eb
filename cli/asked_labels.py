"""The labels that a running service is asked for by ``sightline evaluate classify --url``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.pairs.pair import Pair
    from core.types import JSONObject
    from sightline.client import Client
    from sightline.label_calls import LabelRequest
    from zeroshot.labels import Label
    from zeroshot.templates import TemplateSet


@dataclass(frozen=True, slots=True)
class Asked:
    """The labels that a server is asked for, and what a report says of them."""

    labels: tuple[Label, ...]
    template_digest: str | None
    request: LabelRequest
    settings: JSONObject

    @property
    def texts(self) -> tuple[str, ...]:
        """The names of the labels."""
        return tuple(label.text for label in self.labels)


def asked_texts(
    pairs: Sequence[Pair], wanted: tuple[Sequence[str | Label] | None, TemplateSet | None]
) -> Asked:
    """Return labels that are sent as texts, with templates of a name or of their own."""
    from evaluation.predictions import labels_of
    from sightline.label_calls import LabelRequest
    from zeroshot.labels import Label
    from zeroshot.templates import CUSTOM_NAME

    labels, templates = wanted
    texts = tuple(labels_of(pairs) if labels is None else map(_text, labels))
    own = templates is not None and templates.name == CUSTOM_NAME
    name = None if templates is None else templates.name
    return Asked(
        labels=tuple(map(Label, texts)),
        template_digest=None if templates is None else templates.digest,
        request=LabelRequest(
            labels=texts,
            templates=templates.templates if templates is not None and own else None,
            template_set=None if own else name,
            top_k=len(texts),
        ),
        settings={"template_set": name},
    )


def asked_label_set(client: Client, name: str) -> Asked:
    """Return a label set that the service holds; its version is the one that is there now."""
    from sightline.label_calls import LabelRequest
    from zeroshot.labels import Label
    from zeroshot.templates import custom_set

    found = client.label_sets.get(name)
    labels = [
        Label(text)
        if (details := found.details.get(text)) is None
        else Label(text, details.aliases, details.prompts, details.background)
        for text in found.labels
    ]
    return Asked(
        labels=tuple(labels),
        template_digest=custom_set(found.templates).digest,
        request=LabelRequest(label_set=found.reference, top_k=len(labels)),
        settings={"template_set": found.template_set, "label_set": found.reference},
    )


def _text(label: str | Label) -> str:
    return label if isinstance(label, str) else label.text
