"""Label sets: named, immutable, versioned lists of labels with their prompt templates.

A store is a folder; ``<name>/<version>/`` is an artifact with ``labels.json`` in it. Saving under a
name that exists makes the next version; a version never changes. What was fitted on images for a
version lies beside it (``zeroshot.fitted_store``). Sets that come with Sightline
(``imagenet``) are known in every store and their names are taken.
"""

from __future__ import annotations

import errno
import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

from core.artifacts import (
    MANIFEST_NAME,
    canonical_json,
    new_artifact,
    read_json,
    read_manifest,
    sha256_bytes,
    verify_files,
    write_json,
)
from core.errors import (
    ArtifactError,
    ConflictError,
    LabelSetError,
    NotFoundError,
    SightlineError,
    StorageError,
    StorageFullError,
)
from core.types import JSONObject, JSONValue
from zeroshot.labels import Label, check_label_list
from zeroshot.templates import TemplateSet, custom_set, template_set, template_set_names

KIND = "label-set"
FORMAT_VERSION = 1
"""Labels that are texts and nothing more."""
DETAILED_FORMAT_VERSION = 2
"""Labels with aliases, own prompts, background or a language: a release that would ignore these
refuses the set instead."""
LABELS_NAME = "labels.json"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_REFERENCE = re.compile(r"([a-z0-9][a-z0-9_-]{0,63})(?:@([1-9][0-9]{0,8}))?")
_DATA_PATH = Path(__file__).parent / "data" / "label_sets.json"


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Labels and the prompts that describe them; with an encoder it becomes a classifier."""

    name: str
    version: int
    """1 for the first; ``name@version`` means these labels for ever."""
    details: tuple[Label, ...]
    """Tidied, no two alike, in the order they were given."""
    templates: TemplateSet
    digest: str
    """sha256 over labels and templates: equal for equal content, whatever name and version."""
    language: str | None = None
    """What the labels are written in, as a note to readers, for example ``de``."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The texts of the labels."""
        return tuple(label.text for label in self.details)

    @property
    def reference(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"


class LabelSetStore:
    """The label sets of one folder and the built-in ones. Any thread may call it."""

    def __init__(self, folder: Path) -> None:
        """Use ``folder``, which is created by the first save."""
        self._folder = folder
        self._saving = threading.Lock()

    @property
    def folder(self) -> Path:
        """Where the sets are."""
        return self._folder

    def save(
        self,
        name: str,
        labels: Sequence[str | Label],
        templates: TemplateSet,
        *,
        language: str | None = None,
    ) -> LabelSet:
        """Store a new version; what equals the newest version is not stored again.

        Raises:
            LabelSetError: the name, the labels or the templates cannot be used.
            ConflictError: another process stored this version at the same moment; try again.
            StorageError: the folder cannot be written.
        """
        _check_name(name)
        with self._saving:
            newest = max(self._versions(name), default=0)
            checked = check_label_list(labels)
            label_set = _new_label_set(name, newest + 1, checked, templates, language=language)
            if newest:
                stored = self._load(name, newest)
                if replace(label_set, version=newest) == stored:
                    return stored
            self._write(label_set)
        return label_set

    def get(self, reference: str) -> LabelSet:
        """Return ``name`` (its newest version) or ``name@version``.

        Raises:
            NotFoundError: there is none; the message names the known ones.
            ArtifactError: its folder is damaged.
        """
        match = _REFERENCE.fullmatch(reference)
        name, version = (match[1], int(match[2] or 0)) if match else (reference, 0)
        built_in = _built_in_sets().get(name)
        if built_in is not None and version in {0, built_in.version}:
            return built_in
        versions = self._versions(name) if match else ()
        if versions and (version or versions[-1]) in versions:
            return self._load(name, version or versions[-1])
        raise NotFoundError(self._unknown(reference, name, versions), param="label_set")

    def list(self) -> list[LabelSet]:
        """Return the newest version of every set, the built-in ones included, by name."""
        found = [self._load(name, self._versions(name)[-1]) for name in self._names()]
        return sorted([*found, *_built_in_sets().values()], key=lambda item: item.name)

    def versions(self, name: str) -> Sequence[int]:
        """Return the versions of a label set, oldest first; none of a name that is unknown."""
        built_in = _built_in_sets().get(name)
        if built_in is not None:
            return (built_in.version,)
        return self._versions(name) if _NAME.fullmatch(name) else ()

    def _names(self) -> Sequence[str]:
        """Return the names that have a version in the folder."""
        if not self._folder.is_dir():
            return []
        names = (entry.name for entry in self._folder.iterdir() if _NAME.fullmatch(entry.name))
        return sorted(name for name in names if self._versions(name))

    def _versions(self, name: str) -> Sequence[int]:
        """Return the stored versions of a well-formed name, oldest first."""
        folder = self._folder / name
        if not folder.is_dir():
            return []
        return sorted(int(item.name) for item in folder.iterdir() if _VERSION.fullmatch(item.name))

    def _write(self, label_set: LabelSet) -> None:
        target = self._folder / label_set.name / str(label_set.version)
        content: JSONObject = {
            "name": label_set.name,
            "version": label_set.version,
            "labels": list(label_set.labels),
            "template_set": label_set.templates.name,
            "templates": list(label_set.templates.templates),
        }
        plain = _is_plain(label_set)
        if not plain:
            content |= {
                "details": details_object(label_set.details),
                "language": label_set.language,
            }
        try:
            with new_artifact(
                target,
                kind=KIND,
                format_version=FORMAT_VERSION if plain else DETAILED_FORMAT_VERSION,
                extra={"digest": label_set.digest},
            ) as folder:
                write_json(folder / LABELS_NAME, content)
        except OSError as error:
            raise _why_not_stored(target, error) from error

    def _load(self, name: str, version: int) -> LabelSet:
        folder = self._folder / name / str(version)
        detailed = (folder / MANIFEST_NAME).is_file() and read_json(folder / MANIFEST_NAME).get(
            "format_version"
        ) == DETAILED_FORMAT_VERSION
        expected = DETAILED_FORMAT_VERSION if detailed else FORMAT_VERSION
        verify_files(folder, read_manifest(folder, kind=KIND, format_version=expected))
        content = read_json(folder / LABELS_NAME)
        labels, templates = _texts(content, "labels", folder), _texts(content, "templates", folder)
        templates_used = _stored_templates(str(content.get("template_set")), templates)
        details = _stored_details(labels, content.get("details"))
        language = content.get("language")
        return _new_label_set(
            name,
            version,
            check_label_list(details),
            templates_used,
            language=None if language is None else str(language),
        )

    def _unknown(self, reference: str, name: str, versions: Sequence[int]) -> str:
        if versions:
            stored = ", ".join(f"{name}@{version}" for version in versions)
            return f"no label set {reference!r}; stored versions: {stored}"
        known = ", ".join(sorted([*self._names(), *_built_in_sets()]))
        return f"no label set {reference!r}; known: {known}"


def _why_not_stored(target: Path, error: OSError) -> SightlineError:
    if error.errno in {errno.EEXIST, errno.ENOTEMPTY}:
        return ConflictError(f"{target} was stored by another process just now; save again")
    if error.errno == errno.ENOSPC:
        return StorageFullError(f"the disk is full, {target} was not stored; free some space")
    return StorageError(f"{target} cannot be written: {error}; check the folder's permissions")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise LabelSetError(
            f"name = {name!r}: expected 1 to 64 of a-z, 0-9, - and _, beginning with a letter or "
            "digit",
            param="name",
        )
    if name in _built_in_sets():
        raise LabelSetError(
            f"name = {name!r}: a built-in label set has this name; choose another", param="name"
        )


def details_object(labels: Sequence[Label]) -> JSONObject:
    """Return what describes the labels that are more than a text, by text."""
    return {
        label.text: {
            "aliases": list(label.aliases),
            "prompts": list(label.prompts),
            "background": label.background,
        }
        for label in labels
        if not label.plain
    }


def label_set_object(item: LabelSet) -> JSONObject:
    """Return a label set as answers give it."""
    return {
        "name": item.name,
        "version": item.version,
        "labels": list(item.labels),
        "template_set": item.templates.name,
        "templates": list(item.templates.templates),
        "digest": item.digest,
        "details": details_object(item.details),
        "language": item.language,
    }


def _new_label_set(
    name: str,
    version: int,
    labels: tuple[Label, ...],
    templates: TemplateSet,
    *,
    language: str | None = None,
) -> LabelSet:
    identity: JSONObject = {
        "labels": [label.text for label in labels],
        "templates": templates.digest,
    }
    details = details_object(labels)
    if details:
        identity["details"] = details
    return LabelSet(
        name=name,
        version=version,
        details=labels,
        templates=templates,
        digest=sha256_bytes(canonical_json(identity)),
        language=language,
    )


def _is_plain(label_set: LabelSet) -> bool:
    return label_set.language is None and all(label.plain for label in label_set.details)


def _stored_details(labels: Sequence[str], details: JSONValue) -> list[Label]:
    known = details if isinstance(details, dict) else {}
    return [_stored_label(text, known.get(text)) for text in labels]


def _stored_label(text: str, stored: JSONValue) -> Label:
    if not isinstance(stored, dict):
        return Label(text)
    aliases, prompts = stored.get("aliases"), stored.get("prompts")
    return Label(
        text,
        aliases=tuple(str(item) for item in aliases) if isinstance(aliases, list) else (),
        prompts=tuple(str(item) for item in prompts) if isinstance(prompts, list) else (),
        background=stored.get("background") is True,
    )


def _stored_templates(name: str, texts: Sequence[str]) -> TemplateSet:
    """Return the stored prompts under their name; they hold even if the built-in set changes."""
    if name in template_set_names() and list(template_set(name).templates) == list(texts):
        return template_set(name)
    return custom_set(texts)


def _texts(content: JSONObject, field: str, folder: Path) -> Sequence[str]:
    values = content.get(field)
    if not isinstance(values, list):
        raise ArtifactError(f"{folder / LABELS_NAME} has no list {field!r}; save the set again")
    return [str(value) for value in values]


@cache
def _built_in_sets() -> Mapping[str, LabelSet]:
    """Return the sets of the package, by name.

    ``imagenet`` is open_clip's ``IMAGENET_CLASSNAMES``, whose repeated "missile" and "sunglasses"
    are kept once: 998 labels.
    """
    data = json.loads(_DATA_PATH.read_bytes())
    return MappingProxyType(
        {
            name: _new_label_set(
                name, 1, check_label_list(item["labels"]), template_set(item["templates"])
            )
            for name, item in data.items()
        }
    )
