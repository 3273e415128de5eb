"""The zero-shot classifier: labels become unit vectors, images are compared with them.

    m_c = mean over templates t of e_ct / |e_ct|       W_c = m_c / |m_c|
    z_c = logit_scale * (x . W_c) + logit_bias

with e_ct the text embedding of label c in template t and x the unit image embedding; logit_scale
and logit_bias are the ones that the model learned.
Source: Radford et al. 2021, arXiv:2103.00020, section 3.1.4, and their ImageNet notebook, which
normalise before and after the mean.

# N = images, C = labels, B = background labels, D = embedding dimension
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigError, UsageError
from core.types import FloatArray
from encoders.encoder import Encoder
from zeroshot.label_matrix import label_matrix
from zeroshot.scores import Scores, log_mean_exp, sigmoid, softmax
from zeroshot.templates import TemplateSet
from zeroshot.texts import check_labels

Mode = Literal["single", "multi"]

BACKGROUND_LABELS = (
    "object",
    "animal",
    "plant",
    "person",
    "building",
    "food",
    "vehicle",
    "landscape",
)
"""What pictures in general show: the other side of the contrast in mode ``multi``. Chosen on the
example gallery, see docs/zero-shot.md."""

DEFAULT_CLASSIFIERS = 32
"""With 1000 labels and 768 dimensions each takes 3 MB."""

_DoubleArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Classifier:
    """Labels compiled with an encoder; immutable, so any thread may use it."""

    labels: tuple[str, ...]
    matrix_CD: FloatArray
    """Unit vector of each label."""
    background_BD: FloatArray
    """Unit vectors of ``BACKGROUND_LABELS`` in the same templates; (0, D) for a sigmoid-trained
    model, which needs none."""
    logit_scale: float
    logit_bias: float
    encoder_id: str
    template_digest: str

    def classify(
        self, images_ND: FloatArray, *, mode: Mode = "single", temperature: float | None = None
    ) -> Scores:
        """Return the scores of unit image embeddings.

        ``single`` is the softmax over the labels. ``multi`` gives each label a probability of its
        own: sigmoid(z) for a sigmoid-trained model (one with a learned bias). A softmax-trained
        model has learned no zero, so there it is the contrast exp(z) / (exp(z) + mean over b of
        exp(z_b)) with the background labels b: one half means that the label fits the image as
        well as a word for pictures in general.

        Args:
            images_ND: from the encoder of this classifier.
            mode: whether one label fits, or any number.
            temperature: divides the logits; above 1 makes the scores less sure. Default 1.

        Raises:
            UsageError: another shape, mode or temperature than can be used.
        """
        if images_ND.ndim != 2 or images_ND.shape[1] != self.matrix_CD.shape[1]:  # noqa: PLR2004 - rows and columns
            raise UsageError(
                f"image embeddings have the shape {images_ND.shape}, expected "
                f"(N, {self.matrix_CD.shape[1]}): use the encoder {self.encoder_id}"
            )
        divisor = _checked_temperature(temperature)
        images_ND64 = images_ND.astype(np.float64)
        cosines_NC = images_ND64 @ self.matrix_CD.astype(np.float64).T
        if mode == "single":
            scores_NC = softmax(self.logit_scale * cosines_NC / divisor)
        elif mode == "multi":
            scores_NC = sigmoid(self._own_logits(images_ND64, cosines_NC) / divisor)
        else:
            raise UsageError(f"mode = {mode!r}: expected single or multi", param="mode")
        return Scores(
            labels=self.labels,
            scores_NC=scores_NC.astype(np.float32),
            cosines_NC=cosines_NC.astype(np.float32),
        )

    def _own_logits(self, images_ND: _DoubleArray, cosines_NC: _DoubleArray) -> _DoubleArray:
        """Return logits whose sigmoid is the probability of each label by itself."""
        if self.logit_bias != 0.0:
            return self.logit_scale * cosines_NC + self.logit_bias
        background_NB = self.logit_scale * (images_ND @ self.background_BD.astype(np.float64).T)
        return self.logit_scale * cosines_NC - log_mean_exp(background_NB)


@dataclass(frozen=True, slots=True)
class _Key:
    """What a classifier is made of."""

    encoder_id: str
    labels: tuple[str, ...]
    template_digest: str


class ClassifierCache:
    """The classifiers used last. Any thread may call it; one classifier is built only once."""

    def __init__(self, max_classifiers: int = DEFAULT_CLASSIFIERS) -> None:
        """Keep at most ``max_classifiers``.

        Raises:
            ConfigError: fewer than one.
        """
        if max_classifiers < 1:
            raise ConfigError(f"max_classifiers = {max_classifiers}: expected 1 or more")
        self._max = max_classifiers
        self._lock = threading.Lock()
        self._classifiers: OrderedDict[_Key, Classifier] = OrderedDict()
        self._building: dict[_Key, threading.Event] = {}
        self._backgrounds: OrderedDict[tuple[str, str], FloatArray] = OrderedDict()
        self._hits = self._misses = 0

    @property
    def hits(self) -> int:
        """How many calls found their classifier built, or being built by another thread."""
        return self._hits

    @property
    def misses(self) -> int:
        """How many calls had to build one."""
        return self._misses

    def __len__(self) -> int:
        return len(self._classifiers)

    def get(self, encoder: Encoder, labels: Sequence[str], templates: TemplateSet) -> Classifier:
        """Return the classifier, building it unless it is there or another thread is at it.

        Raises:
            LabelSetError: the labels cannot be used.
            EncoderError: the model fails on the prompts; the next call tries again.
        """
        key = _Key(encoder.encoder_id, check_labels(labels), templates.digest)
        while True:
            found = self._find_or_claim(key)
            if found is None:
                return self._build(key, encoder, templates)
            if isinstance(found, Classifier):
                return found
            # A builder that fails leaves nothing, and one of those who waited takes over: its
            # failure, for example its own deadline, is not theirs.
            found.wait()

    def _find_or_claim(self, key: _Key) -> Classifier | threading.Event | None:
        """Return the classifier, or the sign that its builder will set, or the job to build it."""
        with self._lock:
            classifier = self._classifiers.get(key)
            if classifier is not None:
                self._classifiers.move_to_end(key)
                self._hits += 1
                return classifier
            built = self._building.get(key)
            if built is None:
                self._building[key] = threading.Event()
                self._misses += 1
            return built

    def _build(self, key: _Key, encoder: Encoder, templates: TemplateSet) -> Classifier:
        try:
            known_BD = self._backgrounds.get((key.encoder_id, key.template_digest))
            classifier = build_classifier(encoder, key.labels, templates, background_BD=known_BD)
            with self._lock:
                self._keep(key, classifier)
        finally:
            with self._lock:
                self._building.pop(key).set()
        return classifier

    def _keep(self, key: _Key, classifier: Classifier) -> None:
        """Store a classifier, and the background for the next one with the same prompts."""
        self._classifiers[key] = classifier
        self._backgrounds[key.encoder_id, key.template_digest] = classifier.background_BD
        while len(self._classifiers) > self._max:
            self._classifiers.popitem(last=False)
        while len(self._backgrounds) > self._max:
            self._backgrounds.popitem(last=False)


def build_classifier(
    encoder: Encoder,
    labels: Sequence[str],
    templates: TemplateSet,
    *,
    background_BD: FloatArray | None = None,
) -> Classifier:
    """Embed every label in every template and average into one unit vector per label.

    Args:
        encoder: the model.
        labels: 1 to 1000 texts, no two alike.
        templates: prompts for each label.
        background_BD: of another classifier of the same encoder and templates, to save embedding
            it again.

    Raises:
        LabelSetError: the labels cannot be used.
        EncoderError: the model fails on the prompts.
    """
    checked = check_labels(labels)
    if background_BD is None:
        needed = BACKGROUND_LABELS if encoder.logit_bias == 0.0 else ()
        background_BD = label_matrix(encoder, needed, templates)
    return Classifier(
        labels=checked,
        matrix_CD=label_matrix(encoder, checked, templates),
        background_BD=background_BD,
        logit_scale=float(encoder.logit_scale),
        logit_bias=float(encoder.logit_bias),
        encoder_id=encoder.encoder_id,
        template_digest=templates.digest,
    )


def _checked_temperature(temperature: float | None) -> float:
    if temperature is None:
        return 1.0
    if not (np.isfinite(temperature) and temperature > 0.0):
        raise UsageError(
            f"temperature = {temperature}: expected a number above 0", param="temperature"
        )
    return float(temperature)
