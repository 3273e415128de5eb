"""Any open_clip model by name, file, folder or hub id, with the spec of its model folder."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import open_clip
from open_clip.model import get_model_preprocess_cfg
from open_clip.tokenizer import HFTokenizer
from torch import nn

from core.artifacts import sha256_bytes
from core.errors import ConfigError, EncoderError
from core.types import JSONObject
from encoders.folder import TOKENIZER_NAME, ModelFolder
from encoders.open_clip_building import LOAD_ERRORS, build_module, hugging_face_config
from encoders.open_clip_definition import (
    NAME_KEY,
    OWN_KEY,
    TEXT_CONFIG_KEY,
    Definition,
    read_definition,
)
from encoders.open_clip_names import LOCAL_PREFIX, Source, parse_weighted_source
from encoders.open_clip_tokenizer import TokenizerExport, export_tokenizer
from encoders.preprocessing import Preprocessing, ResizeMode
from encoders.spec import ModelSpec, TextSpec, weights_digest
from encoders.tokenizer import TextTokenizer
from encoders.torch_towers import is_native, text_tower, trims_exactly

_TOKENIZER_FILES = ("tokenizer_config.json", "tokenizer.model", "vocab.txt")
"""One of them is in a folder from which transformers can load a tokenizer."""
_TRIM_SAMPLES = ("a", "a photo of a cat", "two dogs, a red car and 12 people on a very long street")


@dataclass(frozen=True, slots=True)
class OpenClipModel:
    """A loaded open_clip model in float32 on the CPU, and what a model folder says of it."""

    module: nn.Module
    spec: ModelSpec
    tokenizer: Any
    """open_clip's own tokenizer, the reference of the parity check; ``None`` for a model folder
    with a Hugging Face tokenizer, of which it holds ``definition`` alone."""
    definition: bytes
    """The content of ``tokenizer.json``."""
    config: JSONObject
    """The content of ``open_clip_config.json``."""


def load_open_clip(source: str | ModelFolder, *, image_size: int | None = None) -> OpenClipModel:
    """Load a model from ``source``, or from a model folder that is also an open_clip folder.

    ``image_size`` makes a source take pictures of another size, in pixels.

    Raises:
        EncoderError: unknown name or tag, unreadable weights, or a model that has no model folder.
    """
    if isinstance(source, ModelFolder):
        return _load_folder(source)
    parts = parse_weighted_source(source)
    definition = read_definition(parts)
    module = _frozen(build_module(definition, image_size=image_size))
    if image_size is not None:
        definition.model_cfg["vision_cfg"]["image_size"] = image_size
    tokenizer = load_tokenizer(parts, definition)
    exported = export_tokenizer(tokenizer)
    spec = _make_spec(parts, module, definition, exported)
    return OpenClipModel(
        module=module,
        spec=spec,
        tokenizer=tokenizer,
        definition=exported.definition,
        config=_open_clip_config(definition, module, spec.preprocessing),
    )


def load_tokenizer(source: Source | None, definition: Definition) -> Any:
    """Return open_clip's tokenizer of a model; ``None`` is a model that only a recipe describes.

    Raises:
        EncoderError: its files are neither in the folder nor can they be fetched.
    """
    text_cfg = definition.model_cfg["text_cfg"]
    name = text_cfg.get("hf_tokenizer_name")
    folder = source.folder if source is not None else None
    try:
        if name and folder is not None and _has_tokenizer(folder):
            name = str(folder)
        if name and (source is None or folder is not None):
            return HFTokenizer(
                name,
                context_length=text_cfg.get("context_length", 77),
                tokenizer_mode=text_cfg.get("tokenizer_mode"),
                **(text_cfg.get("tokenizer_kwargs") or {}),
            )
        if source is None or folder is not None:
            return open_clip.SimpleTokenizer(
                context_length=text_cfg.get("context_length", 77),
                **(text_cfg.get("tokenizer_kwargs") or {}),
            )
        return open_clip.get_tokenizer(source.name)
    except LOAD_ERRORS as error:
        what = name or (source.name if source is not None else "the recipe")
        raise EncoderError(f"the tokenizer of {what!r} cannot be loaded: {error}") from error


def _has_tokenizer(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _TOKENIZER_FILES)


def _load_folder(folder: ModelFolder) -> OpenClipModel:
    if not folder.has_open_clip:
        raise EncoderError(
            f"{folder.path} has no open_clip weights, so torch cannot run it; "
            "use the runtime openvino"
        )
    parts = Source(f"{LOCAL_PREFIX}{folder.path}")
    definition = read_definition(parts)
    module = _frozen(build_module(definition))
    is_foreign = bool(definition.model_cfg["text_cfg"].get("hf_tokenizer_name"))
    return OpenClipModel(
        module=module,
        spec=folder.spec,
        tokenizer=None if is_foreign else load_tokenizer(parts, definition),
        definition=(folder.path / TOKENIZER_NAME).read_bytes(),
        config=_open_clip_config(definition, module, folder.spec.preprocessing),
    )


def _frozen(module: nn.Module) -> nn.Module:
    return module.eval().requires_grad_(requires_grad=False)


def _make_spec(
    parts: Source,
    module: nn.Module,
    definition: Definition,
    exported: TokenizerExport,
) -> ModelSpec:
    model = cast("Any", module)
    bias = getattr(model, "logit_bias", None)
    return ModelSpec(
        name=_readable_name(parts, definition),
        dim=int(definition.model_cfg["embed_dim"]),
        preprocessing=_preprocessing(get_model_preprocess_cfg(model)),
        text=_text_spec(model, exported),
        weights_digest=state_digest(module),
        tokenizer_digest=sha256_bytes(exported.definition),
        logit_scale=float(model.logit_scale.exp().reshape(-1)[0]),
        logit_bias=0.0 if bias is None else float(bias.reshape(-1)[0]),
        source=_public_source(parts, definition),
    )


def state_digest(module: nn.Module) -> str:
    """Return the weights digest of a module's state."""
    return weights_digest(
        {name: tensor.detach().cpu().numpy() for name, tensor in module.state_dict().items()}
    )


def _public_source(parts: Source, definition: Definition) -> str:
    """Return where the weights came from, without the paths of this machine."""
    if parts.folder is not None:
        return f"{LOCAL_PREFIX}{_readable_name(parts, definition)}"
    if parts.weights is None:
        return parts.name
    separator = ":" if Path(parts.weights).is_file() else "/"
    return f"{parts.name}{separator}{Path(parts.weights).name}"


def _readable_name(parts: Source, definition: Definition) -> str:
    """Return what a folder says it is called, else the folder's own name, or the source's."""
    if parts.folder is not None:
        return str(definition.own.get(NAME_KEY) or parts.folder.resolve().name)
    return parts.hub_id or parts.name


def _preprocessing(fields: dict[str, Any]) -> Preprocessing:
    size = fields["size"]
    sides = {size} if isinstance(size, int) else set(size)
    if len(sides) != 1:
        raise EncoderError(f"the model takes pictures of {size}; only squares are supported")
    interpolation = fields.get("interpolation") or "bicubic"
    try:
        return Preprocessing(
            image_size=int(sides.pop()),
            mean=cast("tuple[float, float, float]", tuple(map(float, fields["mean"]))),
            std=cast("tuple[float, float, float]", tuple(map(float, fields["std"]))),
            # open_clip evaluates models trained with random filters with the bicubic one.
            interpolation="bilinear" if interpolation == "bilinear" else "bicubic",
            resize_mode=cast("ResizeMode", fields.get("resize_mode") or "shortest"),
            fill_color=int(fields.get("fill_color") or 0),
        )
    except ConfigError as error:
        raise EncoderError(f"the preprocessing of the model makes no sense: {error}") from error


def _text_spec(model: Any, exported: TokenizerExport) -> TextSpec:
    native = getattr(model, "text", model)
    if is_native(native) and native.context_length != exported.context_length:
        raise EncoderError(
            f"the tokenizer cuts at {exported.context_length} tokens, but the text tower takes "
            f"{native.context_length}; correct context_length in the model's text_cfg"
        )
    full = TextSpec(
        context_length=exported.context_length,
        pad_id=exported.pad_id,
        cleaning=exported.cleaning,
        trim=False,
    )
    tower = text_tower(model, pad_id=full.pad_id)
    trim = trims_exactly(tower, TextTokenizer(exported.definition, full), _TRIM_SAMPLES)
    return TextSpec(full.context_length, full.pad_id, full.cleaning, trim)


def _open_clip_config(
    definition: Definition, module: nn.Module, preprocessing: Preprocessing
) -> JSONObject:
    """Return the content of ``open_clip_config.json`` for the folder that is written."""
    own = {key: value for key, value in definition.own.items() if key != NAME_KEY}
    if (text_config := hugging_face_config(module)) is not None:
        own[TEXT_CONFIG_KEY] = text_config
    fields = dataclasses.asdict(preprocessing)
    content = {
        "model_cfg": definition.model_cfg,
        "preprocess_cfg": {"size": fields.pop("image_size"), **fields},
        **({OWN_KEY: own} if own else {}),
    }
    return cast("JSONObject", json.loads(json.dumps(content)))
