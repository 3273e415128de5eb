"""Models of open_clip for training: built-in, pretrained, or described in a recipe."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import ConfigError


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
