"""Names of open_clip models: an architecture, and which weights go into it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import open_clip

from core.errors import EncoderError
from encoders.folder import OPEN_CLIP_CONFIG_NAME

LOCAL_PREFIX = "local-dir:"
HUB_PREFIX = "hf-hub:"
FORMS = "NAME/TAG, NAME:/path/weights, local-dir:/path or hf-hub:org/name"


@dataclass(frozen=True, slots=True)
class Source:
    """An open_clip source, taken apart."""

    name: str
    """The first argument of open_clip's functions, with its prefix."""
    weights: str | None = None
    """A pretrained tag, or the path of a checkpoint; ``None`` where the name says it."""

    @property
    def folder(self) -> Path | None:
        """The folder of a ``local-dir:``."""
        is_local = self.name.startswith(LOCAL_PREFIX)
        return Path(self.name.removeprefix(LOCAL_PREFIX)).expanduser() if is_local else None

    @property
    def hub_id(self) -> str | None:
        """The repository of a ``hf-hub:``."""
        is_hub = self.name.startswith(HUB_PREFIX)
        return self.name.removeprefix(HUB_PREFIX) if is_hub else None

    @property
    def holds_weights(self) -> bool:
        """Whether the source says which weights, too."""
        return self.weights is not None or self.folder is not None or self.hub_id is not None


def parse_source(source: str) -> Source:
    """Take a source apart; a plain ``NAME`` has an architecture and no weights.

    Raises:
        EncoderError: it has none of the known forms, or its weights are no file.
    """
    if source in (LOCAL_PREFIX, HUB_PREFIX) or not source:
        raise EncoderError(f"{source!r} names no model; expected {FORMS}")
    if source.startswith((LOCAL_PREFIX, HUB_PREFIX)):
        return Source(source)
    if (Path(source) / OPEN_CLIP_CONFIG_NAME).is_file():
        return Source(f"{LOCAL_PREFIX}{source}")
    name, colon, path = source.partition(":")
    if colon:
        return Source(name, str(_weights_file(path, source)))
    # open_clip writes ViT-B/32 as ViT-B-32.
    if open_clip.get_model_config(source.replace("/", "-")) is not None:
        return Source(source.replace("/", "-"))
    name, _, tag = source.rpartition("/")
    if name and tag:
        return Source(name.replace("/", "-"), tag)
    return Source(source)


def parse_weighted_source(source: str) -> Source:
    """Take a source apart that has to name weights.

    Raises:
        EncoderError: it has none of the known forms, or names no weights.
    """
    parts = parse_source(source)
    if parts.holds_weights:
        return parts
    tags = ", ".join(open_clip.list_pretrained_tags_by_model(parts.name)) or "none"
    raise EncoderError(
        f"{source!r} names no weights; expected {FORMS} (tags of {parts.name}: {tags})"
    )


def _weights_file(path: str, source: str) -> Path:
    found = Path(path).expanduser()
    if not found.is_file():
        raise EncoderError(f"{path} is not a file; the source {source!r} names it as weights")
    return found
