"""The label sets of a gallery, be it a folder on this machine or behind a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cli.any_gallery import chosen_url

if TYPE_CHECKING:
    from sightline.label_answers import LabelSet
    from zeroshot.labels import Label


@dataclass(frozen=True, slots=True)
class NewLabelSet:
    """What ``sightline labels save`` saves."""

    name: str
    labels: Sequence[Label]
    templates: str
    """Name of a template set."""
    concept: str | None
    language: str | None


class AnyLabelSets(Protocol):
    """Label sets that commands work with."""

    def save(self, given: NewLabelSet) -> LabelSet:
        """Save a label set; the same name again makes the next version.

        Raises:
            SightlineError: labels that cannot be used, or the gallery cannot be reached.
        """
        ...

    def list(self) -> Sequence[LabelSet]:
        """Return the newest version of every label set."""
        ...

    def get(self, name: str) -> LabelSet:
        """Return a label set by ``name`` or ``name@version``.

        Raises:
            NotFoundError: there is none.
        """
        ...


def any_label_sets(*, gallery: Path | None, url: str | None) -> AnyLabelSets:
    """Return the label sets at ``url``, else in the folder.

    Raises:
        UsageError: options that exclude each other, or no address.
    """
    address = chosen_url(gallery=gallery, url=url)
    return _FolderLabelSets(gallery) if address is None else _ServedLabelSets(address)


class _FolderLabelSets:
    def __init__(self, gallery: Path | None) -> None:
        from cli.label_options import label_sets_folder
        from zeroshot.label_sets import LabelSetStore

        self._store = LabelSetStore(label_sets_folder(gallery))

    def save(self, given: NewLabelSet) -> LabelSet:
        """Save a label set as the next version of its name."""
        from sightline.label_answers import read_label_set
        from zeroshot.label_sets import label_set_object
        from zeroshot.templates import template_set

        prompts = template_set(given.templates)
        if given.concept:
            prompts = prompts.with_concept(given.concept)
        saved = self._store.save(given.name, given.labels, prompts, language=given.language)
        return read_label_set(label_set_object(saved))

    def list(self) -> Sequence[LabelSet]:
        """Return the newest version of every label set."""
        from sightline.label_answers import read_label_set
        from zeroshot.label_sets import label_set_object

        return [read_label_set(label_set_object(found)) for found in self._store.list()]

    def get(self, name: str) -> LabelSet:
        """Return a label set by ``name`` or ``name@version``."""
        from sightline.label_answers import read_label_set
        from zeroshot.label_sets import label_set_object

        return read_label_set(label_set_object(self._store.get(name)))


class _ServedLabelSets:
    def __init__(self, url: str) -> None:
        from sightline.call import check_address

        self._url = check_address(url)

    def save(self, given: NewLabelSet) -> LabelSet:
        """Save a label set as the next version of its name."""
        from cli.served_gallery import open_client

        with open_client(self._url) as client:
            return client.label_sets.save(
                given.name,
                [
                    {
                        "text": label.text,
                        "aliases": [*label.aliases],
                        "prompts": [*label.prompts],
                        "background": label.background,
                    }
                    for label in given.labels
                ],
                template_set=given.templates,
                concept=given.concept or None,
                language=given.language,
            )

    def list(self) -> Sequence[LabelSet]:
        """Return the newest version of every label set."""
        from cli.served_gallery import open_client

        with open_client(self._url) as client:
            return client.label_sets.list()

    def get(self, name: str) -> LabelSet:
        """Return a label set by ``name`` or ``name@version``."""
        from cli.served_gallery import open_client

        with open_client(self._url) as client:
            return client.label_sets.get(name)
