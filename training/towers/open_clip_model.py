"""Models of open_clip for training: built-in, pretrained, or described in a recipe."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import open_clip
import timm
import torch
from torch import Tensor

from core.errors import ConfigError, EncoderError
from encoders.open_clip_architecture import check_architecture
from encoders.open_clip_building import build_module, hugging_face_config
from encoders.open_clip_counting import count_definition
from encoders.open_clip_definition import (
    TEXT_CONFIG_KEY,
    Definition,
    read_definition,
)
from encoders.open_clip_names import Source, parse_source
from encoders.open_clip_source import load_tokenizer
from encoders.preprocessing import Preprocessing
from encoders.torch_counting import ModelCount
from training.ranges import check_range
from training.towers.dual_encoder import DualEncoder, as_dual_encoder
from training.towers.first_embeddings import check_embeddings
from training.towers.initial_weights import TowerStart, load_towers, tower_start

_MOST_PIXELS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Which two towers are trained, and from which weights."""

    name: str = "ViT-B-32"
    """``NAME``, ``NAME/TAG``, ``NAME:/path/weights``, ``local-dir:FOLDER`` or
    ``hf-hub:ORG/NAME``; a plain name starts at random. Ignored with ``architecture``."""
    pretrained: str = ""
    """A pretrained tag of a plain name, or the path of a weights file; the same as ``NAME/TAG``."""
    pretrained_image: str = ""
    """Weights of the image tower alone: a file, or a tag of timm for a tower of timm."""
    pretrained_text: str = ""
    """Weights of the text tower alone: a file, or ``hf`` for the published weights of a Hugging
    Face tower."""
    architecture: dict[str, object] | None = None
    """An open_clip model config (``embed_dim``, ``vision_cfg``, ``text_cfg``) of your own."""
    image_size: int = 0
    """Side of the pictures in pixels; 0 takes the model's own. Position embeddings are resized."""

    def __post_init__(self) -> None:
        """Refuse an architecture that cannot be, and settings that contradict each other."""
        check_range("model.image_size", self.image_size, low=0, high=_MOST_PIXELS)
        if self.architecture is not None:
            check_architecture(self.architecture, where="model.architecture")
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
    model_cfg: dict[str, Any]
    """The architecture, as ``open_clip_config.json`` holds it."""
    preprocess_cfg: dict[str, object]
    """The preprocessing, as ``open_clip_config.json`` holds it."""
    own: dict[str, object] = field(default_factory=dict)
    """What else is needed to build it again, see ``encoders.open_clip_definition``."""


def build_model(config: ModelConfig, *, seed: int) -> BuiltModel:
    """Build the model of a recipe; random weights depend on the seed alone.

    Raises:
        ConfigError: no such name, tag or file, a hub that cannot be reached, an entry of the
            architecture that cannot be, or weights that do not fit.
    """
    torch.manual_seed(seed)
    try:
        source = model_source(config)
        definition = read_model(config)
        model = build_towers(definition, config)
        tokenizer = load_tokenizer(source, definition)
    except EncoderError as error:
        raise ConfigError(f"{_named(config)}: {error}") from error
    # Depthwise convolutions on a CPU take half the time with the channels last in memory.
    model.visual.to(memory_format=torch.channels_last)
    preprocess_cfg = dict(open_clip.get_model_preprocess_cfg(model))
    built = BuiltModel(
        model=as_dual_encoder(model),
        tokenizer=tokenizer,
        preprocessing=preprocessing_of(preprocess_cfg),
        model_cfg=_resolved(definition.model_cfg, config),
        preprocess_cfg=preprocess_cfg,
        own=_own(model),
    )
    check_embeddings(built)
    return built


def count_recipe(config: ModelConfig, *, depth: int = 1) -> ModelCount:
    """Return the parameters and multiply-adds of a recipe's model; loads no weights.

    Raises:
        ConfigError: see ``build_model``.
    """
    try:
        definition = read_model(config, fetch_weights=False)
        return count_definition(definition, image_size=config.image_size or None, depth=depth)
    except EncoderError as error:
        raise ConfigError(f"{_named(config)}: {error}") from error


def model_source(config: ModelConfig) -> Source | None:
    """Return the open_clip source that a recipe names, ``None`` where it describes its own.

    Raises:
        ConfigError: two settings name weights.
        EncoderError: the name has no known form.
    """
    if config.architecture is not None:
        return None
    source = parse_source(config.name)
    if not config.pretrained:
        return source
    if source.holds_weights:
        raise ConfigError(
            f"model.name = {config.name!r} says which weights already; leave out model.pretrained"
        )
    return Source(source.name, str(Path(config.pretrained).expanduser()))


def read_model(config: ModelConfig, *, fetch_weights: bool = True) -> Definition:
    """Return the architecture, preprocessing and weights that a recipe means.

    Raises:
        ConfigError: two settings name weights.
        EncoderError: see ``encoders.open_clip_definition.read_definition``.
    """
    source = model_source(config)
    if source is None:
        return Definition(copy.deepcopy(cast("dict[str, Any]", config.architecture)))
    return read_definition(source, fetch_weights=fetch_weights)


def build_towers(definition: Definition, config: ModelConfig) -> Any:
    """Return the open_clip module with its first weights.

    Raises:
        ConfigError: the weights of a tower do not fit, or pictures are not square.
        EncoderError: the architecture cannot be built.
    """
    image_size_of(definition.model_cfg)
    start = tower_start(config.pretrained_image, config.pretrained_text, definition.model_cfg)
    model = build_module(
        _with_tag(definition, start),
        image_size=config.image_size or None,
        pretrained_image=bool(start.timm_tag),
        pretrained_text=start.hugging_face,
    )
    load_towers(model, start)
    return model


def _with_tag(definition: Definition, start: TowerStart) -> Definition:
    """Return the definition with timm's name and normalisation of the weights."""
    if not start.timm_tag:
        return definition
    if definition.weights is not None:
        raise ConfigError(
            f"model.pretrained_image = {start.timm_tag!r}: the model has weights already; "
            "give a file, or a model without weights"
        )
    model_cfg = copy.deepcopy(definition.model_cfg)
    name = str(model_cfg["vision_cfg"]["timm_model_name"]).partition(".")[0]
    published = f"{name}.{start.timm_tag}"
    model_cfg["vision_cfg"]["timm_model_name"] = published
    # The tower was trained with pictures normalised so, not as CLIP's are.
    fields = cast("Any", timm.get_pretrained_cfg(published))
    preprocess_cfg = {**definition.preprocess_cfg, "mean": fields.mean, "std": fields.std}
    return dataclasses.replace(definition, model_cfg=model_cfg, preprocess_cfg=preprocess_cfg)


def _resolved(model_cfg: dict[str, Any], config: ModelConfig) -> dict[str, Any]:
    """Return an architecture with the size of pictures that the recipe chose."""
    resolved = copy.deepcopy(model_cfg)
    if config.image_size:
        resolved["vision_cfg"]["image_size"] = config.image_size
    return resolved


def _own(model: Any) -> dict[str, object]:
    """Return what open_clip's config has no place for."""
    text_config = hugging_face_config(model)
    return {} if text_config is None else {TEXT_CONFIG_KEY: text_config}


def _named(config: ModelConfig) -> str:
    if config.architecture is not None:
        return "model.architecture"
    tag = f", model.pretrained = {config.pretrained!r}" if config.pretrained else ""
    return f"model.name = {config.name!r}{tag}"


def image_size_of(model_cfg: Mapping[str, Any]) -> int:
    """Return the side of the pictures of an architecture, in pixels.

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
