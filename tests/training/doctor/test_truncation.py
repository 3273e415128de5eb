"""Rules of training.doctor.truncation and training.doctor.model_facts."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import EncoderError, NotFoundError
from core.pairs.pair import Pair
from encoders.loading import STARTER_MODEL
from training.doctor.model_facts import ModelFacts, facts_of_model
from training.doctor.truncation import truncation_of

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def starter() -> ModelFacts:
    """Return the facts of the model that ships with Sightline."""
    return facts_of_model()


def test_a_model_folder_tells_its_sizes(starter: ModelFacts) -> None:
    """They are those of its model.json."""
    assert (starter.name, starter.image_size, starter.context_length) == ("starter", 224, 64)


def test_what_is_cut_is_what_the_tokenizer_cuts(starter: ModelFacts) -> None:
    """The count equals that of texts whose ids lose a token, and the longest come first."""
    texts = ["cat " * count for count in (1, 61, 62, 63, 64, 200)]
    pairs = [Pair(f"{len(text)}", Path("a"), (text,)) for text in texts]
    whole = starter.tokenizer.count_tokens(texts)
    kept = [len(ids) for ids in starter.tokenizer.token_ids(texts)]
    lost = [count for count, left in zip(whole, kept, strict=True) if left < count]

    found = truncation_of(pairs, starter)

    assert 0 < len(lost) < len(texts)
    assert found.cut == len(lost)
    assert found.share == len(lost) / len(texts)
    assert found.longest == max(whole)
    assert found.mean_tokens == sum(whole) / len(whole)
    assert [example.tokens for example in found.examples] == sorted(lost, reverse=True)
    assert found.examples[0].caption == texts[-1]


def test_at_most_five_examples_are_kept(starter: ModelFacts) -> None:
    """Memory does not grow with the number of long captions."""
    pairs = [Pair(str(number), Path("a"), ("word " * 70,)) for number in range(9)]

    found = truncation_of(pairs, dataclasses.replace(starter, context_length=10))

    assert found.cut == 9
    assert [example.id for example in found.examples] == ["0", "1", "2", "3", "4"]


def test_no_caption_is_no_error(starter: ModelFacts) -> None:
    """Nothing is cut of nothing."""
    found = truncation_of([Pair("a", Path("a"), ())], starter)

    assert (found.cut, found.share, found.longest) == (0, 0.0, 0)


@pytest.mark.slow
def test_an_open_clip_name_needs_no_weights() -> None:
    """Sizes and tokenizer come from the architecture alone."""
    facts = facts_of_model("ViT-B-32/laion2b_s34b_b79k")

    assert (facts.image_size, facts.context_length) == (224, 77)
    assert facts.tokenizer.count_tokens(["a photo of a cat"]) == [7]


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    """The message says what a model folder has."""
    with pytest.raises(NotFoundError, match=r"no model\.json"):
        facts_of_model(tmp_path)


@pytest.mark.slow
def test_an_unknown_name_is_refused() -> None:
    """open_clip knows no such model."""
    with pytest.raises(EncoderError, match="no-such-model"):
        facts_of_model("no-such-model")


def test_without_torch_a_model_folder_works_and_a_name_says_what_is_missing() -> None:
    """In a serving environment only open_clip names need the training extra."""
    script = (
        "import sys\n"
        "sys.modules['torch'] = sys.modules['open_clip'] = None\n"
        "from training.doctor.model_facts import facts_of_model\n"
        "import training.doctor.check, training.doctor.dedup, training.doctor.filtering\n"
        "import training.doctor.scores, training.doctor.kept, cli.data\n"
        f"print(facts_of_model({str(STARTER_MODEL)!r}).context_length)\n"
        "facts_of_model('ViT-B-32')\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.stdout == "64\n"
    assert "pip install -e '.[train]'" in done.stderr
