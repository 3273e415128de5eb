"""The counts of a model that has only been named: no weights are loaded."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from encoders.open_clip_building import build_module
from encoders.open_clip_definition import Definition, read_definition
from encoders.open_clip_names import LOCAL_PREFIX, Source, parse_source
from encoders.torch_counting import ModelCount, count_model


def count_source(source: str, *, depth: int = 1) -> ModelCount:
    """Count the towers of an open_clip source, see ``encoders.open_clip_names``.

    Raises:
        EncoderError: the source cannot be read or built.
    """
    return count_definition(read_definition(parse_source(source), fetch_weights=False), depth=depth)


def count_folder(folder: Path, *, depth: int = 1) -> ModelCount:
    """Count the towers of a model folder, or of another folder that open_clip reads.

    Raises:
        EncoderError: the folder cannot be read or built.
    """
    source = Source(f"{LOCAL_PREFIX}{folder}")
    return count_definition(read_definition(source, fetch_weights=False), depth=depth)


def count_definition(
    definition: Definition, *, image_size: int | None = None, depth: int = 1
) -> ModelCount:
    """Count the towers of an architecture, at its own size of pictures unless another is given.

    Raises:
        EncoderError: the architecture cannot be built.
    """
    size = image_size or definition.model_cfg["vision_cfg"].get("image_size", 224)
    side = size[0] if isinstance(size, list | tuple) else size
    return count_model(
        build_module(dataclasses.replace(definition, weights=None), image_size=image_size),
        image_size=int(side),
        context_length=int(definition.model_cfg["text_cfg"].get("context_length", 77)),
        depth=depth,
    )
