"""One tower that starts from given weights, strictly: what does not fit is refused by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import open_clip
import timm
import torch
from open_clip.model import CLIP, resize_pos_embed, resize_text_pos_embed
from torch import Tensor, nn

from core.errors import ConfigError
from encoders.open_clip_building import LOAD_ERRORS

HUGGING_FACE = "hf"
"""The word that stands for the published weights of a Hugging Face text tower."""

_TEXT_OF_CLIP = (
    "token_embedding.",
    "positional_embedding",
    "transformer.",
    "ln_final.",
    "text_projection",
)
_NAMED = 3
State = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class TowerStart:
    """Where the towers of a recipe get their first weights, apart from the model's own."""

    image_file: Path | None = None
    """A file of weights for the image tower."""
    text_file: Path | None = None
    """A file of weights for the text tower."""
    timm_tag: str = ""
    """Published weights of a timm tower."""
    hugging_face: bool = False
    """Whether a Hugging Face text tower starts from its published weights."""


def tower_start(image: str, text: str, model_cfg: Mapping[str, Any]) -> TowerStart:
    """Read ``model.pretrained_image`` and ``model.pretrained_text``.

    Raises:
        ConfigError: neither a file nor a tag that exists, or a tag for a tower that has none.
    """
    image_file, text_file = _file(image), _file(text)
    tag = "" if image_file or not image else _timm_tag(image, model_cfg["vision_cfg"])
    wants_hf = bool(text) and text_file is None
    if wants_hf and not (text == HUGGING_FACE and model_cfg["text_cfg"].get("hf_model_name")):
        raise ConfigError(
            f"model.pretrained_text = {text!r} is no file; expected the path of weights, or "
            f"{HUGGING_FACE!r} for a tower with hf_model_name"
        )
    return TowerStart(image_file, text_file, tag, wants_hf)


def load_towers(model: nn.Module, start: TowerStart) -> None:
    """Load the files of ``start`` into the towers of an open_clip model.

    A file may be a whole CLIP checkpoint (the other tower is left out), the weights of the tower
    alone, or a timm checkpoint (whose classifier is left out). Position embeddings of another size
    are resized.

    Raises:
        ConfigError: the file cannot be read, or weights are missing, left over or of another shape.
    """
    if start.image_file is not None:
        state = _prefixed(_image_state(_read(start.image_file, "image"), model), "visual.")
        resize_pos_embed(state, model)
        _load(
            model,
            state,
            _names(model, ("visual.",)),
            f"model.pretrained_image = {start.image_file}",
        )
    if start.text_file is not None:
        parts = _TEXT_OF_CLIP if isinstance(model, CLIP) else ("text.",)
        state = _text_state(_read(start.text_file, "text"), is_clip=isinstance(model, CLIP))
        resize_text_pos_embed(state, model)
        _load(model, state, _names(model, parts), f"model.pretrained_text = {start.text_file}")


def _file(value: str) -> Path | None:
    path = Path(value).expanduser()
    return path if value and path.is_file() else None


def _timm_tag(tag: str, vision_cfg: Mapping[str, Any]) -> str:
    name = str(vision_cfg.get("timm_model_name") or "")
    if not name:
        raise ConfigError(
            f"model.pretrained_image = {tag!r} is no file, and only timm towers have tags; give "
            "the path of weights"
        )
    known = [full.partition(".")[2] for full in timm.list_pretrained(f"{name.partition('.')[0]}.*")]
    if tag not in known:
        near = difflib.get_close_matches(tag, known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known) or 'none'}"
        raise ConfigError(f"model.pretrained_image = {tag!r} is neither a file nor a tag: {hint}")
    return tag


def _read(path: Path, tower: str) -> State:
    try:
        return cast("State", open_clip.factory.load_state_dict(str(path), device="cpu"))
    except LOAD_ERRORS as error:
        raise ConfigError(f"model.pretrained_{tower} = {path} cannot be read: {error}") from error


def _image_state(state: State, model: Any) -> State:
    """Return the image tower's part of a checkpoint by the names inside the tower."""
    if any(name.startswith("visual.") for name in state):
        return _stripped(state, "visual.")
    own = model.visual.state_dict()
    trunk = getattr(model.visual, "trunk", None)
    if trunk is None or own.keys() & state.keys():
        return state
    # timm's own checkpoint: the trunk, with a classifier of which we have no use.
    classifier = str((trunk.pretrained_cfg or {}).get("classifier") or "classifier")
    body = {name: value for name, value in state.items() if not name.startswith(f"{classifier}.")}
    head = {name: value for name, value in own.items() if _is_new(name, f"trunk.{classifier}.")}
    return {**head, **_prefixed(body, "trunk.")}


def _is_new(name: str, classifier: str) -> bool:
    """Return whether a weight is the projection, which no checkpoint of timm has."""
    return name.startswith(("head.", classifier))


def _text_state(state: State, *, is_clip: bool) -> State:
    """Return the text tower's part of a checkpoint by the names inside the model."""
    if any(name.startswith("text.") for name in state):
        state = _stripped(state, "text.")
    elif any(name.startswith("visual.") for name in state):
        state = {name: value for name, value in state.items() if name.startswith(_TEXT_OF_CLIP)}
    return state if is_clip else _prefixed(state, "text.")


def _load(model: nn.Module, state: State, expected: set[str], where: str) -> None:
    _refuse(where, "lacks", expected - state.keys())
    _refuse(where, "has, and the tower has not,", state.keys() - expected)
    own = model.state_dict()
    for name, value in state.items():
        if value.shape != own[name].shape:
            raise ConfigError(
                f"{where}: {name} has the shape {tuple(value.shape)}, the tower's is "
                f"{tuple(own[name].shape)}"
            )
    with torch.no_grad():
        model.load_state_dict(state, strict=False)


def _refuse(where: str, what: str, names: Iterable[str]) -> None:
    listed = sorted(names)
    if listed:
        more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
        raise ConfigError(
            f"{where} {what} {', '.join(listed[:_NAMED])}{more}; give weights of this architecture"
        )


def _names(model: nn.Module, prefixes: tuple[str, ...]) -> set[str]:
    return {name for name in model.state_dict() if name.startswith(prefixes)}


def _prefixed(state: State, prefix: str) -> State:
    return {f"{prefix}{name}": value for name, value in state.items()}


def _stripped(state: State, prefix: str) -> State:
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
