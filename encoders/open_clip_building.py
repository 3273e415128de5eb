"""open_clip models as modules: any architecture it knows, our text towers, weights that fit."""

from __future__ import annotations

import contextlib
import copy
import logging
import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import open_clip
import torch
from open_clip.model import get_model_preprocess_cfg, set_model_preprocess_cfg
from safetensors import SafetensorError
from torch import nn

from core.artifacts import write_json
from core.errors import ConfigError, EncoderError
from core.types import JSONObject
from encoders.folder import OPEN_CLIP_CONFIG_NAME
from encoders.open_clip_definition import TEXT_CONFIG_KEY, Definition
from encoders.torch_text_towers import CbowConfig, build_own_tower, own_tower_config

LOAD_ERRORS = (
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    AssertionError,
    IndexError,
    ImportError,
    SafetensorError,
    ConfigError,
    pickle.UnpicklingError,
)
"""What open_clip, timm, transformers and torch raise for a model that they cannot build or load."""

_PLACEHOLDER = {"width": 8, "heads": 1, "layers": 1, "vocab_size": 8}
"""The text tower that open_clip builds where ours takes its place."""


def build_module(
    definition: Definition,
    *,
    image_size: int | None = None,
    pretrained_image: bool = False,
    pretrained_text: bool = False,
) -> nn.Module:
    """Build a model and load its weights, strictly; without weights they are torch's next draws.

    Args:
        definition: what to build.
        image_size: side of the pictures, where it is to differ from the architecture's; position
            embeddings are resized.
        pretrained_image: start a timm tower from its own published weights.
        pretrained_text: start a Hugging Face tower from its own published weights.

    Raises:
        EncoderError: the architecture cannot be built, or the weights are not its own.
    """
    own_size = definition.model_cfg["vision_cfg"].get("image_size")
    is_timm = bool(definition.model_cfg["vision_cfg"].get("timm_model_name"))
    size = image_size or own_size
    load_first = is_timm and definition.weights is not None
    try:
        module = _create(
            definition,
            image_size=None if load_first else size,
            pretrained_image=pretrained_image,
            pretrained_text=pretrained_text,
        )
        if load_first:
            _load_timm(module, cast("Path", definition.weights), own_size)
            _set_image_size(module, size)
        elif definition.weights is not None:
            open_clip.load_checkpoint(module, str(definition.weights), strict=True)
    except LOAD_ERRORS as error:
        raise EncoderError(f"{_what(definition)} {_first_line(error)}") from error
    return module


def hugging_face_config(module: nn.Module) -> dict[str, Any] | None:
    """Return the configuration of a Hugging Face text tower, or ``None`` for other towers."""
    config = getattr(getattr(module, "text", None), "config", None)
    to_dict = getattr(config, "to_dict", None)
    return cast("dict[str, Any]", to_dict()) if to_dict is not None else None


def _create(
    definition: Definition,
    *,
    image_size: Any,
    pretrained_image: bool,
    pretrained_text: bool,
) -> nn.Module:
    """Build the architecture from a config of its own in a temporary folder."""
    model_cfg = copy.deepcopy(definition.model_cfg)
    own_tower = own_tower_config(model_cfg["text_cfg"])
    if own_tower is not None:
        model_cfg["custom_text"] = True
        model_cfg["text_cfg"] = {**_PLACEHOLDER, "context_length": own_tower.context_length}
    with tempfile.TemporaryDirectory(prefix="sightline-model-") as name, _quiet_root_logger():
        folder = Path(name)
        if text_config := definition.own.get(TEXT_CONFIG_KEY):
            (folder / "text").mkdir()
            write_json(folder / "text" / "config.json", text_config)
            model_cfg["text_cfg"]["hf_model_name"] = str(folder / "text")
        content: JSONObject = {"model_cfg": model_cfg, "preprocess_cfg": definition.preprocess_cfg}
        write_json(folder / OPEN_CLIP_CONFIG_NAME, content)
        module: nn.Module = open_clip.create_model(
            f"local-dir:{folder}",
            load_weights=False,
            force_image_size=image_size,
            pretrained_image=pretrained_image,
            pretrained_text=pretrained_text,
        )
    if own_tower is not None:
        _put_text_tower(module, own_tower, dim=int(model_cfg["embed_dim"]))
    return module


def _put_text_tower(module: Any, config: CbowConfig, *, dim: int) -> None:
    """Replace the text tower of a ``CustomTextCLIP``."""
    module.text = build_own_tower(config, dim=dim)
    module.context_length, module.vocab_size = config.context_length, config.vocab_size


def _load_timm(module: nn.Module, weights: Path, own_size: Any) -> None:
    """Load weights whose position embeddings are either of the config's size or of timm's default.

    open_clip loads into a tower of timm's default size and resizes it afterwards, so that it
    cannot read back what was trained, and saved, at another size.
    """
    try:
        open_clip.load_checkpoint(module, str(weights), strict=True)
    except RuntimeError as error:
        if "size mismatch" not in str(error):
            raise
        _set_image_size(module, own_size)
        open_clip.load_checkpoint(module, str(weights), strict=True)


def _set_image_size(module: Any, size: Any) -> None:
    """Make a timm tower take pictures of another size, and say so in the preprocessing."""
    if size is None:
        return
    with torch.no_grad():
        module.visual.set_input_size(size)
    fields = {**get_model_preprocess_cfg(module), "size": module.visual.image_size}
    set_model_preprocess_cfg(module, fields)


def _what(definition: Definition) -> str:
    if definition.weights is None:
        return "open_clip cannot build this architecture:"
    return (
        f"open_clip cannot load {definition.weights.name} into this architecture; "
        "are these its weights?"
    )


def _first_line(error: Exception) -> str:
    """Return a message without the pages that torch adds for every tensor."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:3]) if lines else type(error).__name__


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
