"""Tiny open_clip models with random weights, for tests that need real model folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file

from encoders.export import export_model

TINY_VIT: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {
        "image_size": 32,
        "layers": 2,
        "width": 32,
        "patch_size": 16,
        "head_width": 16,
    },
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 32,
        "heads": 2,
        "layers": 2,
    },
}
"""A vision transformer and a causal text transformer, about 1.7 million weights."""


def write_tiny_source(target: Path, config: dict[str, Any] | None = None, *, seed: int = 0) -> Path:
    """Write an open_clip ``local-dir:`` folder with random weights and return it."""
    config = config or TINY_VIT
    target.mkdir(parents=True)
    (target / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": config, "preprocess_cfg": {}})
    )
    torch.manual_seed(seed)
    model = open_clip.create_model(
        f"local-dir:{target}",
        pretrained_text=False,
        force_image_size=config["vision_cfg"]["image_size"],
    )
    save_file(
        {name: tensor.clone() for name, tensor in model.state_dict().items()},
        target / "open_clip_model.safetensors",
    )
    return target


def export_tiny_model(
    target: Path, config: dict[str, Any] | None = None, *, name: str = "tiny", seed: int = 0
) -> Path:
    """Write a model folder of a tiny model at ``target`` (about 3 s) and return it."""
    source = write_tiny_source(target.with_name(f"{target.name}-source"), config, seed=seed)
    export_model(f"local-dir:{source}", target, name=name)
    return target
