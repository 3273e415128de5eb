"""Whether two models may be merged: one architecture, one preprocessing, one tokenizer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from open_clip.model import CLIPTextCfg, CLIPVisionCfg

from core.errors import ConflictError
from encoders.open_clip_definition import OWN_KEY
from training.merging.sources import MergeModel

_TRAINING_ONLY = frozenset(
    {
        "init_logit_bias",
        "init_logit_scale",
        "vision_cfg.patch_dropout",
        "vision_cfg.timm_drop",
        "vision_cfg.timm_drop_path",
        "vision_cfg.timm_model_pretrained",
        "text_cfg.hf_model_pretrained",
    }
)
"""Entries of an architecture that change how it starts or trains, not what it computes."""


def refuse_different(first: MergeModel, other: MergeModel) -> None:
    """Accept two models that differ in nothing but the values of their weights.

    Raises:
        ConflictError: naming the first thing in which they differ.
    """
    for facts in (_architecture, _tensors, _tokenizer, _preprocessing):
        ours, theirs = facts(first), facts(other)
        for name in sorted(ours.keys() | theirs.keys()):
            here, there = ours.get(name, "absent"), theirs.get(name, "absent")
            if here != there:
                raise ConflictError(
                    f"{other.source} cannot be merged with {first.source}: {name} is {there} in "
                    f"the one and {here} in the other; merge models that were trained from the "
                    "same start"
                )


def _architecture(model: MergeModel) -> dict[str, object]:
    """Return the entries of the architecture, the defaults of open_clip filled in."""
    config: Any = model.model.config["model_cfg"]
    towers = {"vision_cfg": CLIPVisionCfg, "text_cfg": CLIPTextCfg}
    facts: dict[str, object] = {"quick_gelu": False, "custom_text": False}
    facts |= {name: value for name, value in config.items() if name not in towers}
    own: Any = model.model.config.get(OWN_KEY, {})
    facts |= {f"{OWN_KEY}.{name}": value for name, value in own.items()}
    for section, defaults in towers.items():
        entries = {**_defaults(defaults), **config.get(section, {})}
        facts |= {f"{section}.{name}": _plain(value) for name, value in entries.items()}
    return {name: value for name, value in facts.items() if name not in _TRAINING_ONLY}


def _tensors(model: MergeModel) -> dict[str, object]:
    return {f"the shape of {name}": tuple(value.shape) for name, value in model.weights.items()}


def _tokenizer(model: MergeModel) -> dict[str, object]:
    spec = model.model.spec
    return {
        "the tokenizer": spec.tokenizer_digest[:12],
        "the context length": spec.text.context_length,
        "the cleaning of texts": spec.text.cleaning,
    }


def _preprocessing(model: MergeModel) -> dict[str, object]:
    fields = dataclasses.asdict(model.model.spec.preprocessing)
    return {f"preprocessing.{name}": _plain(value) for name, value in fields.items()}


def _defaults(config: type[Any]) -> Mapping[str, object]:
    return {
        field.name: field.default
        for field in dataclasses.fields(config)
        if field.default is not dataclasses.MISSING
    }


def _plain(value: object) -> object:
    """Return lists for tuples, one number for a square size: the spelling of equal settings."""
    items = list(value) if isinstance(value, list | tuple) else [value]
    return items[0] if len(set(map(str, items))) == 1 else items
