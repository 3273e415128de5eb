"""What the doctor must know of a model: the side of its pictures, and how long its texts may be.

A model folder is read without torch; an open_clip name or a recipe needs the training packages.
No weights are loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import NotFoundError
from encoders.folder import (
    OPEN_CLIP_CONFIG_NAME,
    TOKENIZER_NAME,
    is_model_folder,
    open_model_folder,
)
from encoders.loading import STARTER_MODEL, require_training_extra
from encoders.spec import TextSpec
from encoders.tokenizer import TextTokenizer

if TYPE_CHECKING:
    from training.towers.open_clip_model import ModelConfig


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model as its data must fit it."""

    name: str
    image_size: int
    """Side of the pictures, in pixels."""
    context_length: int
    """Most tokens of a caption, special tokens included; the rest is cut."""
    tokenizer: TextTokenizer


def facts_of_model(model: str | Path = STARTER_MODEL) -> ModelFacts:
    """Return the facts of a model folder, or of an open_clip name (``ViT-B-32``, ``NAME/TAG``).

    Raises:
        NotFoundError: a path that is no model.
        ArtifactError: a damaged model folder.
        EncoderError: a name that open_clip does not know, or open_clip is not installed.
    """
    path = Path(model).expanduser()
    if is_model_folder(path):
        folder = open_model_folder(path)
        definition = (path / TOKENIZER_NAME).read_bytes()
        return ModelFacts(
            name=folder.spec.name,
            image_size=folder.spec.preprocessing.image_size,
            context_length=folder.spec.text.context_length,
            tokenizer=TextTokenizer(definition, folder.spec.text),
        )
    if not (path / OPEN_CLIP_CONFIG_NAME).is_file() and (path.exists() or isinstance(model, Path)):
        raise NotFoundError(
            f"{path} is no model folder: it has no model.json; give the folder that "
            "sightline models export wrote"
        )
    try:
        from training.towers.open_clip_model import ModelConfig
    except ImportError as error:
        raise require_training_extra(error) from error
    return facts_of_config(ModelConfig(name=str(model)), name=str(model))


def facts_of_config(config: ModelConfig, *, name: str) -> ModelFacts:
    """Return the facts of the ``[model]`` section of a recipe.

    Raises:
        ConfigError: two settings name weights.
        EncoderError: a name that open_clip does not know, or a tokenizer that cannot be loaded.
    """
    from encoders.open_clip_source import load_tokenizer
    from encoders.open_clip_tokenizer import export_tokenizer
    from training.towers.open_clip_model import image_size_of, model_source, read_model

    definition = read_model(config, fetch_weights=False)
    exported = export_tokenizer(load_tokenizer(model_source(config), definition))
    spec = TextSpec(
        context_length=exported.context_length, pad_id=exported.pad_id, cleaning=exported.cleaning
    )
    return ModelFacts(
        name=name,
        image_size=config.image_size or image_size_of(definition.model_cfg),
        context_length=exported.context_length,
        tokenizer=TextTokenizer(exported.definition, spec),
    )
