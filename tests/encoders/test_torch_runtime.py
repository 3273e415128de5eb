"""Rules of encoders.torch_runtime and its towers: what open_clip computes, only quicker."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from core.errors import EncoderError
from encoders.folder import ModelFolder
from encoders.open_clip_reference import reference_images, reference_texts
from encoders.open_clip_source import load_open_clip
from encoders.openvino_runtime import OpenVINOEncoder
from encoders.parity import SAMPLE_TEXTS, sample_pictures
from encoders.preprocessing import preprocess
from encoders.torch_attention import PlainAttention, use_plain_attention
from encoders.torch_runtime import TorchEncoder
from tests.fixtures_models import TINY_VIT, write_tiny_source


def variant(**text_fields: Any) -> dict[str, Any]:
    """Return the tiny configuration with other fields of the text tower."""
    config = copy.deepcopy(TINY_VIT)
    config["custom_text"] = True
    config["text_cfg"].update(text_fields)
    return config


def test_embeddings_are_those_of_open_clip(tiny_model: ModelFolder) -> None:
    """Pictures through its transform and texts at full length give the same."""
    model = load_open_clip(tiny_model)
    pictures = sample_pictures()
    images_ND = reference_images(model, pictures)
    texts_ND = reference_texts(model, SAMPLE_TEXTS)
    encoder = TorchEncoder(model, device="cpu")

    pixels_NSS3 = np.stack([preprocess(picture, encoder.preprocessing) for picture in pictures])

    np.testing.assert_allclose(encoder.encode_images(pixels_NSS3), images_ND, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_texts(SAMPLE_TEXTS), texts_ND, atol=1e-5)


def test_both_runtimes_agree(tiny_model: ModelFolder) -> None:
    """One encoder id, one set of embeddings, whichever runtime made them."""
    torch_encoder = TorchEncoder(load_open_clip(tiny_model), device="cpu", threads=1)
    openvino_encoder = OpenVINOEncoder(tiny_model)

    assert torch_encoder.encoder_id == openvino_encoder.encoder_id
    np.testing.assert_allclose(
        torch_encoder.encode_texts(SAMPLE_TEXTS),
        openvino_encoder.encode_texts(SAMPLE_TEXTS),
        atol=1e-5,
    )


def test_bfloat16_is_close_to_float32(tiny_model: ModelFolder) -> None:
    """Cosine of at least 0.999, also in batches."""
    exact = TorchEncoder(load_open_clip(tiny_model), device="cpu")
    short = TorchEncoder(load_open_clip(tiny_model), device="cpu", precision="bfloat16")
    pixels_NSS3 = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)

    image_cosines_N = (exact.encode_images(pixels_NSS3) * short.encode_images(pixels_NSS3)).sum(1)
    text_cosines_N = (exact.encode_texts(SAMPLE_TEXTS) * short.encode_texts(SAMPLE_TEXTS)).sum(1)

    assert min(image_cosines_N.min(), text_cosines_N.min()) > 0.999


@pytest.mark.slow
def test_compiled_towers_give_the_same(
    tiny_model: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of several sizes; traced by torch, but run by its plain backend, which is quick."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    exact = TorchEncoder(load_open_clip(tiny_model), device="cpu")
    compiled = TorchEncoder(load_open_clip(tiny_model), device="cpu", compile_towers=True)

    for count in (4, 3, 7):
        pixels_NSS3 = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
        np.testing.assert_allclose(
            compiled.encode_images(pixels_NSS3), exact.encode_images(pixels_NSS3), atol=1e-5
        )
        np.testing.assert_allclose(
            compiled.encode_texts(SAMPLE_TEXTS[:count]),
            exact.encode_texts(SAMPLE_TEXTS[:count]),
            atol=1e-5,
        )


def test_a_closed_encoder_is_an_error(tiny_model: ModelFolder) -> None:
    """Use after close is named, not a crash."""
    encoder = TorchEncoder(load_open_clip(tiny_model), device="cpu")
    encoder.close()

    with pytest.raises(EncoderError, match="is closed"):
        encoder.encode_texts(["a"])


def test_an_unknown_precision_is_refused(tiny_model: ModelFolder) -> None:
    """The message lists the known ones."""
    with pytest.raises(EncoderError, match="'int4': with torch expected float32 or bfloat16"):
        TorchEncoder(load_open_clip(tiny_model), precision="int4")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_that_is_not_there_is_refused(tiny_model: ModelFolder) -> None:
    """Nothing falls back silently to the CPU when CUDA was asked for."""
    with pytest.raises(EncoderError, match="no CUDA device"):
        TorchEncoder(load_open_clip(tiny_model), device="cuda")


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("masks", ["none", "shared", "per head"])
def test_plain_attention_is_multi_head_attention(*, batch_first: bool, masks: str) -> None:
    """Self-attention and attention to other tokens, with every form of mask."""
    torch.manual_seed(0)
    original = nn.MultiheadAttention(8, 2, batch_first=batch_first).eval()
    nn.init.normal_(original.in_proj_bias)
    plain = PlainAttention(original)
    tokens, others = torch.randn(3, 3, 8), torch.randn(3, 3, 8)
    causal = torch.full((3, 3), float("-inf")).triu(1)
    mask = {"none": None, "shared": causal, "per head": causal.expand(6, 3, 3)}[masks]

    with torch.no_grad():
        for key in (tokens, others):
            expected, _ = original(tokens, key, key, need_weights=False, attn_mask=mask)
            torch.testing.assert_close(plain(tokens, key, key, attn_mask=mask)[0], expected)


def test_swapping_the_attention_keeps_the_state(tiny_model: ModelFolder) -> None:
    """Names and values of the weights stay, so the digest stays."""
    module = load_open_clip(tiny_model).module
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}

    use_plain_attention(module)

    after = module.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert not any(isinstance(child, nn.MultiheadAttention) for child in module.modules())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fields", "trims"),
    [
        ({}, True),
        ({"pool_type": "eos", "eos_id": 49407}, True),
        ({"pool_type": "first"}, True),
        ({"pool_type": "last"}, False),
        ({"no_causal_mask": True}, False),
        ({"no_causal_mask": True, "pool_type": "last", "proj_bias": True}, False),
        ({"proj_type": "none", "width": 16}, True),
        ({"embed_cls": True, "context_length": 76}, False),
    ],
    ids=["clip", "eos", "first", "last", "mobileclip", "siglip", "no projection", "coca"],
)
def test_trimming_is_decided_by_what_the_tower_does(
    tmp_path: Path, fields: dict[str, Any], *, trims: bool
) -> None:
    """Causal towers that pool at the end are trimmed, towers that see the filling are not.

    Either way the embeddings are open_clip's.
    """
    source = write_tiny_source(tmp_path / "source", variant(**fields))
    model = load_open_clip(f"local-dir:{source}")
    expected_ND = reference_texts(model, SAMPLE_TEXTS)

    assert model.spec.text.trim is trims
    actual_ND = TorchEncoder(model, device="cpu").encode_texts(SAMPLE_TEXTS)
    np.testing.assert_allclose(actual_ND, expected_ND, atol=1e-5)
