"""open_clip's tokenizers as a ``tokenizer.json`` that runs without torch and open_clip."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

from open_clip.tokenizer import HFTokenizer, SigLipTokenizer, SimpleTokenizer, get_clean_fn

from core.artifacts import canonical_json
from core.errors import EncoderError
from core.types import JSONObject
from encoders.spec import Cleaning

_CLIP_WORDS = r"(?i)'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""Pieces of a text before byte-pair encoding, as in OpenAI's CLIP."""

_CLEANINGS: tuple[Cleaning, ...] = ("lower", "whitespace", "canonicalize")


@dataclass(frozen=True, slots=True)
class TokenizerExport:
    """A tokenizer as data."""

    definition: bytes
    """The content of ``tokenizer.json``: canonical, so that equal tokenizers have equal digests."""
    context_length: int
    pad_id: int
    cleaning: Cleaning


def export_tokenizer(tokenizer: object) -> TokenizerExport:
    """Return what ``open_clip.get_tokenizer`` gave as data.

    Raises:
        EncoderError: a kind of tokenizer that cannot be expressed.
    """
    if isinstance(tokenizer, SimpleTokenizer):
        return _export_clip(tokenizer)
    if isinstance(tokenizer, HFTokenizer | SigLipTokenizer):
        return _export_hugging_face(tokenizer)
    raise EncoderError(
        f"tokenizers of type {type(tokenizer).__name__} cannot be exported; "
        "known are SimpleTokenizer, HFTokenizer and SigLipTokenizer of open_clip"
    )


def _export_clip(tokenizer: Any) -> TokenizerExport:
    """Byte-level byte-pair encoding with ``</w>`` at the end of words."""
    if tokenizer.reduction_fn is not None:
        raise EncoderError("tokenizers with a reduction mask are for training only; drop it")
    special = {tokenizer.decoder[number]: number for number in tokenizer.all_special_ids}
    start, end = list(special)[:2]
    definition: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added_token(token, number) for token, number in special.items()],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": _CLIP_WORDS},
                    "behavior": "Removed",
                    "invert": True,
                },
                {
                    "type": "ByteLevel",
                    "add_prefix_space": False,
                    "trim_offsets": True,
                    "use_regex": False,
                },
            ],
        },
        "post_processor": _start_and_end(start, special[start], end, special[end]),
        "decoder": None,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": "</w>",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": tokenizer.encoder,
            "merges": [list(pair) for pair in tokenizer.bpe_ranks],
        },
    }
    return TokenizerExport(
        definition=canonical_json(cast("JSONObject", definition)),
        context_length=_context_length(tokenizer),
        pad_id=0,
        cleaning=_cleaning(tokenizer.clean_fn),
    )


def _export_hugging_face(tokenizer: Any) -> TokenizerExport:
    """The Rust tokenizer inside a tokenizer of transformers."""
    inner = tokenizer.tokenizer
    backend: Any = getattr(inner, "backend_tokenizer", None)
    mode: str | None = getattr(tokenizer, "tokenizer_mode", None)
    if backend is None or mode:
        raise EncoderError(
            f"the tokenizer {type(inner).__name__} has no plain fast version; "
            "export a model whose tokenizer has a tokenizer.json"
        )
    if inner.padding_side != "right" or inner.truncation_side != "right":
        raise EncoderError("the tokenizer pads or cuts on the left; only the right is supported")
    definition = json.loads(backend.to_str())
    # The calls made so far leave their padding and cutting in the tokenizer.
    definition["truncation"] = definition["padding"] = None
    if getattr(tokenizer, "strip_sep_token", False):
        _replace_separator(definition, inner.sep_token)
    cleaning = "canonicalize" if isinstance(tokenizer, SigLipTokenizer) else None
    return TokenizerExport(
        definition=canonical_json(definition),
        context_length=_context_length(tokenizer),
        pad_id=int(inner.pad_token_id),
        cleaning=cast("Cleaning", cleaning) if cleaning else _cleaning(tokenizer.clean_fn),
    )


def _added_token(token: str, number: int) -> JSONObject:
    return {
        "id": number,
        "content": token,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }


def _start_and_end(start: str, start_id: int, end: str, end_id: int) -> JSONObject:
    """Put one token before and one after every text, also when it is cut."""
    text: JSONObject = {"Sequence": {"id": "A", "type_id": 0}}
    before: JSONObject = {"SpecialToken": {"id": start, "type_id": 0}}
    after: JSONObject = {"SpecialToken": {"id": end, "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [before, text, after],
        "pair": [before, text, after, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {
            start: {"id": start, "ids": [start_id], "tokens": [start]},
            end: {"id": end, "ids": [end_id], "tokens": [end]},
        },
    }


def _replace_separator(definition: dict[str, Any], separator: str) -> None:
    """Make the separator token 0, as open_clip does for CLIPA's models."""
    processor = definition.get("post_processor") or {}
    if processor.get("type") != "TemplateProcessing":
        raise EncoderError(
            f"the separator {separator!r} cannot be stripped from a tokenizer whose post-processor "
            f"is {processor.get('type')!r}; expected TemplateProcessing"
        )
    processor["special_tokens"][separator]["ids"] = [0]


def _context_length(tokenizer: Any) -> int:
    if not tokenizer.context_length:
        raise EncoderError("the tokenizer has no context length; give the model's text_cfg one")
    return int(tokenizer.context_length)


def _cleaning(function: object) -> Cleaning:
    for name in _CLEANINGS:
        if function is get_clean_fn(name):
            return name
    raise EncoderError(f"texts are cleaned by {function!r}, which is not one of {_CLEANINGS}")
