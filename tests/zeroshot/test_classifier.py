"""Rules of zeroshot.classifier.

# C = labels, D = embedding dimension
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from core.errors import EncoderError, UsageError
from core.types import FloatArray
from encoders.encoder import Encoder
from tests.fakes import COLOURS, FakeEncoder
from zeroshot.classifier import (
    BACKGROUND_LABELS,
    Classifier,
    build_classifier,
)
from zeroshot.templates import check_templates, template_set

IMAGENET7 = template_set("imagenet7")
SINGLE = template_set("single")


def classifier_of(matrix_CD: FloatArray, *, scale: float = 10.0, bias: float = 0.0) -> Classifier:
    """Return a classifier with the given label vectors; its one background is the last axis."""
    background_BD = np.zeros((1, matrix_CD.shape[1]), np.float32)
    background_BD[0, -1] = 1.0
    return Classifier(
        labels=tuple(f"label {place}" for place in range(len(matrix_CD))),
        matrix_CD=matrix_CD,
        background_BD=background_BD,
        logit_scale=scale,
        logit_bias=bias,
        encoder_id="fa4e000000000001",
        template_digest="",
    )


def one_image(encoder: Encoder, colour: str) -> FloatArray:
    """Return the embedding (1, D) of a one-colour picture."""
    size = encoder.preprocessing.image_size
    pixels = np.empty((1, size, size, 3), np.uint8)
    pixels[...] = COLOURS[colour]
    return encoder.encode_images(pixels)


def test_the_best_label_is_the_one_the_picture_shows() -> None:
    """A red picture is a red thing, in every built-in set of templates."""
    encoder = FakeEncoder()
    labels = ["red car", "green car", "blue car"]
    for name in ("name", "single", "imagenet7"):
        classifier = build_classifier(encoder, labels, template_set(name))
        scores = classifier.classify(one_image(encoder, "green"))
        assert scores.top(0, 1)[0].label == "green car"


class OrthogonalTexts(FakeEncoder):
    """An encoder whose texts have the lengths and directions that a test writes down."""

    dim = 3

    def __init__(self, vectors: dict[str, list[float]]) -> None:
        """Answer with ``vectors``; other texts lie on the third axis."""
        super().__init__()
        self._vectors = vectors

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """Return the vectors as they are, not normalised."""
        vectors = [self._vectors.get(text, [0.0, 0.0, 1.0]) for text in texts]
        return np.array(vectors, np.float32)


def test_prompts_are_normalised_before_and_after_the_mean() -> None:
    """A long embedding counts no more than a short one, and the class vector has length 1."""
    encoder = OrthogonalTexts({"a cat": [5.0, 0.0, 0.0], "the cat": [0.0, 0.5, 0.0]})

    classifier = build_classifier(encoder, ["cat"], check_templates(["a {}", "the {}"]))

    half = 0.5**0.5
    np.testing.assert_allclose(classifier.matrix_CD, [[half, half, 0.0]], atol=1e-7)


def test_prompts_that_cancel_out_are_an_error() -> None:
    """A label without a direction would give NaN for every image."""
    encoder = OrthogonalTexts({"a cat": [1.0, 0.0, 0.0], "the cat": [-1.0, 0.0, 0.0]})

    with pytest.raises(EncoderError, match="no direction for 'cat'"):
        build_classifier(encoder, ["cat"], check_templates(["a {}", "the {}"]))


def test_a_classifier_of_many_prompts_equals_one_built_label_by_label() -> None:
    """Prompts go to the model in parts; the parts change nothing."""
    encoder = FakeEncoder()
    labels = [f"thing {number}" for number in range(150)]

    whole = build_classifier(encoder, labels, IMAGENET7)

    alone_CD = np.concatenate(
        [build_classifier(encoder, [label], IMAGENET7).matrix_CD for label in labels]
    )
    np.testing.assert_array_equal(whole.matrix_CD, alone_CD)


def test_the_model_s_own_temperature_is_used() -> None:
    """The logit scale and bias come from the encoder, never a constant."""
    encoder = FakeEncoder()
    encoder.logit_scale, encoder.logit_bias = 57.0, -3.0

    classifier = build_classifier(encoder, ["red", "blue"], SINGLE)

    assert (classifier.logit_scale, classifier.logit_bias) == (57.0, -3.0)
    assert classifier.encoder_id == encoder.encoder_id
    assert classifier.template_digest == SINGLE.digest


def test_single_mode_is_the_softmax_of_scaled_cosines() -> None:
    """Scale 10, cosines 0.8 and 0.6: odds of e^2."""
    matrix_CD = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], np.float32)

    scores = classifier_of(matrix_CD).classify(np.array([[0.8, 0.6, 0.0]], np.float32))

    odds = np.exp(2.0)
    np.testing.assert_allclose(scores.scores_NC, [[odds / (1 + odds), 1 / (1 + odds)]], rtol=1e-6)
    np.testing.assert_allclose(scores.cosines_NC, [[0.8, 0.6]], rtol=1e-6)


def test_single_mode_ignores_the_bias_because_it_cancels() -> None:
    """A bias moves all logits alike."""
    matrix_CD = np.eye(3, dtype=np.float32)
    images_ND = np.array([[0.8, 0.6, 0.0]], np.float32)

    without = classifier_of(matrix_CD).classify(images_ND)
    with_bias = classifier_of(matrix_CD, bias=-12.0).classify(images_ND)

    np.testing.assert_array_equal(without.scores_NC, with_bias.scores_NC)


def test_temperature_divides_the_logits() -> None:
    """Temperature 2 halves the difference of the logits: odds of e instead of e^2."""
    matrix_CD = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], np.float32)
    images_ND = np.array([[0.8, 0.6, 0.0]], np.float32)

    scores = classifier_of(matrix_CD).classify(images_ND, temperature=2.0)

    assert scores.scores_NC[0, 0] == pytest.approx(np.e / (1 + np.e), rel=1e-6)


def test_multi_mode_of_a_sigmoid_model_uses_its_bias() -> None:
    """sigmoid(10 * 0.8 - 6) and sigmoid(10 * 0.6 - 6): each label by itself."""
    matrix_CD = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], np.float32)

    scores = classifier_of(matrix_CD, bias=-6.0).classify(
        np.array([[0.8, 0.6, 0.0]], np.float32), mode="multi"
    )

    np.testing.assert_allclose(scores.scores_NC, [[1 / (1 + np.exp(-2.0)), 0.5]], rtol=1e-6)


def test_multi_mode_of_a_softmax_model_contrasts_with_the_background() -> None:
    """A label as close as the background scores one half; a closer one more, others less."""
    matrix_CD = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], np.float32)

    scores = classifier_of(matrix_CD).classify(
        np.array([[0.7, 0.1, 0.5]], np.float32), mode="multi"
    )

    expected = [[1 / (1 + np.exp(-2.0)), 1 / (1 + np.exp(4.0)), 0.5]]
    np.testing.assert_allclose(scores.scores_NC, expected, rtol=1e-6)


def test_several_backgrounds_count_as_their_mean_odds() -> None:
    """Logits 7, and 5 and 1 in the background: e^7 / (e^7 + (e^5 + e^1) / 2)."""
    classifier = dataclasses.replace(
        classifier_of(np.array([[1.0, 0.0, 0.0]], np.float32)),
        background_BD=np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], np.float32),
    )

    scores = classifier.classify(np.array([[0.7, 0.5, 0.1]], np.float32), mode="multi")

    expected = np.exp(7.0) / (np.exp(7.0) + (np.exp(5.0) + np.exp(1.0)) / 2)
    assert scores.scores_NC[0, 0] == pytest.approx(expected, rel=1e-6)


def test_the_background_is_embedded_in_the_same_templates() -> None:
    """What the prompts have in common cancels out of the contrast."""
    encoder = FakeEncoder()
    classifier = build_classifier(encoder, ["red"], IMAGENET7)

    expected_BD = build_classifier(encoder, BACKGROUND_LABELS, IMAGENET7).matrix_CD

    np.testing.assert_array_equal(classifier.background_BD, expected_BD)


def test_a_sigmoid_model_needs_no_background() -> None:
    """Its bias is the zero that the background stands in for."""
    encoder = FakeEncoder()
    encoder.logit_bias = -10.0

    assert build_classifier(encoder, ["red"], SINGLE).background_BD.shape == (0, 8)
    assert encoder.text_calls == 1


def test_a_label_keeps_its_multi_score_whatever_the_other_labels_are() -> None:
    """Each probability is its own: adding labels changes none of them."""
    encoder = FakeEncoder()
    few = build_classifier(encoder, ["red", "blue"], SINGLE)
    many = build_classifier(encoder, ["blue", "white", "green", "red"], SINGLE)
    image = one_image(encoder, "red")

    few_score = few.classify(image, mode="multi").scores_NC[0, 0]

    assert many.classify(image, mode="multi").scores_NC[0, 3] == few_score


@pytest.mark.parametrize("mode", ["single", "multi"])
@pytest.mark.parametrize("scale", [1e-3, 100.0, 1e6])
def test_scores_are_finite_probabilities_at_any_scale(mode: str, scale: float) -> None:
    """No overflow: a huge logit scale saturates to 0 and 1."""
    matrix_CD = np.eye(4, dtype=np.float32)
    images_ND = np.array([[1, 0, 0, 0], [0, -1, 0, 0], [0.5, 0.5, -0.5, 0.5]], np.float32)

    scores_NC = (
        classifier_of(matrix_CD, scale=scale)
        .classify(images_ND, mode="multi" if mode == "multi" else "single")
        .scores_NC
    )

    assert scores_NC.dtype == np.float32
    assert np.all((scores_NC >= 0.0) & (scores_NC <= 1.0))
    if mode == "single":
        np.testing.assert_allclose(scores_NC.sum(axis=1), 1.0, rtol=1e-6)


def test_no_images_give_no_scores() -> None:
    """An empty batch is no error."""
    scores = classifier_of(np.eye(3, dtype=np.float32)).classify(np.empty((0, 3), np.float32))

    assert scores.scores_NC.shape == (0, 3)


def test_embeddings_of_another_size_are_refused() -> None:
    """The message names the encoder to use."""
    classifier = classifier_of(np.eye(3, dtype=np.float32))

    with pytest.raises(UsageError, match=r"\(1, 4\), expected \(N, 3\): use the encoder fa4e"):
        classifier.classify(np.ones((1, 4), np.float32))


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_is_a_number_above_zero(temperature: float) -> None:
    """Zero would divide by zero."""
    with pytest.raises(UsageError, match="expected a number above 0"):
        classifier_of(np.eye(2, dtype=np.float32)).classify(
            np.ones((1, 2), np.float32), temperature=temperature
        )


def test_an_unknown_mode_is_refused() -> None:
    """The message names the two modes."""
    with pytest.raises(UsageError, match="expected single or multi"):
        classifier_of(np.eye(2, dtype=np.float32)).classify(
            np.ones((1, 2), np.float32),
            mode="both",  # type: ignore[arg-type]  # what a client may send
        )


def tiny_open_clip_model() -> tuple[object, object]:
    """Return a small random open_clip model and the CLIP tokenizer."""
    import open_clip
    import torch

    torch.manual_seed(7)
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    vision = {"image_size": 16, "patch_size": 8, "width": 32, "layers": 1, "head_width": 16}
    model = open_clip.CLIP(embed_dim=24, vision_cfg=vision, text_cfg=text).eval()
    return model, open_clip.SimpleTokenizer(context_length=77)


class OpenClipTexts(FakeEncoder):
    """The text tower of an open_clip model as an encoder."""

    dim = 24

    def __init__(self, model: object, tokenizer: object) -> None:
        """Embed with ``model``."""
        super().__init__()
        self._model, self._tokenizer = model, tokenizer

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """Return normalised embeddings."""
        import torch

        with torch.inference_mode():
            tokens = self._tokenizer(list(texts))  # type: ignore[operator]  # open_clip has no types
            return self._model.encode_text(tokens, normalize=True).numpy()  # type: ignore[attr-defined]  # same


def test_the_classifier_is_open_clips() -> None:
    """The class vectors are those of ``open_clip.build_zero_shot_classifier`` to 1e-6."""
    import open_clip
    from open_clip import OPENAI_IMAGENET_TEMPLATES, SIMPLE_IMAGENET_TEMPLATES

    model, tokenizer = tiny_open_clip_model()
    labels = ["tabby cat", "golden retriever", "fire engine", "missile"]
    theirs = {
        "imagenet7": SIMPLE_IMAGENET_TEMPLATES,
        "imagenet80": OPENAI_IMAGENET_TEMPLATES,
        "single": ["a photo of a {}."],
    }
    for name, templates in theirs.items():
        expected_DC = open_clip.build_zero_shot_classifier(model, tokenizer, labels, templates)
        ours = build_classifier(OpenClipTexts(model, tokenizer), labels, template_set(name))
        np.testing.assert_allclose(ours.matrix_CD, expected_DC.numpy().T, atol=1e-6, rtol=0)
