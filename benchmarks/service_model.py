"""One ViT-B-32 with random weights, as a model folder of ours and as a Hugging Face CLIP folder.

Both hold the same numbers, so that two servers can be compared; ``torch``, ``open_clip_torch`` and
``transformers`` are needed to write them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import open_clip
import torch
from transformers import CLIPConfig, CLIPModel

from encoders.export import export_model

ARCHITECTURE = "ViT-B-32"
_LAYER = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}
_PLAIN = {
    "logit_scale": "logit_scale",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
}
_TRANSPOSED = {
    "visual.proj": "visual_projection.weight",
    "text_projection": "text_projection.weight",
}
_TOWERS = {"transformer.resblocks.": "text_model", "visual.transformer.resblocks.": "vision_model"}


def main() -> None:
    """Write both folders under the folder that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    write_models(parser.parse_args().folder)


def write_models(folder: Path) -> None:
    """Write ``folder/sightline`` and ``folder/hugging-face`` with the same random weights."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    module = open_clip.create_model(ARCHITECTURE, pretrained=None)
    checkpoint = folder / "weights.pt"
    torch.save(module.state_dict(), checkpoint)
    export_model(f"{ARCHITECTURE}:{checkpoint}", folder / "sightline", license="none")
    write_hugging_face(dict(module.state_dict()), folder / "hugging-face", folder / "sightline")


def write_hugging_face(weights: dict[str, torch.Tensor], target: Path, exported: Path) -> None:
    """Write the weights as transformers' CLIPModel, with processor and tokenizer beside them."""
    # open_clip's ViT-B-32 uses the exact GELU; the end of a text is its highest token.
    config = CLIPConfig(
        text_config={"hidden_act": "gelu", "eos_token_id": 49407, "bos_token_id": 49406},
        vision_config={"hidden_act": "gelu"},
    )
    model = CLIPModel(config)
    missing = model.load_state_dict(dict(_renamed(weights)), strict=False).missing_keys
    if [name for name in missing if not name.endswith("position_ids")]:
        message = f"weights that open_clip does not have: {missing}"
        raise RuntimeError(message)
    model.save_pretrained(target)
    (target / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "image_processor_type": "CLIPImageProcessor",
                "crop_size": 224,
                "size": 224,
                "resample": 3,
                "image_mean": [0.48145466, 0.4578275, 0.40821073],
                "image_std": [0.26862954, 0.26130258, 0.27577711],
            }
        ),
        encoding="utf-8",
    )
    (target / "tokenizer.json").write_bytes((exported / "tokenizer.json").read_bytes())
    (target / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "CLIPTokenizerFast",
                "model_max_length": 77,
                "bos_token": "<start_of_text>",
                "eos_token": "<end_of_text>",
                "pad_token": "<end_of_text>",
                "unk_token": "<end_of_text>",
            }
        ),
        encoding="utf-8",
    )


def _renamed(weights: dict[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    for name, value in weights.items():
        if name in _PLAIN:
            yield _PLAIN[name], value
        elif name in _TRANSPOSED:
            yield _TRANSPOSED[name], value.T.contiguous()
        else:
            yield from _renamed_in_layer(name, value)


def _renamed_in_layer(name: str, value: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    tower = next((prefix for prefix in _TOWERS if name.startswith(prefix)), None)
    if tower is None:
        return
    number, _, rest = name.removeprefix(tower).partition(".")
    layer = f"{_TOWERS[tower]}.encoder.layers.{number}"
    part, _, kind = rest.rpartition(".")
    if part in _LAYER:
        yield f"{layer}.{_LAYER[part]}.{kind}", value
        return
    for which, third in zip("qkv", value.chunk(3), strict=True):
        yield f"{layer}.self_attn.{which}_proj.{kind.removeprefix('in_proj_')}", third.clone()


if __name__ == "__main__":
    main()
