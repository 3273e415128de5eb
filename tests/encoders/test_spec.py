"""Rules of encoders.spec: what counts for the encoder id, and what no model can be."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from core.config import from_mapping
from core.errors import ConfigError
from encoders.preprocessing import Preprocessing
from encoders.spec import ModelSpec, TextSpec, encoder_id, weights_digest

SPEC = ModelSpec(
    name="tiny",
    dim=4,
    preprocessing=Preprocessing(image_size=32),
    text=TextSpec(),
    weights_digest="a" * 64,
    tokenizer_digest="b" * 64,
)


def test_the_encoder_id_is_a_digest_of_the_identity() -> None:
    """16 digits of the sha256 over sorted JSON without spaces, written out by hand."""
    identity = (
        '{"cleaning":"lower","context_length":77,"pad_id":0,"preprocessing":'
        '{"fill_color":0,"image_size":32,"interpolation":"bicubic",'
        '"mean":[0.48145466,0.4578275,0.40821073],"resize_mode":"shortest",'
        '"std":[0.26862954,0.26130258,0.27577711]},'
        f'"tokenizer":"{"b" * 64}","weights":"{"a" * 64}"}}'
    )

    assert encoder_id(SPEC) == hashlib.sha256(identity.encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    "change",
    [
        {"weights_digest": "c" * 64},
        {"tokenizer_digest": "c" * 64},
        {"preprocessing": Preprocessing(image_size=33)},
        {"preprocessing": Preprocessing(image_size=32, resize_mode="squash")},
        {"text": TextSpec(context_length=64)},
        {"text": TextSpec(pad_id=1)},
        {"text": TextSpec(cleaning="none")},
    ],
)
def test_what_changes_an_embedding_changes_the_id(change: dict[str, object]) -> None:
    """Weights, tokenizer, preprocessing and the treatment of texts."""
    assert encoder_id(dataclasses.replace(SPEC, **change)) != encoder_id(SPEC)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"source": "elsewhere"},
        {"license": "MIT"},
        {"logit_scale": 10.0},
        {"text": TextSpec(trim=False)},
    ],
)
def test_what_leaves_embeddings_alone_leaves_the_id(change: dict[str, object]) -> None:
    """Names, temperature and exact trimming."""
    assert encoder_id(dataclasses.replace(SPEC, **change)) == encoder_id(SPEC)


def test_a_spec_survives_json() -> None:
    """What is written is what is read."""
    read = from_mapping(ModelSpec, json.loads(json.dumps(SPEC.to_json())), where="model.json")

    assert read == SPEC


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("dim", 0),
        ("logit_scale", 0.0),
        ("logit_scale", float("inf")),
        ("logit_bias", float("nan")),
    ],
)
def test_a_spec_that_no_model_has_is_refused(field: str, value: object) -> None:
    """The message names the field."""
    with pytest.raises(ConfigError, match=field):
        dataclasses.replace(SPEC, **{field: value})


def test_a_digest_that_is_none_is_refused() -> None:
    """A digest has 64 hexadecimal digits."""
    with pytest.raises(ConfigError, match="'abc' is not a sha256"):
        dataclasses.replace(SPEC, weights_digest="abc")


@pytest.mark.parametrize("fields", [{"context_length": 0}, {"pad_id": -1}])
def test_a_text_spec_out_of_range_is_refused(fields: dict[str, int]) -> None:
    """Lengths and ids are counted from what is possible."""
    with pytest.raises(ConfigError, match=next(iter(fields))):
        TextSpec(**fields)


def test_the_weights_digest_ignores_the_order_of_the_names() -> None:
    """A dictionary read back from a file is the same weights."""
    one, two = np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(2, np.float32)

    assert weights_digest({"a": one, "b": two}) == weights_digest({"b": two, "a": one})


@pytest.mark.parametrize(
    "other",
    [
        np.arange(6, dtype=np.float32).reshape(3, 2),
        np.arange(6, dtype=np.float64).reshape(2, 3),
        np.arange(6, dtype=np.float32).reshape(2, 3) + np.float32(1e-6),
    ],
    ids=["shape", "dtype", "value"],
)
def test_the_weights_digest_sees_every_change(other: np.ndarray) -> None:
    """Shape, type and each bit count."""
    base = np.arange(6, dtype=np.float32).reshape(2, 3)

    assert weights_digest({"a": base}) != weights_digest({"a": other})
    assert weights_digest({"a": base}) != weights_digest({"b": base})
