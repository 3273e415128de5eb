"""What an open_clip source says: architecture, preprocessing, and the file of its weights."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import open_clip
from open_clip.pretrained import download_pretrained, download_pretrained_from_hf

from core.artifacts import read_json
from core.errors import ArtifactError, EncoderError
from encoders.folder import OPEN_CLIP_CONFIG_NAME, OPEN_CLIP_WEIGHTS_NAME
from encoders.open_clip_names import FORMS, Source

OWN_KEY = "sightline"
"""The table of ``open_clip_config.json`` that is ours; open_clip does not look at it."""
NAME_KEY = "name"
"""Entry of that table: what the model is called."""
TEXT_CONFIG_KEY = "hugging_face_config"
"""Entry of that table: the configuration of a Hugging Face text tower, so that no hub is needed."""

_PREPROCESS_KEYS = ("mean", "std", "interpolation", "resize_mode")
_WEIGHT_NAMES = (
    OPEN_CLIP_WEIGHTS_NAME,
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "model.safetensors",
    "pytorch_model.bin",
)
"""What open_clip's own folders call the weights, the safest format first."""


@dataclass(frozen=True, slots=True)
class Definition:
    """An architecture with its preprocessing, its weights, and what else we know of it."""

    model_cfg: dict[str, Any]
    """``embed_dim``, ``vision_cfg``, ``text_cfg`` and options, as open_clip names them."""
    preprocess_cfg: dict[str, Any] = field(default_factory=dict)
    """What differs from open_clip's defaults."""
    weights: Path | None = None
    """File of the weights; ``None`` leaves them random."""
    own: dict[str, Any] = field(default_factory=dict)
    """The table ``sightline`` of ``open_clip_config.json``."""


def read_definition(source: Source, *, fetch_weights: bool = True) -> Definition:
    """Read what a source says; a hub is asked where the source names one.

    Args:
        source: see ``encoders.open_clip_names``.
        fetch_weights: find and, where necessary, download the weights.

    Raises:
        EncoderError: an unknown name or tag, a folder without config or weights, no hub.
    """
    if source.folder is not None:
        return _from_folder(source.folder, source, fetch_weights=fetch_weights)
    if source.hub_id is not None:
        return _from_hub(source.hub_id, fetch_weights=fetch_weights)
    return _from_name(source, fetch_weights=fetch_weights)


def _from_folder(folder: Path, source: Source, *, fetch_weights: bool) -> Definition:
    try:
        content = read_json(folder / OPEN_CLIP_CONFIG_NAME)
    except ArtifactError as error:
        raise EncoderError(
            f"the configuration of {source.name!r} cannot be read: {error}"
        ) from error
    weights = next((folder / name for name in _WEIGHT_NAMES if (folder / name).is_file()), None)
    if fetch_weights and weights is None:
        raise EncoderError(
            f"open_clip cannot load {source.name}: the folder has no weights; expected one of "
            f"{', '.join(_WEIGHT_NAMES)}"
        )
    return _from_content(content, source.name, weights if fetch_weights else None)


def _from_hub(hub_id: str, *, fetch_weights: bool) -> Definition:
    try:
        config = download_pretrained_from_hf(hub_id, filename=OPEN_CLIP_CONFIG_NAME)
        weights = Path(download_pretrained_from_hf(hub_id)) if fetch_weights else None
    except Exception as error:  # the hub's client raises many unrelated kinds
        raise EncoderError(
            f"hf-hub:{hub_id} cannot be fetched ({error}); where the hub cannot be reached, "
            "download the repository elsewhere and give local-dir:FOLDER"
        ) from error
    return _from_content(read_json(Path(config)), f"hf-hub:{hub_id}", weights)


def _from_content(content: Mapping[str, Any], name: str, weights: Path | None) -> Definition:
    model_cfg = content.get("model_cfg")
    if not isinstance(model_cfg, dict) or not {"vision_cfg", "text_cfg"} <= model_cfg.keys():
        raise EncoderError(
            f"the configuration of {name!r} cannot be read: {OPEN_CLIP_CONFIG_NAME} has no "
            "model_cfg with vision_cfg and text_cfg"
        )
    preprocess = cast("dict[str, Any]", content.get("preprocess_cfg") or {})
    own = cast("dict[str, Any]", content.get(OWN_KEY) or {})
    return Definition(model_cfg, dict(preprocess), weights, dict(own))


def _from_name(source: Source, *, fetch_weights: bool) -> Definition:
    model_cfg = open_clip.get_model_config(source.name)
    if not isinstance(model_cfg, dict):
        near = difflib.get_close_matches(source.name, open_clip.list_models(), n=1, cutoff=0.6)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise EncoderError(f"open_clip knows no model {source.name!r}; {hint}expected {FORMS}")
    if source.weights is None:
        return Definition(model_cfg)
    if Path(source.weights).is_file():
        return Definition(model_cfg, _agreed_preprocessing(source.name), Path(source.weights))
    tag = open_clip.get_pretrained_cfg(source.name, source.weights)
    if not tag:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(source.name)) or "none"
        raise EncoderError(
            f"{source.weights!r} is not a known tag of {source.name}, and no file; tags: {tags}"
        )
    if tag.get("quick_gelu"):
        # open_clip only warns of the other activation, and goes on to give wrong embeddings.
        model_cfg["quick_gelu"] = True
    weights = _download(source, tag) if fetch_weights else None
    return Definition(model_cfg, _preprocessing_of(tag), weights)


def _download(source: Source, tag: dict[str, Any]) -> Path:
    try:
        return Path(download_pretrained(tag))
    except Exception as error:  # the hub's client raises many unrelated kinds
        raise EncoderError(
            f"the weights {source.name}/{source.weights} cannot be fetched ({error}); where the "
            f"hub cannot be reached, give a file: {source.name}:/path/to/weights.safetensors"
        ) from error


def _preprocessing_of(tag: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tag[key] for key in _PREPROCESS_KEYS if tag.get(key) is not None}


def _agreed_preprocessing(name: str) -> dict[str, Any]:
    """Return the preprocessing that all published weights of a name share, or nothing.

    A bare file of weights does not say how its pictures were prepared; the defaults would be wrong
    for SigLIP, for example.
    """
    tags = open_clip.list_pretrained_tags_by_model(name)
    found = [_preprocessing_of(open_clip.get_pretrained_cfg(name, tag)) for tag in tags]
    agree = bool(found) and all(entry == found[0] for entry in found)
    return found[0] if agree else {}
