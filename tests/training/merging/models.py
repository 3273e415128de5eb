"""Tiny open_clip folders to merge: ten thousand weights over letters of the real tokenizer."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from tests.fixtures_models import write_tiny_source

CONFIG: dict[str, Any] = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 16, "layers": 1, "width": 16, "patch_size": 8, "head_width": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
}


def changed(**entries: object) -> dict[str, Any]:
    """Return the config with entries of a tower replaced, each given as ``tower__key``."""
    config = copy.deepcopy(CONFIG)
    for name, value in entries.items():
        tower, _, key = name.partition("__")
        config[f"{tower}_cfg"][key] = value
    return config


def tiny(folder: Path, *, seed: int = 0, config: dict[str, Any] | None = None) -> Path:
    """Write a random model and return its folder."""
    return write_tiny_source(folder, config or CONFIG, seed=seed)
