"""One picture and one caption through a new model, before anything is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from core.errors import ConfigError
from encoders.open_clip_building import LOAD_ERRORS

if TYPE_CHECKING:
    from training.towers.open_clip_model import BuiltModel


def check_embeddings(built: BuiltModel) -> None:
    """Run one picture and one caption, so that an impossible recipe fails at the start.

    Raises:
        ConfigError: the tokenizer has tokens or lengths that the text tower does not, a tower
            fails, or the two have other dimensions.
    """
    model, tokenizer = cast("Any", built.model), cast("Any", built.tokenizer)
    inner = getattr(tokenizer, "tokenizer", None)
    tokens = tokenizer.vocab_size if inner is None else len(inner)
    if tokens > model.vocab_size:
        raise ConfigError(
            f"text_cfg.vocab_size is {model.vocab_size}, but the tokenizer has {tokens} tokens; "
            f"set it to {tokens}"
        )
    if tokenizer.context_length > model.context_length:
        raise ConfigError(
            f"the tokenizer cuts at {tokenizer.context_length} tokens, but the text tower takes "
            f"{model.context_length}; set text_cfg.context_length to that"
        )
    shapes = [tuple(embedding.shape) for embedding in _embed_one(built)]
    if shapes != [(1, built.model_cfg["embed_dim"])] * 2:
        raise ConfigError(
            f"one picture and one caption give embeddings of the shapes {shapes[0]} and "
            f"{shapes[1]}, embed_dim is {built.model_cfg['embed_dim']}; correct the architecture"
        )


@torch.no_grad()
def _embed_one(built: BuiltModel) -> tuple[Tensor, Tensor]:
    size = built.preprocessing.image_size
    was_training = built.model.training
    built.model.eval()
    try:
        image = built.model.encode_image(torch.zeros(1, 3, size, size))
        return image, built.model.encode_text(built.tokenizer(["a"]))
    except LOAD_ERRORS as error:
        raise ConfigError(
            f"the model cannot embed a picture of {size} pixels and a caption: {error}; correct "
            "the architecture of the recipe"
        ) from error
    finally:
        built.model.train(was_training)
