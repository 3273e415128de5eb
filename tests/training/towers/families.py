"""One tiny random model of each family of towers, and inputs for it.

# B = pairs
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from open_clip.hf_model import HFTextEncoder
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg, CustomTextCLIP
from open_clip.timm_model import TimmModel
from torch import Tensor, nn
from transformers import BertConfig

from training.towers.dual_encoder import DualEncoder, as_dual_encoder

VOCABULARY, CONTEXT, DIM, SIZE = 99, 12, 16, 32
TEXT: dict[str, Any] = {
    "context_length": CONTEXT,
    "vocab_size": VOCABULARY,
    "width": 32,
    "heads": 2,
    "layers": 2,
}
VIT: dict[str, Any] = {
    "image_size": SIZE,
    "layers": 2,
    "width": 32,
    "patch_size": 8,
    "head_width": 16,
}
SIGLIP_TEXT = {**TEXT, "no_causal_mask": True, "pool_type": "last", "proj_bias": True}


class LstmText(nn.Module):
    """A text tower that repeats no block: embedding, LSTM, projection."""

    def __init__(self) -> None:
        """Draw random weights."""
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 8)
        self.lstm = nn.LSTM(8, 8, batch_first=True)
        self.projection = nn.Linear(8, DIM)

    def forward(self, text: Tensor) -> Tensor:
        """Return the projected last state."""
        states, _ = self.lstm(self.embedding(text))
        projected: Tensor = self.projection(states[:, -1])
        return projected


def clip_vit(**changes: Any) -> DualEncoder:
    """Return open_clip's vision transformer and flat text transformer; ``changes`` to the image."""
    return _build({**VIT, **changes}, TEXT)


def clip_resnet() -> DualEncoder:
    """Return open_clip's ResNet, which has batch norm and a positional embedding in its pool."""
    return _build({"image_size": 64, "layers": [1, 2, 1, 1], "width": 8, "head_width": 8}, TEXT)


def timm_convnext() -> DualEncoder:
    """Return a timm network of convolutions with layer norm."""
    return _build(_timm("test_convnext"), TEXT)


def timm_mobilenet() -> DualEncoder:
    """Return a timm network with batch norm whose own classifier is the projection."""
    return _build(_timm("mobilenetv2_035", timm_proj=""), TEXT)


def timm_vit(name: str = "test_vit", **changes: str) -> DualEncoder:
    """Return a timm vision transformer, with a class token if no other is named."""
    return _build(_timm(name, **{"timm_pool": "token", **changes}), TEXT)


def siglip() -> DualEncoder:
    """Return a SigLIP-like model: attention pooling, no image projection, a text module."""
    image = _timm("test_vit2", timm_pool="map", timm_proj="none")
    return _build(image, SIGLIP_TEXT, dim=64, custom=True, init_logit_bias=-10)


def bert() -> DualEncoder:
    """Return a model whose text tower is BERT by Hugging Face, with dropout."""
    model: Any = _build(VIT, TEXT, custom=True)
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=CONTEXT,
    )
    model.text = HFTextEncoder("", DIM, config=config, pooler_type="cls_pooler", proj_type="mlp")
    return model  # type: ignore[no-any-return]  # the attribute was replaced


def lstm() -> DualEncoder:
    """Return a model whose text tower is one of our own without repeated blocks."""
    model: Any = _build(VIT, TEXT, custom=True)
    model.text = LstmText()
    return model  # type: ignore[no-any-return]  # the attribute was replaced


FAMILIES: dict[str, Callable[[], DualEncoder]] = {
    "clip_vit": clip_vit,
    "clip_resnet": clip_resnet,
    "timm_convnext": timm_convnext,
    "timm_mobilenet": timm_mobilenet,
    "timm_vit": timm_vit,
    "siglip": siglip,
    "bert": bert,
    "lstm": lstm,
}


def pictures(model: nn.Module, count: int = 3, *, size: int = 0) -> Tensor:
    """Return (B, 3, S, S) random pictures of the model's size, or of another."""
    side = size or (64 if "layer4" in dict(model.visual.named_children()) else SIZE)  # type: ignore[union-attr, operator]
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(1))


def captions(count: int = 3) -> Tensor:
    """Return (B, L) random token ids, none of them the filling."""
    generator = torch.Generator().manual_seed(2)
    return torch.randint(1, VOCABULARY, (count, CONTEXT), generator=generator)


def step(model: DualEncoder, *, rate: float = 0.1) -> None:
    """Make one crude training step that moves everything that can move."""
    model.train()
    image, text = model.encode_image(pictures(model)), model.encode_text(captions())
    loss = (image.square().sum() + text.square().sum() - (image * text).sum()) * model.logit_scale
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.sub_(rate * parameter.grad.sign())
                parameter.grad = None


def state_of(module: nn.Module) -> dict[str, Tensor]:
    """Return copies of all parameters and saved buffers."""
    return {name: value.clone() for name, value in module.state_dict().items()}


def _build(
    image: dict[str, Any],
    text: dict[str, Any],
    *,
    dim: int = DIM,
    custom: bool = False,
    **more: Any,
) -> DualEncoder:
    torch.manual_seed(0)
    model = (CustomTextCLIP if custom else CLIP)(
        dim, CLIPVisionCfg(**image), CLIPTextCfg(**text), **more
    )
    if isinstance(model.visual, TimmModel):
        model.visual.set_input_size(SIZE)
    return as_dual_encoder(model)


def _timm(name: str, **changes: str) -> dict[str, Any]:
    defaults = {"timm_pool": "avg", "timm_proj": "linear"}
    return {"image_size": SIZE, "timm_model_name": name, **defaults, **changes}
