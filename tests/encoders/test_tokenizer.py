"""Rules of encoders.tokenizer and encoders.open_clip_tokenizer: the ids are open_clip's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import open_clip
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer
from transformers import BertTokenizerFast

from core.errors import ArtifactError, EncoderError
from encoders.open_clip_tokenizer import export_tokenizer
from encoders.spec import TextSpec
from encoders.tokenizer import TextTokenizer

CLIP = SimpleTokenizer()
CLIP_DEFINITION = export_tokenizer(CLIP).definition
FULL = TextTokenizer(CLIP_DEFINITION, TextSpec(trim=False))
TRIMMED = TextTokenizer(CLIP_DEFINITION, TextSpec())
NASTY = [
    "",
    " ",
    "a photo of a cat",
    "it's I'LL they've DON'T 'S 'Re",
    "caf\u00e9 na\u00efve \u00fcber e\u0301",
    "\U0001f600 \U0001f469\u200d\U0001f469\u200d\U0001f467 emoji",
    "&lt;b&gt; &amp;amp; html",
    "1234567890 3.14 a1b2 \u00b2\u00bd\u2460",
    "word " * 200,
    "a" * 500,
    "\u65e5\u672c\u8a9e \u4e2d\u6587 \ud55c\uad6d\uc5b4 \u0645\u0631\u062d\u0628\u0627",
    "tab\tnew\nline\x85\u3000wide",
    "!!!???...--- a_b-c/d\\e",
    "\u00e2\u20ac\u2122 mojibake",
    "<start_of_text> foo <end_of_text>bar",
    "don\u2019t \u201cquote\u201d \u0130stanbul \u017f'\u017f \u212a",
    "\x00\x01\x1c\x1f control \ufeffbom x\u200by",
]
BERT_WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "dog", "##s", "photo"]


@pytest.mark.parametrize("text", NASTY)
def test_ids_are_those_of_open_clip(text: str) -> None:
    """Every nasty string has the same 77 ids."""
    np.testing.assert_array_equal(FULL.tokenize([text]).input_ids_NL, CLIP([text]).numpy())


@settings(max_examples=200)
@given(st.text(st.characters(max_codepoint=0x52F, exclude_categories=["Cs"]), max_size=40))
@example("'\u017f")
def test_ids_of_any_latin_greek_or_cyrillic_text_are_those_of_open_clip(text: str) -> None:
    """Property: no text in the scripts of Unicode's first blocks is tokenised otherwise."""
    if "\u0345" in text:  # a mark that newer Unicode tables count as a letter
        return
    np.testing.assert_array_equal(FULL.tokenize([text]).input_ids_NL, CLIP([text]).numpy())


def test_a_long_text_is_cut_and_keeps_its_end() -> None:
    """The last of the 77 ids is the end token."""
    batch = TRIMMED.tokenize(["word " * 200])

    assert batch.input_ids_NL.shape == (1, 77)
    assert batch.input_ids_NL[0, -1] == 49407


def test_a_trimmed_batch_is_as_long_as_its_longest_text() -> None:
    """Start, words and end; the rest is filling with mask 0."""
    batch = TRIMMED.tokenize(["cat", "a photo of a cat"])

    assert batch.input_ids_NL.tolist() == [
        [49406, 2368, 49407, 0, 0, 0, 0],
        [49406, 320, 1125, 539, 320, 2368, 49407],
    ]
    assert batch.attention_mask_NL.tolist() == [[1, 1, 1, 0, 0, 0, 0], [1] * 7]
    assert batch.input_ids_NL.dtype == batch.attention_mask_NL.dtype == np.int64


def test_tokens_are_counted_before_the_cut() -> None:
    """200 words are 202 tokens with the two special ones."""
    assert TRIMMED.count_tokens(["", "cat", "word " * 200]) == [2, 3, 202]


def test_no_texts_give_an_empty_batch() -> None:
    """The batch has no rows."""
    assert TRIMMED.tokenize([]).input_ids_NL.shape == (0, 1)


def test_a_definition_that_is_no_tokenizer_is_refused() -> None:
    """The message names the file."""
    with pytest.raises(ArtifactError, match=r"tokenizer\.json cannot be read"):
        TextTokenizer(b"{}", TextSpec())


def test_a_context_without_room_is_refused() -> None:
    """Two special tokens fill a context of two."""
    with pytest.raises(ArtifactError, match="context_length = 2 leaves no room"):
        TextTokenizer(CLIP_DEFINITION, TextSpec(context_length=2))


def test_the_export_of_one_tokenizer_is_always_the_same_bytes() -> None:
    """The digest of the tokenizer is part of the encoder id."""
    assert export_tokenizer(SimpleTokenizer()).definition == CLIP_DEFINITION


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a small BERT tokenizer."""
    folder = tmp_path_factory.mktemp("bert")
    (folder / "vocab.txt").write_text("\n".join(BERT_WORDS))
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("strip", [False, True])
def test_hugging_face_tokenizers_export(bert_folder: Path, *, strip: bool) -> None:
    """Word pieces, padding and cutting are those of open_clip's HFTokenizer.

    With ``strip_sep_token`` the separator becomes 0, as CLIPA's models want it.
    """
    theirs = HFTokenizer(str(bert_folder), context_length=6, strip_sep_token=strip)
    exported = export_tokenizer(theirs)
    spec = TextSpec(exported.context_length, exported.pad_id, exported.cleaning, trim=False)
    ours = TextTokenizer(exported.definition, spec)
    texts = ["A photo", "cats dogs cats dogs cats", "", "unknown"]

    np.testing.assert_array_equal(ours.tokenize(texts).input_ids_NL, theirs(texts).numpy())


def test_an_unknown_kind_of_tokenizer_is_refused() -> None:
    """The message names the type."""
    with pytest.raises(EncoderError, match="tokenizers of type object cannot be exported"):
        export_tokenizer(object())


def test_a_tokenizer_with_a_reduction_mask_is_refused() -> None:
    """It drops tokens at random, which is for training."""
    with pytest.raises(EncoderError, match="reduction mask"):
        export_tokenizer(SimpleTokenizer(reduction_mask="random"))


def test_a_tokenizer_that_pads_on_the_left_is_refused(bert_folder: Path) -> None:
    """Positions would differ."""
    theirs = HFTokenizer(str(bert_folder), context_length=6)
    theirs.tokenizer.padding_side = "left"

    with pytest.raises(EncoderError, match="on the left"):
        export_tokenizer(theirs)


def test_open_clip_gives_the_clip_tokenizer_for_its_models() -> None:
    """The kind that is tested above is the one that open_clip hands out."""
    assert isinstance(open_clip.get_tokenizer("ViT-B-32"), SimpleTokenizer)
