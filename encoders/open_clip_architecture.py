"""An architecture of a recipe checked by name, type and value before open_clip sees it."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

import timm
from open_clip.model import CLIPTextCfg, CLIPVisionCfg

from core.errors import ConfigError
from encoders.torch_text_towers import TOWER_KEY, own_tower_config

_REQUIRED = ("embed_dim", "vision_cfg", "text_cfg")
_OPTIONS: dict[str, type] = {
    "embed_dim": int,
    "vision_cfg": dict,
    "text_cfg": dict,
    "multimodal_cfg": dict,
    "quick_gelu": bool,
    "custom_text": bool,
    "init_logit_scale": float,
    "init_logit_bias": float,
}
_POSITIVE = frozenset(
    {
        "layers",
        "width",
        "head_width",
        "patch_size",
        "image_size",
        "attn_pooler_queries",
        "attn_pooler_heads",
        "heads",
        "context_length",
        "vocab_size",
        "mlp_ratio",
    }
)
_CHOICES: dict[tuple[str, str], tuple[object, ...]] = {
    ("vision_cfg", "pos_embed_type"): ("learnable", "sin_cos_2d"),
    ("vision_cfg", "pool_type"): ("tok", "avg", "none"),
    ("vision_cfg", "timm_proj"): ("linear", "mlp", "none", ""),
    ("text_cfg", "pool_type"): ("first", "last", "argmax", "eos"),
    ("text_cfg", "proj_type"): ("linear", "none"),
    ("text_cfg", "hf_proj_type"): ("linear", "mlp"),
    # open_clip's max_pooler keeps the filling and drops the tokens.
    ("text_cfg", "hf_pooler_type"): ("mean_pooler", "cls_pooler", "cls_last_hidden_state_pooler"),
}
_PROBABILITIES = ("patch_dropout", "timm_drop", "timm_drop_path")


def check_architecture(architecture: Mapping[str, Any], *, where: str) -> None:
    """Refuse an architecture that open_clip would ignore, misread or fail on.

    Raises:
        ConfigError: a missing or unknown key, a value of the wrong type or one that cannot be; the
            message names the key and, for an unknown one, the nearest known.
    """
    missing = [key for key in _REQUIRED if key not in architecture]
    if missing:
        raise ConfigError(f"{where} has no {min(missing)!r}")
    _check_table(architecture, _OPTIONS, where=where)
    _check_sizes(architecture, where=where)
    vision, text = architecture["vision_cfg"], architecture["text_cfg"]
    _check_fields(vision, CLIPVisionCfg, "vision_cfg", where=where)
    if vision.get("timm_model_name"):
        _check_timm_name(vision["timm_model_name"], where=where)
    elif isinstance(vision.get("layers", 12), int):
        _check_divides(vision, "head_width", 64, "width", 768, where=f"{where}.vision_cfg")
    if TOWER_KEY in text:
        own_tower_config(text)
        return
    _check_fields(text, CLIPTextCfg, "text_cfg", where=where)
    if not text.get("hf_model_name"):
        _check_divides(text, "heads", 8, "width", 512, where=f"{where}.text_cfg")


def _check_fields(
    table: Mapping[str, Any], config_type: type[Any], section: str, *, where: str
) -> None:
    """Check one of open_clip's tables by the types that its dataclass declares."""
    hints = typing.get_type_hints(config_type)
    known = {field.name: hints[field.name] for field in dataclasses.fields(config_type)}
    path = f"{where}.{section}"
    extra = (TOWER_KEY,) if section == "text_cfg" else ()
    _check_table(table, known, where=path, extra=extra)
    _check_sizes(table, where=path)
    for key in _PROBABILITIES:
        if table.get(key) is not None and not 0 <= table[key] < 1:
            raise ConfigError(f"{path}.{key} = {table[key]}: expected at least 0 and below 1")
    for (owner, key), choices in _CHOICES.items():
        if owner == section and key in table and table[key] not in choices:
            listed = ", ".join(repr(choice) for choice in choices)
            raise ConfigError(f"{path}.{key} = {table[key]!r}: expected one of {listed}")


def _check_table(
    table: Mapping[str, Any], known: Mapping[str, Any], *, where: str, extra: Iterable[str] = ()
) -> None:
    for key, value in table.items():
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r}{_nearest(key, [*known, *extra])}")
        if not _accepts(known[key], value):
            raise ConfigError(f"{where}.{key} = {value!r}: expected {_readable(known[key])}")


def _check_sizes(table: Mapping[str, Any], *, where: str) -> None:
    for key, value in table.items():
        sizes = value if isinstance(value, list | tuple) else (value,)
        if key in {*_POSITIVE, "embed_dim"} and any(size <= 0 for size in sizes):
            raise ConfigError(f"{where}.{key} = {value}: expected more than 0")


def _check_divides(
    table: Mapping[str, Any], part: str, usual: int, whole: str, usual_whole: int, *, where: str
) -> None:
    divisor, total = table.get(part, usual), table.get(whole, usual_whole)
    if total % divisor:
        raise ConfigError(f"{where}.{part} = {divisor} does not divide {where}.{whole} = {total}")


def _check_timm_name(name: str, *, where: str) -> None:
    plain = name.partition(".")[0]
    if timm.is_model(plain) or name.startswith("hf-hub:"):
        return
    raise ConfigError(
        f"{where}.vision_cfg.timm_model_name = {name!r}: timm has no such model"
        f"{_nearest(plain, timm.list_models())}"
    )


def _nearest(key: str, known: Iterable[str]) -> str:
    matches = difflib.get_close_matches(key, list(known), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def _accepts(hint: Any, value: object) -> bool:
    """Return whether a value is of the type that an annotation names."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_accepts(choice, value) for choice in arguments)
    if origin is tuple:
        return (
            isinstance(value, list | tuple)
            and len(value) == len(arguments)
            and all(map(_accepts, arguments, value))
        )
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)


def _readable(hint: Any) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    if get_origin(hint) in (typing.Union, types.UnionType):
        kinds = [choice for choice in get_args(hint) if choice is not type(None)]
        return " or ".join(_readable(kind) for kind in kinds)
    if get_origin(hint) is tuple:
        return f"a list of {len(get_args(hint))} whole numbers"
    return names.get(hint, "a table")
