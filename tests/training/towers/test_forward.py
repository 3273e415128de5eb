"""Both towers called the fast way: what they compute is what the model computes."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from open_clip.model import CLIP, CustomTextCLIP
from torch import Tensor, nn

from core.errors import TrainingError
from encoders.preprocessing import Preprocessing, normalise_pixels
from encoders.torch_text_towers import build_own_tower, own_tower_config
from tests.training.tiny import TinyDualEncoder
from tests.training.towers import families
from training.towers.dual_encoder import as_dual_encoder
from training.towers.forward import TwoTowers, normalised

CONTEXT, VOCABULARY = families.CONTEXT, families.VOCABULARY
LENGTHS = (2, 12, 3, 3, 9, 5)


def captions(lengths: tuple[int, ...] = LENGTHS, *, fill: int = 0) -> Tensor:
    """Return ids of texts that end with the largest id and are filled up."""
    ids_BL = torch.full((len(lengths), CONTEXT), fill)
    generator = torch.Generator().manual_seed(3)
    for row, length in enumerate(lengths):
        ids_BL[row, :length] = torch.randint(1, VOCABULARY - 1, (length,), generator=generator)
        ids_BL[row, length - 1] = VOCABULARY - 1
    return ids_BL


def clip(**text: Any) -> nn.Module:
    """Return a small ``CLIP``, which holds its text tower itself."""
    torch.manual_seed(0)
    return CLIP(families.DIM, families.VIT, {**families.TEXT, **text})


def custom_text_clip(**text: Any) -> nn.Module:
    """Return a small ``CustomTextCLIP``, whose text tower is a module."""
    torch.manual_seed(0)
    return CustomTextCLIP(families.DIM, families.VIT, {**families.TEXT, **text})


def own(tower: str) -> nn.Module:
    """Return a model with one of our own text towers."""
    model: Any = custom_text_clip()
    config = own_tower_config(
        {"tower": tower, "vocab_size": VOCABULARY, "context_length": CONTEXT, "width": 32}
    )
    assert config is not None
    model.text = build_own_tower(config, dim=families.DIM)
    return model  # type: ignore[no-any-return]  # the attribute was replaced


def bert() -> nn.Module:
    """Return a model with BERT, without dropout so that both ways compute the same."""
    model = families.bert()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


class MeanOfAll(nn.Module):
    """A pooler that forgets the mask."""

    def forward(self, output: Any, _: Tensor) -> Tensor:
        """Return the mean of all tokens, the filling included."""
        mean_BW: Tensor = output.last_hidden_state.mean(dim=1)
        return mean_BW


EXACT = {
    "clip": clip,
    "custom_text_clip": custom_text_clip,
    "eos": lambda: custom_text_clip(pool_type="eos", eos_id=VOCABULARY - 1),
    "linear_projection": lambda: clip(proj_bias=True),
    "cbow": lambda: own("cbow"),
    "lstm": lambda: own("lstm"),
    "rms_transformer": lambda: own("rms_transformer"),
    "bert": bert,
}
INEXACT = {
    "siglip": lambda: custom_text_clip(no_causal_mask=True, pool_type="last", proj_bias=True),
    "causal_but_last": lambda: custom_text_clip(pool_type="last"),
    "not_causal": lambda: custom_text_clip(no_causal_mask=True),
    "cls_token": lambda: custom_text_clip(embed_cls=True),
}


def gradients(model: nn.Module, embeddings_BD: Tensor) -> dict[str, Tensor]:
    """Return the gradients of a sum in which every number of the embeddings counts otherwise."""
    model.zero_grad(set_to_none=True)
    weights_BD = torch.linspace(-1, 1, embeddings_BD.numel()).view_as(embeddings_BD)
    (embeddings_BD * weights_BD).sum().backward()  # type: ignore[no-untyped-call]  # torch's own
    return {name: value.grad for name, value in model.named_parameters() if value.grad is not None}


def assert_same_gradients(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    """Compare by name, relative to the largest gradient of each parameter."""
    assert first.keys() == second.keys()
    for name, expected in first.items():
        size = float(expected.abs().max()) + 1e-6
        torch.testing.assert_close(second[name] / size, expected / size, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", EXACT)
def test_trimmed_texts_have_the_embeddings_and_gradients_of_untrimmed_ones(kind: str) -> None:
    """Trap 17: texts of 2 to 12 tokens in parts, against the model with all 12."""
    model = EXACT[kind]()
    towers = TwoTowers(as_dual_encoder(model))
    assert towers.trims_texts
    ids_BL = captions()

    whole_BD = model.encode_text(ids_BL)  # type: ignore[operator]  # a method
    trimmed_BD = towers.texts(ids_BL)

    torch.testing.assert_close(trimmed_BD, whole_BD, rtol=1e-5, atol=1e-5)
    assert_same_gradients(gradients(model, whole_BD), gradients(model, trimmed_BD))


@pytest.mark.parametrize("kind", INEXACT)
def test_a_tower_that_sees_the_filling_is_not_trimmed(kind: str) -> None:
    """Trap 17: SigLIP-like towers get the whole context, and what the model says comes out."""
    model = INEXACT[kind]().eval()
    towers = TwoTowers(as_dual_encoder(model)).eval()
    ids_BL = captions()

    assert not towers.trims_texts
    assert torch.equal(towers.texts(ids_BL), model.encode_text(ids_BL))  # type: ignore[operator]


def test_a_mask_that_is_wrong_is_found_by_trying() -> None:
    """A tower of a kind that may be trimmed, whose filling counts: the probes show it."""
    model: Any = bert()
    assert TwoTowers(as_dual_encoder(model)).trims_texts
    model.text.pooler = MeanOfAll()

    assert not TwoTowers(as_dual_encoder(model)).trims_texts


def test_one_part_gives_what_several_parts_give() -> None:
    """Processes that share weights must call every block equally often."""
    model = clip().eval()
    towers = TwoTowers(as_dual_encoder(model)).eval()
    several_BD = towers.texts(captions())
    towers.splits_texts = False

    torch.testing.assert_close(towers.texts(captions()), several_BD, rtol=1e-5, atol=1e-6)


def test_features_and_models_of_ones_own_pass_through_untouched() -> None:
    """Floats are no token ids, and an unknown tower is called as it is."""
    model = TinyDualEncoder().eval()
    towers = TwoTowers(as_dual_encoder(model)).eval()
    images_BF, texts_BF = torch.randn(3, 6), torch.randn(3, 5)

    assert torch.equal(towers.texts(texts_BF), model.encode_text(texts_BF))
    assert torch.equal(towers.images(images_BF), model.encode_image(images_BF))


def test_trying_the_tower_leaves_every_module_in_its_mode() -> None:
    """A locked tower in evaluation mode stays there."""
    model: Any = clip().train()
    model.visual.eval()

    TwoTowers(as_dual_encoder(model))

    assert model.training
    assert model.transformer.training
    assert not model.visual.training


def test_pixels_are_normalised_as_for_serving() -> None:
    """All 256 levels of each colour against NumPy, to one rounding."""
    preprocessing = Preprocessing(image_size=16)
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)

    ours = normalised(torch.from_numpy(pixels), preprocessing)

    expected = torch.from_numpy(normalise_pixels(pixels, preprocessing))
    torch.testing.assert_close(ours, expected, rtol=2e-7, atol=2e-7)
    assert ours.is_contiguous(memory_format=torch.channels_last)


def test_uint8_pictures_give_the_embeddings_of_normalised_ones() -> None:
    """A quarter of the memory, the same numbers."""
    model = clip().eval()
    preprocessing = Preprocessing(image_size=families.SIZE)
    towers = TwoTowers(as_dual_encoder(model), preprocessing).eval()
    shape = (3, families.SIZE, families.SIZE, 3)
    pictures = np.random.default_rng(0).integers(0, 256, shape, np.uint8)

    expected = towers.images(torch.from_numpy(normalise_pixels(pictures, preprocessing)))

    torch.testing.assert_close(
        towers.images(torch.from_numpy(pictures)), expected, rtol=1e-5, atol=1e-5
    )


def test_uint8_pictures_without_preprocessing_are_refused() -> None:
    """Levels of 0 to 255 must not reach a model in silence."""
    towers = TwoTowers(as_dual_encoder(clip()))
    with pytest.raises(TrainingError, match="without preprocessing"):
        towers.images(torch.zeros(2, families.SIZE, families.SIZE, 3, dtype=torch.uint8))


@pytest.mark.slow
def test_compiled_towers_keep_names_embeddings_and_gradients() -> None:
    """Trap 22: no ``_orig_mod`` in a checkpoint, and the same step as without compiling."""
    vision = {**families.VIT, "layers": 1}
    model = CLIP(families.DIM, vision, {**families.TEXT, "layers": 1}).train()
    names = list(model.state_dict())
    plain = TwoTowers(as_dual_encoder(copy.deepcopy(model))).train()
    towers = TwoTowers(as_dual_encoder(model), compile_towers=True).train()
    pictures, ids_BL = torch.randn(3, 3, families.SIZE, families.SIZE), captions((2, 5, 7))

    first, second = plain(pictures, ids_BL), towers(pictures, ids_BL)

    assert list(model.state_dict()) == names
    torch.testing.assert_close(second, first, rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(second, first, strict=True):
        assert_same_gradients(gradients(plain.model, theirs), gradients(model, ours))
