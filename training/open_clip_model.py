"""Models of open_clip for training: built-in, pretrained, or described in a recipe."""

from __future__ import annotations

import contextlib
import copy
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from torch import Tensor

from core.artifacts import read_json, write_json
from core.errors import ConfigError
from encoders.preprocessing import Preprocessing
from training.dual_encoder import DualEncoder, as_dual_encoder

LOCAL_DIR = "local-dir:"
CONFIG_NAME = "open_clip_config.json"
WEIGHTS_NAME = "open_clip_model.safetensors"
PREPROCESS_KEYS = ("mean", "std", "interpolation", "resize_mode")
"""What open_clip writes in its own folders; the size comes from the architecture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Which two towers are trained, and from which weights."""

    name: str = "ViT-B-32"
    """A built-in open_clip name, or ``local-dir:FOLDER``; ignored with ``architecture``."""
    pretrained: str = ""
    """A pretrained tag of that name, or the path of a weights file; empty starts at random."""
    architecture: dict[str, object] | None = None
    """An open_clip model config (``embed_dim``, ``vision_cfg``, ``text_cfg``) of your own."""
    image_size: int = 0
    """Side of the pictures in pixels; 0 takes the model's own."""

    def __post_init__(self) -> None:
        """Refuse an architecture that open_clip would ignore silently."""
        if self.architecture is None:
            return
        missing = {"embed_dim", "vision_cfg", "text_cfg"} - self.architecture.keys()
        if missing:
            raise ConfigError(f"model.architecture has no {min(missing)!r}")
        if self.pretrained:
            raise ConfigError("model.pretrained cannot be used with model.architecture")


@dataclass(frozen=True, slots=True)
class BuiltModel:
    """A model with what is needed to feed and to export it."""

    model: DualEncoder
    """Both towers and the temperature."""
    tokenizer: Callable[[list[str]], Tensor]
    """Texts to token ids (M, L) int64; open_clip's own, which fits the text tower."""
    preprocessing: Preprocessing
    """How pictures become pixels."""
    model_cfg: dict[str, object]
    """The architecture, as ``open_clip_config.json`` holds it."""
    preprocess_cfg: dict[str, object]
    """The preprocessing, as ``open_clip_config.json`` holds it."""


def build_model(config: ModelConfig, *, seed: int) -> BuiltModel:
    """Build the model of a recipe; random weights depend on the seed alone.

    Raises:
        ConfigError: open_clip does not know the name, the tag, or an entry of the architecture.
    """
    torch.manual_seed(seed)
    model_cfg = resolved_model_cfg(config)
    with tempfile.TemporaryDirectory(prefix="sightline-model-") as name:
        source = config.name
        if config.architecture is not None:
            # A folder without weights: open_clip reads the config and initialises at random.
            source = f"{LOCAL_DIR}{name}"
            write_open_clip_config(Path(name), model_cfg, {})
        try:
            with _quiet_root_logger():
                model = open_clip.create_model(
                    source,
                    pretrained=config.pretrained or None,
                    load_weights=config.architecture is None,
                    force_image_size=image_size_of(model_cfg),
                    pretrained_text=False,
                )
            tokenizer = open_clip.get_tokenizer(source)
        except (RuntimeError, ValueError, TypeError, KeyError, OSError, AssertionError) as error:
            raise ConfigError(
                f"open_clip cannot build the model of this recipe (model.name = {config.name!r}, "
                f"model.pretrained = {config.pretrained!r}): {error}"
            ) from error
    # Depthwise convolutions on a CPU take half the time with the channels last in memory.
    model.visual.to(memory_format=torch.channels_last)
    preprocess_cfg = dict(open_clip.get_model_preprocess_cfg(model))
    return BuiltModel(
        model=as_dual_encoder(model),
        tokenizer=tokenizer,
        preprocessing=preprocessing_of(preprocess_cfg),
        model_cfg=model_cfg,
        preprocess_cfg=preprocess_cfg,
    )


def resolved_model_cfg(config: ModelConfig) -> dict[str, Any]:
    """Return the open_clip architecture that a recipe means, with its image size.

    Raises:
        ConfigError: no such name or folder.
    """
    model_cfg: Any
    if config.architecture is not None:
        model_cfg = copy.deepcopy(config.architecture)
    elif config.name.startswith(LOCAL_DIR):
        folder = Path(config.name.removeprefix(LOCAL_DIR))
        fields = read_json(folder / CONFIG_NAME)
        model_cfg = fields.get("model_cfg", {})
    else:
        model_cfg = copy.deepcopy(open_clip.get_model_config(config.name) or {})
    if "vision_cfg" not in model_cfg:
        raise ConfigError(
            f"model.name = {config.name!r} is no built-in open_clip model; "
            "see `sightline models list` or give local-dir:FOLDER"
        )
    if config.image_size:
        model_cfg["vision_cfg"]["image_size"] = config.image_size
    resolved: dict[str, Any] = model_cfg
    return resolved


@contextlib.contextmanager
def _quiet_root_logger() -> Iterator[None]:
    """Hold back open_clip's warnings that a model without weights starts at random."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def image_size_of(model_cfg: Mapping[str, Any]) -> int:
    """Return the side of the pictures of an architecture, in pixels.

    It is always passed to open_clip as ``force_image_size`` too: timm towers ignore it in the
    config and then refuse pictures of another size than their default.

    Raises:
        ConfigError: the pictures are not square.
    """
    size = model_cfg["vision_cfg"].get("image_size", 224)
    if isinstance(size, list | tuple):
        if len(set(size)) != 1:
            raise ConfigError(f"vision_cfg.image_size = {size}: only square pictures are supported")
        size = size[0]
    return int(size)


def preprocessing_of(preprocess_cfg: Mapping[str, Any]) -> Preprocessing:
    """Return open_clip's preprocessing as ours."""
    size = preprocess_cfg["size"]
    return Preprocessing(
        image_size=int(size[0] if isinstance(size, list | tuple) else size),
        mean=tuple(preprocess_cfg["mean"]),
        std=tuple(preprocess_cfg["std"]),
        interpolation=preprocess_cfg["interpolation"],
        resize_mode=preprocess_cfg["resize_mode"],
        fill_color=preprocess_cfg["fill_color"],
    )


def write_open_clip_config(
    folder: Path, model_cfg: Mapping[str, Any], preprocess_cfg: Mapping[str, Any]
) -> None:
    """Write the ``open_clip_config.json`` of a ``local-dir:`` folder."""
    kept = {key: value for key, value in preprocess_cfg.items() if key in PREPROCESS_KEYS}
    write_json(folder / CONFIG_NAME, {"model_cfg": dict(model_cfg), "preprocess_cfg": kept})
