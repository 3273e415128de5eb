"""Any open_clip model by name, file, folder or hub id, with the spec of its model folder."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import open_clip
from open_clip.model import get_model_preprocess_cfg
from torch import nn

from core.artifacts import sha256_bytes
from core.errors import ConfigError, EncoderError
from core.types import JSONObject
from encoders.folder import OPEN_CLIP_CONFIG_NAME, TOKENIZER_NAME, ModelFolder
from encoders.open_clip_tokenizer import TokenizerExport, export_tokenizer
from encoders.preprocessing import Preprocessing, ResizeMode
from encoders.spec import ModelSpec, TextSpec, weights_digest
from encoders.tokenizer import TextTokenizer
from encoders.torch_towers import is_native, text_tower, trims_exactly

_LOCAL_PREFIX = "local-dir:"
_HUB_PREFIX = "hf-hub:"
_FORMS = "NAME/TAG, NAME:/path/weights, local-dir:/path or hf-hub:org/name"
_TRIM_SAMPLES = ("a", "a photo of a cat", "two dogs, a red car and 12 people on a very long street")
_LOAD_ERRORS = (
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    AssertionError,
    ImportError,
    pickle.UnpicklingError,
)
"""What open_clip, torch and the hub client raise for a model that they cannot load."""


@dataclass(frozen=True, slots=True)
class OpenClipModel:
    """A loaded open_clip model in float32 on the CPU, and what a model folder says of it."""

    module: nn.Module
    spec: ModelSpec
    tokenizer: Any
    """open_clip's own tokenizer, the reference of the parity check."""
    definition: bytes
    """The content of ``tokenizer.json``."""
    config: JSONObject | None
    """The content of ``open_clip_config.json``; ``None`` where the folder could not be an open_clip
    ``local-dir:``, because the text tower has to be fetched from a hub."""


@dataclass(frozen=True, slots=True)
class _Source:
    """An open_clip source, taken apart."""

    name: str
    """The first argument of open_clip's functions, with its prefix."""
    weights: str | None = None
    """A pretrained tag, or the path of a checkpoint."""


def load_open_clip(source: str | ModelFolder, *, image_size: int | None = None) -> OpenClipModel:
    """Load a model from ``source``, or from a model folder that is also an open_clip folder.

    ``image_size`` makes a source take pictures of another size, in pixels.

    Raises:
        EncoderError: unknown name or tag, unreadable weights, or a model that has no model folder.
    """
    if isinstance(source, ModelFolder):
        return _load_folder(source)
    parts = parse_source(source)
    config = _model_config(parts.name)
    if image_size is not None:
        config["vision_cfg"]["image_size"] = image_size
    module = _create(parts, config)
    tokenizer = _tokenizer(parts.name)
    exported = export_tokenizer(tokenizer)
    spec = _make_spec(parts, module, config, exported)
    return OpenClipModel(
        module=module,
        spec=spec,
        tokenizer=tokenizer,
        definition=exported.definition,
        config=_open_clip_config(config, spec.preprocessing),
    )


def parse_source(source: str) -> _Source:
    """Take an open_clip source apart.

    Raises:
        EncoderError: it has none of the known forms, or names no weights.
    """
    if source.startswith((_LOCAL_PREFIX, _HUB_PREFIX)):
        return _Source(source)
    if (Path(source) / OPEN_CLIP_CONFIG_NAME).is_file():
        return _Source(f"{_LOCAL_PREFIX}{source}")
    name, colon, path = source.partition(":")
    if colon:
        if not Path(path).expanduser().is_file():
            raise EncoderError(f"{path} is not a file; the source {source!r} names it as weights")
        return _Source(name, str(Path(path).expanduser()))
    name, _, tag = source.rpartition("/")
    if name and tag:
        return _Source(name.replace("/", "-"), tag)
    tags = ", ".join(open_clip.list_pretrained_tags_by_model(source)) or "none"
    raise EncoderError(f"{source!r} names no weights; expected {_FORMS} (tags of {source}: {tags})")


def _load_folder(folder: ModelFolder) -> OpenClipModel:
    if not folder.has_open_clip:
        raise EncoderError(
            f"{folder.path} has no open_clip weights, so torch cannot run it; "
            "use the runtime openvino"
        )
    parts = _Source(f"{_LOCAL_PREFIX}{folder.path}")
    config = _model_config(parts.name)
    return OpenClipModel(
        module=_create(parts, config),
        spec=folder.spec,
        tokenizer=_tokenizer(parts.name),
        definition=(folder.path / TOKENIZER_NAME).read_bytes(),
        config=_open_clip_config(config, folder.spec.preprocessing),
    )


def _model_config(name: str) -> dict[str, Any]:
    try:
        config = open_clip.get_model_config(name)
    except _LOAD_ERRORS as error:
        raise EncoderError(f"the configuration of {name!r} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise EncoderError(f"open_clip knows no model {name!r}; expected {_FORMS}")
    return config


def _create(parts: _Source, config: dict[str, Any]) -> nn.Module:
    vision = config.get("vision_cfg", {})
    # timm towers take a size other than their own only through this argument; for the others it
    # says what the configuration says.
    image_size = vision.get("image_size")
    if _needs_quick_gelu(parts):
        config["quick_gelu"] = True
    try:
        model: nn.Module = open_clip.create_model(
            parts.name,
            pretrained=parts.weights,
            force_image_size=image_size,
            force_quick_gelu=bool(config.get("quick_gelu", False)),
            pretrained_text=False,
            require_pretrained=True,
            weights_only=True,
        )
    except _LOAD_ERRORS as error:
        raise EncoderError(
            f"open_clip cannot load {parts.name} with the weights {parts.weights!r}: {error}"
        ) from error
    return model.eval().requires_grad_(requires_grad=False)


def _needs_quick_gelu(parts: _Source) -> bool:
    """Return whether the tag was trained with QuickGELU.

    open_clip only warns when the configuration of that name has another activation, and goes on
    to give wrong embeddings.
    """
    if parts.weights is None:
        return False
    return bool(open_clip.get_pretrained_cfg(parts.name, parts.weights).get("quick_gelu"))


def _tokenizer(name: str) -> Any:
    try:
        return open_clip.get_tokenizer(name)
    except _LOAD_ERRORS as error:
        raise EncoderError(f"the tokenizer of {name!r} cannot be loaded: {error}") from error


def _make_spec(
    parts: _Source,
    module: nn.Module,
    config: dict[str, Any],
    exported: TokenizerExport,
) -> ModelSpec:
    model = cast("Any", module)
    bias = getattr(model, "logit_bias", None)
    return ModelSpec(
        name=_readable_name(parts),
        dim=int(config["embed_dim"]),
        preprocessing=_preprocessing(get_model_preprocess_cfg(model)),
        text=_text_spec(model, exported),
        weights_digest=state_digest(module),
        tokenizer_digest=sha256_bytes(exported.definition),
        logit_scale=float(model.logit_scale.exp().reshape(-1)[0]),
        logit_bias=0.0 if bias is None else float(bias.reshape(-1)[0]),
        source=_public_source(parts),
    )


def state_digest(module: nn.Module) -> str:
    """Return the weights digest of a module's state."""
    return weights_digest(
        {name: tensor.detach().cpu().numpy() for name, tensor in module.state_dict().items()}
    )


def _public_source(parts: _Source) -> str:
    """Return where the weights came from, without the paths of this machine."""
    if parts.name.startswith(_LOCAL_PREFIX):
        return f"{_LOCAL_PREFIX}{_readable_name(parts)}"
    if parts.weights is None:
        return parts.name
    separator = ":" if Path(parts.weights).is_file() else "/"
    return f"{parts.name}{separator}{Path(parts.weights).name}"


def _readable_name(parts: _Source) -> str:
    if parts.name.startswith(_LOCAL_PREFIX):
        return Path(parts.name.removeprefix(_LOCAL_PREFIX)).resolve().name
    return parts.name.removeprefix(_HUB_PREFIX)


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


def _open_clip_config(config: dict[str, Any], preprocessing: Preprocessing) -> JSONObject | None:
    """Return what makes a folder an open_clip ``local-dir:``."""
    text = config.get("text_cfg", {})
    if text.get("hf_model_name") or text.get("hf_tokenizer_name"):
        return None
    return cast(
        "JSONObject",
        {
            "model_cfg": json.loads(json.dumps(config)),
            "preprocess_cfg": {
                "size": preprocessing.image_size,
                "mean": list(preprocessing.mean),
                "std": list(preprocessing.std),
                "interpolation": preprocessing.interpolation,
                "resize_mode": preprocessing.resize_mode,
                "fill_color": preprocessing.fill_color,
            },
        },
    )
